/**
 * A fair mutex inside one owner: what is done under the same grant is done one after the other, in call order [L4].
 *
 * It knows nothing of backends: scheduling orders the owners, this orders what one owner does at once.
 */

/** Unlocks the mutex; calling it twice is once. */
export type Unlock = () => void;

export class Mutex {
  readonly #waiting = new Set<() => void>();
  #isLocked = false;

  /** Locks it if it is free, otherwise `undefined`. */
  tryLock(): Unlock | undefined {
    if (this.#isLocked) return undefined;
    this.#isLocked = true;
    return this.#unlocker();
  }

  /**
   * Waits until it is free. `onWait` gets a function that gives up waiting (it returns false when the mutex was just
   * handed over); the promise then stays pending forever, so settle your own.
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
