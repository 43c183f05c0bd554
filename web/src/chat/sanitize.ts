/** What of a model's HTML may be shown: the one place where text becomes HTML. */

import DOMPurify from "dompurify";
import type { TrustedHTML } from "trusted-types/lib";
import type { Block } from "./markdown";

const TAGS = "p br strong em del code pre a ul ol li blockquote h2 h3 h4 h5 h6 hr table thead tbody tr th td div span";
const PLAIN = ["class", "start", "tabindex", "data-language"];
const SCHEMES = /^(?:https?|mailto):/i;

const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (element) => {
  if (element.tagName !== "A" || !element.hasAttribute("href")) return;
  element.setAttribute("target", "_blank");
  element.setAttribute("rel", "noopener noreferrer nofollow");
});

/** HTML that can do nothing but be read. */
export function harmless(html: string): TrustedHTML {
  return purify.sanitize(html, {
    ALLOWED_TAGS: TAGS.split(" "),
    ALLOWED_ATTR: ["href", ...PLAIN],
    ADD_URI_SAFE_ATTR: PLAIN,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: SCHEMES,
    RETURN_TRUSTED_TYPE: true,
  });
}

const known = new WeakMap<Block, TrustedHTML>();

/** The same of a block, made once. */
export function htmlOf(block: Block): TrustedHTML {
  let html = known.get(block);
  if (html === undefined) known.set(block, (html = harmless(block.html)));
  return html;
}
