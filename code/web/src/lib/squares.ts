/** AdaGrad on a quadratic of curvatures 1 and 100 that turns, its start turning with it; gradient descent beside it. */
import { count, fixed, short } from "./format";
import { quadratic } from "./objectives";
import { Adagrad, descend, hyper, type Trajectory } from "./optimizers";

export interface SquaresValues { angle: number; lr: number; step: number; }
export const CURVATURES: [number, number] = [1, 100], STEPS = 600, LIMIT = 3000;
const DONE = 1e-3;
const radians = (degrees: number) => (degrees * Math.PI) / 180;

/** The best fixed step of gradient descent on these curvatures. */
export const BEST_GD = 2 / (CURVATURES[0] + CURVATURES[1]);

export function run({ angle, lr }: SquaresValues): Trajectory {
  const f = quadratic(CURVATURES, radians(angle));
  return descend(Adagrad, hyper({ lr, eps: 1e-10 }), f, f.start, STEPS);
}

/** v after each step: the running sums of squared gradients along both coordinates, from v_0 = 0. */
export function sums({ theta, steps }: Trajectory, angle: number): [number, number][] {
  const f = quadratic(CURVATURES, radians(angle)), g = new Float64Array(2), out: [number, number][] = [[0, 0]];
  for (let t = 0; t < steps; t++) {
    f.grad(theta.subarray(2 * t, 2 * t + 2), t + 1, g);
    const [a, b] = out[t];
    out.push([a + g[0] * g[0], b + g[1] * g[1]]);
  }
  return out;
}

/**
 * Steps until the distance to the minimum is a thousandth of the start's; Infinity beyond LIMIT. One loop without
 * the general machinery, because the curve over all angles asks for it 91 times a frame; a test holds it to `descend`.
 */
export function needed(angle: number, lr: number, adagrad = true): number {
  const c = Math.cos(radians(angle)), s = Math.sin(radians(angle)), [p, q] = CURVATURES;
  const a = p * c * c + q * s * s, b = (p - q) * c * s, d = p * s * s + q * c * c;
  let x = 2 * c - s, y = 2 * s + c, vx = 0, vy = 0;
  const enough = DONE * DONE * (x * x + y * y);
  for (let t = 0; t <= LIMIT; t++) {
    if (x * x + y * y <= enough) return t;
    const gx = a * x + b * y, gy = b * x + d * y;
    if (adagrad) {
      x -= (lr * gx) / (Math.sqrt(vx += gx * gx) + 1e-10);
      y -= (lr * gy) / (Math.sqrt(vy += gy * gy) + 1e-10);
    } else { x -= lr * gx; y -= lr * gy; }
  }
  return Infinity;
}

export const steps = (n: number): string => (n > LIMIT ? `more than ${count(LIMIT, "step")}` : count(n, "step"));

export function summary({ angle, lr, step }: SquaresValues, v: [number, number]): string {
  return `With the bowl turned by ${fixed(angle, 0)}° and α = ${short(lr)}, AdaGrad needs ${steps(needed(angle, lr))} to come within ` +
    `a thousandth of its start's distance; gradient descent at its best step needs ${steps(needed(angle, BEST_GD, false))} at every angle. ` +
    `After ${count(step, "step")} the sums of squared gradients are ${short(v[0])} along θ₁ and ${short(v[1])} along θ₂: ` +
    `steps are divided by ${short(Math.sqrt(v[0]))} and ${short(Math.sqrt(v[1]))}.`;
}
