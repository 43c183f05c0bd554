/** What belongs to whoever is signed in: profile, password, tokens, devices. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, somebody, until } from "./harness.js";
import { Api, PASSWORD } from "./server.js";
import { accountMenu, button, choose, composer, dialog, field, signIn, text, toast } from "./view.js";

const words = text.account;
const row = (page, title) => page.getByRole("listitem").filter({ hasText: title });

test("a name is changed in the profile, and is what one is called from then on", async (t) => {
  const who = await somebody("Grace");
  const page = await open(t, who.server, { who });
  await choose(page, accountMenu(page), text.side.settings);
  await field(page, words.name).fill("Grace Hopper");
  await button(page, text.common.save).click();
  await toast(page, words.saved).waitFor();
  await button(page, text.side.account("Grace Hopper")).waitFor();
  assert.equal((await who.api.get("/auth/me")).name, "Grace Hopper");
  await field(page, words.name).fill("x".repeat(101));
  await button(page, text.common.save).click();
  await until(page, "the long name is refused", async () => (await field(page, words.name).getAttribute("aria-invalid")) === "true");
});

test("light and dark are chosen, and stay so after a reload", async (t) => {
  const who = await somebody();
  const page = await open(t, who.server, { who, path: "/settings/profile", colorScheme: "light" });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const isBackground = (color) => until(page, color, async () => (await background()) === color);
  await profile(page);
  const light = await background();
  await page.getByText(words.themes.dark, { exact: true }).click();
  await until(page, "it is dark", async () => (await background()) !== light);
  const dark = await background();
  await page.reload();
  await profile(page);
  await isBackground(dark);
  await page.getByText(words.themes.system, { exact: true }).click();
  await isBackground(light);
  await page.emulateMedia({ colorScheme: "dark" });
  await isBackground(dark);
});

/** Waits for the settings. */
const profile = (page) => page.getByRole("heading", { name: words.profile }).waitFor();

test("a changed password signs every other device out, and this one stays", async (t) => {
  const who = await somebody();
  const other = await who.server.signIn(who.email);
  const page = await open(t, who.server, { who, path: "/settings/password" });
  const elsewhere = await open(t, who.server, { who: other });
  await composer(elsewhere).waitFor();

  await field(page, words.currentPassword).fill("not the password");
  await field(page, words.newPassword).fill("another battery staple");
  await button(page, words.changePassword).click();
  const current = field(page, words.currentPassword);
  await until(page, "the wrong password is refused", async () => (await current.getAttribute("aria-invalid")) === "true");
  await current.fill(PASSWORD);
  await button(page, words.changePassword).click();
  await toast(page, words.passwordChanged).waitFor();

  await elsewhere.reload();
  await signIn(elsewhere, who.email, PASSWORD);
  await elsewhere.getByRole("alert").filter({ hasText: /./ }).first().waitFor();
  await signIn(elsewhere, who.email, "another battery staple");
  await composer(elsewhere).waitFor();
  await page.reload();
  await field(page, words.currentPassword).waitFor();
});

test("a token is made with an expiry, copied once, seen to be used, and revoked", async (t) => {
  const who = await somebody();
  const page = await open(t, who.server, { who, path: "/settings/tokens" });
  await page.getByText(words.noTokens).waitFor();
  await button(page, words.newToken).first().click();
  await field(dialog(page), words.tokenName).fill("Backup");
  await field(dialog(page), words.expires).selectOption({ label: words.expiry["30"] });
  await button(dialog(page), words.createToken).click();
  await dialog(page).getByText(words.tokenOnce).waitFor();
  await button(dialog(page), words.copyToken).click();
  const token = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal((await new Api(who.server, token).get("/auth/me")).email, who.email);
  assert.ok((await dialog(page).innerText()).includes(token));
  await button(dialog(page), words.done).click();

  await page.reload();
  await row(page, "Backup").getByText(words.lastUsed).waitFor();
  const { tokens } = await who.api.get("/auth/tokens");
  const days = (Date.parse(tokens.find(({ name }) => name === "Backup").expiresAt) - Date.now()) / 86_400_000;
  assert.equal(Math.round(days), 30);
  assert.ok(!(await page.content()).includes(token), "it is seen once");

  await button(page, words.revokeNamed("Backup")).click();
  await button(dialog(page), words.revoke).click();
  await toast(page, words.revoked).waitFor();
  await page.getByText(words.noTokens).waitFor();
  await assert.rejects(new Api(who.server, token).get("/auth/me"), /401/);
});

test("devices are told apart, and signed out one by one and all at once", async (t) => {
  const who = await somebody();
  const others = [await who.server.signIn(who.email), await who.server.signIn(who.email)];
  const page = await open(t, who.server, { who, path: "/settings/devices" });
  await until(page, "three devices", async () => (await row(page, words.signedIn).count()) === 3);
  assert.ok((await row(page, words.signedIn).first().innerText()).includes(words.thisDevice));
  await button(page, words.signOutNamed("A test")).first().click();
  await until(page, "two devices", async () => (await row(page, words.signedIn).count()) === 2);
  await button(page, words.signOutOthers).click();
  await button(dialog(page), words.signOut).click();
  await toast(page, words.signedOutOthers).waitFor();
  for (const { api } of others) await assert.rejects(api.get("/auth/me"), /401/);
  await who.api.get("/auth/me");

  const fresh = await open(t, who.server, { path: "/" });
  await signIn(fresh, who.email, PASSWORD);
  await composer(fresh).waitFor();
  await page.reload();
  await row(page, "Chrome on Linux").waitFor();
});
