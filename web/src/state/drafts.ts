/** What was typed and not sent, for each chat; it survives a reload. */

const PREFIX = "chatkeep.draft.";

/** `null` stands for the chat that has not begun. */
export function draftOf(chatId: string | null): string {
  return localStorage.getItem(PREFIX + (chatId ?? "new")) ?? "";
}

export function keepDraft(chatId: string | null, text: string): void {
  const key = PREFIX + (chatId ?? "new");
  try {
    if (text.trim()) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    // The browser's storage is full: the draft then lives as long as the page.
  }
}

/** Forgets everybody's drafts, as for the next person at this device. */
export function forgetDrafts(): void {
  for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
}
