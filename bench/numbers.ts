/** Medians, percentiles, and numbers as people read them. */

/** Of numbers in any order; those that are none (NaN) are left out; NaN of none at all. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.filter((number) => !Number.isNaN(number)).sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2;
}

/** The nearest rank; `sorted` rises. NaN of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(0, Math.ceil(sorted.length * share) - 1);
  return sorted[rank] ?? NaN;
}

export function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

/** Three significant digits, thousands apart, no exponents: `0.012`, `3.45`, `12 300`. */
export function show(number: number): string {
  if (Number.isNaN(number)) return "–";
  if (number === Infinity) return "∞";
  if (number === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(number))));
  const rounded = digits === 0 ? Number(number.toPrecision(3)) : number;
  if (digits > 5) return "0";
  const [whole = "", part] = rounded.toFixed(digits).split(".");
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, "\u202f");
  return part === undefined ? grouped : `${grouped}.${part}`;
}

/** The median, and how far the rounds lie apart: `12 300 (11 900–12 800)`. */
export function showSpread(rounds: readonly number[]): string {
  const known = rounds.filter((round) => !Number.isNaN(round));
  if (known.length < 2) return show(median(known));
  return `${show(median(known))} (${show(Math.min(...known))}–${show(Math.max(...known))})`;
}

/** `2.31×` */
export function times(ratio: number): string {
  return Number.isNaN(ratio) ? "–" : `${ratio < 10 ? ratio.toFixed(2) : show(ratio)}×`;
}
