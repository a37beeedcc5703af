/**
 * The signal of a holder that others wait for the lock. There is none, and nothing is asked, until a caller reads it.
 *
 * From then on it looks: at once, whenever something hints that others may wait, and now and then, since hints may be lost
 * and some backends give none. What it sees is true: the callers of this process that wait, and the backend's queue.
 */
import type { Hold } from "../leases/hold.ts";
import { runOutside } from "./async-context.ts";
import type { Deadline } from "../timers.ts";

/** How often it looks where wakes are pushed, and where they are not (never for permits). */
const pushedLookMs = 5_000;
const polledLookMs = 250;

export class WantedSignal {
  readonly #hold: Hold;
  readonly #othersWaitHere: () => boolean;
  readonly #controller = new AbortController();
  #deadline: Deadline | undefined;
  #isLooking = false;
  #isHinted = false;
  #isOver = false;

  constructor(
    { hold, isLive }: { readonly hold: Hold; readonly isLive: boolean },
    othersWaitHere: () => boolean,
  ) {
    this.#hold = hold;
    this.#othersWaitHere = othersWaitHere;
    this.#isOver = !isLive;
    this.look();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Others may wait. */
  look(): void {
    if (this.#isOver) return;
    if (this.#othersWaitHere()) return this.#abort();
    this.#isHinted = this.#isLooking;
    if (!this.#isLooking) void this.#lookThere();
  }

  /** The grant is over: it never aborts any more. */
  end(): void {
    this.#isOver = true;
    this.#hold.store.calls.deadlines.clear(this.#deadline);
  }

  async #lookThere(): Promise<void> {
    const { id, store } = this.#hold;
    const { calls } = store;
    this.#isLooking = true;
    calls.deadlines.clear(this.#deadline);
    const doing = "Looking for others that wait for the lock";
    const entry = await calls.read({ doing, id }, () => calls.backend.inspectLock(id)).catch(() => null); // it looks again
    this.#isLooking = false;
    if (this.#isOver || !this.#hold.isLive) return;
    if (entry !== null && entry.waiters > 0) {
      this.#abort();
      return;
    }
    if (this.#isHinted) {
      this.look();
      return;
    }
    const isTold = calls.backend.pushes && this.#hold.share?.kind !== "permits";
    this.#deadline = calls.deadlines.set(isTold ? pushedLookMs : polledLookMs, () => this.look());
  }

  #abort(): void {
    this.end();
    runOutside(() => this.#controller.abort());
  }
}
