/** The objectives of adambook.objectives that explorers draw, with the same windows, starts and minima. No DOM. */
import type { Differentiable } from "./optimizers";

type Point = [number, number];

export interface Objective extends Differentiable {
  name: string;
  minima: Point[];
  window: [Point, Point];
  start: Point;
}

type Facts = Pick<Objective, "name" | "minima" | "window" | "start">;
const plane = (facts: Facts, value: (x: number, y: number) => number, grad: (x: number, y: number, out: Float64Array) => void): Objective =>
  ({ ...facts, value: (p) => value(p[0], p[1]), grad: (p, _t, out) => grad(p[0], p[1], out) });

/** Half of theta' A theta; A has these eigenvalues on axes turned by angle, and the start turns with them. */
export function quadratic(eigenvalues: Point = [1, 100], angle = 0): Objective {
  const c = Math.cos(angle), s = Math.sin(angle), [p, q] = eigenvalues;
  const a = p * c * c + q * s * s, b = (p - q) * c * s, d = p * s * s + q * c * c;
  return plane(
    { name: "quadratic", minima: [[0, 0]], window: [[-2, 2], [-2, 2]], start: [2 * c - s, 2 * s + c] },
    (x, y) => 0.5 * (a * x * x + d * y * y) + b * x * y,
    (x, y, out) => {
      out[0] = a * x + b * y;
      out[1] = b * x + d * y;
    });
}

export const rosenbrock = plane(
  { name: "Rosenbrock", minima: [[1, 1]], window: [[-2, 2], [-1, 3]], start: [-1.5, 2] },
  (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
  (x, y, out) => {
    const bend = 200 * (y - x * x);
    out[0] = -2 * (1 - x) - 2 * x * bend;
    out[1] = bend;
  });

export const beale = plane(
  { name: "Beale", minima: [[3, 0.5]], window: [[-1, 4], [-2, 2]], start: [1, 1.5] },
  (x, y) => (1.5 - x + x * y) ** 2 + (2.25 - x + x * y * y) ** 2 + (2.625 - x + x * y * y * y) ** 2,
  (x, y, out) => {
    const y2 = y * y, y3 = y2 * y;
    const p = 1.5 - x + x * y, q = 2.25 - x + x * y2, r = 2.625 - x + x * y3;
    out[0] = 2 * (p * (y - 1) + q * (y2 - 1) + r * (y3 - 1));
    out[1] = 2 * x * (p + 2 * q * y + 3 * r * y2);
  });

export const himmelblau = plane(
  { name: "Himmelblau",
    minima: [
      [3, 2], [-2.805118086952745, 3.131312518250573],
      [-3.779310253377747, -3.28318599128617], [3.584428340330492, -1.848126526964404],
    ],
    window: [[-5, 5], [-5, 5]], start: [-0.5, -1] },
  (x, y) => (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
  (x, y, out) => {
    const p = x * x + y - 11, q = x + y * y - 7;
    out[0] = 4 * x * p + 2 * q;
    out[1] = 2 * p + 4 * y * q;
  });

const TURN = 2 * Math.PI;
export const rastrigin = plane(
  { name: "Rastrigin", minima: [[0, 0]], window: [[-5.12, 5.12], [-5.12, 5.12]], start: [3.3, -2.6] },
  (x, y) => 20 + x * x - 10 * Math.cos(TURN * x) + y * y - 10 * Math.cos(TURN * y),
  (x, y, out) => {
    out[0] = 2 * x + TURN * 10 * Math.sin(TURN * x);
    out[1] = 2 * y + TURN * 10 * Math.sin(TURN * y);
  });

export const saddle = plane(
  { name: "saddle", minima: [[0, 1], [0, -1]], window: [[-2, 2], [-1.6, 1.6]], start: [1.5, 0.001] },
  (x, y) => 0.5 * x * x - 0.5 * y * y + 0.25 * y * y * y * y,
  (x, y, out) => {
    out[0] = x;
    out[1] = y * y * y - y;
  });

/** Slope high once a period, low otherwise, on [-1, 1] (Reddi, Kale and Kumar 2018). */
export const reddi = (high = 3, low = -1, period = 3): Differentiable => {
  const slope = (t: number) => (t % period === 1 ? high : low);
  return { bounds: [-1, 1], value: (x, t = 1) => slope(t) * x[0], grad: (_x, t, out) => { out[0] = slope(t); } };
};
