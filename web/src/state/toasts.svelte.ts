/** Short notes at the edge of the page, some with something to do. */

export interface Toast {
  id: number;
  text: string;
  kind: "note" | "error";
  action?: { label: string; run: () => void };
}

/** How long a note stays, in milliseconds; one with something to do stays as long as that can be done. */
const SHOWN = 5_000;

class Toasts {
  all = $state<Toast[]>([]);
  private next = 0;

  show(text: string, options: { kind?: Toast["kind"]; action?: Toast["action"]; shown?: number } = {}): number {
    const id = this.next++;
    this.all.push({ id, text, kind: options.kind ?? "note", action: options.action });
    setTimeout(() => this.dismiss(id), options.shown ?? SHOWN);
    return id;
  }

  error(error: unknown): void {
    this.show(error instanceof Error ? error.message : String(error), { kind: "error", shown: 8_000 });
  }

  dismiss(id: number): void {
    this.all = this.all.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
