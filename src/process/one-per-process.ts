/**
 * What there must be once in a process, however many copies of this package are loaded: the ES module and the CommonJS
 * build, two versions, or one that was bundled. It is kept on the global object, under a symbol of the registry that all
 * copies share. The version is that of what is kept: raise it when its shape changes, since an older copy would misread it.
 */

/** Returns what was made first under this name and version, by this copy or another. */
export function onePerProcess<T extends object>(name: string, version: number, make: () => T): T {
  const key = Symbol.for(`holdfast.${name}.${String(version)}`);
  const shared: { [key]?: T } = globalThis as object;
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- another copy of the package may have set it
  return (shared[key] ??= make());
}
