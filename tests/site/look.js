/** What the browser tests look at. Runs in every page that they open, as `look`. */
const look = (() => {
  const all = (selector, scope = document) => [...scope.querySelectorAll(selector)];
  const text = (selector) => all(selector).map((e) => e.textContent.trim());

  /** Loaded, equations set, explorers drawn. */
  function ready() {
    const typeset = document.querySelector("mjx-container") || !document.querySelector(".math");
    const hasWidgets = document.querySelector('script[type="application/vnd.jupyter.widget-state+json"]');
    const drawn = all(".adambook").every((root) => Number(root.dataset.draws) >= 1);
    const alive = !hasWidgets || (document.documentElement.dataset.widgets === "ready" && drawn);
    return document.readyState === "complete" && Boolean(typeset) && alive;
  }

  const facts = () => ({
    h1: all(".bd-article h1").length,
    title: document.title,
    lang: document.documentElement.lang,
    icon: document.querySelector('link[rel~="icon"]')?.href,
    description: document.querySelector('meta[name="description"]')?.content,
    images: all("img").map((img) => ({
      source: img.getAttribute("src"),
      alt: img.getAttribute("alt"),
      loaded: (img.complete && img.naturalWidth > 0) || !img.getClientRects().length,
    })),
    badMath: text("mjx-merror, .MathJax_Error"),
    stderr: text(".output.stderr, .output.traceback"),
    problems: text(".problematic, .system-message"),
    code: all(".bd-article div.highlight pre").length,
    copy: all(".bd-article button.copybtn").length,
    prose: text(".bd-article :is(p, li, td)").join("\n"),
  });

  /** What sticks out of the window, save for what scrolls within itself. */
  function overflow() {
    const scrolls = "div.cell_output:has(> img), pre, .pst-scrollable-table-container, div.math, svg, mjx-container, .noUi-origin";
    const out = all(".bd-article *").filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(scrolls));
    return { page: document.documentElement.scrollWidth, out: out.slice(0, 5).map((e) => `${e.tagName}.${e.className}`) };
  }

  /** At a desk: formulas wider than their column, and figures that had to shrink until their text is small. */
  const squeezed = () => [
    ...all(".bd-article div.math").filter((e) => e.scrollWidth > e.clientWidth + 4).map((e) => e.textContent.slice(0, 80)),
    ...all(".cell_output img").filter((e) => e.clientWidth && e.naturalWidth > 1.25 * e.clientWidth).map((e) => e.alt.slice(0, 80)),
  ];

  /** Text in drawings that is under 10.5 CSS pixels. */
  const tiny = () => all(".adambook svg text")
    .filter((t) => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a < 10.5)
    .map((t) => t.textContent);

  /** Text in drawings that leaves its card, and texts that lie on each other. */
  function crowded() {
    const bad = [];
    for (const card of all(".ab-card")) {
      const edge = card.getBoundingClientRect();
      const shown = all(".adambook svg text", card).filter((t) => /\w/.test(t.textContent) && t.checkVisibility());
      const boxes = shown.map((t) => [t.textContent, t.getBoundingClientRect()]);
      boxes.forEach(([words, a], i) => {
        if (a.left < edge.left || a.right > edge.right) bad.push(`${words} leaves the card`);
        for (const [others, b] of boxes.slice(i + 1)) {
          const w = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          if (w > 3 && h > 6) bad.push(`${words} lies on ${others}`);
        }
      });
    }
    return bad;
  }

  /** Text against its background, as WCAG reckons it. Colours of any notation become numbers on a canvas. */
  function faint(scope) {
    const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const known = new Map();
    const rgba = (colour) => {
      if (!known.has(colour)) {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
        known.set(colour, [r, g, b, a / 255]);
      }
      return known.get(colour);
    };
    const over = (top, under) => under.map((u, i) => top[3] * top[i] + (1 - top[3]) * u);
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    // The colour behind an element, and the opacity of all that it stands in: each from its parent's, reckoned once.
    const grounds = new Map([[null, { colour: [255, 255, 255], opacity: 1 }]]);
    const ground = (e) => {
      if (!grounds.has(e)) {
        const style = getComputedStyle(e), parent = ground(e.parentElement);
        grounds.set(e, { colour: over(rgba(style.backgroundColor), parent.colour), opacity: style.opacity * parent.opacity });
      }
      return grounds.get(e);
    };
    const skip = "script, style, mjx-container, .headerlink, .copybtn, select";
    const seen = new Set(), bad = [];
    const walker = document.createTreeWalker(document.querySelector(scope), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const e = node.parentElement;
      if (!node.textContent.trim() || e.closest(skip)) continue;
      if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const style = getComputedStyle(e), { colour: under, opacity } = ground(e);
      const [r, g, b, a] = rgba(e.closest("svg") ? style.fill : style.color);
      const key = [r, g, b, a * opacity, under, style.fontSize, style.fontWeight].join();
      if (seen.has(key)) continue;
      seen.add(key);
      const [high, low] = [luminance(over([r, g, b, a * opacity], under)), luminance(under)].sort((x, y) => y - x);
      const ratio = (high + 0.05) / (low + 0.05), size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) bad.push(`${ratio.toFixed(2)}: ${node.textContent.trim().slice(0, 40)} in ${e.outerHTML.slice(0, 80)}`);
    }
    return { looked: seen.size, bad };
  }

  /** Brightness of the page's ground, 0 to 765. */
  const ground = () => getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).slice(0, 3).reduce((sum, v) => sum + Number(v), 0);

  /** The colours of all that an explorer draws in an optimizer's colour, and of its text. */
  const ink = (card) => [
    getComputedStyle(card.querySelector(".adambook")).color,
    ...all('[style*="--c"]:not(g)', card).map((e) => `${getComputedStyle(e).fill} ${getComputedStyle(e).stroke}`),
  ];

  /** The next frame: an explorer asks for one when it is moved, and has drawn when ours comes. */
  const settled = () => new Promise(requestAnimationFrame);

  /** A text in short: its length and a hash (FNV-1a), so that a drawing need not leave the page. */
  function digest(long) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < long.length; i++) hash = Math.imul(hash ^ long.charCodeAt(i), 0x01000193);
    return `${long.length}:${hash >>> 0}`;
  }

  /** All that an explorer shows. */
  async function state(card) {
    await settled();
    const sliders = all("[role=slider]", card).map((s) => s.getAttribute("aria-valuetext"));
    const menus = all("select", card).map((s) => s.selectedIndex);
    const buttons = all(".widget-toggle-button", card).map((b) => b.getAttribute("aria-pressed"));
    const boxes = all("input[type=checkbox]", card).map((b) => b.checked);
    return {
      draws: Number(card.querySelector(".adambook").dataset.draws),
      drawing: digest(card.querySelector(".adambook > svg").innerHTML),
      words: card.querySelector(".adambook .ab-summary").textContent,
      controls: [sliders, menus, buttons, boxes],
    };
  }

  /** Controls without a name, and labels that do not fit. */
  const unnamed = (card) => all("button, select, input, [contenteditable], [role=slider]", card)
    .filter((e) => !(e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent || "").trim())
    .map((e) => e.outerHTML);
  const cut = (card) => all(".widget-label", card).filter((l) => l.scrollWidth > l.clientWidth + 1).map((l) => l.textContent);

  return { settled, ready, facts, overflow, squeezed, tiny, crowded, faint, ground, ink, state, unnamed, cut };
})();
globalThis.look = look;
