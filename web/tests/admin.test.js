/** What administrators see, and others do not. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { open, until } from "./harness.js";
import { Provider } from "./provider.js";
import { PASSWORD, Server } from "./server.js";
import { accountMenu, button, choose, composer, dialog, field, fillAccount, signIn, text, toast } from "./view.js";

const words = text.admin;
let provider;
let server;
let admin;

before(async () => {
  provider = await Provider.start();
  server = await Server.start(`titles = false\n${provider.settings}`);
  admin = await server.account("ada@example.com", "Ada");
});
after(async () => {
  provider.stop();
  await server.stop();
});

const row = (page, title) => page.getByRole("row").filter({ hasText: title });

test("an administrator makes an account, changes its role, disables and enables it", async (t) => {
  const page = await open(t, server, { who: admin });
  await choose(page, accountMenu(page), text.side.admin);
  await button(page, words.newAccount).click();
  await fillAccount(dialog(page), "bob@example.com", PASSWORD, "Bob");
  await button(dialog(page), text.account.create).click();
  await toast(page, words.accountMade("bob@example.com")).waitFor();
  const bob = await server.signIn("bob@example.com");
  assert.equal((await bob.api.get("/auth/me")).role, "user");

  const role = field(page, words.roleOf("bob@example.com"));
  await role.selectOption("admin");
  await until(page, "he is an administrator", async () => (await bob.api.get("/auth/me")).role === "admin");
  await role.selectOption("user");
  await until(page, "he is a user", async () => (await bob.api.get("/auth/me")).role === "user");
  assert.ok(await field(page, words.roleOf("ada@example.com")).isDisabled());

  const elsewhere = await open(t, server, { who: bob });
  await composer(elsewhere).waitFor();
  await button(page, words.disableNamed("bob@example.com")).click();
  await button(dialog(page), words.disable).click();
  await page.getByRole("listitem").filter({ hasText: "bob@example.com" }).getByText(words.isDisabled).waitFor();
  await elsewhere.reload();
  await signIn(elsewhere, "bob@example.com", PASSWORD);
  await elsewhere.getByRole("alert").filter({ hasText: /./ }).first().waitFor();
  await button(page, words.enableNamed("bob@example.com")).click();
  await button(dialog(page), words.enable).click();
  await button(page, words.disableNamed("bob@example.com")).waitFor();
  await signIn(elsewhere, "bob@example.com", PASSWORD);
  await composer(elsewhere).waitFor();
});

test("an account that can't be made is told at its field", async (t) => {
  const page = await open(t, server, { who: admin, path: "/admin/accounts" });
  await button(page, words.newAccount).click();
  await fillAccount(dialog(page), "ada@example.com", PASSWORD);
  await button(dialog(page), text.account.create).click();
  await until(page, "it is refused", async () => {
    const email = await field(dialog(page), text.account.email).getAttribute("aria-invalid");
    return email === "true" || (await dialog(page).getByRole("alert").innerText()) !== "";
  });
});

test("providers and models stand there as configured, and a test tells whether one answers", async (t) => {
  const page = await open(t, server, { who: admin, path: "/admin/models" });
  const model = (name) => page.getByRole("listitem").filter({ has: button(page, words.testNamed(name)) });
  await page.getByText(provider.url).first().waitFor();
  await model("scripted").getByText(words.isDefault).waitFor();
  const asked = async (name) => {
    await button(page, words.testNamed(name)).click();
    return provider.call();
  };
  const good = await asked("scripted");
  good.write("Yes, I am here");
  good.end();
  await model("scripted").getByText("Yes, I am here").waitFor();
  (await asked("other")).refuse(401);
  await model("other").getByText("(auth)").waitFor();
  assert.equal(await page.getByText("words of the provider").count(), 0);
});

test("usage is summed up by account and by day, with a chart", async (t) => {
  const chat = await admin.api.chat("Costs");
  for (const prompt of ["Cost one", "Cost two"]) {
    const reply = await admin.api.post(`/chat/${chat.id}/replies`, { prompt });
    await provider.say(prompt, "cheap");
    for await (const { name } of admin.api.events(chat.id, reply.id)) if (name === "finished") break;
  }
  const { inputTokens, answers } = (await admin.api.get("/admin/usage")).accounts.find(({ email }) => email === admin.email).total;
  assert.ok(answers >= 2 && inputTokens >= 22, `${answers} answers, ${inputTokens} tokens`);
  const page = await open(t, server, { who: admin, path: "/admin/usage" });
  await page.getByRole("img", { name: /Tokens a day of Everybody/ }).waitFor();
  await button(page, "Ada").click();
  await page.getByRole("img", { name: new RegExp(words.chartOf("ada@example.com", 30)) }).waitFor();
  await row(page, "Ada").getByRole("cell", { name: String(inputTokens), exact: true }).waitFor();
  await button(page, words.lastDays(7)).click();
  await page.getByRole("img", { name: new RegExp(words.chartOf("ada@example.com", 7)) }).waitFor();
  await page.getByText(words.asTable).click();
  assert.equal(await page.locator("details").getByRole("row").count(), 8);
});

test("nodes and health are shown as they are", async (t) => {
  const page = await open(t, server, { who: admin, path: "/admin/nodes" });
  await row(page, words.alive).waitFor();
  await page.getByText(new RegExp(`${words.databases.sqlite}.*${words.databaseOk}`)).waitFor();
});

test("who is no administrator finds nothing of it", async (t) => {
  await admin.api.post("/admin/accounts", { email: "eve@example.com", password: PASSWORD });
  const eve = await server.signIn("eve@example.com");
  const page = await open(t, server, { who: eve, path: "/admin/accounts" });
  await page.getByText(text.error.unknownPage).waitFor();
  await accountMenu(page).click();
  await page.getByRole("menu").waitFor();
  assert.equal(await page.getByRole("menu").getByText(text.side.admin).count(), 0);
  for (const path of ["accounts", "providers", "usage", "nodes"]) await assert.rejects(eve.api.get(`/admin/${path}`), /403/);
});
