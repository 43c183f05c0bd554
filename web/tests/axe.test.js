/** Every view as axe sees it, light and dark, on a phone and on a desk: nothing serious, nothing critical. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, test } from "node:test";

import { DESKTOP, frame, open, PHONE, somebody, theServer, until } from "./harness.js";
import { Server } from "./server.js";
import { accountMenu, button, choose, composer, copyMessage, dialog, replies, send, side, text } from "./view.js";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const counted = { views: 0, serious: 0, critical: 0 };
after(() => console.log("axe", ...Object.entries(counted).map(([name, count]) => `${name}=${count}`)));

const LOOKS = ["light", "dark"].flatMap((colorScheme) => [DESKTOP, PHONE].map((viewport) => ({ viewport, colorScheme })));

/** Looks at what is on the page, in each colour and at each width. */
async function look(page, view) {
  for (const { viewport, colorScheme } of LOOKS) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await frame(page);
    // Evaluated by the debugger, which no policy of the page holds back.
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    const bad = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    counted.views += 1;
    for (const { impact } of bad) counted[impact] += 1;
    const told = bad.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`)}`);
    assert.deepEqual(told, [], `${view} ${colorScheme} ${viewport.width}`);
    const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(tooWide <= 0, `${view} is ${tooWide} pixels too wide at ${viewport.width}`);
  }
  await page.setViewportSize(DESKTOP);
}

test("the first account, and signing in", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const page = await open(t, server, { path: new URL(await server.setupLink).pathname });
  await button(page, text.account.create).waitFor();
  await look(page, "first account");
  await button(page, text.account.create).click();
  await until(page, "problems", async () => (await page.locator("[aria-invalid=true]").count()) > 0);
  await look(page, "first account with problems");
  await server.account("ada@example.com", "Ada");
  await page.goto(`${server.url}/signin`);
  await button(page, text.account.signIn).waitFor();
  await look(page, "sign in");
});

test("a chat that has not begun, and one with everything that a message can be", async (t) => {
  const who = await somebody();
  const page = await open(t, who.server, { who });
  await composer(page).waitFor();
  await look(page, "new chat");
  await send(page, "Show me all");
  const call = await who.provider.call("Show me all");
  call.write("# One\n\nText with `code`, a [link](https://example.com) and\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n");
  call.write('```rust\nfn main() { println!("{}", 1 + 2); } // comment\n```\n\n> quote\n\n- [x] done\n\n1. one\n2. two\n');
  await replies(page).locator("pre code span").first().waitFor();
  await look(page, "while it is written");
  call.end();
  await copyMessage(replies(page)).waitFor();
  await look(page, "conversation");
  await send(page, "Fail now");
  (await who.provider.call("Fail now")).refuse(500);
  await button(page, text.common.tryAgain).waitFor();
  await look(page, "failed reply");
  await send(page, "Run");
  await who.provider.call("Run");
  await send(page, "Wait");
  await page.getByText(text.chat.queued, { exact: true }).first().waitFor();
  await look(page, "queued");
  await choose(page, button(page, text.chat.options), text.chat.system);
  await dialog(page).waitFor();
  await look(page, "system message");
});

test("the list of chats with its menu, its search and its shortcuts", async (t) => {
  const who = await somebody();
  for (const name of ["One", "Two", "Three"]) await who.api.chat(name);
  const page = await open(t, who.server, { who });
  await accountMenu(page).click();
  await page.getByRole("menu").waitFor();
  await look(page, "account menu");
  await page.keyboard.press("Escape");
  await side(page).getByRole("searchbox").fill("t");
  await side(page).locator("mark").first().waitFor();
  await look(page, "search");
  await side(page).getByRole("searchbox").fill("nowhere");
  await page.getByText(text.side.noneFound("nowhere")).waitFor();
  await look(page, "nothing found");
  await page.keyboard.press("Control+/");
  await dialog(page).waitFor();
  await look(page, "shortcuts");
  await page.keyboard.press("Escape");
  await page.setViewportSize(PHONE);
  await button(page, text.common.openSide).click();
  await side(page).waitFor();
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  assert.deepEqual(violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id }) => id), []);
});

for (const [area, sections] of [
  ["settings", ["profile", "password", "tokens", "devices"]],
  ["admin", ["accounts", "models", "usage", "nodes"]],
]) {
  for (const section of sections) {
    test(`${area}: ${section}`, async (t) => {
      const { server, admin } = await theServer();
      if (section === "tokens") await admin.api.post("/auth/tokens", { name: "Backup" });
      const page = await open(t, server, { who: admin, path: `/${area}/${section}` });
      await page.getByRole("heading", { level: 2 }).first().waitFor();
      await until(page, "it is loaded", async () => !(await page.getByText(text.common.loading).count()));
      await look(page, `${area}/${section}`);
    });
  }
}

test("the dialogs: a token, another device, a new account, an unknown page", async (t) => {
  const { server, admin } = await theServer();
  const page = await open(t, server, { who: admin, path: "/settings/tokens" });
  await button(page, text.account.newToken).first().click();
  await look(page, "new token");
  await button(dialog(page), text.account.createToken).click();
  await dialog(page).getByText(text.account.tokenOnce).waitFor();
  await look(page, "token made");
  await page.goto(`${server.url}/admin/accounts`);
  await button(page, text.admin.newAccount).click();
  await look(page, "new account");
  await page.goto(`${server.url}/c/cmwrpwp0u0001en2qit120fc6`);
  await page.getByText(text.chat.notFound).waitFor();
  await look(page, "no such chat");
});
