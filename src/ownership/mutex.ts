/**
 * A fair mutex inside one owner: whoever works under the same grant goes one after the other, in call order [L4].
 *
 * It knows nothing of backends; the cohort orders the owners, this orders what one owner does at once.
 */

/** Leaves the gate; calling it twice is once. */
export type Leave = () => void;

export class Gate {
  readonly #waiting = new Set<() => void>();
  #taken = false;

  /** Enters at once if nobody is inside, else `undefined`. */
  tryEnter(): Leave | undefined {
    if (this.#taken) return undefined;
    this.#taken = true;
    return this.#leave();
  }

  /**
   * Waits for its turn. `onWait` gets a function that gives the place up (it answers false when the turn has come
   * already); the promise then stays pending for ever, so settle your own.
   */
  enter(onWait: (giveUp: () => boolean) => void): Promise<Leave> {
    const leave = this.tryEnter();
    if (leave !== undefined) return Promise.resolve(leave);
    return new Promise((resolve) => {
      const enter = (): void => resolve(this.#leave());
      this.#waiting.add(enter);
      onWait(() => this.#waiting.delete(enter));
    });
  }

  #leave(): Leave {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const [next] = this.#waiting;
      this.#taken = next !== undefined;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    };
  }
}
