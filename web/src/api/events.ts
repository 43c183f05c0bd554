/**
 * Event streams over `fetch`, since `EventSource` tells nothing of a refusal. Format:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

import { ApiError, pause, refusal } from "./http";

export interface ServerEvent {
  /** The number to come back with. */
  id: string;
  name: string;
  data: unknown;
}

/** The server breaks its silence every 15 seconds; a connection that is silent for longer is dead. */
const SILENCE = 35_000;
const WAIT_FIRST = 250;
const WAIT_MOST = 8_000;

/**
 * The events of a stream behind `after`, in order, each once, for ever: when the connection breaks it
 * comes back for the rest. While the page can't be seen it lets the connection go, since a browser
 * opens only six to one server, for all its tabs.
 *
 * `onConnection` hears whenever the connection is there, and whenever it is sought.
 *
 * Throws an [`ApiError`] when the server refuses for good, and what the signal was aborted with.
 */
export async function* events(
  path: string,
  after: string | undefined,
  signal: AbortSignal,
  onConnection: (isThere: boolean) => void = () => {},
): AsyncGenerator<ServerEvent> {
  let wait = WAIT_FIRST;
  for (;;) {
    await visible(signal);
    onConnection(false);
    try {
      for await (const event of connection(path, after, signal, onConnection)) {
        after = event.id;
        wait = WAIT_FIRST;
        yield event;
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof ApiError && !error.isTransient) throw error;
    }
    await pause(wait * (0.5 + Math.random() / 2), signal);
    wait = Math.min(wait * 2, WAIT_MOST);
  }
}

/** One connection, until it ends, breaks, is silent for too long, or nobody looks at the page. */
async function* connection(
  path: string,
  after: string | undefined,
  signal: AbortSignal,
  onConnection: (isThere: boolean) => void,
): AsyncGenerator<ServerEvent> {
  const ours = new AbortController();
  const end = () => ours.abort();
  const endIfHidden = () => document.hidden && ours.abort();
  let timer = setTimeout(end, SILENCE);
  signal.addEventListener("abort", end);
  document.addEventListener("visibilitychange", endIfHidden);
  try {
    const headers: Record<string, string> = after === undefined ? {} : { "Last-Event-ID": after };
    const response = await fetch(path, { headers, signal: ours.signal });
    if (!response.ok) throw await refusal(response);
    onConnection(true);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const parse = parser();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(end, SILENCE);
      yield* parse(value);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    document.removeEventListener("visibilitychange", endIfHidden);
    ours.abort();
  }
}

/** Reads pieces of a stream, wherever they are cut, and gives the events that are complete. */
export function parser(): (piece: string) => ServerEvent[] {
  let rest = "";
  let id = "";
  return (piece) => {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop()!;
    return blocks.flatMap((block) => {
      let name = "message";
      const data: string[] = [];
      for (const line of block.split("\n")) {
        const [, field, value] = /^([^:]+): ?(.*)$/s.exec(line) ?? [];
        if (field === "id") id = value!;
        else if (field === "event") name = value!;
        else if (field === "data") data.push(value!);
      }
      return data.length ? [{ id, name, data: JSON.parse(data.join("\n")) as unknown }] : [];
    });
  };
}

/** Waits until somebody can see the page. */
function visible(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
  });
}
