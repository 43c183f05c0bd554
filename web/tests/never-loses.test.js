/** A reply goes on whatever happens to the page, to the connection, or to the server. */

import { test } from "node:test";
import assert from "node:assert/strict";

import { open, somebody, theServer, until } from "./harness.js";
import { Provider } from "./provider.js";
import { Server } from "./server.js";
import { button, composer, prompts, replies, row, send, text } from "./view.js";

/** Somebody's page, with a reply half written. */
async function midReply(t, { server, provider, ...who }) {
  const page = await open(t, server, { who });
  await send(page, "A story");
  const call = await provider.call("A story");
  call.write("Once upon");
  await replies(page).getByText("Once upon").waitFor();
  await until(page, "the chat has an address", () => /\/c\//.test(page.url()));
  return { page, call, chatId: page.url().split("/").at(-1) };
}

const whole = (page) => replies(page).getByText("Once upon a time.", { exact: true }).waitFor();

async function finish(call, ...pages) {
  call.write(" a time.");
  await Promise.all(pages.map(whole));
  call.end();
  await Promise.all(pages.map((page) => button(replies(page), text.chat.regenerate).waitFor()));
  for (const page of pages) assert.equal(await replies(page).count(), 1);
}

test("a reload in mid-reply shows what is there, and goes on", async (t) => {
  const { page, call } = await midReply(t, await somebody());
  await page.reload();
  await replies(page).getByText("Once upon", { exact: true }).waitFor();
  await finish(call, page);
});

test("a page that is closed in mid-reply finds the whole reply later", async (t) => {
  const { page, call, chatId } = await midReply(t, await somebody());
  const context = page.context();
  const address = page.url();
  await page.close();
  call.write(" a time.");
  call.end();
  const later = await context.newPage();
  await later.goto(address);
  await whole(later);
  assert.ok(chatId);
});

test("two tabs stay the same: what one asks streams in the other", async (t) => {
  const who = await somebody();
  const { page, call } = await midReply(t, who);
  const second = await page.context().newPage();
  await second.goto(page.url());
  await finish(call, page, second);
  await send(second, "Another");
  await prompts(page).getByText("Another", { exact: true }).waitFor();
  const another = await who.provider.call("Another");
  another.write("From the");
  await Promise.all([page, second].map((tab) => replies(tab).getByText("From the", { exact: true }).waitFor()));
  another.write(" other tab.");
  another.end();
  await Promise.all([page, second].map((tab) => replies(tab).getByText("From the other tab.", { exact: true }).waitFor()));
});

test("another device shows the running reply, and what it does shows here", async (t) => {
  const who = await somebody();
  const { page, call } = await midReply(t, who);
  const device = await open(t, who.server, { who: await who.server.signIn(who.email), path: new URL(page.url()).pathname });
  await finish(call, page, device);
  const id = page.url().split("/").at(-1);
  await who.api.patch(`/chat/${id}`, { name: "Named elsewhere" });
  await Promise.all([row(page, "Named elsewhere").waitFor(), row(device, "Named elsewhere").waitFor()]);
  await who.api.delete(`/chat/${id}`);
  await row(page, "Named elsewhere").waitFor({ state: "detached" });
});

test("a reply that is stopped on one device stops on the other", async (t) => {
  const who = await somebody();
  const { page, call } = await midReply(t, who);
  const second = await page.context().newPage();
  await second.goto(page.url());
  await button(second, text.chat.stop).click();
  await call.closed;
  for (const tab of [page, second]) await replies(tab).getByText(text.chat.stopped, { exact: true }).waitFor();
});

test("the server is killed in mid-reply, comes back, and the reply is written anew", async (t) => {
  const provider = await Provider.start();
  const server = await Server.start(`titles = false\n${provider.settings}`);
  t.after(() => (provider.stop(), server.stop()));
  const who = await server.account("ada@example.com", "Ada");
  const { page } = await midReply(t, { ...who, server, provider });
  await server.kill();
  await page.getByText(text.chat.reconnecting).first().waitFor();
  await server.again();
  const second = await provider.call("A story");
  second.write("Twice upon");
  await replies(page).getByText("Twice upon", { exact: true }).waitFor();
  second.write(" a time.");
  second.end();
  await replies(page).getByText("Twice upon a time.", { exact: true }).waitFor();
  await page.getByText(text.chat.againAfterBreak).first().waitFor();
  assert.equal(await page.getByText("Once upon").count(), 0);
  await until(page, "the note is gone", async () => (await page.getByText(text.chat.reconnecting).count()) === 0);
});

test("a page that was offline in mid-reply catches up", async (t) => {
  const { page, call } = await midReply(t, await somebody());
  await page.context().setOffline(true);
  call.write(" a time.");
  await page.context().setOffline(false);
  await finish({ write() {}, end: () => call.end() }, page);
  await composer(page).waitFor();
});

test("a page that nobody sees lets its connections go, and goes on where it was", async (t) => {
  const { page, call } = await midReply(t, await somebody());
  // As the browser tells it when another tab is in front, or the lid is closed.
  const isHidden = (hidden) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  const ended = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/events") && request.url().includes("/replies/"));
  await isHidden(true);
  await ended;
  call.write(" a time.");
  assert.equal(await replies(page).getByText("a time").count(), 0);
  const back = page.waitForRequest((request) => request.url().includes("/replies/") && request.headers()["last-event-id"] !== undefined);
  await isHidden(false);
  await back;
  await finish({ write() {}, end: () => call.end() }, page);
});

test("a page without a server says so, and goes on as soon as there is one", async (t) => {
  const { server, admin } = await theServer();
  const page = await open(t, server, { who: admin });
  await composer(page).waitFor();
  await page.context().setOffline(true);
  await page.evaluate(() => history.pushState(null, "", "/settings/devices"));
  await page.evaluate(() => dispatchEvent(new PopStateEvent("popstate")));
  await page.getByText(text.error.offline).first().waitFor();
  await page.context().setOffline(false);
  await button(page.getByRole("main"), text.common.tryAgain).click();
  await page.getByText(text.account.thisDevice).waitFor();
});
