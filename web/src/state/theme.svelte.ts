/** Light, dark, or as the system has it. */

export type Theme = "system" | "light" | "dark";

const KEY = "chatkeep.theme";
const kept = localStorage.getItem(KEY);

class ThemeChoice {
  value = $state<Theme>(kept === "light" || kept === "dark" ? kept : "system");

  choose(theme: Theme): void {
    this.value = theme;
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
    showTheme();
  }
}

export const theme = new ThemeChoice();

/** Lets the page look as was chosen. */
export function showTheme(): void {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}
