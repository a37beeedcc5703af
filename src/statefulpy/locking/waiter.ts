/**
 * A caller that waits for a lock: it is answered once, by a hold, by an error, by its deadline or by its signal.
 */
import { fromCaller } from "../../caller-stacks.ts";
import { now, type Deadline, type Deadlines } from "../../timers.ts";
import type { OwnerScope } from "./owner.ts";

export interface Wait {
  readonly id: string;
  readonly owner: OwnerScope;
  /** In milliseconds; 0 tries once. */
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  /** Whether a scope is around the call. */
  readonly isInside: (scope: object) => boolean;
}

interface Events {
  /** Its time is up. */
  readonly onTime: (waiter: Waiter) => void;
  /** It has its answer, or has given up. */
  readonly onOver: (waiter: Waiter) => void;
}

export class Waiter {
  readonly wait: Wait;
  readonly promise: Promise<void>;
  /** By the monotonic clock. */
  readonly endsAt: number;
  /** Its time was up while an ask was under way, whose answer it gets. */
  isLate = false;
  #isOver = false;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline;
  readonly #onOver: (waiter: Waiter) => void;

  constructor(wait: Wait, deadlines: Deadlines, { onTime, onOver }: Events) {
    this.wait = wait;
    this.endsAt = now() + wait.waitMs;
    this.#deadlines = deadlines;
    this.#onOver = onOver;
    this.promise = new Promise((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));
    this.#deadline = deadlines.set(wait.waitMs, () => onTime(this));
    wait.signal?.addEventListener("abort", this.#onAbort);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  granted(): void {
    if (this.#end()) this.#resolve();
  }

  failed(error: unknown): void {
    if (this.#end()) this.#reject(error);
  }

  readonly #onAbort = (): void => this.failed(fromCaller(this.wait.signal?.reason as unknown));

  /** Leaves nothing behind [L7]. Returns whether this is the first answer. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#deadlines.clear(this.#deadline);
    this.wait.signal?.removeEventListener("abort", this.#onAbort);
    this.#onOver(this);
    return true;
  }
}
