/** Reproducible noise: number k of a seed is a function of both, the same in Python (adambook/explorers/_noise.py). */

/** mulberry32, read at place k instead of step by step. */
export function uniform(seed: number, k: number): number {
  const a = (seed + Math.imul(k + 1, 0x6d2b79f5)) | 0;
  let t = Math.imul(a ^ (a >>> 15), 1 | a);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

/** Standard normals by Box and Muller. */
export function normals(seed: number, n: number): Float64Array {
  const out = new Float64Array(n);
  for (let k = 0; k < n; k++)
    out[k] = Math.sqrt(-2 * Math.log(1 - uniform(seed, 2 * k))) * Math.cos(2 * Math.PI * uniform(seed, 2 * k + 1));
  return out;
}
