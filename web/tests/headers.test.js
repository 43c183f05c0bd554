/** What comes with the page, as a browser sees it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { open, somebody } from "./harness.js";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
];

test("the page allows itself nothing but its own files, and asks for its index every time", async (t) => {
  const who = await somebody();
  const page = await open(t, who.server, { who });
  for (const path of ["/", "/c/unknown", "/settings", "/settings/tokens", "/admin", "/signin"]) {
    const response = await page.goto(who.server.url + path);
    const headers = response.headers();
    assert.equal(response.status(), 200, path);
    const policy = headers["content-security-policy"].split(/; */);
    for (const rule of POLICY) assert.ok(policy.includes(rule), `${path}: ${rule}`);
    assert.ok(policy.some((rule) => rule.startsWith("trusted-types ") && !rule.includes("*")));
    assert.equal(policy.length, POLICY.length + 1, headers["content-security-policy"]);
    assert.equal(headers["cache-control"], "no-cache");
    assert.ok(headers.etag);
  }
});

test("every answer says that its type holds and that no address is passed on", async (t) => {
  const who = await somebody();
  const seen = new Map();
  const page = await open(t, who.server, { who });
  page.on("response", (response) => seen.set(new URL(response.url()).pathname, response));
  const stream = page.waitForResponse((response) => response.url().endsWith("/api/v1/events"));
  await page.reload({ waitUntil: "load" });
  await stream;
  await page.evaluate(() => fetch("/api/v1/unknown"));
  const assets = [...seen.keys()].filter((path) => path.startsWith("/assets/"));
  assert.ok(assets.some((path) => path.endsWith(".js")) && assets.some((path) => path.endsWith(".css")));
  for (const path of ["/", "/api/v1/auth/me", "/api/v1/events", "/api/v1/unknown", ...assets]) {
    const headers = seen.get(path).headers();
    assert.equal(headers["x-content-type-options"], "nosniff", path);
    assert.equal(headers["referrer-policy"], "no-referrer", path);
    // Only behind TLS.
    assert.equal(headers["strict-transport-security"], undefined, path);
  }
  for (const path of assets) {
    const headers = seen.get(path).headers();
    assert.equal(headers["cache-control"], "public, max-age=31536000, immutable", path);
    assert.match(headers["content-encoding"], /^(br|gzip)$/, path);
  }
});

test("no script can read the cookie, and no address holds a secret", async (t) => {
  const who = await somebody();
  const addresses = [];
  const page = await open(t, who.server, { who });
  page.on("request", (request) => addresses.push(request.url()));
  const stream = page.waitForResponse((response) => response.url().endsWith("/api/v1/events"));
  await page.reload();
  await stream;
  assert.equal(await page.evaluate(() => document.cookie), "");
  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  for (const text of [stored, ...addresses]) assert.ok(!text.includes(who.cookie.value), text);
});
