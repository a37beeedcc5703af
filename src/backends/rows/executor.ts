/**
 * Carries out decisions: reads the clock once, decides, applies the changes, sends the wakes.
 *
 * Each run is one step over rows that do not change during it; in SQLite, it belongs inside one transaction.
 */
import { decide } from "./decide.ts";
import type { Kind, ReplyTo, RowRequest, TicketWake } from "./request-types.ts";
import type { Change, Limits, Rows, Rules } from "./row-types.ts";

/** What a backend that keeps rows provides. */
export interface RowStore extends Rows {
  /** Makes all changes or none. `now` is the time of the decision. */
  apply(changes: readonly Change[], now: number): void;
}

export interface ExecutorOptions {
  readonly store: RowStore;
  /** The backend's clock, in milliseconds. */
  readonly now: () => number;
  /** The time of day in milliseconds, if `now` is not that. */
  readonly wall?: (() => number) | undefined;
  /** The resolution of that clock. */
  readonly grainMs?: number | undefined;
  /** The same clock in microseconds, if it can be read more precisely than `now`. */
  readonly micros?: (() => number) | undefined;
  readonly limits: Limits;
  /** Omitted if nothing can push. */
  readonly wake?: ((wake: TicketWake) => void) | undefined;
  /** Called for each change of a state or of its time to live, once it is made. */
  readonly changed?: ((id: string) => void) | undefined;
}

export class Executor {
  readonly #store: RowStore;
  readonly #now: () => number;
  readonly #wall: (() => number) | undefined;
  readonly #micros: (() => number) | undefined;
  readonly #wake: ((wake: TicketWake) => void) | undefined;
  readonly #changed: ((id: string) => void) | undefined;
  readonly #rules: Rules;

  constructor(options: ExecutorOptions) {
    const { limits, grainMs = 0, wake } = options;
    this.#store = options.store;
    this.#now = options.now;
    this.#wall = options.wall;
    this.#micros = options.micros;
    this.#wake = wake;
    this.#changed = options.changed;
    this.#rules = { limits, grainMs, wakes: wake !== undefined };
  }

  run<K extends Kind>(request: RowRequest<K>): ReplyTo<K> {
    const now = this.#now();
    const micros = this.#micros?.() ?? Math.floor(now * 1000);
    const moment = { now, wall: this.#wall?.(), micros, rules: this.#rules };
    const { reply, changes, wakes } = decide(this.#store, request, moment);
    if (changes.length > 0) this.#store.apply(changes, now);
    for (const wake of wakes) this.#wake?.(wake);
    if (this.#changed !== undefined) tellOfStates(changes, this.#changed);
    return reply;
  }
}

function tellOfStates(changes: readonly Change[], changed: (id: string) => void): void {
  for (const change of changes) if (change.kind === "state" || change.kind === "expiry") changed(change.id);
}
