/** One chat as it is shown: its messages, what is being written, and what is done with them. */

import { SvelteMap } from "svelte/reactivity";
import { ApiError, chats, replies, type ChatInFull, type Message, type NewReply, type Reply } from "../api";
import { GIVEN_UP, randomId } from "../api/http";
import { text } from "../text";
import { onChange, type Change } from "./feed";
import { chatUrl, router } from "./router.svelte";
import { Entry, isOpen } from "./thread-entry.svelte";
import { toasts } from "./toasts.svelte";

/** Messages that are read at once. */
const PAGE = 50;
/** How long further changes are awaited before the chat is read anew, in milliseconds. */
const GATHERED = 60;

export class Thread {
  /** `null` until the chat has begun. */
  id = $state<string | null>(null);
  chat = $state.raw<ChatInFull>();
  /** The active path, as far as it is read: the oldest first. */
  entries = $state.raw<Entry[]>([]);
  /** For each message that more than one follow (`null`: for the beginning) those, the oldest first. */
  readonly forks = new SvelteMap<string | null, string[]>();
  isLoaded = $state(false);
  isLoadingOlder = $state(false);
  /** Where older messages go on. */
  cursor = $state<string | null>(null);
  isGone = $state(false);
  /** Why the chat could not be loaded. */
  problem = $state<string>();
  /** Why the last message was not sent. */
  notSent = $state<string>();
  /** What those hear who can't see the messages. */
  said = $state("");
  /** Counts what was sent from here: each time the end is shown. */
  sent = $state(0);
  /** What a chat that has not begun is to begin with. */
  model = $state<string | null>(null);
  systemMessage = $state("");

  running = $derived(this.entries.find(({ message }) => message.status === "running" && message.role === "assistant"));
  isBusy = $derived(this.entries.some(({ message }) => isOpen(message.status)));

  private closed = new AbortController();
  private turn: Promise<unknown> = Promise.resolve();
  /** Replies that are asked for: the feed may tell of them before the answer does. */
  private asking = 0;
  /** Loads under way: what the feed tells meanwhile may be newer than what they bring. */
  private loading = 0;
  private loads = 0;
  /** What the feed told meanwhile. */
  private held: Change[] = [];
  private isStale = false;
  private timer?: ReturnType<typeof setTimeout>;

  constructor(id: string | null) {
    this.id = id;
    this.isLoaded = id === null;
  }

  /** Loads the chat and follows what changes in it, until the function that is given back is called. */
  open(): () => void {
    this.closed = new AbortController();
    const stopListening = onChange((change) => this.hear(change));
    if (this.id) void this.load();
    return () => {
      stopListening();
      clearTimeout(this.timer);
      this.closed.abort(GIVEN_UP);
      for (const entry of this.entries) entry.leave();
    };
  }

  /** Reads the chat and its newest messages. What is shown already stays the same. */
  load = async (): Promise<void> => {
    const { id } = this;
    const { signal } = this.closed;
    if (!id) return;
    const number = ++this.loads;
    this.loading += 1;
    this.isStale = false;
    this.problem = undefined;
    try {
      const [chat, page, { branches }, open] = await Promise.all([
        chats.find(id, signal),
        chats.messages(id, null, PAGE, signal),
        chats.branches(id, signal),
        replies.open(id, signal),
      ]);
      if (signal.aborted || number !== this.loads) return;
      if (this.asking) {
        this.isStale = true;
        return;
      }
      this.chat = chat;
      this.forks.clear();
      for (const { parentId, messageIds } of branches) this.forks.set(parentId, messageIds);
      this.takePage(page.messages.reverse(), page.nextCursor);
      for (const reply of open.replies) this.takeReply(reply);
      this.isLoaded = true;
      this.isGone = false;
    } catch (error) {
      if (signal.aborted) return;
      // 400: what stands in the address is no number of a chat.
      if (error instanceof ApiError && [400, 404].includes(error.status)) this.isGone = true;
      else this.problem = (error as Error).message;
    } finally {
      this.loading -= 1;
      this.catchUp();
    }
  };

  async loadOlder(): Promise<void> {
    const { id, cursor } = this;
    const { signal } = this.closed;
    if (!id || !cursor || this.isLoadingOlder) return;
    this.isLoadingOlder = true;
    try {
      const page = await chats.messages(id, cursor, PAGE, signal);
      // The path may lead somewhere else by now.
      if (this.entries[0]?.message.parentId !== page.messages[0]?.id) return;
      this.entries = [...page.messages.reverse().map((message) => this.entryOf(message)), ...this.entries];
      this.cursor = page.nextCursor;
    } catch (error) {
      if (!signal.aborted) toasts.error(error);
    } finally {
      this.isLoadingOlder = false;
    }
  }

  /** Says something. Gives whether the server has it. */
  send(prompt: string): Promise<boolean> {
    return this.begin({ prompt }, this.entries);
  }

  /** Says something else in the place of that message: a branch of its own. A reply that runs is not wanted any more. */
  async edit(entry: Entry, prompt: string): Promise<void> {
    const { id, parentId } = entry.message;
    entry.draft = undefined;
    const isSent = await this.begin({ prompt, parentId, whenBusy: "interrupt" }, this.before(entry), id);
    if (!isSent) entry.draft = prompt;
  }

  /** Lets a model answer anew. */
  async regenerate(entry: Entry): Promise<void> {
    const { id, parentId } = entry.message;
    await this.begin({ parentId, whenBusy: "interrupt" }, this.before(entry), id);
  }

  async stop(entry: Entry): Promise<void> {
    const { chatId, replyId } = entry.message;
    if (!replyId) return;
    try {
      await replies.stop(chatId, replyId);
    } catch (error) {
      toasts.error(error);
    }
  }

  /** Shows the branch that leads through that message. */
  async switchTo(messageId: string): Promise<void> {
    await this.change({ branch: messageId });
    await this.load();
  }

  async setModel(model: string): Promise<void> {
    if (this.id) await this.change({ model });
    else this.model = model;
  }

  /** Gives whether it was saved. */
  async setSystemMessage(systemMessage: string): Promise<boolean> {
    if (this.id) return this.change({ systemMessage });
    this.systemMessage = systemMessage;
    return true;
  }

  private async change(change: Parameters<typeof chats.change>[1]): Promise<boolean> {
    try {
      this.chat = await chats.change(this.id!, change);
      return true;
    } catch (error) {
      toasts.error(error);
      return false;
    }
  }

  private before(entry: Entry): Entry[] {
    return this.entries.slice(0, this.entries.indexOf(entry));
  }

  /**
   * Asks for a reply behind those messages, and shows at once what there will be. `inPlaceOf`: the message
   * that the new one is a branch beside.
   */
  private async begin(wanted: NewReply, kept: Entry[], inPlaceOf?: string): Promise<boolean> {
    const cut = this.entries.slice(kept.length);
    const parentId = () => kept.at(-1)?.message.id ?? null;
    const prompt = wanted.prompt === undefined ? undefined : new Entry(coming("user", parentId(), wanted.prompt), false);
    const answer = new Entry(coming("assistant", prompt?.message.id ?? parentId()), false);
    const added = prompt ? [prompt, answer] : [answer];
    this.entries = [...kept, ...added];
    this.notSent = undefined;
    this.said = "";
    this.sent += 1;
    this.asking += 1;
    const asked = this.turn.then(() => this.ask(wanted));
    this.turn = asked.catch(() => {});
    try {
      const reply = await asked;
      const { chatId, promptMessageId, messageId, status, id: replyId, model } = reply;
      prompt?.become({ chatId, id: promptMessageId, parentId: parentId() });
      answer.become({ chatId, id: messageId, parentId: promptMessageId, status, replyId, model });
      this.takeReply(reply);
      for (const entry of cut) entry.leave();
      if (inPlaceOf) this.fork(parentId(), inPlaceOf, added[0]!.message.id);
      return true;
    } catch (error) {
      this.entries = [...this.entries.filter((entry) => !added.includes(entry)), ...cut];
      if (prompt && !inPlaceOf) this.notSent = (error as Error).message;
      else toasts.error(error);
      return false;
    } finally {
      this.asking -= 1;
      this.catchUp();
    }
  }

  private async ask(wanted: NewReply): Promise<Reply> {
    if (!this.id) {
      const chat = await chats.create();
      const { model, systemMessage } = this;
      this.chat = model || systemMessage ? await chats.change(chat.id, { model: model ?? undefined, systemMessage }) : chat;
      this.id = chat.id;
      if (!this.closed.signal.aborted) router.go(chatUrl(chat.id));
    }
    return replies.begin(this.id, wanted);
  }

  private fork(parentId: string | null, older: string, newer: string): void {
    this.forks.set(parentId, [...(this.forks.get(parentId) ?? [older]), newer]);
  }

  /** Hears what the feed told meanwhile. */
  private catchUp(): void {
    if (this.asking || this.loading || this.closed.signal.aborted) return;
    for (const change of this.held.splice(0)) this.hear(change);
    if (this.isStale) void this.load();
    this.watch();
  }

  private hear(change: Change): void {
    if (this.asking || this.loading) {
      this.held.push(change);
      return;
    }
    if (change.name === "reset") {
      void this.load();
    } else if (change.name === "deleted") {
      if (change.data.chatId === this.id) this.isGone = true;
    } else if (change.name === "chat") {
      if (change.data.id !== this.id) return;
      this.chat = change.data;
      if (change.data.head !== this.entries.at(-1)?.message.id) this.loadSoon();
    } else if (change.data.chatId === this.id) {
      if (change.name === "reply") this.takeReply(change.data);
      else this.takeMessage(change.data);
    }
  }

  /** What the feed tells of comes in pieces. */
  private loadSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const isThere = this.chat?.head === this.entries.at(-1)?.message.id;
      if (!isThere || this.isStale) void this.load();
    }, GATHERED);
  }

  private takePage(messages: Message[], cursor: string | null): void {
    const fresh = messages.map((message) => this.entryOf(message));
    const at = this.entries.findIndex(({ message }) => message.id === messages[0]?.parentId);
    for (const entry of this.entries.slice(at + 1)) if (!fresh.includes(entry)) entry.leave();
    if (at < 0) this.cursor = cursor;
    this.entries = [...this.entries.slice(0, at + 1), ...fresh];
    this.watch();
  }

  private entryOf(message: Message): Entry {
    const entry = this.entries.find((entry) => entry.message.id === message.id);
    entry?.take(message);
    return entry ?? new Entry(message);
  }

  private takeMessage(message: Message): void {
    const entry = this.entries.find((entry) => entry.message.id === message.id);
    if (entry) {
      entry.take(message);
    } else if (message.parentId === (this.entries.at(-1)?.message.id ?? null)) {
      this.entries = [...this.entries, new Entry(message)];
    } else {
      this.isStale = true;
      this.loadSoon();
      return;
    }
    this.watch();
  }

  private takeReply(reply: Reply): void {
    const entry = this.entries.find(({ message }) => message.id === reply.messageId);
    if (!entry) return;
    entry.error = reply.error;
    entry.leftOut = reply.leftOut;
  }

  /** Follows each reply that runs, and asks why one failed. */
  private watch(): void {
    if (this.closed.signal.aborted) return;
    const next = this.entries.find(({ message }) => isOpen(message.status));
    for (const entry of this.entries) {
      const { status, replyId, chatId } = entry.message;
      if (!replyId) continue;
      if (status === "running" || entry === next) entry.follow(() => this.ended(entry));
      else if (status === "failed" && !entry.error) {
        void replies.find(chatId, replyId).then((reply) => this.takeReply(reply), () => {});
      }
    }
  }

  private ended(entry: Entry): void {
    const { status } = entry.message;
    if (status !== "stopped") this.said = status === "done" ? text.chat.finished : text.chat.failedOtherwise;
    this.watch();
  }
}

/** A message that the server does not have yet. */
function coming(role: "user" | "assistant", parentId: string | null, text?: string): Message {
  return {
    id: `coming-${randomId()}`,
    chatId: "",
    parentId,
    role,
    content: text === undefined ? [] : [{ type: "text", text }],
    model: null,
    usage: null,
    status: text === undefined ? "queued" : "done",
    replyId: null,
    finishReason: null,
    createdAt: new Date().toISOString(),
  };
}
