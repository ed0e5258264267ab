/** What the explorers on the plane share: noise in the gradient, level sets, thin lines, names beside points. */
import type { Objective } from "./objectives";
import { normals } from "./random";
import { type Box, el, type Interval, label, type Name, type Panel, px } from "./svg";

export const floorOf = (f: Objective) => Math.min(...f.minima.map((p) => f.value(p)));

/** The noise in units of the objective: a share of the gradient's length at its own start. */
export function sigma(f: Objective, noise: number): number {
  const g = new Float64Array(2);
  f.grad(f.start, 1, g);
  return noise * Math.hypot(g[0], g[1]);
}

/** The objective with noise in its gradient, the same for the same seed. */
export function noisy(f: Objective, noise: number, seed: number, steps: number): Objective {
  const size = sigma(f, noise), draws = size ? normals(seed, 2 * steps) : undefined;
  return !draws ? f : {
    ...f,
    grad: (p, t, out) => {
      f.grad(p, t, out);
      out[0] += size * draws[2 * t - 2];
      out[1] += size * draws[2 * t - 1];
    },
  };
}

export const spot = (x: number, y: number) => `${px(x)},${px(y)}`;

const CELLS = 100;
/** Level sets evenly spaced in log height, as in adambook.figures.contour. */
export function map(f: Objective, { x, y }: Panel): SVGElement {
  const [[x0, x1], [y0, y1]] = f.window, floor = floorOf(f), n = CELLS + 1, heights = new Float64Array(n * n);
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++)
    heights[j * n + i] = Math.log10(Math.max(f.value([x0 + ((x1 - x0) * i) / CELLS, y0 + ((y1 - y0) * j) / CELLS]) - floor, 1e-12));
  const sorted = heights.slice().sort(), low = sorted[Math.floor(0.01 * n * n)], high = sorted[n * n - 1];
  const pixel = (u: number, v: number) => spot(x(x0 + ((x1 - x0) * u) / CELLS), y(y0 + ((y1 - y0) * v) / CELLS));
  let d = "";
  for (let k = 0; k < 11; k++) {
    const next = new Map<number, number>(), where: string[] = [];
    for (let j = 0; j < CELLS; j++) for (let i = 0; i < CELLS; i++) {
      // Around the cell, from each edge on which the level is passed upwards to the next one, downwards.
      const at = j * n + i, corner = [0, 1, n + 1, n].map((step) => heights[at + step] - low - ((high - low) * k) / 11), up: number[] = [], down: number[] = [];
      corner.forEach((a, side) => {
        const b = corner[(side + 1) % 4], share = a / (a - b), edge = 2 * at + [0, 3, 2 * n, 1][side];
        if (a < 0 === b < 0) return;
        where[edge] = pixel(i + [share, 1, 1 - share, 0][side], j + [0, share, 1, 1 - share][side]);
        (a < 0 ? up : down).push(edge);
      });
      if (corner[0] >= 0) down.push(down.shift()!);
      up.forEach((from, m) => next.set(from, down[m]));
    }
    const draw = (from: number) => {
      d += `M${where[from]}`;
      for (let to; (to = next.get(from)) !== undefined; from = to) next.delete(from), (d += `L${where[to]}`);
    };
    const ends = new Set(next.values());
    [...next.keys()].filter((from) => !ends.has(from)).forEach(draw);
    next.forEach((_, from) => draw(from));
  }
  return el("path", { class: "ab-contour", d });
}

/** A line through pixels, without the points that lie less than two pixels from the last one kept. */
export function thin(n: number, at: (t: number) => number[]): string {
  let d = "", px = NaN, py = NaN;
  for (let t = 0; t < n; t++) {
    const [x, y] = at(t), way = Math.abs(x - px) + Math.abs(y - py);
    if (!(Math.abs(x) + Math.abs(y) < 2e4)) px = NaN;
    else if (!(way < 2) || t === n - 1) {
      d += (px === px ? "L" : "M") + spot(x, y);
      px = x;
      py = y;
    }
  }
  return d;
}

/** Names beside the ends of paths where there is room; whoever finds none is named beside its loss curve. */
export function names(ends: { x: number; y: number; runner: { name: Name; prose: string } }[], stars: number[][], box: Box): SVGElement[] {
  const taken: Interval[][] = stars.map(([x, y]) => [[x - 9, x + 9], [y - 9, y + 7]]), out: SVGElement[] = [];
  for (const { x, y, runner } of ends) {
    const width = 8.8 * runner.prose.length, free = ([left, right]: Interval, [top, bottom]: Interval) =>
      left > box.x && right < box.x + box.width && top > box.y && bottom < box.y + box.height && !taken.some(([across, down]) => left < across[1] && right > across[0] && top < down[1] && bottom > down[0]);
    for (const [dx, dy, end] of [[9, 4, 0], [-9, 4, 1], [9, -10, 0], [9, 18, 0], [-9, -10, 1], [-9, 18, 1]]) {
      const across: Interval = end ? [x + dx - width, x + dx] : [x + dx, x + dx + width], down: Interval = [y + dy - 12, y + dy + 3];
      if (!free(across, down)) continue;
      taken.push([across, down]);
      out.push(label(x + dx, y + dy, runner.prose, runner.name, end ? "end" : "start"));
      break;
    }
    taken.push([[x - 6, x + 6], [y - 6, y + 6]]);
  }
  return out;
}
