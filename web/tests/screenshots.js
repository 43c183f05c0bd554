/** What `web/screenshots` runs: pictures of the main views, into the folder that is its argument. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { launch } from "./browser.js";
import { Provider } from "./provider.js";
import { CHATS, CONVERSATION, HALF, PEOPLE } from "./sample.js";
import { PASSWORD, Server } from "./server.js";
import { button, composer, copyMessage, replies, side, text } from "./view.js";

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });

const LOOKS = [
  { name: "desktop", viewport: { width: 1280, height: 800 } },
  { name: "phone", viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
].flatMap(({ name, ...look }) =>
  ["light", "dark"].map((colorScheme) => ({ name: `${name}-${colorScheme}`, colorScheme, reducedMotion: "reduce", locale: "en-GB", ...look })),
);

const provider = await Provider.start();
const server = await Server.start(
  `titles = false\n[[provider]]\nname = "studio"\nkind = "openai"\nbase_url = "${provider.url}"\n` +
    'models = ["aurora-large", "aurora-small"]\nwindow = 128000\n',
);
const browser = await launch();

const pages = [];

/** Opens the page in each look, for somebody or for a stranger. */
async function openAll(who) {
  for (const { page } of pages.splice(0)) await page.context().close();
  for (const { name, ...options } of LOOKS) {
    const context = await browser.newContext(options);
    if (who) await context.addCookies([who.cookie]);
    pages.push({ look: name, page: await context.newPage(), isMobile: options.isMobile ?? false });
  }
}

/** Makes one picture in each look. `act` brings the page to what is to be seen. */
async function picture(name, path, act) {
  for (const { look, page, isMobile } of pages) {
    await page.goto(server.url + path);
    await act(page, isMobile);
    await page.screenshot({ path: join(folder, `${name}-${look}.png`) });
  }
}

/** Lets a reply be written, and waits for its end. */
async function answer(api, chatId, prompt, said) {
  const reply = await api.post(`/chat/${chatId}/replies`, { prompt });
  const call = await provider.call(prompt);
  for (const word of said.split(/(?<= )/)) call.write(word);
  call.end();
  for await (const { name } of api.events(chatId, reply.id)) if (name === "finished") return;
}

try {
  await openAll();
  await picture("first-run", new URL(await server.setupLink).pathname, (page) => button(page, text.account.create).waitFor());

  const ada = await server.account("ada@example.com", "Ada Lovelace");
  await picture("sign-in", "/signin", (page) => button(page, text.account.signIn).waitFor());

  for (const title of CHATS) await ada.api.chat(title);
  const chat = await ada.api.chat(CONVERSATION.title);
  for (const [prompt, said] of CONVERSATION.turns) await answer(ada.api, chat.id, prompt, said);
  for (const [email, name, answers] of PEOPLE) {
    await ada.api.post("/admin/accounts", { email, password: PASSWORD, name });
    const { api } = await server.signIn(email);
    const own = await api.chat("Notes");
    for (let at = 0; at < answers; at += 1) await answer(api, own.id, `Question ${at}`, "An answer of several words, as they come. ".repeat(at + 2));
  }

  await openAll(ada);
  await picture("empty", "/", (page) => composer(page).waitFor());
  const isShown = async (page) => {
    await replies(page).last().locator("pre code span").first().waitFor();
    await copyMessage(replies(page).last()).waitFor();
  };
  await picture("conversation", `/c/${chat.id}`, isShown);
  await picture("code", `/c/${chat.id}`, async (page) => {
    await isShown(page);
    await replies(page).first().locator("table").scrollIntoViewIfNeeded();
  });
  const openSide = (page, isMobile) => isMobile && button(page, text.common.openSide).tap();
  await picture("list", `/c/${chat.id}`, async (page, isMobile) => {
    await isShown(page);
    await openSide(page, isMobile);
    await side(page).locator("a[data-chat]").first().waitFor();
  });
  await picture("search", "/", async (page, isMobile) => {
    await composer(page).waitFor();
    await openSide(page, isMobile);
    await side(page).getByRole("searchbox").fill("the");
    await side(page).locator("mark").first().waitFor();
  });
  const isLoaded = async (page) => {
    await page.getByRole("heading", { level: 2 }).first().waitFor();
    await page.getByText(text.common.loading).first().waitFor({ state: "detached" });
  };
  for (const section of ["profile", "tokens", "devices"]) await picture(`settings-${section}`, `/settings/${section}`, isLoaded);
  for (const section of ["accounts", "models", "usage", "nodes"]) await picture(`admin-${section}`, `/admin/${section}`, isLoaded);
  const half = await ada.api.chat(HALF.title);
  await ada.api.post(`/chat/${half.id}/replies`, { prompt: HALF.prompt });
  (await provider.call(HALF.prompt)).write(HALF.said);
  await picture("streaming", `/c/${half.id}`, (page) => replies(page).locator("li").nth(1).waitFor());
  console.log(folder);
} finally {
  await browser.close();
  provider.stop();
  await server.stop();
}
