/** Gradient descent with momentum on f = (x²/κ + y²)/2: curvatures 1/κ and 1, so the steepest is always 1. */
import { count, fixed, short } from "./format";
import { quadratic } from "./objectives";
import { descend, hyper, Momentum, type Trajectory } from "./optimizers";

export interface ConditioningValues { kappa: number; lr: number; momentum: number; step: number; x0: number; y0: number; }
export const STEPS = 200;

export const run = ({ kappa, lr, momentum, x0, y0 }: ConditioningValues): Trajectory =>
  descend(Momentum, hyper({ lr, momentum }), quadratic([1 / kappa, 1]), [x0, y0], STEPS);

/** The spectral radius of [[1 + β − αλ, −β], [1, 0]]: what the error along curvature λ shrinks by, per step. */
export function rateAlong(curvature: number, lr: number, momentum: number): number {
  const trace = 1 + momentum - lr * curvature, inside = trace * trace - 4 * momentum;
  return inside < 0 ? Math.sqrt(momentum) : (Math.abs(trace) + Math.sqrt(inside)) / 2;
}
/** The slower of the two directions decides. */
export const rate = (kappa: number, lr: number, momentum: number): number =>
  Math.max(rateAlong(1, lr, momentum), rateAlong(1 / kappa, lr, momentum));

export const bestGD = (kappa: number) => ({ lr: (2 * kappa) / (kappa + 1), momentum: 0, rate: (kappa - 1) / (kappa + 1) });
export const bestMomentum = (kappa: number) => {
  const root = Math.sqrt(kappa), q = (root - 1) / (root + 1);
  return { lr: ((2 * root) / (root + 1)) ** 2, momentum: q * q, rate: q };
};

export function summary(values: ConditioningValues, losses: ArrayLike<number>): string {
  const { kappa, lr, momentum, step } = values, now = rate(kappa, lr, momentum), at = Math.min(step, losses.length - 1);
  const speed = now >= 1
    ? `The error does not shrink: its rate is ${fixed(now, 3)} per step, because the step is too large for the steep direction.`
    : `In the long run every step multiplies the error by ${fixed(now, 3)}.`;
  return `Condition number ${short(kappa)}, step size ${fixed(lr)}, momentum ${fixed(momentum)}. ${speed} ` +
    `The best possible is ${fixed(bestGD(kappa).rate, 3)} without momentum and ${fixed(bestMomentum(kappa).rate, 3)} with it. ` +
    `After ${count(at, "step")} the loss is ${short(losses[at] / losses[0])} of its start.`;
}
