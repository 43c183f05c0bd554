/** The feed of all changes, on whichever device they were made: one connection for the whole page. */

import { feedPath, type ChatInFull, type Message, type Reply } from "../api";
import { events } from "../api/events";
import { GIVEN_UP } from "../api/http";

export type Change =
  /** Read what is shown anew; what follows is what changes after that. */
  | { name: "reset" }
  | { name: "chat"; data: ChatInFull }
  | { name: "message"; data: Message }
  | { name: "reply"; data: Reply }
  | { name: "deleted"; data: { chatId: string } };

type Listener = (change: Change) => void;

const listeners = new Set<Listener>();
let running: AbortController | undefined;

/** Tells that listener whatever changes, until the function that is given back is called. */
export function onChange(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Follows the feed of whoever is signed in. */
export function startFeed(): () => void {
  running?.abort(GIVEN_UP);
  const ours = (running = new AbortController());
  void follow(ours.signal);
  return () => ours.abort(GIVEN_UP);
}

async function follow(signal: AbortSignal): Promise<void> {
  try {
    for await (const { name, data } of events(feedPath, undefined, signal)) {
      const change = { name, data } as Change;
      for (const listener of listeners) listener(change);
    }
  } catch {
    // Signed out, or signed in as somebody else: whoever did that has started anew.
  }
}
