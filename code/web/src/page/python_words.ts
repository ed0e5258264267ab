/** What the line under a Python cell says. */

export const NEEDS_SERVER =
  "A page that was opened as a file cannot run Python. Run `python3 run.py book --serve` and open the address that it prints.";

export const missing = (file: string) => `${file} could not be loaded. Check the connection, then press Run again.`;

/** The end of a run: `error` is the last line of Python's traceback, `line` the line of the cell that it speaks of. */
export interface End {
  error: string | null;
  line: number | null;
  seconds: number;
}

export function endOf({ error, line, seconds }: End): string {
  if (!error) return `Done in ${seconds.toFixed(2)} s. Change the code and press Run or Shift+Enter.`;
  const place = line === null ? "" : `Line ${line}: `;
  const hint = error.startsWith("ModuleNotFoundError") ? ". The page has Python's standard library alone." : "";
  return place + error + hint;
}

/** Collects what Python prints and hands it on a few times a second; what is too much is left out. */
export class Printer {
  private held = "";
  private left: number;
  private last = -Infinity;

  constructor(private send: (text: string) => void, private most = 20_000, private pause = 100) {
    this.left = most;
  }

  restart() {
    this.left = this.most;
    this.last = -Infinity;
  }

  print(text: string, now: number) {
    if (this.left <= 0) return;
    this.held += text.slice(0, this.left);
    this.left -= text.length;
    if (this.left <= 0) this.held += "\n(The rest is left out.)\n";
    if (now - this.last >= this.pause) this.flush(now);
  }

  flush(now: number) {
    if (this.held) this.send(this.held);
    this.held = "";
    this.last = now;
  }
}
