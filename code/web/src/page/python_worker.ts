/** Python for one cell, off the page's thread. A message to it is code to run; what it answers is `Said`. */
import type { loadPyodide } from "pyodide";
import { type End, Printer } from "./python_words";

export type Said =
  | { kind: "loaded"; share: number }
  | { kind: "running" }
  | { kind: "printed"; text: string }
  | ({ kind: "end" } & End)
  | { kind: "missing"; file: string }
  | { kind: "broken"; why: string };

/** The size of what Pyodide fetches, unpacked: the interpreter and the standard library. */
declare const FETCHED_BYTES: number;
/** Pyodide's list of packages, emptied: there is nothing to install, and nothing to ask another host for. */
declare const NO_PACKAGES: string;

const HOME = new URL("../pyodide/", self.location.href).href;
const say = (said: Said) => self.postMessage(said);

/** Python's own part: the names of one run are gone before the next. */
const RUN = `
def run(code):
    import sys, traceback
    from pyodide.code import eval_code
    try:
        value = eval_code(code, {"__name__": "__main__"}, filename="cell")
        if value is not None:
            print(repr(value))
        error, line = None, None
    except BaseException as problem:
        error = traceback.format_exception_only(problem)[-1].strip()
        frames = traceback.extract_tb(problem.__traceback__)
        line = next((f.lineno for f in reversed(frames) if f.filename == "cell"), None)
        if isinstance(problem, SyntaxError) and problem.filename == "cell":
            line = problem.lineno
    sys.stdout.flush()
    return error, line
run`;

/**
 * Counts what comes, and says what does not come: Pyodide waits forever for a file that fails. Only addresses beside
 * it are asked.
 */
const fetchOf = self.fetch.bind(self);
let got = 0;
self.fetch = async (request, options) => {
  const file = String(request instanceof Request ? request.url : request).split("/").at(-1)!;
  const gone = (): never => {
    say({ kind: "missing", file });
    throw new Error(`${file} could not be loaded`);
  };
  const answer = await fetchOf(request, options).catch(gone);
  if (!answer.ok || !answer.body) return gone();
  const reader = answer.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read().catch(gone);
      if (done) return controller.close();
      got += value.length;
      say({ kind: "loaded", share: Math.min(1, got / FETCHED_BYTES) });
      controller.enqueue(value);
    },
  });
  return new Response(body, answer);
};

const printer = new Printer((text) => say({ kind: "printed", text }));

async function load() {
  const pyodide: { loadPyodide: typeof loadPyodide } = await import(`${HOME}pyodide.mjs`);
  const python = await pyodide.loadPyodide({ indexURL: HOME, lockFileContents: NO_PACKAGES });
  const decoder = new TextDecoder();
  const write = (bytes: Uint8Array) => {
    printer.print(decoder.decode(bytes, { stream: true }), performance.now());
    return bytes.length;
  };
  python.setStdout({ write, isatty: true }); // a terminal is written to line by line
  python.setStderr({ write, isatty: true });
  python.setStdin({ error: true });
  return python.runPython(RUN) as (code: string) => [string | undefined, number | undefined];
}

const ready = load().catch((error) => {
  say({ kind: "missing", file: /[\w.]+\.mjs/.exec(String(error))?.[0] ?? `Python (${error})` });
  return null;
});
self.onmessage = async ({ data }: MessageEvent<string>) => {
  const run = await ready;
  if (!run) return;
  say({ kind: "running" });
  printer.restart();
  const begun = performance.now();
  try {
    const [error = null, line = null] = run(data);
    printer.flush(performance.now());
    say({ kind: "end", error, line, seconds: (performance.now() - begun) / 1000 });
  } catch (error) {
    say({ kind: "broken", why: String(error).split("\n")[0] });
  }
};
