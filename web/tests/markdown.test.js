/** Markdown, without a browser: `node --test tests/markdown.test.js` */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Growing } from "../src/chat/markdown.ts";

const html = (text, growing = new Growing(), isWhole = true) =>
  growing
    .read(text, isWhole)
    .map((block) => block.html)
    .join("");

/** Texts whose blocks depend on what follows. */
const TEXTS = [
  "A paragraph\nof two lines\n\nand another\n=====\n\nText\n---\nend",
  "- a\n- b\n\n  more of b\n\n- c\n\nafter\n\n1. one\n\n2. two\n   ```js\n   let x = 1;\n\n   let y;\n   ```\n3. three\n\n\n* other",
  "1. one\n\n2",
  "1. one\n\n2. two\n\n10. ten\n",
  "```rust\nfn main() {\n\n    // **no**\n}\n```\nafter\n\n~~~\n```\n~~~\n\n````md\n```\ncode\n```\n````\n",
  "| a | b |\n|---|:-:|\n| `1` | $x|y$ |\n| 3 | **4** |\n\nend | of\n",
  "> quote\ngoes on\n> - list\n>\n> end\n\n> another\n",
  "$$\na\n\n- b\n= c\n$$\n\n\\[\nx_1 * y_2 * z\n\\]\nand $a_1$ and \\(b_2\\)\n\n$$ open",
  "    indented\n\n    code\n\ntext\n    not code\n",
  "<div>\n\n**bold**\n\n</div>\n\n<script>\nalert(1)\n</script>\n\n<!-- a\n\ncomment -->\n",
  "# One\n## Two #\ntext\n***\n- - -\n+ x\n+ [ ] y\n+ [x] z\n",
  "a\r\nb\r\n\r\n- c\r\n- d\r\n\r\n```\r\ne\r\n```\r\n",
  "![alt](https://a.b/c.png) [![x](y.png)](https://d.e) https://f.g <h@i.j>\n\n\n\n",
];

test("a text that comes in pieces looks at each moment as if it had come at once", () => {
  for (const text of TEXTS) {
    const growing = new Growing();
    for (let end = 1; end <= text.length; end++) {
      const part = text.slice(0, end);
      assert.equal(html(part, growing, false), html(part, new Growing(), false), JSON.stringify(part));
    }
    assert.equal(html(text, growing), html(text));
  }
});

test("a block that has not changed is the same object, so that nothing is drawn again", () => {
  const growing = new Growing();
  const before = growing.read("one\n\ntwo\n\nthr", false);
  const after = growing.read("one\n\ntwo\n\nthree", true);
  assert.equal(before[0], after[0]);
  assert.equal(before[1], after[1]);
  assert.notEqual(before[2], after[2]);
});

test("a text that begins anew forgets what was there", () => {
  const growing = new Growing();
  growing.read("one\n\ntwo\n\nthree\n", false);
  assert.equal(html("ten", growing, false), "<p>ten</p>\n");
});

test("a reference at the end makes a link of what stands above", () => {
  const growing = new Growing();
  for (const part of ["See [this].\n\n", "See [this].\n\nMore.\n\n"]) growing.read(part, false);
  assert.match(html("See [this].\n\nMore.\n\n[this]: https://a.b\n", growing), /<a href="https:\/\/a\.b">this<\/a>/);
});

test("math is left as it was written", () => {
  for (const math of ["$a_1 * b_1 * c$", "$$x_1 < y_2$$", "\\(a_1 \\cdot b_1\\)", "\\[\\frac{1}{2}\\]", "$\\$5_a * 3_a *$"]) {
    const escaped = math.replaceAll("<", "&lt;");
    assert.equal(html(`so ${math} it is`), `<p>so ${escaped} it is</p>\n`);
  }
  assert.equal(html("$$\na\n\n- b\n$$"), '<p class="math">$$\na\n\n- b\n$$</p>');
  assert.equal(html("It costs $5 or *$6*."), "<p>It costs $5 or <em>$6</em>.</p>\n");
});

test("HTML is text, and an image a link that shows where it leads", () => {
  assert.doesNotMatch(html("<img src=x onerror=alert(1)> <b>a</b>\n\n<svg onload=x>\n"), /<(img|b|svg)/);
  assert.equal(html("![a chart](https://a.b/c.png)"), '<p><a href="https://a.b/c.png">a chart — https://a.b/c.png</a></p>\n');
  assert.equal(html('[x](https://a.b/"onclick=alert(1))').includes('"onclick'), false);
});

test("code that is still being written has no colours yet", () => {
  const text = "```js\nlet x;\n```\n";
  assert.doesNotMatch(html(text, new Growing(), false), /data-language/);
  assert.match(html(`${text}\nafter`, new Growing(), false), /data-language="js"/);
  assert.match(html(text), /data-language="js"/);
});
