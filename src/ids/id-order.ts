/**
 * The order of ids: by their UTF-8 bytes, the same in all processes and on all backends. It is the order of code points, so
 * characters outside the Basic Multilingual Plane come last, while `<` puts their surrogates before U+E000 … U+FFFF.
 */
export function compareIds(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at += 1) {
    const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (one !== other) return rank(one) - rank(other);
  }
  return a.length - b.length;
}

/** Surrogates after all other code units. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
