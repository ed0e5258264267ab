/** Moment generating functions of random gradients. Each distribution has mean mu and standard deviation sigma. */
import { fixed } from "./format";

export interface MGFValues { distribution: number; mu: number; sigma: number; }

interface Distribution {
  /** How the summary speaks of g. */
  phrase: string;
  /** Missing where the probability sits on points. */
  density?: (g: number, mu: number, sigma: number) => number;
  mgf: (s: number, mu: number, sigma: number) => number;
  /** M is finite between these; Infinity where there is no bound. */
  bounds: (sigma: number) => [number, number];
}

const everywhere = (): [number, number] => [-Infinity, Infinity];

/** In the order of the explorer's menu. */
export const DISTRIBUTIONS: Distribution[] = [
  {
    phrase: "a normal g", bounds: everywhere,
    density: (g, mu, sigma) => Math.exp(-0.5 * ((g - mu) / sigma) ** 2) / (sigma * Math.sqrt(2 * Math.PI)),
    mgf: (s, mu, sigma) => Math.exp(mu * s + (sigma * s) ** 2 / 2),
  },
  {
    phrase: "a uniform g", bounds: everywhere,
    density: (g, mu, sigma) => (Math.abs(g - mu) <= Math.sqrt(3) * sigma ? 1 / (2 * Math.sqrt(3) * sigma) : 0),
    mgf: (s, mu, sigma) => { const a = Math.sqrt(3) * sigma * s; return Math.exp(mu * s) * (a === 0 ? 1 : Math.sinh(a) / a); },
  },
  {
    phrase: "a g on two points", bounds: everywhere,
    mgf: (s, mu, sigma) => Math.exp(mu * s) * Math.cosh(sigma * s),
  },
  {
    phrase: "a Laplace g", bounds: (sigma) => [-Math.SQRT2 / sigma, Math.SQRT2 / sigma],
    density: (g, mu, sigma) => Math.exp((-Math.SQRT2 * Math.abs(g - mu)) / sigma) / (Math.SQRT2 * sigma),
    mgf: (s, mu, sigma) => Math.exp(mu * s) / (1 - (sigma * s) ** 2 / 2),
  },
  {
    phrase: "an exponential g", bounds: (sigma) => [-Infinity, 1 / sigma],
    density: (g, mu, sigma) => (g < mu - sigma ? 0 : Math.exp(-(g - mu + sigma) / sigma) / sigma),
    mgf: (s, mu, sigma) => Math.exp((mu - sigma) * s) / (1 - sigma * s),
  },
];

/** E[g²], the raw second moment. */
export const mean2 = (mu: number, sigma: number): number => mu * mu + sigma * sigma;

export function summary({ distribution, mu, sigma }: MGFValues): string {
  const [low, high] = DISTRIBUTIONS[distribution].bounds(sigma);
  const domain = high === Infinity ? "M(s) is finite for every s."
    : low === -Infinity ? `M(s) is finite only for s below ${fixed(high)}.`
    : `M(s) is finite only for s between ${fixed(low)} and ${fixed(high)}.`;
  return `For ${DISTRIBUTIONS[distribution].phrase} with μ = ${fixed(mu)} and σ = ${fixed(sigma)} the slope of M at 0 is ${fixed(mu)}, the mean of g; the curvature is ` +
    `${fixed(mean2(mu, sigma))}, the mean square: ${fixed(mu * mu)} from the mean and ${fixed(sigma * sigma)} from the variance. ${domain}`;
}
