/** Much of everything: chats, messages, and text. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { DESKTOP, frame, framesOf, LONG, open, somebody, until } from "./harness.js";
import { button, composer, messages, prompts, replies, row, send, side, text } from "./view.js";

const CHATS = 10_000;
const MESSAGES = 2_000;
/** Elements in the whole page, whatever it has to show. */
const ELEMENTS = 1_500;

const elements = (page) => page.evaluate(() => document.querySelectorAll("*").length);

test("10,000 chats are scrolled through to the last one, a few of them in the page at a time", async (t) => {
  const who = await somebody();
  await who.api.chat("The first of all");
  await who.api.chats(CHATS - 2);
  await who.api.chat("The last of all");
  const page = await open(t, who.server, { who });
  await row(page, "The last of all").waitFor();
  const rows = side(page).locator("a[data-chat]");
  const list = rows.first();
  let most = 0;
  const frames = await framesOf(page, async () => {
    await list.hover();
    // The wheel, as fast as a hand turns it, for the first thousands.
    for (let turn = 0; turn < 60; turn += 1) {
      await page.mouse.wheel(0, 1_500);
      await frame(page);
      most = Math.max(most, await rows.count());
    }
  });
  assert.ok((await rows.count()) > 10, "it is not left blank");
  // Then the end, as far as it is known, again and again.
  await until(page, "the first chat of all", async () => {
    await page.mouse.wheel(0, 1_000_000);
    most = Math.max(most, await rows.count());
    return (await row(page, "The first of all").count()) === 1;
  }, LONG);
  assert.ok(most < 200, `${most} rows`);
  assert.ok((await elements(page)) < ELEMENTS, `${await elements(page)} elements`);
  await row(page, "The first of all").click();
  await page.getByRole("heading", { name: "The first of all" }).waitFor();
  await side(page).getByRole("searchbox").fill("chat 5000");
  await until(page, "it is found", async () => (await rows.count()) === 1);
  console.log(`page chats=${CHATS} rows_in_page=${most} frames_dropped=${frames.late}/${frames.all} longest_ms=${frames.longest}`);
});

test("a chat of 2,000 messages opens at its end, and is read up to its beginning", async (t) => {
  const who = await somebody();
  const chat = await who.api.chat("Long");
  await who.api.messages(chat.id, Array.from({ length: MESSAGES }, (_, at) => `This is message **${at + 1}** of many.`));
  const page = await open(t, who.server, { who, path: `/c/${chat.id}` });
  await messages(page).filter({ hasText: `This is message ${MESSAGES} of many.` }).waitFor();
  // Counted by the page itself: to ask for roles of thousands of elements takes long.
  const count = () => page.evaluate(() => document.querySelectorAll("main article").length);
  const frames = await framesOf(page, async () => {
    await messages(page).last().hover();
    await until(page, "the first message", async () => {
      await page.mouse.wheel(0, -20_000);
      return (await count()) === MESSAGES;
    }, LONG);
  });
  await page.locator("main article").first().scrollIntoViewIfNeeded();
  await page.getByText("This is message **1** of many.", { exact: true }).waitFor();
  await send(page, "And one more");
  await who.provider.say("And one more", "The last word.");
  await replies(page).getByText("The last word.").waitFor();
  console.log(`page messages=${MESSAGES} frames_dropped=${frames.late}/${frames.all} longest_ms=${frames.longest}`);
});

test("the place that is read stays where it is while earlier messages are loaded", async (t) => {
  const who = await somebody();
  const chat = await who.api.chat("Places");
  await who.api.messages(chat.id, Array.from({ length: 200 }, (_, at) => `Message number ${at + 1}`));
  const page = await open(t, who.server, { who, path: `/c/${chat.id}` });
  const one = page.getByText("Message number 153", { exact: true });
  await one.scrollIntoViewIfNeeded();
  const place = () => one.evaluate((shown) => shown.getBoundingClientRect().top);
  const before = await place();
  const count = () => page.evaluate(() => document.querySelectorAll("main article").length);
  await page.mouse.move(DESKTOP.width / 2, DESKTOP.height / 2);
  await page.mouse.wheel(0, -1);
  await until(page, "earlier ones are there", async () => (await count()) >= 100);
  await frame(page);
  assert.ok(Math.abs((await place()) - before) < 10, `${before} → ${await place()}`);
});

test("a message of 100 KB is typed, shown folded, and answered", async (t) => {
  const who = await somebody();
  const page = await open(t, who.server, { who });
  // In few lines: Chromium itself takes seconds to put thousands of lines into a field.
  const line = `${"A sentence of a long text, with ümlauts and <b>tags</b>. ".repeat(50).trim()}\n`;
  const prompt = line.repeat(Math.ceil(102_400 / line.length)).trim();
  await composer(page).focus();
  await page.keyboard.insertText(prompt);
  await until(page, "it is typed", async () => (await composer(page).inputValue()).length === prompt.length);
  await page.keyboard.press("Enter");
  await prompts(page).waitFor();
  const call = await who.provider.call(prompt);
  assert.equal(call.body.messages.at(-1).content.length, prompt.length);
  call.write(prompt);
  call.end();
  await replies(page).getByText("A sentence of a long text").first().waitFor();
  await button(prompts(page), text.chat.showAll).click();
  await until(page, "all of it", async () => (await prompts(page).innerText()).length >= prompt.length);
  await page.reload();
  await replies(page).getByText("A sentence of a long text").first().waitFor();
});

test("going from chat to chat for a long time leaves nothing behind", async (t) => {
  const who = await somebody();
  const two = [await who.api.chat("One"), await who.api.chat("Other")];
  for (const { id } of two) await who.api.messages(id, Array.from({ length: 20 }, (_, at) => `Message ${at}`));
  const page = await open(t, who.server, { who });
  const inspector = await page.context().newCDPSession(page);
  await inspector.send("Performance.enable");
  const listeners = async () => {
    await inspector.send("HeapProfiler.collectGarbage");
    const { metrics } = await inspector.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "JSEventListeners").value;
  };
  const goBetween = async (times) => {
    for (let at = 0; at < times; at += 1) {
      const title = at % 2 ? "One" : "Other";
      await row(page, title).click();
      await page.getByRole("heading", { name: title, exact: true }).waitFor();
      await messages(page).last().waitFor();
    }
  };
  await goBetween(10);
  const before = await listeners();
  await goBetween(60);
  const after = await listeners();
  assert.ok(after < before + 60, `${before} listeners, and ${after} after 60 chats`);
});
