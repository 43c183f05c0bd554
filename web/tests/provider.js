/** A provider of models that speaks as OpenAI does and says what the test lets it, piece by piece. */

import { once } from "node:events";
import { createServer } from "node:http";

export class Provider {
  static async start() {
    const provider = new Provider();
    provider.calls = [];
    provider.waiting = [];
    provider.server = createServer((request, response) => provider.#take(request, response)).listen(0, "127.0.0.1");
    await once(provider.server, "listening");
    // A run that failed ends, whoever was not stopped.
    provider.server.unref();
    return provider;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}/v1`;
  }

  /** The sections of a chatkeep.toml. The model `impatient` waits one second for a first word. */
  get settings() {
    const section = (name, more) =>
      `[[provider]]\nname = "${name}"\nkind = "openai"\nbase_url = "${this.url}"\nretries = 0\n${more}\n`;
    return (
      section("scripted", 'models = ["scripted", "other"]\nwindow = 1000000') +
      section("hasty", 'models = ["impatient"]\nfirst_token_timeout = "1s"')
    );
  }

  async #take(request, response) {
    const body = await new Response(request).json();
    const call = new Call(body, response);
    const at = this.waiting.findIndex(({ prompt }) => (prompt ?? call.prompt) === call.prompt);
    if (at < 0) this.calls.push(call);
    else this.waiting.splice(at, 1)[0].resolve(call);
  }

  /** The next call whose last message is this; without one the next call at all. */
  call(prompt) {
    const at = this.calls.findIndex((call) => call.prompt === (prompt ?? call.prompt));
    if (at >= 0) return this.calls.splice(at, 1)[0];
    return new Promise((resolve) => this.waiting.push({ prompt, resolve }));
  }

  /** Says that to the next call with this prompt. */
  async say(prompt, text) {
    const call = await this.call(prompt);
    call.write(text);
    call.end();
    return call;
  }
}

/** A request for an answer, and the answer. */
class Call {
  constructor(body, response) {
    this.body = body;
    this.prompt = body.messages.at(-1).content;
    this.response = response;
    /** Resolves when the other side hangs up, as when a reply is stopped. */
    this.closed = once(response, "close");
    this.tokens = 0;
  }

  #event(data) {
    if (!this.response.headersSent) this.response.writeHead(200, { "Content-Type": "text/event-stream" });
    this.response.write(`data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
  }

  write(text) {
    this.tokens += 1;
    this.#event({ choices: [{ delta: { content: text } }] });
  }

  end() {
    this.#event({ choices: [{ delta: {}, finish_reason: "stop" }] });
    this.#event({ choices: [], usage: { prompt_tokens: 11, completion_tokens: this.tokens } });
    this.#event("[DONE]");
    this.response.end();
  }

  refuse(status, headers = {}) {
    this.response.writeHead(status, { "Content-Type": "application/json", ...headers });
    this.response.end(JSON.stringify({ error: { message: "words of the provider" } }));
  }

  /** Breaks the connection. */
  cut() {
    this.response.destroy();
  }
}
