/**
 * Markdown as models write it, in blocks. HTML within it is text, math is left as it stands, and an
 * image is a link: nothing of it is fetched.
 */

import { Marked, type Token, type TokenizerAndRendererExtension, type Tokens, type TokensList } from "marked";

/** A paragraph, a list, a table and so on. */
export interface Block {
  /** What was written. */
  raw: string;
  /** Not yet to be trusted. */
  html: string;
}

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text: string) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);

/** A formula among words: `$x$`, `$$x$$`, `\(x\)`, `\[x\]`. Two prices in a sentence are none. */
const INLINE_MATH = /^(?:\$\$[^$]+?\$\$|\$(?![\s$])(?:\\[^]|[^$\\\n])*?(?<!\s)\$(?!\d)|\\\([^]+?\\\)|\\\[[^]+?\\\])/;
/** A formula by itself, over some lines. */
const BLOCK_MATH = /^ {0,3}(?:\$\$[^]+?\$\$|\\\[[^]+?\\\])[ \t]*(?:\n|$)/;
/** The same, of which the end is not written yet. */
const OPEN_MATH = /^ {0,3}(?:\$\$(?:(?!\$\$)[^])*|\\\[(?:(?!\\\])[^])*)$/;

/** How the text is read at the moment: the parser has no place for it. */
const mode = {
  /** Whether more may come. */
  isGrowing: false,
  /** Whether the block is complete: code that is still being written has no colours. */
  isComplete: true,
};

const inlineMath: TokenizerAndRendererExtension = {
  name: "math",
  level: "inline",
  start: (source) => /\$|\\[([]/.exec(source)?.index,
  tokenizer: (source) => {
    const raw = INLINE_MATH.exec(source)?.[0];
    return raw === undefined ? undefined : { type: "math", raw };
  },
  renderer: ({ raw }) => escape(raw),
};

const blockMath: TokenizerAndRendererExtension = {
  name: "mathBlock",
  level: "block",
  start: (source) => /\n {0,3}(?:\$\$|\\\[)/.exec(source)?.index,
  tokenizer: (source) => {
    const raw = (BLOCK_MATH.exec(source) ?? (mode.isGrowing ? OPEN_MATH.exec(source) : null))?.[0];
    return raw === undefined ? undefined : { type: "mathBlock", raw };
  },
  renderer: ({ raw }) => `<p class="math">${escape(raw.trim())}</p>`,
};

const marked = new Marked({
  gfm: true,
  extensions: [inlineMath, blockMath],
  tokenizer: { html: () => undefined, tag: () => undefined },
  renderer: {
    html: ({ raw }) => escape(raw),
    code({ text, lang }) {
      const language = escape(/^\S*/.exec(lang ?? "")![0]);
      const named = language && mode.isComplete ? ` data-language="${language}"` : "";
      const bar = `<div class="bar"><span>${language}</span></div>`;
      return `<div class="code">${bar}<pre tabindex="0"><code${named}>${escape(text)}\n</code></pre></div>`;
    },
    // Below the heading of the page.
    heading({ tokens, depth }) {
      const level = Math.min(depth + 1, 6);
      return `<h${level} class="h${depth}">${this.parser.parseInline(tokens)}</h${level}>`;
    },
    image({ href, text }) {
      const shown = text ? `${text} — ${href}` : href;
      return `<a href="${escape(href)}">${escape(shown)}</a>`;
    },
    link({ href, tokens }) {
      // A link that is shown within a link would not be one.
      const inside = tokens.some(({ type }) => type === "image") ? escape(textOf(tokens)) : this.parser.parseInline(tokens);
      return `<a href="${escape(href)}">${inside}</a>`;
    },
    checkbox: ({ checked }) => `<span class="box">${checked ? "☑" : "☐"}</span> `,
    table(token) {
      const row = (cells: Tokens.TableCell[]) => `<tr>${cells.map((cell) => this.tablecell(cell)).join("")}</tr>`;
      const body = token.rows.map(row).join("");
      return `<div class="table" tabindex="0"><table><thead>${row(token.header)}</thead><tbody>${body}</tbody></table></div>`;
    },
    tablecell({ tokens, header, align }) {
      const tag = header ? "th" : "td";
      return `<${tag}${align ? ` class="${align}"` : ""}>${this.parser.parseInline(tokens)}</${tag}>`;
    },
  },
});

function textOf(tokens: Token[]): string {
  return tokens.map((token) => (token.type === "image" ? `${token.text} — ${token.href}` : token.raw)).join("");
}

function joined(blocks: Block[]): Block[] {
  const all = (part: "raw" | "html") => blocks.map((block) => block[part]).join("");
  return blocks.length ? [{ raw: all("raw"), html: all("html") }] : [];
}

/**
 * The blocks of a text that grows. What is complete is kept, so that only the end is read again, however
 * long the text is.
 */
export class Growing {
  private settled: Block[] = [];
  private settledText = "";
  private last: Block[] = [];

  /** The blocks of the text so far. A block that has not changed is the same object as before. */
  read(written: string, isWhole: boolean): Block[] {
    const text = written.includes("\r") ? written.replace(/\r\n?/g, "\n") : written;
    // A reference at the end may make a link of something at the beginning.
    if (isWhole || !text.startsWith(this.settledText)) this.forget();
    mode.isGrowing = !isWhole;
    const tokens = marked.lexer(text.slice(this.settledText.length));
    const tail = tokens.filter(({ type }) => type !== "space");
    const blocks = tail.map((token, at) => this.block(token, tokens, this.settled.length + at, isWhole || at < tail.length - 1));
    // What has never grown is drawn once: one piece is less work than many.
    const all = isWhole && this.last.length === 0 ? joined(blocks) : [...this.settled, ...blocks];
    if (!isWhole) this.settle(tokens, blocks);
    return (this.last = all);
  }

  private block(token: Token, { links }: TokensList, at: number, isComplete: boolean): Block {
    mode.isComplete = isComplete;
    const html = marked.parser(Object.assign([token], { links }));
    const before = this.last[at];
    return before?.html === html && before.raw === token.raw ? before : { raw: token.raw, html };
  }

  /**
   * What stands before the last block can't change, once the first line of that one is complete: "2" may
   * become "2. ", and go on with the list above.
   */
  private settle(tokens: Token[], blocks: Block[]): void {
    let open = tokens.findLastIndex(({ type }) => type !== "space");
    if (!tokens.slice(open).some(({ raw }) => raw.includes("\n"))) {
      open = tokens.findLastIndex(({ type }, at) => at < open && type !== "space");
    }
    if (open <= 0) return;
    const done = tokens.slice(0, open);
    this.settledText += done.map(({ raw }) => raw).join("");
    this.settled = [...this.settled, ...blocks.slice(0, done.filter(({ type }) => type !== "space").length)];
  }

  private forget(): void {
    this.settled = [];
    this.settledText = "";
  }
}
