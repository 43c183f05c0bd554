/** Several people at one device: nothing of the first is left for the next. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { frame, open, somebody, until } from "./harness.js";
import { PASSWORD } from "./server.js";
import { accountMenu, button, composer, row, side, signIn, signOut, text } from "./view.js";

test("a draft is seen by whoever wrote it, and by nobody who signs in after", async (t) => {
  const grace = await somebody("Grace");
  const alan = await somebody("Alan");
  const page = await open(t, grace.server, { who: grace });
  await composer(page).fill("What Alan is not to read");
  await page.reload();
  assert.equal(await composer(page).inputValue(), "What Alan is not to read");
  await grace.api.delete(`/auth/tokens/${await ownToken(grace)}`);
  await button(page, text.account.signIn).waitFor();
  await signIn(page, alan.email, PASSWORD);
  await accountMenu(page).filter({ hasText: "Alan" }).waitFor();
  assert.equal(await composer(page).inputValue(), "");
  await signOut(page);
  const kept = await page.evaluate(() => JSON.stringify(localStorage));
  assert.ok(!kept.includes("Alan is not to read"), kept);
});

test("when somebody else signs in, all tabs are theirs", async (t) => {
  const grace = await somebody("Grace");
  const alan = await somebody("Alan");
  await grace.api.chat("Only for Grace");
  await alan.api.chat("Only for Alan");
  const page = await open(t, grace.server, { who: grace });
  const other = await page.context().newPage();
  await other.goto(grace.server.url);
  await row(other, "Only for Grace").waitFor();
  await signOut(page);
  await signIn(page, alan.email, PASSWORD);
  await row(other, "Only for Alan").waitFor();
  await frame(other);
  assert.equal(await row(other, "Only for Grace").count(), 0);
  await until(other, "the other tab is Alan's", () => accountMenu(other).filter({ hasText: "Alan" }).isVisible());
  assert.equal(await side(page).getByText("Only for Grace").count(), 0);
});

/** The token that this person's page is signed in by. */
async function ownToken(who) {
  const { tokens } = await who.api.get("/auth/tokens");
  return tokens.find(({ isCurrent }) => isCurrent).id;
}
