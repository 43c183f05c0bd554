/** The chats that a filter lets through: read page by page, then kept right by what changes. */

import { chats, type Chat, type ChatFilter } from "../api";
import { GIVEN_UP } from "../api/http";

export class Listing {
  /** Those that have been read, the newest change first. */
  items = $state.raw<Chat[]>([]);
  isRead = $state(false);
  /** Whether there are no more than these. */
  isWhole = $state(false);
  /** Why the next page could not be read. */
  error = $state<string>();
  /** How far its reader has scrolled, in pixels. */
  top = 0;

  private wanted = 0;
  private filling: Promise<void> | undefined;
  private stop = new AbortController();
  /** Where the next page begins. */
  private cursor: string | null | undefined;
  /** Those known to be as they are shown, since reading has begun; the others stood there before. */
  private sure = new Set<string>();
  /** What changed while a page was on its way, which may not have it yet; `null`: is gone. */
  private changed = new Map<string, Chat | null>();

  constructor(readonly filter: ChatFilter) {}

  /** Sees to it that so many are there, if there are so many. */
  fill(count: number): Promise<void> {
    this.wanted = count;
    if (this.error || !this.lacks) return Promise.resolve();
    return (this.filling ??= this.readPages(this.stop.signal));
  }

  retry(): void {
    this.error = undefined;
    void this.fill(this.wanted);
  }

  /** Reads everything anew; what is shown stays until the answer is there. */
  readAnew(): Promise<void> {
    this.close();
    this.stop = new AbortController();
    this.filling = this.cursor = this.error = undefined;
    this.sure.clear();
    return this.fill(this.items.length);
  }

  /** Puts a chat as it is now where it belongs, or takes it out if it does not belong here. */
  put(chat: Chat): void {
    const before = this.items.find(({ id }) => id === chat.id);
    if (before && before.updatedAt > chat.updatedAt) return;
    if (before && before.updatedAt === chat.updatedAt && this.fits(chat)) {
      this.changed.set(chat.id, chat);
      this.items = this.items.map((item) => (item === before ? chat : item));
      return;
    }
    this.drop(chat.id);
    this.changed.set(chat.id, chat);
    if (!this.fits(chat)) return;
    const at = this.items.findIndex(({ updatedAt }) => updatedAt <= chat.updatedAt);
    // Behind the last one it may not be the next: its page will bring it.
    if (at < 0 && !this.isWhole) return;
    this.items = this.items.toSpliced(at < 0 ? this.items.length : at, 0, chat);
    this.sure.add(chat.id);
  }

  drop(id: string): void {
    this.changed.set(id, null);
    this.sure.delete(id);
    if (this.items.some((chat) => chat.id === id)) this.items = this.items.filter((chat) => chat.id !== id);
  }

  close(): void {
    this.stop.abort(GIVEN_UP);
  }

  private fits(chat: Chat): boolean {
    const { status, q } = this.filter;
    return chat.status === status && (!q || chat.chatName.toLowerCase().includes(q.toLowerCase()));
  }

  private get lacks(): boolean {
    return this.cursor === undefined || (this.cursor !== null && this.sure.size < this.wanted);
  }

  private async readPages(signal: AbortSignal): Promise<void> {
    try {
      while (this.lacks) await this.readPage(signal);
    } catch (error) {
      if (!signal.aborted) this.error = (error as Error).message;
    } finally {
      if (this.stop.signal === signal) this.filling = undefined;
    }
  }

  private async readPage(signal: AbortSignal): Promise<void> {
    this.changed.clear();
    const page = await chats.list(this.filter, this.cursor, signal);
    signal.throwIfAborted();
    const read = page.chats.filter(({ id }) => !this.changed.has(id));
    const ids = new Set(read.map(({ id }) => id));
    const end = page.nextCursor === null ? "" : (page.chats.at(-1)?.updatedAt ?? "");
    const others = this.items.filter(({ id, updatedAt }) => !ids.has(id) && (this.sure.has(id) || updatedAt < end));
    this.items = [...others, ...read].sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : a.updatedAt > b.updatedAt ? -1 : 0));
    for (const id of ids) this.sure.add(id);
    this.cursor = page.nextCursor;
    this.isWhole = page.nextCursor === null;
    this.isRead = true;
    for (const chat of this.changed.values()) if (chat) this.put(chat);
  }
}
