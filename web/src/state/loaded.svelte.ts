/** What a view reads from the server. */

/** Nothing yet, what was read, or why it could not be. What was read stays while it is read again. */
export class Loaded<T> {
  data = $state<T>();
  error = $state<string>();
  isBusy = $state(false);
  private turn = 0;

  constructor(private readonly read: () => Promise<T>) {
    void this.load();
  }

  async load(): Promise<void> {
    // The answer to an earlier question may come after that to a later one.
    const turn = ++this.turn;
    this.isBusy = true;
    const [data, error] = await this.read().then(
      (data) => [data, undefined] as const,
      (error: Error) => [this.data, error.message] as const,
    );
    if (turn !== this.turn) return;
    this.data = data;
    this.error = error;
    this.isBusy = false;
  }
}
