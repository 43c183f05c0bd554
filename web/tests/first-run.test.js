/** From the link that `serve` prints to a conversation. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, until } from "./harness.js";
import { PASSWORD, Server } from "./server.js";
import { accountMenu, button, composer, fillAccount, link, replies, send, signIn, signOut, text } from "./view.js";

const EMAIL = "first@example.com";

test("the one-time link leads to the first account, and that to a conversation", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const page = await open(t, server, { path: new URL(await server.setupLink).pathname });
  await page.getByRole("heading", { name: text.account.firstTitle }).waitFor();
  await fillAccount(page, EMAIL, "short", "Ada");
  await button(page, text.account.create).click();
  const password = page.getByLabel(text.account.password, { exact: true });
  await until(page, "the short password is refused", async () => (await password.getAttribute("aria-invalid")) === "true");
  await password.fill(PASSWORD);
  await button(page, text.account.create).click();

  await send(page, "Good morning to you");
  await replies(page).getByText("Your message begins with “Good morning to you”").waitFor();
  await until(page, "the address is the chat's", () => /\/c\/\w+$/.test(page.url()));
  assert.equal(await composer(page).inputValue(), "");

  await signOut(page);
  assert.equal((await page.request.get(await server.setupLink)).status(), 404);
});

test("who is signed out signs in again, and is told what was wrong", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  await server.account(EMAIL, "Ada");
  const page = await open(t, server, { path: "/settings/profile" });
  await signIn(page, EMAIL, "not the password");
  await page.getByRole("alert").filter({ hasText: /./ }).first().waitFor();
  await signIn(page, EMAIL, PASSWORD);
  // There, where the address led before.
  await page.getByRole("heading", { name: text.account.profile }).waitFor();
  await signOut(page);
  await page.reload();
  await button(page, text.account.signIn).waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0);
});

test("a page of a server without accounts says where the first one is made", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const page = await open(t, server);
  await page.getByText(text.account.isNewCommand).waitFor();
  await server.account(EMAIL, "Ada");
  await page.reload();
  await button(page, text.account.signIn).waitFor();
  assert.equal(await page.getByText(text.account.isNewCommand).count(), 0);
  assert.equal(await button(page, text.account.createOwn).count(), 0, "registration is closed");
});

test("where anybody may register, a stranger makes an account", async (t) => {
  const server = await Server.start('registration = "open"\n');
  t.after(() => server.stop());
  await server.account(EMAIL, "Ada");
  const page = await open(t, server);
  await button(page, text.account.createOwn).or(link(page, text.account.createOwn)).click();
  await fillAccount(page, "second@example.com", PASSWORD);
  await button(page, text.account.create).click();
  await composer(page).waitFor();
  await accountMenu(page).waitFor();
});
