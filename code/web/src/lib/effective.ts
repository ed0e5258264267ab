/** Effective steps α / (√v + ε) of AdaGrad and RMSProp while the gradient's size jumps from 1 to `factor` after step `change`. */
import { count, fixed, short } from "./format";

export interface EffectiveValues { factor: number; change: number; alpha: number; }
export const STEPS = 1000, LR = 0.01, EPS = 1e-8;

/** The size of the gradient at steps 1 ... n. */
export const sizes = ({ factor, change }: EffectiveValues, n = STEPS): number[] =>
  Array.from({ length: n }, (_, i) => (i < change ? 1 : factor));

const effective = (v: number) => LR / (Math.sqrt(v) + EPS);
export function adagrad(g: number[]): number[] {
  let v = 0;
  return g.map((x) => effective((v += x * x)));
}
export function rmsprop(g: number[], alpha: number): number[] {
  let v = 0;
  return g.map((x) => effective((v = alpha * v + (1 - alpha) * x * x)));
}

/**
 * Steps after the change until v is within a factor of four, so the effective step within a factor of two, of what it
 * would be had the gradient had its new size all along. Closed forms: AdaGrad's v is c + F²n against F²(c + n),
 * RMSProp's is α^n (1 − α^c) + F²(1 − α^n) against F²(1 − α^(c+n)).
 */
export function recoveryAdagrad({ factor, change }: EffectiveValues): number {
  const f = factor * factor;
  return Math.max(0, Math.ceil(f < 1 ? (change * (1 - 4 * f)) / (3 * f) - 1e-9 : (change * (f - 4)) / (3 * f) - 1e-9));
}
export function recoveryRMSprop({ factor, change, alpha }: EffectiveValues): number {
  const f = factor * factor, full = 1 - alpha ** change;
  const within = (n: number) => {
    const decayed = alpha ** n, ratio = (decayed * full + f * (1 - decayed)) / (f * (1 - alpha ** (change + n)));
    return ratio <= 4 * (1 + 1e-12) && ratio >= 0.25 * (1 - 1e-12);
  };
  let n = 0;
  while (!within(n) && n < 1e5) n++;
  return n;
}

export function summary(values: EffectiveValues): string {
  const { factor, change, alpha } = values, memory = +(1 / (1 - alpha)).toFixed(1);
  const what = factor < 1 ? `shrinks to ${short(factor)} of its size` : factor > 1 ? `grows to ${short(factor)} times its size` : "keeps its size";
  return `After step ${change} the gradient ${what}. RMSProp, which with decay ${fixed(alpha, 3)} remembers about ${count(memory, "step")}, ` +
    `recovers in ${count(recoveryRMSprop(values), "step")}; AdaGrad, which forgets nothing, in ${count(recoveryAdagrad(values), "step")}. ` +
    `Recovered means: the effective step is within a factor of two of what it would be had the gradient been so all along.`;
}
