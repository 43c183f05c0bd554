/** The real server with a data folder of its own, and what tests do with its API directly. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const root = resolve(import.meta.dirname, "../..");
/** Without what this machine sets for a server: the tests say what they want. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("CHATKEEP_")));
const binary = join(resolve(process.env.CARGO_TARGET_DIR ?? join(root, "target")), "debug/chatkeep");

export const PASSWORD = "correct horse battery";

export class Server {
  /** Starts one with this chatkeep.toml. */
  static async start(settings = "") {
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), "chatkeep-web-"));
    writeFileSync(join(server.folder, "chatkeep.toml"), settings);
    await server.#run(0);
    return server;
  }

  async #run(port) {
    // Ends with the tests, however they end.
    this.process = spawn("setpriv", ["--pdeathsig", "KILL", binary, "serve", "--listen", `127.0.0.1:${port}`], {
      cwd: this.folder,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let log = "";
    this.process.stderr.on("data", (piece) => (log += piece));
    const { promise, resolve, reject } = Promise.withResolvers();
    this.process.on("error", reject);
    this.process.on("exit", () => reject(new Error(`the server ended: ${log}`)));
    /** The one-time link; printed only while there is no account. */
    this.setupLink = new Promise((found) => {
      createInterface(this.process.stdout).on("line", (line) => {
        this.url ??= /http:\S+/.exec(line)?.[0];
        if (line.startsWith("its data is in")) resolve();
        if (line.includes("/setup/")) found(/http:\S+/.exec(line)[0]);
      });
    });
    await promise;
  }

  /** Ends it as a power cut would. */
  async kill() {
    this.process.kill("SIGKILL");
    await once(this.process, "close");
  }

  /** Starts it again, on the same port and folder. */
  again() {
    return this.#run(new URL(this.url).port);
  }

  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Makes an account and signs it in. The first one is the administrator. */
  async account(email, name) {
    await new Api(this).post("/auth/register", { email, password: PASSWORD, name });
    return this.signIn(email);
  }

  async signIn(email) {
    const body = JSON.stringify({ email, password: PASSWORD, name: "A test", cookie: true });
    const headers = { "Content-Type": "application/json", Origin: this.url };
    const response = await fetch(`${this.url}/api/v1/auth/login`, { method: "POST", headers, body });
    const cookie = response.headers.getSetCookie()[0];
    if (!cookie) throw new Error(`no cookie: ${response.status} ${await response.text()}`);
    const [, name, token] = /^([^=]+)=([^;]+)/.exec(cookie);
    return { email, api: new Api(this, token), cookie: { name, value: token, url: this.url, sameSite: "Lax", httpOnly: true } };
  }
}

/** The API as one account uses it. What it refuses is thrown. */
export class Api {
  constructor(server, token) {
    this.server = server;
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  get = (path) => this.#ask("GET", path);
  post = (path, body) => this.#ask("POST", path, body);
  patch = (path, body) => this.#ask("PATCH", path, body);
  delete = (path) => this.#ask("DELETE", path);

  async #ask(method, path, body) {
    const headers = { ...this.headers, "Content-Type": "application/json" };
    const response = await fetch(`${this.server.url}/api/v1${path}`, {
      method,
      headers,
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.message}`);
    return answer.data;
  }

  async chat(name, more) {
    const chat = await this.post("/chat", { type: "text", name });
    return more ? this.patch(`/chat/${chat.id}`, more) : chat;
  }

  /** That many chats, "Chat 1" and so on. */
  async chats(count) {
    let made = 0;
    const make = async () => {
      while (made < count) await this.chat(`Chat ${++made}`);
    };
    await Promise.all(Array.from({ length: 128 }, make));
  }

  /** Puts messages into a chat, by the user and an assistant in turn, the user first. */
  async messages(chatId, texts) {
    const messages = texts.map((content, at) =>
      at % 2 ? { role: "assistant", content, model: "scripted" } : { role: "user", content },
    );
    for (let at = 0; at < messages.length; at += 100) {
      await this.post(`/chat/${chatId}/messages`, { messages: messages.slice(at, at + 100) });
    }
  }

  /** The texts of the active path, oldest first. */
  async path(chatId) {
    const { messages } = await this.get(`/chat/${chatId}/messages?limit=100`);
    return messages.reverse().map(({ content }) => content.map(({ text }) => text).join(""));
  }

  /** What a reply's stream brings, until it ends. */
  async *events(chatId, replyId) {
    const response = await fetch(`${this.server.url}/api/v1/chat/${chatId}/replies/${replyId}/events`, this);
    let rest = "";
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + piece).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split("\n").map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 1)]));
        if (fields.data) yield { name: fields.event.trim(), data: JSON.parse(fields.data) };
      }
    }
  }
}
