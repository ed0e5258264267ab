/** What came after Adam: the rules of adambook.numpy_optim as in optimizers.ts, with its state and names. */
import { type Hyper, moments, type Rule, type State } from "./optimizers";

const { abs, max, min, sign, sqrt } = Math;

export const Adadelta: Rule = (s, i, g, theta, h) => {
  g += h.weight_decay * theta;
  s.v[i] = h.rho * s.v[i] + (1 - h.rho) * g * g;
  const step = (sqrt(s.u[i] + h.eps) / sqrt(s.v[i] + h.eps)) * g;
  s.u[i] = h.rho * s.u[i] + (1 - h.rho) * step * step;
  return -h.lr * step;
};

export const Adamax: Rule = (s, i, g, theta, h) => {
  g += h.weight_decay * theta;
  s.m[i] = h.beta1 * s.m[i] + (1 - h.beta1) * g;
  s.u[i] = max(h.beta2 * s.u[i], abs(g) + h.eps);
  const m_hat = s.m[i] / (1 - h.beta1 ** s.t);
  return (-h.lr * m_hat) / s.u[i];
};

export const NAdam: Rule = (s, i, g, theta, h) => {
  g += h.weight_decay * theta;
  const momentum = (t: number) => h.beta1 * (1 - 0.5 * 0.96 ** (t * h.momentum_decay)), mu = momentum(s.t), next = momentum(s.t + 1);
  s.p[i] = (s.t === 1 ? 1 : s.p[i]) * mu;
  moments(s, i, g, h);
  const m_hat = (next * s.m[i]) / (1 - s.p[i] * next) + ((1 - mu) * g) / (1 - s.p[i]), v_hat = s.v[i] / (1 - h.beta2 ** s.t);
  return (-h.lr * m_hat) / (sqrt(v_hat) + h.eps);
};

/** How far RAdam shortens step t; 0 while it does not divide. */
export function rectification(beta2: number, t: number): number {
  const limit = 2 / (1 - beta2) - 1, rho = limit - (2 * t * beta2 ** t) / (1 - beta2 ** t);
  return rho > 5 ? sqrt(((rho - 4) * (rho - 2) * limit) / ((limit - 4) * (limit - 2) * rho)) : 0;
}
export const RAdam: Rule = (s, i, g, theta, h) => {
  moments(s, i, g + h.weight_decay * theta, h);
  const m_hat = s.m[i] / (1 - h.beta1 ** s.t), r = rectification(h.beta2, s.t), root = (sqrt(s.v[i]) + h.eps) / sqrt(1 - h.beta2 ** s.t);
  return -h.lr * m_hat * (r > 0 ? r / root : 1);
};

export const AdaBound: Rule = (s, i, g, theta, h) => {
  moments(s, i, g + h.weight_decay * theta, h);
  const low = h.final_lr * (1 - 1 / (h.gamma * s.t + 1)), high = h.final_lr * (1 + 1 / (h.gamma * s.t));
  const rate = (h.lr * sqrt(1 - h.beta2 ** s.t)) / (1 - h.beta1 ** s.t);
  return -min(max(rate / (sqrt(s.v[i]) + h.eps), low), high) * s.m[i];
};

export const Lion: Rule = (s, i, g, theta, h) => {
  const u = sign(h.beta1 * s.m[i] + (1 - h.beta1) * g);
  s.m[i] = h.beta2 * s.m[i] + (1 - h.beta2) * g;
  return -h.lr * (u + h.weight_decay * theta);
};

export const Adan: Rule = (s: State, i: number, g: number, theta: number, h: Hyper) => {
  const d = s.t > 1 ? g - s.g[i] : 0;
  s.g[i] = g;
  s.m[i] = h.beta1 * s.m[i] + (1 - h.beta1) * g;
  s.v[i] = h.beta2 * s.v[i] + (1 - h.beta2) * d;
  s.n[i] = h.beta3 * s.n[i] + (1 - h.beta3) * (g + h.beta2 * d) ** 2;
  const u = s.m[i] / (1 - h.beta1 ** s.t) + (h.beta2 * s.v[i]) / (1 - h.beta2 ** s.t), root = sqrt(s.n[i] / (1 - h.beta3 ** s.t)) + h.eps;
  return (-h.lr * (u / root + h.weight_decay * theta)) / (1 + h.lr * h.weight_decay);
};

/* ---- Other conventions, as in adambook.numpy_optim.conventions --------------------------------------- */

/** Keras, TensorFlow: epsilon beside the raw root. */
export const AdamEpsHat: Rule = (s, i, g, theta, h) => {
  moments(s, i, g + h.weight_decay * theta, h);
  return (((-h.lr * sqrt(1 - h.beta2 ** s.t)) / (1 - h.beta1 ** s.t)) * s.m[i]) / (sqrt(s.v[i]) + h.eps);
};

export const RMSpropEpsInside: Rule = (s, i, g, theta, h) => {
  g += h.weight_decay * theta;
  s.v[i] = h.alpha * s.v[i] + (1 - h.alpha) * g * g;
  return (-h.lr * g) / sqrt(s.v[i] + h.eps);
};

export const AdagradEpsInside: Rule = (s, i, g, theta, h) => {
  g += h.weight_decay * theta;
  s.v[i] = (s.t === 1 ? h.initial_accumulator_value : s.v[i]) + g * g;
  return ((-h.lr / (1 + (s.t - 1) * h.lr_decay)) * g) / sqrt(s.v[i] + h.eps);
};
