/** What models and people write does nothing but be read. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { frame, open, somebody, until } from "./harness.js";
import { payloads } from "./payloads.js";
import { replies } from "./view.js";

/** In how many pieces a reply comes. */
const PIECES = 4;

const counted = { payloads: 0, stored: 0, streamed: 0, scripts: 0, offorigin_requests: 0 };
let canary;
let hostile;

before(async () => {
  canary = createServer((_, response) => {
    counted.offorigin_requests += 1;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(canary, "listening");
  hostile = payloads(`http://127.0.0.1:${canary.address().port}`);
  counted.payloads = hostile.length;
});

after(() => {
  canary.close();
  console.log("hostile", ...Object.entries(counted).map(([name, count]) => `${name}=${count}`));
});

/** A payload with an end that can be seen. */
const withEnd = (payload, at) => `${payload}\n\nend of payload ${at}`;

/** Watches over what gets into the page, for however short a time. */
async function guard(page) {
  await page.addInitScript(() => {
    window.__bad = [];
    const harmful =
      "script:not([src^='/assets/']), iframe, frame, object, embed, base, meta[http-equiv], img:not([src='/favicon.svg']), picture, source, video, audio, " +
      "track, style, form[action], marquee, math, template, portal, [srcset], [poster], [ping], [background], [formaction], [srcdoc], [style*=url]";
    const names = "#location, #attributes, #nodeName, #trustedTypes, #search, [name=cookie], [name=getElementById], [name=parentNode], [name=emptyHTML]";
    const safe = ["http:", "https:", "mailto:"];
    const look = (element) => {
      const hasHandler = element.getAttributeNames().some((name) => name.startsWith("on"));
      const address = (name) => URL.parse(element.getAttribute(name) ?? "", location.href) ?? location;
      const isLeading = !safe.includes(address("href").protocol);
      const isAway = address("src").origin !== location.origin;
      if (hasHandler || isLeading || isAway || element.matches(harmful) || element.matches(names)) {
        window.__bad.push(element.outerHTML.slice(0, 200));
      }
    };
    new MutationObserver((changes) => {
      for (const { type, target, addedNodes } of changes) {
        if (type === "attributes") look(target);
        for (const node of addedNodes) {
          if (!(node instanceof Element)) continue;
          look(node);
          node.querySelectorAll("*").forEach(look);
        }
      }
    }).observe(document, { childList: true, subtree: true, attributes: true });
  });
  await page.reload();
}

async function assertHarmless(page, at) {
  await frame(page);
  const found = await page.evaluate(() => ({ ran: window.__ran, bad: window.__bad }));
  if (found.ran !== undefined) counted.scripts += 1;
  assert.deepEqual(found, { ran: undefined, bad: [] }, `payload ${at}: ${hostile[at]}`);
}

test("nothing that is stored runs or calls anybody: not as a message, a title, or a system message", async (t) => {
  const who = await somebody();
  const page = await open(t, who.server, { who });
  await guard(page);
  for (const [at, payload] of hostile.entries()) {
    const title = payload.replaceAll(/[\s\p{C}]+/gu, " ").trim().slice(0, 200);
    const chat = await who.api.chat(title, { systemMessage: payload });
    await who.api.messages(chat.id, [withEnd(payload, at), withEnd(payload, at)]);
    await page.goto(`${who.server.url}/c/${chat.id}`);
    await until(page, `both messages of payload ${at}`, async () => {
      const text = await page.locator("main").innerText();
      return text.split(`end of payload ${at}`).length === 3;
    });
    await assertHarmless(page, at);
    counted.stored += 1;
  }
});

test("nothing that a model writes runs or calls anybody, wherever the stream is cut", async (t) => {
  const who = await somebody();
  const chat = await who.api.chat("Hostile");
  const page = await open(t, who.server, { who, path: `/c/${chat.id}` });
  await guard(page);
  for (const [at, payload] of hostile.entries()) {
    const prompt = `Payload ${at}, please`;
    const reply = await who.api.post(`/chat/${chat.id}/replies`, { prompt });
    const events = who.api.events(chat.id, reply.id);
    const call = await who.provider.call(prompt);
    const text = withEnd(payload, at);
    const size = Math.ceil(text.length / PIECES);
    for (let from = 0; from < text.length; from += size) {
      call.write(text.slice(from, from + size));
      // It was sent to the page as well then.
      for (;;) if ((await events.next()).value.name === "delta") break;
      await frame(page);
    }
    call.end();
    await page.getByText(`end of payload ${at}`).last().waitFor();
    await assertHarmless(page, at);
    counted.streamed += 1;
  }
  // What was put together from pieces is what comes out of the whole.
  const newest = async () => (await replies(page).allInnerTexts()).slice(-20);
  const streamed = await newest();
  await page.reload();
  await page.getByText(`end of payload ${hostile.length - 1}`).last().waitFor();
  assert.deepEqual(await newest(), streamed);
});
