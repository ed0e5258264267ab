/**
 * The update rules of adambook.numpy_optim once more, for the explorers: one coordinate at a time, no DOM.
 * torch's conventions and argument names. The golden trajectories of tests/golden hold both languages together.
 */
export interface Hyper {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weight_decay: number;
  momentum: number;
  dampening: number;
  alpha: number;
  lr_decay: number;
  initial_accumulator_value: number;
  beta3: number;
  rho: number;
  momentum_decay: number;
  final_lr: number;
  gamma: number;
}

/** Every array has one entry a coordinate; a rule touches only those in its equation. t counts from 1 inside a step. */
export interface State {
  t: number;
  b: Float64Array;
  m: Float64Array;
  v: Float64Array;
  v_max: Float64Array;
  u: Float64Array;
  n: Float64Array;
  g: Float64Array;
  p: Float64Array;
}

/** One coordinate of one step: changes the state at i and returns delta, so that theta + delta is the next point. */
export type Rule = (s: State, i: number, g: number, theta: number, h: Hyper) => number;

const { sqrt, max, min } = Math;

export const SGD: Rule = (_s, _i, g, theta, h) => -h.lr * (g + h.weight_decay * theta);

export const Momentum: Rule = (s, i, g, theta, h) => {
  g += h.weight_decay * theta;
  s.b[i] = h.momentum * s.b[i] + (s.t === 1 ? g : (1 - h.dampening) * g);
  return -h.lr * s.b[i];
};

export const Nesterov: Rule = (s, i, g, theta, h) => {
  g += h.weight_decay * theta;
  s.b[i] = h.momentum * s.b[i] + g;
  return -h.lr * (g + h.momentum * s.b[i]);
};

export const Adagrad: Rule = (s, i, g, theta, h) => {
  g += h.weight_decay * theta;
  if (s.t === 1) s.v[i] = h.initial_accumulator_value;
  s.v[i] = s.v[i] + g * g;
  return ((-h.lr / (1 + (s.t - 1) * h.lr_decay)) * g) / (sqrt(s.v[i]) + h.eps);
};

export const RMSprop: Rule = (s, i, g, theta, h) => {
  g += h.weight_decay * theta;
  s.v[i] = h.alpha * s.v[i] + (1 - h.alpha) * g * g;
  return (-h.lr * g) / (sqrt(s.v[i]) + h.eps);
};

/** The two moving averages that all of Adam's family begin with. */
export const moments = (s: State, i: number, g: number, h: Hyper) => {
  s.m[i] = h.beta1 * s.m[i] + (1 - h.beta1) * g;
  s.v[i] = h.beta2 * s.v[i] + (1 - h.beta2) * g * g;
};

export const Adam: Rule = (s, i, g, theta, h) => {
  moments(s, i, g + h.weight_decay * theta, h);
  const m_hat = s.m[i] / (1 - h.beta1 ** s.t), v_hat = s.v[i] / (1 - h.beta2 ** s.t);
  return (-h.lr * m_hat) / (sqrt(v_hat) + h.eps);
};

export const AdamUncorrected: Rule = (s, i, g, theta, h) => {
  moments(s, i, g + h.weight_decay * theta, h);
  return (-h.lr * s.m[i]) / (sqrt(s.v[i]) + h.eps);
};

/** torch: the maximum over the raw v, and the correction after it. */
export const AMSGrad: Rule = (s, i, g, theta, h) => {
  moments(s, i, g + h.weight_decay * theta, h);
  s.v_max[i] = max(s.v_max[i], s.v[i]);
  const m_hat = s.m[i] / (1 - h.beta1 ** s.t), v_hat = s.v_max[i] / (1 - h.beta2 ** s.t);
  return (-h.lr * m_hat) / (sqrt(v_hat) + h.eps);
};

/** Reddi et al. 2018: no correction at all. */
export const AMSGradPaper: Rule = (s, i, g, theta, h) => {
  moments(s, i, g + h.weight_decay * theta, h);
  s.v_max[i] = max(s.v_max[i], s.v[i]);
  return (-h.lr * s.m[i]) / (sqrt(s.v_max[i]) + h.eps);
};

/** The correction first, the maximum over v-hat after it (optax). */
export const AMSGradCorrectedMax: Rule = (s, i, g, theta, h) => {
  moments(s, i, g + h.weight_decay * theta, h);
  const m_hat = s.m[i] / (1 - h.beta1 ** s.t), v_hat = s.v[i] / (1 - h.beta2 ** s.t);
  s.v_max[i] = max(s.v_max[i], v_hat);
  return (-h.lr * m_hat) / (sqrt(s.v_max[i]) + h.eps);
};

/** The form of many web pages: a corrected m over an uncorrected maximum. Its first step is 31.6 lr. */
export const AMSGradHatOverMax: Rule = (s, i, g, theta, h) => {
  moments(s, i, g + h.weight_decay * theta, h);
  s.v_max[i] = max(s.v_max[i], s.v[i]);
  const m_hat = s.m[i] / (1 - h.beta1 ** s.t);
  return (-h.lr * m_hat) / (sqrt(s.v_max[i]) + h.eps);
};

/** torch: the decay is lr times weight_decay. */
export const AdamW: Rule = (s, i, g, theta, h) => {
  moments(s, i, g, h);
  const m_hat = s.m[i] / (1 - h.beta1 ** s.t), v_hat = s.v[i] / (1 - h.beta2 ** s.t);
  return -h.lr * (m_hat / (sqrt(v_hat) + h.eps) + h.weight_decay * theta);
};

/** Loshchilov and Hutter 2017: the decay is weight_decay alone. */
export const AdamWPaper: Rule = (s, i, g, theta, h) => {
  moments(s, i, g, h);
  const m_hat = s.m[i] / (1 - h.beta1 ** s.t), v_hat = s.v[i] / (1 - h.beta2 ** s.t);
  return (-h.lr * m_hat) / (sqrt(v_hat) + h.eps) - h.weight_decay * theta;
};

/** torch's defaults, and 0.9 for momentum as in adambook. eps is Adagrad's alone where it differs. */
export function hyper(given: Partial<Hyper> = {}): Hyper {
  return {
    lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0,
    momentum: 0.9, dampening: 0, alpha: 0.99, lr_decay: 0, initial_accumulator_value: 0,
    beta3: 0.99, rho: 0.9, momentum_decay: 4e-3, final_lr: 0.1, gamma: 1e-3, ...given,
  };
}

export function init(dim: number): State {
  const zeros = () => new Float64Array(dim);
  return { t: 0, b: zeros(), m: zeros(), v: zeros(), v_max: zeros(), u: zeros(), n: zeros(), g: zeros(), p: zeros() };
}

/** One step in place: theta and the state move on. A schedule's multiplier scales the whole step. */
export function step(rule: Rule, s: State, grad: ArrayLike<number>, theta: Float64Array, h: Hyper, scale = 1) {
  s.t += 1;
  for (let i = 0; i < theta.length; i++) theta[i] += scale * rule(s, i, grad[i], theta[i], h);
}

export interface Differentiable {
  value(theta: ArrayLike<number>, t?: number): number;
  grad(theta: ArrayLike<number>, t: number, out: Float64Array): void;
  /** An interval onto which every step is projected. */
  bounds?: [number, number];
}

export interface Trajectory {
  /** (steps + 1) points of dim numbers each. */
  theta: Float64Array;
  loss: Float64Array;
  /** The last step whose point and gradient are finite. */
  steps: number;
  state: State;
}

/** A run from start. Like adambook.descend it ends before the first gradient or point that is not finite. */
export function descend(
  rule: Rule, h: Hyper, f: Differentiable, start: ArrayLike<number>, steps: number, schedule?: (t: number) => number,
): Trajectory {
  const dim = start.length, theta = Float64Array.from(start), g = new Float64Array(dim), state = init(dim);
  const path = new Float64Array((steps + 1) * dim), loss = new Float64Array(steps + 1);
  path.set(theta);
  loss[0] = f.value(theta, 1);
  let t = 1;
  for (; t <= steps; t++) {
    f.grad(theta, t, g);
    step(rule, state, g, theta, h, schedule?.(t));
    if (f.bounds) for (let i = 0; i < dim; i++) theta[i] = max(f.bounds[0], min(f.bounds[1], theta[i]));
    let sum = 0;
    for (let i = 0; i < dim; i++) sum += Math.abs(theta[i]) + Math.abs(g[i]);
    if (!Number.isFinite(sum)) break;
    path.set(theta, t * dim);
    loss[t] = f.value(theta, t);
  }
  return { theta: path.subarray(0, t * dim), loss: loss.subarray(0, t), steps: t - 1, state };
}
