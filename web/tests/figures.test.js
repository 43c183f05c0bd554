/** Figures of speed, printed. Only the size of what is loaded is a limit; times are the machine's. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { framesOf, LONG, open, somebody, theServer, until } from "./harness.js";
import { button, composer, field, replies, text } from "./view.js";

/** KiB of compressed JavaScript that the first view may load. */
const SCRIPT_KIB = 120;
const KEY_PRESSES = 20;

const figures = {};

/** The scripts that were loaded, as they came over the wire. */
const scriptKib = (page) =>
  page.evaluate(() => {
    const scripts = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js"));
    return scripts.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) / 1_024;
  });

test("the first view loads at most 120 KiB of JavaScript", async (t) => {
  const { server } = await theServer();
  const who = await somebody();
  const stranger = await open(t, server);
  await button(stranger, text.account.signIn).waitFor();
  const door = await scriptKib(stranger);
  const page = await open(t, server, { who });
  await composer(page).waitFor();
  figures.usable_ms = await page.evaluate(() => Math.round(performance.now()));
  // What can be used need not be painted yet.
  const painted = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  figures.first_view_ms = Math.round(await painted.jsonValue());
  figures.js_kib = (await scriptKib(page)).toFixed(1);
  assert.ok(door > 0 && door <= SCRIPT_KIB, `${door} KiB`);
  assert.ok(figures.js_kib <= SCRIPT_KIB, `${figures.js_kib} KiB`);
});

test("a message is on the screen right after the key press", async (t) => {
  const who = await somebody();
  const chat = await who.api.chat("Keys");
  const page = await open(t, who.server, { who, path: `/c/${chat.id}` });
  const times = [];
  for (let at = 0; at < KEY_PRESSES; at += 1) {
    const prompt = `Press ${at}`;
    await composer(page).fill(prompt);
    await page.evaluate((prompt) => {
      window.__shown = new Promise((resolve) => {
        addEventListener("keydown", () => {
          const pressed = performance.now();
          const look = () => {
            const all = [...document.querySelectorAll("main article")];
            if (all.some((article) => article.textContent.includes(prompt))) resolve(performance.now() - pressed);
            else requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        }, { capture: true, once: true });
      });
    }, prompt);
    await composer(page).press("Enter");
    times.push(await page.evaluate(() => window.__shown));
    await who.provider.say(prompt, "Noted.");
    await until(page, "it is answered", async () => (await replies(page).getByText("Noted.").count()) === at + 1);
    await until(page, "it has ended", async () => (await button(page, text.chat.stop).count()) === 0);
  }
  times.sort((a, b) => a - b);
  figures.key_to_message_ms_p50 = times[KEY_PRESSES / 2].toFixed(1);
  figures.key_to_message_ms_most = times.at(-1).toFixed(1);
});

test("a reply of 2,000 tokens streams", async (t) => {
  const who = await somebody();
  const chat = await who.api.chat("Stream", { model: "demo" });
  const page = await open(t, who.server, { who, path: `/c/${chat.id}` });
  await field(page, text.chat.field).fill("Go");
  const frames = await framesOf(page, async () => {
    await composer(page).press("Enter");
    await page.waitForFunction((name) => document.querySelector(`[aria-label="${name}"]`), text.chat.regenerate, { timeout: LONG });
  });
  figures.frames_dropped = `${frames.late}/${frames.all} (reply of 2,000 tokens)`;
  figures.longest_frame_ms = frames.longest;
  console.log("page", ...Object.entries(figures).map(([name, value]) => `${name}=${value}`));
});
