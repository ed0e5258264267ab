import { count, short } from "../lib/format";
import { OBJECTIVES, STEPS } from "../lib/ground";
import { Adam, descend, hyper, SGD } from "../lib/optimizers";
import { floorOf, noisy, sigma, thin } from "../lib/plane";
import { constant, cosine, inverseRoot, oneCycle, type Schedule, warmupStableDecay } from "../lib/schedules";
import { type Box, clip, label, line, type Name, panel, rule, spread, type Stage, widget } from "../lib/svg";

export interface Values {
  bold: number; optimizer: number; objective: number; peak: number; warmup: number; steps: number; decay: number; noise: number; seed: number;
}
/** The runs of one schedule: how many diverge, and the geometric mean of f above its minimum at every step. */
export interface Fate { name: string; colour: Name; schedule: Schedule; diverged: number; gap: number[]; }

export const RUNS = 12;
export const fall = ({ steps, decay }: Values) => Math.floor(decay * steps + 0.5);

export function fates(values: Values): Fate[] {
  const { optimizer, objective, peak, warmup, steps, noise, seed } = values, f = OBJECTIVES[objective], floor = floorOf(f);
  const draws = Array.from({ length: noise ? RUNS : 1 }, (_, r) => noisy(f, noise, RUNS * seed + r, STEPS));
  const schedules: [string, Name, Schedule][] = [
    ["constant", "SGD", constant()], ["warm-up", "Adagrad", constant(warmup)], ["cosine", "Adam", cosine(steps, warmup)],
    ["one-cycle", "AMSGrad", oneCycle(steps, warmup)], ["inverse root", "RMSprop", inverseRoot(warmup)],
    ["WSD", "AdamW", warmupStableDecay(steps, warmup, fall(values))],
  ];
  return schedules.map(([name, colour, schedule]) => {
    const runs = draws.map((drawn) => descend(optimizer ? SGD : Adam, hyper({ lr: peak }), drawn, f.start, steps, schedule));
    const log = (t: number) => runs.reduce((sum, { loss }) => sum + (t < loss.length ? Math.log(Math.max(loss[t] - floor, 1e-12)) : Infinity), 0) / runs.length;
    return { name, colour, schedule, diverged: runs.filter((run) => run.steps < steps).length, gap: Array.from({ length: steps + 1 }, (_, t) => Math.exp(log(t))) };
  });
}

export function summary(values: Values, all: Fate[]): string {
  const { bold, optimizer, objective, peak, warmup, steps, noise } = values, of = noise ? RUNS : 1;
  const parts = all.map(({ name, diverged, gap }) => `${name} ${diverged ? `diverges in ${diverged} of ${of}` : `${short(Math.max(...gap), 2)}, then ${short(gap[steps], 2)}`}`);
  return `${optimizer ? "SGD" : "Adam"} with peak α = ${short(peak, 2)}${noise ? ` and noise of σ = ${short(sigma(OBJECTIVES[objective], noise), 2)}` : ""}: ` +
    `${count(warmup, "step")} of warm-up, ${count(steps, "step")} in all, the last ${fall(values)} WSD's decay. ` +
    `How far f stands above its minimum, at most and then at the end, in the mean of ${count(of, "run")}: ${parts.join("; ")}.${bold ? ` In bold: ${all[bold - 1].name}.` : ""}`;
}

const HIGH = 170, LOW = 290, EDGE = 92;
function draw(stage: Stage<Values>, values: Values): string {
  const { bold, peak, warmup, steps } = values, all = fates(values), [cell] = stage.cells;
  const style = (i: number) => (bold === i + 1 ? "ab-thick" : bold ? "ab-faint" : "");
  const ends = (box: Box, heights: number[]) => spread(heights.map((h) => h + 4), 15, box.y + 8, box.y + box.height + 6)
    .map((y, i) => label(box.x + box.width + 7, y, all[i].name, all[i].colour));

  const a = panel({ ...cell, height: HIGH }, { domain: [0, steps] }, { domain: [0, 1.05 * peak], label: "learning rate" }, { left: 48, right: EDGE, bottom: 22 });
  const at = (schedule: Schedule, t: number) => a.y(peak * schedule(t));
  const rates = all.map(({ schedule, colour }, i) => line(thin(steps, (t) => [a.x(t + 1), at(schedule, t + 1)]), colour, style(i)));

  const start = all[0].gap[0], every = all.flatMap(({ gap }) => gap);
  const b = panel({ ...cell, y: cell.y + HIGH + 8, height: LOW }, { domain: [0, steps], label: "step t" },
    { domain: [Math.min(...every) / 1.5, 1.5 * Math.min(1e4 * start, Math.max(...every))], log: true, label: "f above its minimum" }, { left: 48, right: EDGE });
  const losses = all.map(({ gap, colour }, i) => line(thin(gap.length, (t) => [b.x(t), b.y(gap[t])]), colour, style(i)));
  stage.show(
    a.axes, rule(a, "x", warmup, undefined, "ab-dash ab-faint"), clip(a.box, ...rates), ...ends(a.box, all.map(({ schedule }) => at(schedule, steps))),
    b.axes, rule(b, "x", warmup, undefined, "ab-dash ab-faint"), rule(b, "y", start, undefined, "ab-dash ab-faint"),
    clip(b.box, ...losses), ...ends(b.box, all.map(({ gap }) => b.y(Math.min(gap[steps], 1e300)))));
  return summary(values, all);
}

export default widget<Values>({
  title: "Six learning-rate schedules, and the loss under each",
  cells: [{ grow: 1, height: HIGH + LOW + 8 }],
  buttons: [{ label: "New noise", press: ({ seed }) => ({ seed: (seed + 1) % 1000 }) }],
  draw,
});
