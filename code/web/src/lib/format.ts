/** Numbers as the book prints them: a true minus sign, no negative zero. */
export function fixed(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "undefined" : value > 0 ? "∞" : "−∞";
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
export const power = (exponent: number): string =>
  `10${exponent < 0 ? "⁻" : ""}${[...String(Math.abs(exponent))].map((d) => SUPERSCRIPTS[Number(d)]).join("")}`;

/** Three significant digits; very small and very large numbers as 1.23 × 10⁻⁵. */
export function short(value: number, digits = 3): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || size === 0) return fixed(value, 0);
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e"); // of the rounded number: 0.9999 is 1.00
  if (+exponent >= -3 && +exponent < 5) return fixed(value, Math.max(0, digits - 1 - +exponent));
  return `${mantissa.replace("-", "−")} × ${power(Number(exponent))}`;
}

/** "1 step", "2 steps", "1,234 steps". */
export const count = (n: number, noun: string): string =>
  `${String(n).replace(/\B(?=(\d{3})+$)/g, ",")} ${noun}${n === 1 ? "" : "s"}`;
