/** One message as it is shown, and the stream of the reply that writes it. */

import { flushSync } from "svelte";
import { ApiError, replies, type Message, type Part, type Progress, type ReplyError, type Usage } from "../api";
import { events } from "../api/events";
import { GIVEN_UP } from "../api/http";

export const isOpen = (status: Progress) => status === "queued" || status === "running";

/** How long a connection may be away before that is said, in milliseconds. */
const AWAY = 2_000;

let count = 0;

export class Entry {
  /** Stays the same when the server has given the message its number. */
  readonly key = count++;
  message = $state.raw<Message>()!;
  /** What has been written so far of a reply that runs. */
  written = $state.raw<Part[]>([]);
  /** Why its reply failed, as far as that is known. */
  error = $state.raw<ReplyError | null>(null);
  /** Earlier messages that its model was not told. */
  leftOut = $state(0);
  /** Whether it began again, since the first attempt broke off. */
  isAgain = $state(false);
  /** Whether its connection has been away for some time. */
  isAway = $state(false);
  /** What is being made of it, while it is edited. */
  draft = $state<string>();
  /** Whether the server has it. */
  isKept = $state(true);
  private following?: AbortController;
  private whenEnded?: () => void;

  parts = $derived(isOpen(this.message.status) ? this.written : this.message.content);

  constructor(message: Message, isKept = true) {
    this.message = message;
    this.isKept = isKept;
  }

  /** The text of the message, as it can be copied. */
  get text(): string {
    return this.parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
  }

  /** Takes the message as the server says it is now, unless more is known already. */
  take(message: Message): void {
    const isOld = isOpen(message.status) && !isOpen(this.message.status);
    if (isOld) return;
    this.message = message;
    if (!isOpen(message.status)) this.end();
  }

  /** Takes what the server has made of a message that was sent from here. */
  become(known: Partial<Message>): void {
    this.message = { ...this.message, ...known };
    this.isKept = true;
  }

  /** Follows the reply from its beginning on, and says when it has ended. */
  follow(whenEnded: () => void): void {
    if (this.following || !this.message.replyId) return;
    const ours = (this.following = new AbortController());
    this.whenEnded = whenEnded;
    this.run(ours.signal).catch((error: unknown) => {
      if (ours.signal.aborted) return;
      this.leave();
      if (!(error instanceof ApiError)) throw error;
    });
  }

  /** Stops following it. */
  leave(): void {
    this.following?.abort(GIVEN_UP);
    this.following = undefined;
    this.whenEnded = undefined;
  }

  /** Whoever says it first: its own stream or the feed. */
  private end(): void {
    const { whenEnded } = this;
    this.leave();
    whenEnded?.();
  }

  private async run(signal: AbortSignal): Promise<void> {
    const { chatId, replyId } = this.message;
    const screen = new Screen((parts) => (this.written = parts));
    const onConnection = this.watchConnection(signal);
    let usage: Usage | null = null;
    for await (const { name, data } of events(replies.eventsPath(chatId, replyId!), undefined, signal, onConnection)) {
      if (name === "started") {
        const { attempt, model } = data as { attempt: number; model: string };
        this.isAgain = attempt > 1;
        this.message = { ...this.message, status: "running", model };
      } else if (name === "delta") {
        screen.add(data as Delta);
      } else if (name === "reset") {
        screen.clear();
      } else if (name === "usage") {
        usage = data as Usage;
      } else if (name === "finished") {
        const { status, reason, error } = data as { status: Progress; reason: string; error?: ReplyError };
        const content = screen.end();
        this.error = error ?? null;
        this.message = { ...this.message, status, finishReason: reason, usage, content };
        this.end();
        return;
      }
    }
  }

  /** Says after a while that the connection is away. */
  private watchConnection(signal: AbortSignal): (isThere: boolean) => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const clear = () => {
      clearTimeout(timer);
      timer = undefined;
      this.isAway = false;
    };
    signal.addEventListener("abort", clear);
    return (isThere) => {
      if (isThere) clear();
      else if (!signal.aborted) timer ??= setTimeout(() => (this.isAway = true), AWAY);
    };
  }
}

type Delta =
  | { text: string }
  | { reasoning: string }
  | { toolCall: { id: string; name: string } }
  | { arguments: string };

/**
 * Gathers what a model writes, and shows it once for each frame; more rarely where showing it takes long,
 * so that the reader can always scroll and type.
 */
class Screen {
  private parts: Part[] = [];
  private frame = 0;
  private notBefore = 0;

  constructor(private readonly show: (parts: Part[]) => void) {}

  add(delta: Delta): void {
    this.parts = withDelta(this.parts, delta);
    this.frame ||= requestAnimationFrame(this.draw);
  }

  clear(): void {
    this.parts = [];
    this.frame ||= requestAnimationFrame(this.draw);
  }

  /** All of it: nothing is drawn after that. */
  end(): Part[] {
    cancelAnimationFrame(this.frame);
    return this.parts;
  }

  private draw = () => {
    const began = performance.now();
    if (began < this.notBefore) {
      this.frame = requestAnimationFrame(this.draw);
      return;
    }
    this.frame = 0;
    flushSync(() => this.show(this.parts));
    const now = performance.now();
    this.notBefore = now + 3 * (now - began);
  };
}

/** The parts of a message with what comes next. What has changed is a new object. */
function withDelta(parts: Part[], delta: Delta): Part[] {
  const before = parts.slice(0, -1);
  const last = parts.at(-1);
  if ("toolCall" in delta) return [...parts, { type: "tool_call", ...delta.toolCall, arguments: "" }];
  if ("arguments" in delta) {
    return last?.type === "tool_call" ? [...before, { ...last, arguments: last.arguments + delta.arguments }] : parts;
  }
  const [type, text] = "text" in delta ? (["text", delta.text] as const) : (["reasoning", delta.reasoning] as const);
  return last?.type === type ? [...before, { type, text: last.text + text }] : [...parts, { type, text }];
}
