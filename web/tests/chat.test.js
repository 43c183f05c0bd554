/** A conversation: asking, and what can be done with what was said. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, somebody, until } from "./harness.js";
import {
  button,
  choose,
  composer,
  copyMessage,
  dialog,
  field,
  prompts,
  replies,
  send,
  text,
} from "./view.js";

const words = text.chat;
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

/** The page of somebody new, where a chat has not begun. */
async function begin(t, options) {
  const who = await somebody();
  const page = await open(t, who.server, { who, ...options });
  const ask = async (prompt, answer) => {
    await send(page, prompt);
    await who.provider.say(prompt, answer);
    await replies(page).getByText(answer, { exact: true }).waitFor();
  };
  return { ...who, who, page, ask };
}

test("a message is sent by Enter, shown at once as it was typed, and answered below", async (t) => {
  const { page, provider } = await begin(t);
  await composer(page).pressSequentially("*not* bold");
  await composer(page).press("Shift+Enter");
  await composer(page).pressSequentially("<b>second</b> line");
  await composer(page).press("Enter");
  const prompt = "*not* bold\n<b>second</b> line";
  assert.ok((await prompts(page).innerText()).includes(prompt));
  assert.equal(await composer(page).inputValue(), "");
  await page.getByText(words.thinking).waitFor();
  await provider.say(prompt, "An answer.");
  await replies(page).getByText("An answer.").waitFor();
  await until(page, "no reply is awaited", async () => (await page.getByText(words.thinking).count()) === 0);
});

test("Markdown is shown while it is written, and the same after a reload", async (t) => {
  const { page, provider } = await begin(t);
  await send(page, "Markdown");
  const call = await provider.call("Markdown");
  const reply = replies(page);
  call.write("# Rivers\n\nTwo **long** ones:\n\n| River | Length |\n|---|--:|\n| Nile | 6,650 km |\n");
  await reply.getByRole("heading", { name: "Rivers" }).waitFor();
  await reply.getByRole("table").getByRole("cell", { name: "Nile" }).waitFor();
  call.write("| Amazon | 6,400 km |\n\n1. one\n2. two\n   - inner\n\n> quoted\n\n- [x] done\n\n[a link](https://example.com/a)");
  await reply.getByText("inner").waitFor();
  call.end();
  assert.equal(await reply.getByRole("row").count(), 3);
  assert.equal(await reply.locator("strong").innerText(), "long");
  const link = reply.getByRole("link", { name: "a link" });
  assert.equal(await link.getAttribute("href"), "https://example.com/a");
  assert.match(await link.getAttribute("rel"), /noopener/);
  await copyMessage(reply).waitFor();
  const body = () => reply.evaluate((article) => article.querySelector("h1, h2, h3, h4").parentElement.parentElement.innerText);
  const written = await body();
  await page.reload();
  await reply.getByRole("table").waitFor();
  assert.equal(await body(), written);
});

test("code is highlighted by what is loaded only when there is code, and copied as it was written", async (t) => {
  const { page, provider, ask } = await begin(t);
  const scripts = [];
  page.on("request", (request) => request.resourceType() === "script" && scripts.push(request.url()));
  await ask("Without code", "Only words.");
  assert.deepEqual(scripts, []);
  const code = 'fn main() {\n    let name = "world"; // greets\n\n    println!("Hello, {name}");\n}\n';
  await send(page, "With code");
  await provider.say("With code", `Here:\n\n\`\`\`rust\n${code}\`\`\`\n\nand \`inline\` too.`);
  const block = replies(page).last().locator("pre");
  await block.locator("code span").first().waitFor();
  assert.equal(scripts.length, 1);
  assert.equal(await block.locator("code").innerText().then((shown) => shown.trimEnd()), code.trimEnd());
  await button(replies(page).last(), words.copyCode).click();
  assert.equal((await clipboard(page)).trimEnd(), code.trimEnd());
  assert.ok((await replies(page).last().innerText()).includes("rust"));
});

test("math is left as the text that it is", async (t) => {
  const { page, provider } = await begin(t);
  const formulas = ["$a_1 * b_1 * c_{2}$", "\\(x_1 * y_1 * z\\)", "\\[ \\sum_{i=1}^n i_2 * j_2 * k \\]", "$$\\frac{a_1}{b_1} \\\\ c * d * e$$"];
  await send(page, "Math");
  await provider.say("Math", formulas.map((formula) => `It is ${formula} here.`).join("\n\n"));
  await copyMessage(replies(page)).waitFor();
  const shown = await replies(page).innerText();
  for (const formula of formulas) assert.ok(shown.includes(formula), `${formula} in ${shown}`);
});

test("a reply is stopped, and what was there is kept", async (t) => {
  const { page, provider } = await begin(t);
  await send(page, "Long one");
  const call = await provider.call("Long one");
  call.write("The beginning");
  await replies(page).getByText("The beginning").waitFor();
  await button(page, words.stop).click();
  await call.closed;
  await page.getByText(words.stopped, { exact: true }).first().waitFor();
  await page.reload();
  await replies(page).getByText("The beginning").waitFor();
  await page.getByText(words.stopped, { exact: true }).first().waitFor();
});

test("a reply is written again, and one steps between the branches", async (t) => {
  const { page, provider, ask } = await begin(t);
  const again = async (prompt, answer) => {
    await button(replies(page), words.regenerate).click();
    await provider.say(prompt, answer);
    await replies(page).getByText(answer, { exact: true }).waitFor();
  };
  await ask("Roll a die", "one");
  await again("Roll a die", "two");
  await again("Roll a die", "three");
  await page.getByText(words.branch(3, 3), { exact: true }).waitFor();
  assert.equal(await replies(page).count(), 1);
  await button(replies(page), words.previousBranch).click();
  await page.getByText(words.branch(2, 3), { exact: true }).waitFor();
  await replies(page).getByText("two", { exact: true }).waitFor();
  await button(replies(page), words.previousBranch).click();
  await replies(page).getByText("one", { exact: true }).waitFor();
  await page.getByText(words.branch(1, 3), { exact: true }).waitFor();
  await ask("And again", "four");
  await page.reload();
  await replies(page).getByText("four", { exact: true }).waitFor();
  await page.getByText(words.branch(1, 3), { exact: true }).waitFor();
  await replies(page).getByText("one", { exact: true }).waitFor();
});

test("an earlier message is edited, and both what it was and what it is stay", async (t) => {
  const { page, provider, ask } = await begin(t);
  await ask("First quastion", "First answer");
  await ask("Second question", "Second answer");
  await button(prompts(page).first(), words.edit).click();
  await field(page, words.editField).fill("First question");
  await button(page, words.send).first().click();
  await provider.say("First question", "Better answer");
  await replies(page).getByText("Better answer", { exact: true }).waitFor();
  assert.equal(await prompts(page).count(), 1);
  await page.getByText(words.branch(2, 2), { exact: true }).waitFor();
  await button(prompts(page), words.previousBranch).click();
  await replies(page).getByText("Second answer", { exact: true }).waitFor();
  assert.equal(await prompts(page).first().getByText("First quastion").count(), 1);
});

test("a message is copied as it was written", async (t) => {
  const { page, provider } = await begin(t);
  await send(page, "Some **stars**");
  const markdown = "## Heading\n\n* a *b*\n* c";
  await provider.say("Some **stars**", markdown);
  await copyMessage(replies(page)).click();
  assert.equal(await clipboard(page), markdown);
  await copyMessage(prompts(page)).click();
  assert.equal(await clipboard(page), "Some **stars**");
});

test("a reply tells its model, its tokens and its time, also to the keyboard", async (t) => {
  const { page, ask } = await begin(t);
  await ask("Facts", "of the reply");
  const reply = page.getByRole("article", { name: words.replyBy("scripted") });
  const time = await reply.locator("time").getAttribute("datetime");
  assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000);
  assert.ok((await reply.innerText()).includes("scripted"));
  assert.ok((await reply.innerText()).includes(words.tokensShort(1)));
  await copyMessage(reply).focus();
  await until(page, "the facts are seen", async () => {
    return reply.locator("time").evaluate((facts) => facts.checkVisibility({ opacityProperty: true, visibilityProperty: true }));
  });
});

test("the model is chosen for a chat, and stays chosen", async (t) => {
  const { page, provider } = await begin(t);
  await choose(page, button(page, words.modelIs("scripted")), "other");
  await send(page, "Who is there?");
  assert.equal((await provider.say("Who is there?", "The other.")).body.model, "other");
  await page.getByRole("article", { name: words.replyBy("other") }).waitFor();
  await page.reload();
  await choose(page, button(page, words.modelIs("other")), "scripted");
  await button(page, words.modelIs("scripted")).waitFor();
  await send(page, "And now?");
  assert.equal((await provider.say("And now?", "The first.")).body.model, "scripted");
});

test("a chat's system message is written once and told the model every time", async (t) => {
  const { page, provider, ask } = await begin(t);
  await ask("Before", "plain");
  await choose(page, button(page, words.options), words.system);
  await field(dialog(page), words.systemHint).fill("Speak like a pirate.");
  await button(dialog(page), text.common.save).click();
  await dialog(page).waitFor({ state: "detached" });
  await send(page, "After");
  const { body } = await provider.say("After", "Arr.");
  assert.deepEqual(body.messages[0], { role: "system", content: "Speak like a pirate." });
  await page.reload();
  await choose(page, button(page, words.options), words.system);
  await until(page, "it is there", async () => (await field(dialog(page), words.systemHint).inputValue()) === "Speak like a pirate.");
});

test("a message that is sent meanwhile waits for its turn, or is cancelled", async (t) => {
  const { page, provider } = await begin(t);
  await send(page, "Number one");
  const first = await provider.call("Number one");
  first.write("still at it");
  await replies(page).getByText("still at it").waitFor();
  await send(page, "Number two");
  await page.getByText(words.queued, { exact: true }).first().waitFor();
  await send(page, "Number three");
  await until(page, "two wait", async () => (await button(page, words.cancel).count()) === 2);
  await button(page, words.cancel).last().click();
  await page.getByText(words.cancelled, { exact: true }).first().waitFor();
  first.end();
  await provider.say("Number two", "its turn");
  await replies(page).getByText("its turn").waitFor();
  assert.deepEqual(provider.calls.filter(({ prompt }) => prompt === "Number three"), []);
  assert.equal(await page.getByText(words.queued, { exact: true }).count(), 0);
});

const FAILURES = [
  ["too much to do", words.failed.rate_limit, (call) => call.refuse(429, { "Retry-After": "1" })],
  ["refused key", words.failed.auth, (call) => call.refuse(401)],
  ["broken provider", words.failed.provider, (call) => call.refuse(500)],
  ["cut in the middle", words.failed.network, (call) => (call.write("half a"), call.cut())],
];

for (const [what, said, fail] of FAILURES) {
  test(`a failed reply says why in plain words, and can be tried again: ${what}`, async (t) => {
    const { page, provider } = await begin(t);
    await send(page, "Try");
    fail(await provider.call("Try"));
    await page.getByText(said).first().waitFor();
    assert.equal(await page.getByText("words of the provider").count(), 0);
    await page.reload();
    await page.getByText(said).first().waitFor();
    await button(page, text.common.tryAgain).click();
    await provider.say("Try", "worked");
    await replies(page).getByText("worked", { exact: true }).waitFor();
  });
}

test("a model that says nothing for too long is given up", async (t) => {
  const { page, provider } = await begin(t);
  await choose(page, button(page, words.modelIs("scripted")), "impatient");
  await send(page, "Anybody?");
  await provider.call("Anybody?");
  await button(page, text.common.tryAgain).waitFor();
});

test("what could not be sent is not lost", async (t) => {
  const { page, provider } = await begin(t);
  await button(page, words.modelIs("scripted")).waitFor();
  await page.context().setOffline(true);
  await composer(page).fill("Into the void");
  await composer(page).press("Enter");
  await page.getByText(words.notSent(text.error.offline)).waitFor();
  assert.equal(await composer(page).inputValue(), "Into the void");
  await page.context().setOffline(false);
  await button(page.getByRole("main"), text.common.tryAgain).click();
  await provider.say("Into the void", "Heard.");
  await replies(page).getByText("Heard.").waitFor();
  assert.equal(await prompts(page).count(), 1);
});

test("the end is followed while the reader is there, and the reader is left alone elsewhere", async (t) => {
  const { page, provider } = await begin(t);
  const paragraphs = (from, to) => Array.from({ length: to - from }, (_, at) => `Paragraph ${from + at}\n\n`).join("");
  await send(page, "Much");
  const call = await provider.call("Much");
  call.write(paragraphs(0, 60));
  const isSeen = (at) => replies(page).getByText(`Paragraph ${at}`, { exact: true }).evaluate((shown) => {
    const { top, bottom } = shown.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  });
  const shown = (at) => replies(page).getByText(`Paragraph ${at}`, { exact: true }).waitFor();
  await shown(59);
  await until(page, "the end is followed", () => isSeen(59));
  await replies(page).hover();
  await page.mouse.wheel(0, -700);
  await until(page, "the reader is away from the end", async () => !(await isSeen(59)));
  await button(page, words.toEnd).waitFor();
  const place = () => replies(page).getByText("Paragraph 30", { exact: true }).evaluate((one) => one.getBoundingClientRect().top);
  const before = await place();
  call.write(paragraphs(60, 120));
  await shown(119);
  assert.ok(Math.abs((await place()) - before) < 2, "the place does not move");
  await button(page, words.toEnd).click();
  await until(page, "back at the end", () => isSeen(119));
  call.write(paragraphs(120, 150));
  await shown(149);
  await until(page, "the end is followed again", () => isSeen(149));
  call.end();
});

test("a draft survives a reload, each in its chat, until it is sent", async (t) => {
  const { page, ask, api, server } = await begin(t);
  const other = await api.chat("Other");
  await composer(page).fill("half a thought");
  await page.reload();
  await until(page, "the draft is there", async () => (await composer(page).inputValue()) === "half a thought");
  await page.goto(`${server.url}/c/${other.id}`);
  await composer(page).waitFor();
  assert.equal(await composer(page).inputValue(), "");
  await composer(page).fill("another one");
  await page.goto(server.url);
  await until(page, "the first draft", async () => (await composer(page).inputValue()) === "half a thought");
  await ask("whole thought", "ok");
  await page.reload();
  await replies(page).getByText("ok", { exact: true }).waitFor();
  assert.equal(await composer(page).inputValue(), "");
});

test("on a phone Enter is a new line, and the button sends", async (t) => {
  const { page, provider } = await begin(t, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await composer(page).fill("from");
  await composer(page).press("Enter");
  await composer(page).pressSequentially("a phone");
  await button(page, words.send).tap();
  await provider.say("from\na phone", "Hello, phone.");
  await replies(page).getByText("Hello, phone.").waitFor();
});

test("an address of no chat says so, and leads on", async (t) => {
  const { page, server } = await begin(t);
  await page.goto(`${server.url}/c/cmwrpwp0u0001en2qit120fc6`);
  await page.getByText(words.notFound).waitFor();
});
