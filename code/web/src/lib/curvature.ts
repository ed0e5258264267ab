/** The diagonals of the Hessians, in the order of ground.ts: apart from the objectives, for few explorers ask for them. */
const C = [1.5, 2.25, 2.625], sum = (f: (c: number, i: number) => number) => C.reduce((total, c, k) => total + f(c, k + 1), 0), WAVE = 40 * Math.PI ** 2;
const sin2 = Math.sin(0.5) ** 2;

export const DIAGONALS: ((x: number, y: number) => [number, number])[] = [
  (x, y) => [2 + 400 * (3 * x * x - y), 200],
  (x, y) => [sum((_, i) => 2 * (y ** i - 1) ** 2), sum((c, i) => 2 * (i * x * y ** (i - 1)) ** 2 + 2 * (c - x + x * y ** i) * i * (i - 1) * x * y ** Math.max(i - 2, 0))],
  (x, y) => [12 * x * x + 4 * y - 42, 12 * y * y + 4 * x - 26],
  (_x, y) => [1, 3 * y * y - 1],
  () => [1 + 99 * sin2, 100 - 99 * sin2],
  (x, y) => [2 + WAVE * Math.cos(2 * Math.PI * x), 2 + WAVE * Math.cos(2 * Math.PI * y)],
];
