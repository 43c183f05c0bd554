/** The browser that everything runs in. */

import { chromium } from "playwright-core";

/** Starts Debian's Chromium; a root user's has to do without its sandbox. */
export function launch() {
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
}
