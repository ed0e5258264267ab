/** The learning-rate schedules of adambook.schedules: the factor on the peak at step t, counted from 1. No DOM. */
export type Schedule = (t: number) => number;

const warmed = (warmup: number, after: Schedule): Schedule => (t) => (t <= warmup ? t / (warmup + 1) : after(t));
const halfCosine = (start: number, end: number, share: number) => end + (start - end) * 0.5 * (1 + Math.cos(Math.PI * Math.min(share, 1)));

export const constant = (warmup = 0): Schedule => warmed(warmup, () => 1);

export const cosine = (steps: number, warmup = 0): Schedule =>
  warmed(warmup, (t) => halfCosine(1, 0, (t - 1 - warmup) / (steps - warmup)));

export const oneCycle = (steps: number, warmup = 0, first = 1 / 25, last = 4e-6): Schedule => (t) =>
  t < warmup ? halfCosine(first, 1, (t - 1) / (warmup - 1)) : halfCosine(1, last, (t - warmup) / (steps - warmup));

export const inverseRoot = (warmup = 0): Schedule => warmed(warmup, (t) => Math.sqrt((warmup + 1) / t));

export const warmupStableDecay = (steps: number, warmup = 0, decay = 0): Schedule =>
  warmed(warmup, (t) => (decay ? Math.min(1, Math.max(0, steps + 1 - t) / decay) : 1));
