/** The list of chats: by day, by title, by hand and by keyboard. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, PHONE, somebody, theServer, until } from "./harness.js";
import { button, choose, composer, dialog, field, link, replies, row, send, side, text, toast } from "./view.js";

const words = text.side;

/** Takes something from the menu of a chat, which is seen once the mouse is there. */
async function chooseFor(page, title, entry) {
  await row(page, title).hover();
  await choose(page, button(side(page), words.options(title)), entry);
}
const titles = (page) => side(page).locator("a[data-chat]").allInnerTexts();

/** The page of somebody who has these chats, the last one newest. */
async function withChats(t, names, options) {
  const who = await somebody();
  const chats = [];
  for (const name of names) chats.push(await who.api.chat(name));
  const page = await open(t, who.server, { who, ...options });
  await row(page, names.at(-1)).waitFor();
  return { ...who, page, chats, names: async () => (await who.api.get("/chat?limit=100")).chats.map(({ chatName }) => chatName) };
}

/** Waits until the list is this. */
const isList = (page, wanted) =>
  until(page, `the list is ${wanted}`, async () => (await titles(page)).join() === wanted.join());

test("the newest change stands first, under its day, and moves up as chats change", async (t) => {
  const { page, api, chats } = await withChats(t, ["one", "two", "three"]);
  await isList(page, ["three", "two", "one"]);
  await side(page).getByRole("heading", { name: words.today }).waitFor();
  await api.messages(chats[0].id, ["hello"]);
  await isList(page, ["one", "three", "two"]);
  await api.chat("four");
  await isList(page, ["four", "one", "three", "two"]);
});

test("chats of other days stand under other headings", async (t) => {
  const { page } = await withChats(t, ["old"]);
  // The server's clock is right: the browser's is set ahead.
  for (const [days, heading] of [[1, words.yesterday], [5, words.week], [20, words.month]]) {
    await page.clock.setFixedTime(Date.now() + days * 86_400_000);
    await page.reload();
    await side(page).getByRole("heading", { name: heading }).waitFor();
  }
});

test("a new chat begins from the list, and stands in it once something was said", async (t) => {
  const { page, provider } = await withChats(t, ["old"]);
  await row(page, "old").click();
  await page.getByRole("heading", { name: "old" }).waitFor();
  assert.equal(await row(page, "old").getAttribute("aria-current"), "page");
  await link(side(page), words.newChat).click();
  await until(page, "the composer has the focus", () => composer(page).evaluate((field) => field === document.activeElement));
  assert.equal(new URL(page.url()).pathname, "/");
  await send(page, "Hello");
  await provider.say("Hello", "Hi");
  await until(page, "two rows", async () => (await titles(page)).length === 2);
  assert.deepEqual((await titles(page))[1], "old");
  await page.goBack();
});

test("a title is changed in place by Enter, and not by Escape", async (t) => {
  const { page, names } = await withChats(t, ["before", "other"]);
  await chooseFor(page, "before", words.rename);
  await field(side(page), words.renameLabel).fill("dropped");
  await page.keyboard.press("Escape");
  await row(page, "before").waitFor();
  await chooseFor(page, "before", words.rename);
  await field(side(page), words.renameLabel).fill("after ✓");
  await page.keyboard.press("Enter");
  await row(page, "after ✓").waitFor();
  await until(page, "the server knows", async () => (await names()).includes("after ✓"));
  assert.ok(!(await names()).includes("dropped"));
});

test("a chat is put away and brought back", async (t) => {
  const { page, api, chats } = await withChats(t, ["keep", "away"]);
  await chooseFor(page, "away", words.deactivate);
  await isList(page, ["keep"]);
  await until(page, "the server knows", async () => (await api.get(`/chat/${chats[1].id}`)).status === "deactivated");
  await button(side(page), words.showDeactivated).click();
  await isList(page, ["away"]);
  await chooseFor(page, "away", words.bringBack);
  await page.getByText(words.noneDeactivated).waitFor();
  await button(side(page), words.showActive).click();
  await until(page, "both are there", async () => (await titles(page)).length === 2);
});

test("a deleted chat comes back by undo, in its place", async (t) => {
  const { page, names } = await withChats(t, ["one", "two", "three"]);
  await row(page, "two").click();
  await page.getByRole("heading", { name: "two" }).waitFor();
  await chooseFor(page, "two", words.delete);
  await isList(page, ["three", "one"]);
  await until(page, "the view is left", () => new URL(page.url()).pathname === "/");
  await button(page, words.undo).click();
  await isList(page, ["three", "two", "one"]);
  assert.equal((await names()).length, 3);
});

test("a deleted chat is gone when the time for undo is over, or the page is left", async (t) => {
  const { page, names, server } = await withChats(t, ["keep", "closed", "timed"]);
  await page.clock.install();
  await chooseFor(page, "timed", words.delete);
  await toast(page, words.deleted).waitFor();
  assert.equal((await names()).length, 3);
  await page.clock.runFor(10_000);
  await until(page, "it is deleted", async () => !(await names()).includes("timed"));
  await chooseFor(page, "closed", words.delete);
  await isList(page, ["keep"]);
  await page.goto(`${server.url}/docs`);
  await until(page, "it is deleted as well", async () => (await names()).join() === "keep");
});

test("titles are searched as one types, whatever their case, umlauts too", async (t) => {
  const { page } = await withChats(t, ["Über Österreich", "Straße nach Köln", "100% sure", "under_score", "plain"]);
  const search = side(page).getByRole("searchbox");
  for (const [q, found] of [
    ["öster", ["Über Österreich"]],
    ["ÜBER ÖSTERREICH", ["Über Österreich"]],
    ["köln", ["Straße nach Köln"]],
    ["%", ["100% sure"]],
    ["_", ["under_score"]],
    ["nowhere", []],
  ]) {
    await search.fill(q);
    await isList(page, found);
  }
  await page.getByText(words.noneFound("nowhere")).waitFor();
  await search.fill("aus");
  await search.fill("straße");
  await isList(page, ["Straße nach Köln"]);
  assert.equal(await side(page).locator("mark").innerText(), "Straße");
  await search.press("Escape");
  await until(page, "all are back", async () => (await titles(page)).length === 5);
});

test("everything is done by keyboard", async (t) => {
  const { page, names } = await withChats(t, ["one", "two", "three"]);
  const isOpen = (title) => page.getByRole("main").getByRole("heading", { name: title, exact: true }).waitFor();
  await page.keyboard.press("Alt+ArrowDown");
  await isOpen("three");
  await page.keyboard.press("Alt+ArrowDown");
  await isOpen("two");
  await page.keyboard.press("Alt+ArrowUp");
  await isOpen("three");
  await page.keyboard.press("F2");
  await page.keyboard.type("renamed");
  await page.keyboard.press("Enter");
  await row(page, "renamed").waitFor();
  await isOpen("renamed");
  await until(page, "the server knows", async () => (await names()).includes("renamed"));
  await page.keyboard.press("Control+k");
  await page.keyboard.type("one");
  await isList(page, ["one"]);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await isOpen("one");
  await page.keyboard.press("Control+Shift+O");
  await page.getByText(text.chat.greeting).waitFor();
  await page.keyboard.type("typed at once");
  assert.equal(await composer(page).inputValue(), "typed at once");
  await page.keyboard.press("Control+/");
  await dialog(page).getByText(words.keys.newChat).waitFor();
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  await page.keyboard.press("Control+Shift+S");
  await side(page).waitFor({ state: "hidden" });
  await page.keyboard.press("Control+Shift+S");
  await side(page).waitFor();
});

test("a chat whose reply is being written is marked in the list", async (t) => {
  const { page, api, provider, chats } = await withChats(t, ["busy", "idle"]);
  await api.post(`/chat/${chats[0].id}/replies`, { prompt: "Mark me" });
  await side(page).getByLabel(words.writing).waitFor();
  assert.equal(await side(page).getByLabel(words.writing).count(), 1);
  await provider.say("Mark me", "done");
  await side(page).getByLabel(words.writing).waitFor({ state: "detached" });
});

test("on a phone the list is a drawer over the page", async (t) => {
  const { server } = await theServer();
  const who = await somebody();
  await who.api.chat("pocket");
  const page = await open(t, server, { who, viewport: PHONE, hasTouch: true, isMobile: true });
  await composer(page).waitFor();
  await side(page).waitFor({ state: "hidden" });
  const isOpened = () => button(page, text.common.openSide).tap();
  await isOpened();
  await row(page, "pocket").tap();
  await page.getByRole("heading", { name: "pocket" }).waitFor();
  await side(page).waitFor({ state: "hidden" });
  await isOpened();
  await side(page).waitFor();
  await page.keyboard.press("Escape");
  await side(page).waitFor({ state: "hidden" });
  assert.equal(await replies(page).count(), 0);
});
