/**
 * The page in a real browser: one Chromium for all tests, a context with no past for each. In every
 * test nothing may be wrong with the page that the test does not look at: see `watch`.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after } from "node:test";

import { launch } from "./browser.js";
import { Provider } from "./provider.js";
import { Server } from "./server.js";

export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 800 };

/** Milliseconds that anything may take to come to pass; and what is known to be long. */
const PATIENCE = 10_000;
export const LONG = 60_000;

let browser;
let shared;
const seen = { tests: 0, requests: 0, offOrigin: 0, problems: 0 };

/** The server that most tests share, each with accounts of its own, and its provider. */
export function theServer() {
  shared ??= (async () => {
    const provider = await Provider.start();
    const server = await Server.start(
      `registration = "open"\ntitles = false\n${provider.settings}` +
        '[[provider]]\nname = "demo"\nkind = "demo"\nwords = 2000\nwords_per_second = 400\n',
    );
    const admin = await server.account("admin@example.com", "Ada Admin");
    return { server, provider, admin };
  })();
  return shared;
}

after(async () => {
  await (await browser)?.close();
  const { server, provider } = (await shared) ?? {};
  await server?.stop();
  provider?.stop();
  console.log(
    `page tests=${seen.tests} requests=${seen.requests} offorigin_requests=${seen.offOrigin} problems=${seen.problems}`,
  );
});

/** Somebody who nobody else knows, on the shared server. */
export async function somebody(name = "Grace") {
  const { server, provider } = await theServer();
  const who = await server.account(`${randomUUID()}@example.com`, name);
  return { ...who, server, provider };
}

/**
 * Opens the page for somebody, or for a stranger, in a context of its own that is closed with the
 * test, and fails the test if there was anything wrong with the page.
 */
export async function open(t, server, { who, path = "/", ...options } = {}) {
  browser ??= launch();
  const context = await (await browser).newContext({
    viewport: DESKTOP,
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    permissions: ["clipboard-read", "clipboard-write"],
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  if (who) await context.addCookies([who.cookie]);
  const problems = await watch(context, server);
  seen.tests += 1;
  t.after(async () => {
    await context.close();
    seen.problems += problems.length;
    assert.deepEqual(problems, []);
  });
  const page = await context.newPage();
  await page.goto(server.url + path);
  return page;
}

/** Notes errors, refusals of the policy, dialogs, and requests that leave the server. */
async function watch(context, server) {
  const problems = [];
  context.on("console", (message) => {
    // That a request was refused is the server's word, which the page tells in its own.
    const isRefusal = message.text().startsWith("Failed to load resource");
    if (["error", "warning"].includes(message.type()) && !isRefusal) problems.push(`console: ${message.text()}`);
  });
  context.on("weberror", (error) => problems.push(`error: ${error.error().stack}`));
  context.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  context.on("request", (request) => {
    seen.requests += 1;
    const { origin, protocol } = new URL(request.url());
    if (origin === server.url || protocol === "data:" || protocol === "blob:") return;
    seen.offOrigin += 1;
    problems.push(`request: ${request.url()}`);
  });
  await context.exposeBinding("__violation", (_, text) => void problems.push(`policy: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.__violation(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  return problems;
}

/** Waits until this is true, for so many milliseconds, looking after each frame of the page. */
export async function until(page, what, check, patience = PATIENCE) {
  const end = Date.now() + patience;
  while (!(await check())) {
    if (Date.now() > end) assert.fail(`not in time: ${what}`);
    await frame(page);
  }
}

/** Waits until the page has drawn what it had to draw. */
export function frame(page) {
  return page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(undefined)))),
  );
}

/** How many frames came too late while this was done. */
export async function framesOf(page, act) {
  await page.evaluate(() => {
    window.__frames = [];
    let last = performance.now();
    const note = (now) => {
      window.__frames?.push(now - last);
      last = now;
      if (window.__frames) requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
  });
  await act();
  const gaps = await page.evaluate(() => {
    const frames = window.__frames;
    delete window.__frames;
    return frames;
  });
  const usual = gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length / 2)];
  const late = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / usual) - 1), 0);
  return { late, all: gaps.length + late, longest: Math.round(Math.max(...gaps)) };
}
