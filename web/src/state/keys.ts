/** What can be done by keyboard from anywhere on the page. "Mod" is Command on Apple's machines, Control elsewhere. */

export const SHORTCUTS = {
  newChat: "Mod+Shift+O",
  search: "Mod+K",
  next: "Alt+ArrowDown",
  previous: "Alt+ArrowUp",
  rename: "F2",
  fold: "Mod+Shift+S",
  composer: "Shift+Escape",
  shortcuts: "Mod+/",
} as const;

export type ShortcutName = keyof typeof SHORTCUTS;

const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent);
const SIGNS: Record<string, string> = {
  Mod: isApple ? "⌘" : "Ctrl",
  Shift: isApple ? "⇧" : "Shift",
  Alt: isApple ? "⌥" : "Alt",
  ArrowDown: "↓",
  ArrowUp: "↑",
  Escape: "Esc",
};

/** The keys of a shortcut as they stand on the keyboard. */
export function keysOf(name: ShortcutName): string[] {
  return SHORTCUTS[name].split("+").map((key) => SIGNS[key] ?? key);
}

/** What a control does, with the keys that do it as well. */
export function withKeys(label: string, name: ShortcutName): string {
  return `${label} (${keysOf(name).join(isApple ? "" : "+")})`;
}

/** Which shortcut was pressed; none while a dialog or a menu has the keyboard. */
export function shortcutOf(event: KeyboardEvent): ShortcutName | undefined {
  if (event.isComposing || event.defaultPrevented) return;
  if (document.querySelector("dialog[open], [role=menu]")) return;
  const names = Object.keys(SHORTCUTS) as ShortcutName[];
  return names.find((name) => {
    const keys: string[] = SHORTCUTS[name].split("+");
    const key = keys.at(-1)!;
    return (
      event.key.toLowerCase() === key.toLowerCase() &&
      (isApple ? event.metaKey : event.ctrlKey) === keys.includes("Mod") &&
      event.altKey === keys.includes("Alt") &&
      // Some keyboards have the stroke above another key.
      (event.shiftKey === keys.includes("Shift") || key === "/")
    );
  });
}
