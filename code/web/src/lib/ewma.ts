/** The EWMA as a filter: m_t = beta m_{t-1} + (1 - beta) g_t from m_0 = 0, on independent normal gradients of mean 1. */
import { count, fixed, short } from "./format";
import { normals } from "./random";

export interface EWMAValues { beta: number; t: number; sigma: number; seed: number; }
export const HORIZON = 100, RUNS = 1000, MEAN = 1;

/** What m_t gives to g_1 ... g_t. */
export const weights = (beta: number, t: number): number[] =>
  Array.from({ length: t }, (_, i) => (1 - beta) * beta ** (t - 1 - i));

/** kappa_n(m_t) / kappa_n(g) */
export const factor = (n: number, beta: number, t: number): number =>
  ((1 - beta) ** n * (1 - beta ** (n * t))) / (1 - beta ** n);

const cache = new Map<number, Float64Array>();
/** RUNS rows of HORIZON standard normals; row 0 is the one that is drawn. */
function noise(seed: number): Float64Array {
  if (!cache.has(seed)) {
    cache.clear();
    cache.set(seed, normals(seed, RUNS * HORIZON));
  }
  return cache.get(seed)!;
}

export function signal(seed: number, sigma: number): number[] {
  return Array.from(noise(seed).subarray(0, HORIZON), (z) => MEAN + sigma * z);
}

/** m_1 ... m_T of one signal. */
export function ewma(g: number[], beta: number): number[] {
  let m = 0;
  return g.map((value) => (m = beta * m + (1 - beta) * value));
}

/** m_t of every run. */
export function simulate({ beta, t, sigma, seed }: EWMAValues): Float64Array {
  const z = noise(seed), w = weights(beta, t), total = MEAN * (1 - beta ** t), out = new Float64Array(RUNS);
  for (let r = 0; r < RUNS; r++) {
    let sum = 0;
    for (let i = 0; i < t; i++) sum += w[i] * z[r * HORIZON + i];
    out[r] = total + sigma * sum;
  }
  return out;
}

export function meanAndVariance(sample: ArrayLike<number>): [number, number] {
  let mean = 0, squares = 0;
  for (let i = 0; i < sample.length; i++) mean += sample[i] / sample.length;
  for (let i = 0; i < sample.length; i++) squares += (sample[i] - mean) ** 2 / sample.length;
  return [mean, squares];
}

export function summary(values: EWMAValues, sample: ArrayLike<number>): string {
  const { beta, t, sigma } = values, [mean, variance] = meanAndVariance(sample);
  return `With β = ${fixed(beta)} the average remembers about ${count(+(1 / (1 - beta)).toFixed(1), "step")}. ` +
    `At t = ${t} its weights add up to ${fixed(factor(1, beta, t), 3)}, which the correction divides out. ` +
    `Over ${count(RUNS, "run")} m has mean ${fixed(mean, 3)} (predicted ${fixed(MEAN * factor(1, beta, t), 3)}) ` +
    `and variance ${short(variance)} (predicted ${short(sigma * sigma * factor(2, beta, t))}).`;
}
