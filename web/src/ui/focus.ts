/** Where the keyboard goes on when what had the focus is gone: in the section that it stood in. */
export function keepFocus(): void {
  if (document.activeElement === document.body) document.querySelector<HTMLElement>("[data-section]")?.focus();
}
