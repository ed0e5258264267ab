/**
 * Runs the plain Python of a page: gives the cell a Run button, and after the first press an editor. Nothing of Python
 * is asked for before. A worker of our own, since PyScript's editor shows no progress, says nothing where a file
 * cannot be loaded, and keeps its text from the book's stylesheet.
 */
import type { Editor, EditorModule } from "./python_editor";
import { endOf, missing, NEEDS_SERVER } from "./python_words";
import type { Said } from "./python_worker";

declare const DOWNLOAD_MB: number;

const beside = (name: string) => new URL(name, (document.currentScript as HTMLScriptElement).src).href;
const EDITOR = beside("python_editor.js"), WORKER = beside("python_worker.js");

function add<K extends keyof HTMLElementTagNameMap>(tag: K, to: Element, text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  to.append(made);
  return made;
}

class Cell {
  private worker?: Worker;
  private editor?: Editor;
  private tries = 0;
  private busy = false;
  private printed = "";
  private readonly button: HTMLButtonElement;
  private readonly status: HTMLElement;
  private readonly progress: HTMLProgressElement;
  private readonly source: HTMLElement;
  private readonly output: HTMLElement;

  constructor(bar: Element) {
    const cell = bar.closest(".cell")!;
    this.source = cell.querySelector<HTMLElement>(".cell_input pre")!;
    this.output = cell.querySelector<HTMLElement>(".cell_output pre")!;
    const log = this.output.closest(".cell_output")!;
    log.setAttribute("role", "log");
    log.setAttribute("aria-label", "Output");
    this.button = add("button", bar, "Run");
    this.button.type = "button";
    this.button.addEventListener("click", () => (this.busy ? this.stop() : void this.run()));
    this.status = add("p", bar, `Python runs in this page. The first run downloads about ${DOWNLOAD_MB} MB.`);
    this.status.setAttribute("role", "status");
    this.progress = add("progress", bar);
    this.progress.hidden = true;
    this.progress.setAttribute("aria-label", "Python is loaded");
  }

  private say(text: string, wrong = false) {
    this.status.textContent = text;
    this.status.classList.toggle("ab-wrong", wrong);
  }

  private async run() {
    if (this.busy) return;
    if (location.protocol === "file:") return this.say(NEEDS_SERVER, true);
    this.busy = true;
    this.button.textContent = "Stop";
    this.printed = "";
    this.output.style.minHeight ||= `${this.output.offsetHeight}px`; // less output moves nothing
    this.output.classList.add("ab-old");
    this.say(this.worker ? "Running." : "Loading Python.");
    this.progress.hidden = !!this.worker;
    this.progress.value = 0;
    this.worker ??= this.start();
    const worker = this.worker;
    try {
      this.editor ??= await this.edit();
    } catch {
      return this.fail(missing("python_editor.js"));
    }
    if (this.worker !== worker) return; // stopped, or failed, meanwhile
    this.editor.mark(null);
    worker.postMessage(this.editor.text());
  }

  private start(): Worker {
    const worker = new Worker(WORKER, { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Said>) => this.hear(data);
    worker.onerror = () => this.fail(missing("python_worker.js"));
    return worker;
  }

  /** Puts the editor in the place of the code. The code stays, hidden, for the copy button. */
  private async edit(): Promise<Editor> {
    const { open }: EditorModule = await import(`${EDITOR}?${++this.tries}`); // a browser remembers what failed
    const editor = open(this.source.textContent!.trimEnd(), {
      run: () => void this.run(),
      changed: (text) => (this.source.textContent = text),
    });
    this.source.before(editor.dom);
    this.source.hidden = true;
    return editor;
  }

  private hear(said: Said) {
    if (said.kind === "loaded") {
      this.progress.value = said.share;
      if (said.share === 1) this.say("Starting Python.");
    } else if (said.kind === "running") {
      this.progress.hidden = true;
      this.say("Running.");
    } else if (said.kind === "printed") {
      this.show(said.text);
    } else if (said.kind === "missing") {
      this.fail(missing(said.file));
    } else if (said.kind === "broken") {
      this.fail(`Python broke down (${said.why}). The next run starts it again.`);
    } else {
      this.show("");
      this.say(endOf(said), !!said.error);
      this.editor?.mark(said.line);
      this.rest();
    }
  }

  private show(text: string) {
    this.printed += text;
    this.output.textContent = this.printed;
    this.output.classList.remove("ab-old");
  }

  /** Only the end of the worker ends a loop: an interrupt needs memory that both share, and the host's consent. */
  private end() {
    this.worker?.terminate();
    this.worker = undefined;
    this.rest();
  }

  private stop() {
    this.end();
    this.say("Stopped. The next run starts Python again.");
  }

  private fail(text: string) {
    this.end();
    this.say(text, true);
  }

  private rest() {
    this.busy = false;
    this.button.textContent = "Run";
    this.progress.hidden = true;
    this.output.classList.remove("ab-old");
  }
}

document.querySelectorAll(".ab-python").forEach((bar) => new Cell(bar));
