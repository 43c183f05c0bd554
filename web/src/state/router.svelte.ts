/** Which view the address stands for. */

export type View =
  | { name: "chat"; id: string | null }
  | { name: "settings"; section: string }
  | { name: "admin"; section: string }
  | { name: "sign-in" }
  | { name: "setup" }
  | { name: "unknown" };

function viewOf(path: string): View {
  const [first, second] = path.split("/").filter(Boolean);
  switch (first) {
    case undefined:
      return { name: "chat", id: null };
    case "c":
      return second ? { name: "chat", id: second } : { name: "chat", id: null };
    case "settings":
      return { name: "settings", section: second ?? "profile" };
    case "admin":
      return { name: "admin", section: second ?? "accounts" };
    case "signin":
      return { name: "sign-in" };
    case "setup":
      return { name: "setup" };
    default:
      return { name: "unknown" };
  }
}

class Router {
  path = $state(location.pathname);
  view = $derived(viewOf(this.path));

  constructor() {
    addEventListener("popstate", () => (this.path = location.pathname));
    // Links are links: a plain click on one of ours stays on the page, any other one is the browser's.
    document.addEventListener("click", (event) => {
      const link = event.target instanceof Element ? event.target.closest("a") : null;
      const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
      if (!link || !isPlain || event.defaultPrevented || link.target || link.origin !== location.origin) return;
      if (viewOf(link.pathname).name === "unknown") return;
      event.preventDefault();
      this.go(link.pathname);
    });
  }

  /** Shows that path. With `replace` the way back does not lead here. */
  go(path: string, { replace = false } = {}): void {
    if (path === this.path) return;
    if (replace) history.replaceState(null, "", path);
    else history.pushState(null, "", path);
    this.path = path;
  }
}

export const router = new Router();

export const chatUrl = (id: string) => `/c/${id}`;
