/** A hold of a machine that has slept, until a renewal that was sent afterwards is answered, or the hold is lost. */
export class Unsure {
  /** A renewal that was sent earlier proves nothing. */
  since = Infinity;
  readonly over: Promise<void>;
  readonly end: () => void;

  constructor() {
    const { promise, resolve } = withResolvers();
    this.over = promise;
    this.end = resolve;
  }
}

/** Node 20 has no Promise.withResolvers. */
function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
