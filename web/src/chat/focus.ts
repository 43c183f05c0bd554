/** Where the keyboard is. */

/** What was pressed is about to be gone: the next thing to do is to write. On touch that would raise a keyboard. */
export function toComposer(): void {
  if (matchMedia("(pointer: coarse)").matches) return;
  document.querySelector<HTMLElement>("[data-composer]")?.focus({ preventScroll: true });
}
