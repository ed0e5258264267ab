/**
 * node build.mjs build   every explorer (src/explorers/*.ts, *.css) and the page runtime (src/page)
 * node build.mjs test    every src/**\/*.test.ts, bundled, under Node's own test runner
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SRC = here("src");
const STATIC = here("../adambook/explorers/static");
const DIST = here("dist");
const TESTS = join(DIST, "test");
/** anywidget embeds a module's text once per widget, so a page pays for every byte several times. */
const EXPLORER_LIMIT = 20_000;

const walk = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(dir, e.name)) : [join(dir, e.name)]));
const sources = walk(SRC).sort();
const isTest = (file) => file.endsWith(".test.ts");
const common = { bundle: true, target: "es2021", charset: "utf8", logLevel: "warning" };

/** Python in the page: the button, and what its first press loads. The button says how much that is, as hosts send it. */
async function bundlePython() {
  const pyodide = (name) => here(`node_modules/pyodide/${name}`);
  const fetched = ["pyodide.asm.wasm", "python_stdlib.zip"].map(pyodide);
  const bytes = fetched.reduce((sum, file) => sum + statSync(file).size, 0);
  const { info } = JSON.parse(readFileSync(pyodide("pyodide-lock.json"), "utf8"));
  const script = (name, define) => build({ ...common, entryPoints: [join(SRC, "page", name)], outdir: DIST, format: "esm", minify: true, define });
  await script("python_editor.ts");
  await script("python_worker.ts", { FETCHED_BYTES: String(bytes), NO_PACKAGES: JSON.stringify(JSON.stringify({ info, packages: {} })) });
  const loaded = [...fetched, ...["pyodide.mjs", "pyodide.asm.mjs"].map(pyodide), ...["python_editor.js", "python_worker.js"].map((f) => join(DIST, f))];
  const sent = loaded.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0);
  const define = { DOWNLOAD_MB: (sent / 1e6).toFixed(1) };
  await build({ ...common, entryPoints: [join(SRC, "page", "python.ts")], outdir: DIST, format: "iife", minify: true, define });
}

async function bundleAll() {
  const explorers = sources.filter(
    (f) => relative(SRC, f).startsWith("explorers") && /\.(ts|css)$/.test(f) && !f.endsWith(".d.ts") && !isTest(f));
  if (explorers.length) await build({ ...common, entryPoints: explorers, outdir: STATIC, format: "esm", minify: true });
  // Only what has lost its source goes, and last: a notebook that runs meanwhile finds every module.
  const made = new Set(explorers.map((f) => basename(f).replace(/\.ts$/, ".js")));
  for (const file of existsSync(STATIC) ? walk(STATIC) : []) if (!made.has(basename(file))) rmSync(file);
  const page = join(SRC, "page", "embed.ts");
  if (existsSync(page))
    await build({
      ...common, entryPoints: [page], outdir: DIST, format: "iife", minify: true,
      inject: [join(SRC, "page", "amd-shim.ts")], define: { "AbortSignal.timeout": "patientTimeout" },
      alias: { "sanitize-html": join(SRC, "page", "plain-text.ts") },
    });
  await build({ ...common, entryPoints: [join(SRC, "page", "quiz.ts")], outdir: DIST, format: "iife", minify: true });
  await bundlePython();

  const built = [...(existsSync(STATIC) ? walk(STATIC) : []), ...["embed.js", "embed.css", "quiz.js", "python.js", "python_editor.js", "python_worker.js"].map((f) => join(DIST, f)).filter(existsSync)];
  for (const file of built) console.log(`${basename(file).padEnd(28)}${(statSync(file).size / 1000).toFixed(1).padStart(8)} kB`);
  const fat = built.filter((f) => f.startsWith(STATIC) && f.endsWith(".js") && statSync(f).size >= EXPLORER_LIMIT);
  if (fat.length) throw new Error(`over ${EXPLORER_LIMIT} bytes: ${fat.map((f) => basename(f)).join(", ")}`);
}

async function test() {
  const tests = sources.filter(isTest);
  if (!tests.length) throw new Error("no src/**/*.test.ts was found");
  rmSync(TESTS, { recursive: true, force: true });
  await build({
    ...common, entryPoints: tests, outdir: TESTS, outbase: SRC, format: "esm", platform: "node",
    sourcemap: "inline", outExtension: { ".js": ".mjs" },
  });
  const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...walk(TESTS)], { stdio: "inherit" });
  process.exitCode = run.status ?? 1;
}

const commands = { build: bundleAll, test };
const command = commands[process.argv[2]];
if (!command) {
  console.error("usage: node build.mjs build | test");
  process.exit(2);
}
await command().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
