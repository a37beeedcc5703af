/**
 * A fair mutex inside one owner: work under the same grant is done one at a time, in call order [L4].
 *
 * It knows no backends: scheduling orders the owners, this orders the concurrent work of one owner.
 */

/** Unlocks the mutex; further calls do nothing. */
export type Unlock = () => void;

export class Mutex {
  readonly #waiting = new Set<() => void>();
  #isLocked = false;

  get isLocked(): boolean {
    return this.#isLocked;
  }

  /** Locks it if it is free; otherwise returns `undefined`. */
  tryLock(): Unlock | undefined {
    if (this.#isLocked) return undefined;
    this.#isLocked = true;
    return this.#unlocker();
  }

  /**
   * Waits until it is free. `onWait` gets a function that gives up waiting; that function returns false if the mutex
   * was just handed over. After giving up, the promise stays pending forever, so settle your own.
   */
  lock(onWait: (giveUp: () => boolean) => void): Promise<Unlock> {
    const unlock = this.tryLock();
    if (unlock !== undefined) return Promise.resolve(unlock);
    return new Promise((resolve) => {
      const enter = (): void => resolve(this.#unlocker());
      this.#waiting.add(enter);
      onWait(() => this.#waiting.delete(enter));
    });
  }

  #unlocker(): Unlock {
    let done = false;
    return () => {
      if (done) return;
      done = true;
      const [next] = this.#waiting;
      this.#isLocked = next !== undefined;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    };
  }
}
