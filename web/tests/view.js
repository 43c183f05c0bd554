/** Where things are on the page, by what they are called. */

import { text } from "../src/text.ts";

export { text };

export const button = (place, name) => place.getByRole("button", { name, exact: true });
export const link = (place, name) => place.getByRole("link", { name, exact: true });
export const field = (place, name) => place.getByLabel(name, { exact: true });
export const dialog = (page) => page.getByRole("dialog");
export const toast = (page, said) => page.getByRole("status").getByText(said, { exact: true });

/** Opens a menu and takes what begins so in it. */
export async function choose(page, menu, entry) {
  await menu.click();
  const name = new RegExp(`^${entry}`);
  await page.getByRole("menuitem", { name }).or(page.getByRole("menuitemradio", { name })).click();
}

// Signing in.

export async function fillAccount(page, email, password, name) {
  await field(page, text.account.email).fill(email);
  if (name) await field(page, text.account.name).fill(name);
  await field(page, text.account.password).fill(password);
}

export async function signIn(page, email, password) {
  await fillAccount(page, email, password);
  await button(page, text.account.signIn).click();
}

export async function signOut(page) {
  await choose(page, accountMenu(page), text.side.signOut);
  await button(page, text.account.signIn).waitFor();
}

// The list of chats.

export const side = (page) => page.getByRole("navigation", { name: text.side.label });
export const accountMenu = (page) => page.getByRole("button", { name: new RegExp(`^${text.side.account("")}`) });
export const row = (page, title) => side(page).getByRole("link", { name: title, exact: true });

// A chat.

export const composer = (page) => field(page, text.chat.field);
export const messages = (page) => page.getByRole("article");
export const prompts = (page) => page.getByRole("article", { name: text.chat.youSaid });
export const replies = (page) => page.getByRole("article", { name: text.chat.replyBy(null) });
export const copyMessage = (article) => button(article, text.chat.copyMessage);

/** Types a prompt and sends it. */
export async function send(page, prompt) {
  await composer(page).fill(prompt);
  await composer(page).press("Enter");
  await prompts(page).getByText(prompt, { exact: true }).waitFor();
}
