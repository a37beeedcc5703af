/**
 * What exists once per process, even if it has several copies of this package: a bundle may contain one, and a hot
 * reload may evaluate it again. The number in the key is that of the shape of the value.
 */
export function perProcess<T extends object>(name: string, make: () => T): T {
  const key = Symbol.for(`holdfast.${name}.1`);
  const known = (globalThis as Record<symbol, unknown>)[key] as T | undefined;
  if (known !== undefined) return known;
  const made = make();
  Object.defineProperty(globalThis, key, { value: made });
  return made;
}
