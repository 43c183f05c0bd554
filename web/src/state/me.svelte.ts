/** Who is signed in. */

import { tick } from "svelte";
import { account, ApiError, type User } from "../api";
import { onSignedOut } from "../api/http";
import { chatList } from "./chats.svelte";
import { forgetDrafts } from "./drafts";
import { router } from "./router.svelte";

/** Where the browser keeps who was signed in last: drafts are theirs, and other tabs hear when it changes. */
const KEY = "chatkeep.user";

class Me {
  /** `undefined` until the server has been asked, `null` when nobody is signed in. */
  user = $state<User | null>();
  /** Whether somebody was signed in here, and the server says that this is over. */
  hasEnded = $state(false);
  /** Why the server could not be asked. */
  error = $state<string>();

  constructor() {
    // All tabs share the cookie: none may go on showing what is somebody else's.
    addEventListener("storage", ({ key }) => {
      if (key === KEY) void this.load();
    });
  }

  async load(): Promise<void> {
    this.error = undefined;
    try {
      this.become(await account.me());
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.user = null;
      else this.error = String((error as Error).message);
    }
  }

  async signIn(email: string, password: string): Promise<void> {
    const { user } = await account.signIn(email, password, deviceName(navigator.userAgent));
    this.become(user);
    if (router.view.name === "sign-in" || router.view.name === "setup") router.go("/", { replace: true });
  }

  async signOut(): Promise<void> {
    await chatList.settle();
    await account.signOut();
    this.user = null;
    router.go("/", { replace: true });
    await tick();
    forgetDrafts();
    localStorage.removeItem(KEY);
  }

  private become(user: User): void {
    if (localStorage.getItem(KEY) !== user.id) forgetDrafts();
    localStorage.setItem(KEY, user.id);
    this.user = user;
    this.hasEnded = false;
  }
}

export const me = new Me();
onSignedOut(() => {
  if (!me.user) return;
  me.user = null;
  me.hasEnded = true;
});

/** What a browser is called in the list of devices. */
export function deviceName(userAgent: string): string {
  const found = (names: [RegExp, string][], otherwise: string) =>
    names.find(([pattern]) => pattern.test(userAgent))?.[1] ?? otherwise;
  const browser = found(
    [
      [/Firefox\//, "Firefox"],
      [/Edg\//, "Edge"],
      [/OPR\//, "Opera"],
      [/Chrom(e|ium)\//, "Chrome"],
      [/Safari\//, "Safari"],
    ],
    "Browser",
  );
  const system = found(
    [
      [/iPhone|iPad/, "iOS"],
      [/Android/, "Android"],
      [/Windows/, "Windows"],
      [/Mac OS X/, "macOS"],
      [/CrOS/, "ChromeOS"],
      [/Linux/, "Linux"],
    ],
    "",
  );
  return system ? `${browser} on ${system}` : browser;
}
