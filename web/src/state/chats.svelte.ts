/** The list of chats, the newest change first. */

import { SvelteMap } from "svelte/reactivity";
import { ApiError, chats, replies, type Chat, type ChatStatus } from "../api";
import { text } from "../text";
import { onChange, type Change } from "./feed";
import { layout } from "./layout.svelte";
import { Listing } from "./listing.svelte";
import { chatUrl, router } from "./router.svelte";
import { toasts } from "./toasts.svelte";

/** How long a deletion can be taken back, in milliseconds. */
const UNDO = 7_000;
/** How long typing must pause before a search begins, in milliseconds. */
const TYPING = 150;
/** Where a reply may still be being written when the page comes: how long ago such a chat changed, in milliseconds, and how many are asked after. */
const RECENT = 10 * 60_000;
const RECENT_MOST = 5;

class ChatList {
  status = $state<ChatStatus>("active");
  /** What is searched for. */
  q = $state("");
  /** The chat whose name is being written in the list. */
  renaming = $state<string | null>(null);

  /** All active chats: kept while others are shown, so that the way back is short. */
  private active = $state.raw(new Listing({ status: "active" }));
  private other = $state.raw<Listing>();
  /** What is shown as soon as its first page is there. */
  private coming: Listing | undefined;
  private typing: ReturnType<typeof setTimeout> | undefined;
  /** The chats that go when their time is up. */
  private doomed = new SvelteMap<string, { timer: ReturnType<typeof setTimeout>; toast: number }>();
  /** What was said last about a status: it holds no longer when the next is said. */
  private statusToast: number | undefined;
  /** Replies that have not ended, and their chats. */
  private open = new SvelteMap<string, string>();

  shown = $derived(this.other ?? this.active);
  items = $derived(
    this.doomed.size ? this.shown.items.filter(({ id }) => !this.doomed.has(id)) : this.shown.items,
  );
  /** The chats in which a reply is being written. */
  busy = $derived(new Set(this.open.values()));

  /** Follows the chats of whoever is signed in, until the function that is given back is called. */
  start(): () => void {
    this.status = "active";
    this.q = "";
    this.active = new Listing({ status: "active" });
    void this.active.fill(1);
    const unfollow = onChange((change) => this.follow(change));
    const leave = () => void this.settle(true);
    addEventListener("pagehide", leave);
    return () => {
      unfollow();
      removeEventListener("pagehide", leave);
      clearTimeout(this.typing);
      for (const { timer, toast } of this.doomed.values()) {
        clearTimeout(timer);
        toasts.dismiss(toast);
      }
      this.doomed.clear();
      this.open.clear();
      this.coming = undefined;
      for (const listing of this.listings()) listing.close();
      this.other = undefined;
    };
  }

  search(q: string): void {
    this.q = q;
    clearTimeout(this.typing);
    if (q.trim()) this.typing = setTimeout(() => void this.show(), TYPING);
    else void this.show();
  }

  showStatus(status: ChatStatus): void {
    this.status = status;
    void this.show();
  }

  async rename(id: string, name: string): Promise<void> {
    await this.change(id, { chatName: name }, () => chats.change(id, { name }));
  }

  async setStatus(id: string, status: ChatStatus): Promise<void> {
    const isDone = await this.change(id, { status }, () => chats.change(id, { status }));
    if (!isDone) return;
    if (this.statusToast !== undefined) toasts.dismiss(this.statusToast);
    this.statusToast =
      status === "active"
        ? toasts.show(text.side.broughtBack)
        : toasts.show(text.side.deactivated, {
            action: { label: text.side.undo, run: () => void this.setStatus(id, "active") },
          });
  }

  /** Deletes a chat, after a time in which that can be taken back. */
  remove(id: string): void {
    if (this.doomed.has(id)) return;
    const isOpen = router.path === chatUrl(id);
    const undo = () => {
      clearTimeout(this.doomed.get(id)?.timer);
      this.doomed.delete(id);
      if (isOpen && router.path === "/") router.go(chatUrl(id), { replace: true });
    };
    const toast = toasts.show(text.side.deleted, { shown: UNDO, action: { label: text.side.undo, run: undo } });
    this.doomed.set(id, { toast, timer: setTimeout(() => void this.delete(id), UNDO) });
    if (isOpen) router.go("/", { replace: true });
  }

  /** Deletes at once what can still be taken back. With `keepalive` the requests outlive the page. */
  async settle(keepalive = false): Promise<void> {
    await Promise.all([...this.doomed.keys()].map((id) => this.delete(id, keepalive)));
  }

  /** Opens the chat before or behind the open one. */
  step(by: 1 | -1): void {
    const at = this.items.findIndex(({ id }) => router.path === chatUrl(id));
    const next = this.items[at < 0 ? 0 : at + by];
    if (next) router.go(chatUrl(next.id));
  }

  /** Lets the name of a chat be written anew where it stands in the list. */
  async beginRename(id: string): Promise<void> {
    if (!layout.isSideSeen) layout.toggleSide();
    try {
      await this.reveal(id);
      this.renaming = id;
    } catch (error) {
      toasts.error(error);
    }
  }

  /** Reads as many pages as it takes for that chat to be in the list. */
  private async reveal(id: string): Promise<void> {
    const has = (items: Chat[]) => items.some((chat) => chat.id === id);
    if (has(this.items)) return;
    this.status = (await chats.find(id)).status;
    this.q = "";
    await this.show();
    const listing = this.shown;
    while (!has(listing.items) && !listing.isWhole && !listing.error) await listing.fill(listing.items.length + 1);
  }

  /** Shows what `status` and `q` stand for; until that is there, what was shown stays. */
  private async show(): Promise<void> {
    clearTimeout(this.typing);
    this.coming?.close();
    this.coming = undefined;
    const q = this.q.trim();
    if (q || this.status !== "active") {
      const coming = (this.coming = new Listing({ status: this.status, q: q || undefined }));
      await coming.fill(1);
      if (this.coming !== coming) return;
    }
    this.other?.close();
    this.other = this.coming;
    this.coming = undefined;
  }

  private async readAnew(): Promise<void> {
    this.open.clear();
    await Promise.all(this.listings().map((listing) => listing.readAnew()));
    // The feed tells what changes, not what is already being written.
    const since = new Date(Date.now() - RECENT).toISOString();
    for (const { id } of this.active.items.slice(0, RECENT_MOST).filter(({ updatedAt }) => updatedAt > since)) {
      const found = await replies.open(id).catch(() => ({ replies: [] }));
      for (const reply of found.replies) this.open.set(reply.id, id);
    }
  }

  private listings(): Listing[] {
    return [this.active, this.other, this.coming].filter((listing) => listing !== undefined);
  }

  private put(chat: Chat): void {
    for (const listing of this.listings()) listing.put(chat);
  }

  /** Shows a change at once and asks for it; takes it back if it is refused. Says whether it was done. */
  private async change(id: string, part: Partial<Chat>, ask: () => Promise<Chat>): Promise<boolean> {
    const before = this.listings()
      .flatMap(({ items }) => items)
      .find((chat) => chat.id === id);
    if (before) this.put({ ...before, ...part });
    try {
      this.put(await ask());
      return true;
    } catch (error) {
      if (before) this.put(before);
      toasts.error(text.side.notChanged((error as Error).message));
      return false;
    }
  }

  private async delete(id: string, keepalive = false): Promise<void> {
    const { timer, toast } = this.doomed.get(id)!;
    clearTimeout(timer);
    toasts.dismiss(toast);
    try {
      await chats.delete(id, keepalive);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) {
        this.doomed.delete(id);
        toasts.error(text.side.notDeleted((error as Error).message));
        return;
      }
    }
    for (const listing of this.listings()) listing.drop(id);
    this.doomed.delete(id);
  }

  private follow(change: Change): void {
    switch (change.name) {
      case "reset":
        void this.readAnew();
        break;
      case "chat":
        this.put(change.data);
        break;
      case "reply": {
        const { id, chatId, status } = change.data;
        if (status === "queued" || status === "running") this.open.set(id, chatId);
        else this.open.delete(id);
        break;
      }
      case "deleted":
        for (const listing of this.listings()) listing.drop(change.data.chatId);
        for (const [id, chatId] of this.open) if (chatId === change.data.chatId) this.open.delete(id);
        break;
    }
  }
}

export const chatList = new ChatList();
