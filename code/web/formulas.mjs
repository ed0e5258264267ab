// Sets formulas as SVG, for paper and e-readers, which run no script: JSON [[tex, display], ...] in, JSON [svg, ...] out.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const MathJax = await createRequire(import.meta.url)("mathjax").init({
  loader: { load: ["input/tex", "output/svg"] },
  // A formula that cannot be set is an error here, not a red box in the book.
  tex: { formatError: (_, error) => { throw error; } },
  svg: { fontCache: "none" }, // some e-readers draw each formula by itself
  startup: { typeset: false },
});
const adaptor = MathJax.startup.adaptor;

const formulas = [];
for (const [tex, display] of JSON.parse(await text(process.stdin))) {
  try {
    const svg = adaptor.firstChild(await MathJax.tex2svgPromise(tex, { display }));
    adaptor.removeAttribute(svg, "focusable");
    // MathJax's own notes, and spaces, which it draws as paths without a line.
    formulas.push(adaptor.outerHTML(svg).replace(/ data-[\w-]+="[^"]*"/g, "").replace(/<path( transform="[^"]*")?><\/path>/g, ""));
  } catch (error) {
    console.error(`This formula cannot be set: ${tex}\n${error.message}`);
    process.exit(1);
  }
}
console.log(JSON.stringify(formulas));
