/**
 * Who in this process watches an id, and wants to know when something about it may have changed. The hints come from
 * this process and, where the backend notices changes, from others. A hint may be lost, so a watcher also asks.
 *
 * The backend's hints about an id are kept for a while after its last watcher has left, since a watcher that reads one
 * change after another comes and goes.
 */
import type { Backend } from "../backends/contract.ts";
import type { Deadline, Deadlines } from "../timers.ts";

/** How long hints go on without a watcher. */
const lingerMs = 20_000;

interface Watched {
  readonly listeners: Set<() => void>;
  /** Resolves with whether the backend gives hints; `undefined`: it was not asked, or failed to. */
  subscription: Promise<boolean> | undefined;
  /** Whether the backend was asked: even if it failed to give hints, it may keep the id. */
  isAsked: boolean;
  isPushed: boolean;
  linger: Deadline | undefined;
}

export class Watchers {
  readonly #backend: Backend;
  readonly #deadlines: Deadlines;
  readonly #watched = new Map<string, Watched>();

  constructor(backend: Backend, deadlines: Deadlines) {
    this.#backend = backend;
    this.#deadlines = deadlines;
  }

  /** Returns a function that removes the listener. */
  add(id: string, listener: () => void): () => void {
    const watched = this.#of(id);
    watched.listeners.add(listener);
    return () => {
      watched.listeners.delete(listener);
      if (watched.listeners.size === 0) this.#leave(id, watched);
    };
  }

  /** Something about this id may have changed. */
  changed(id: string): void {
    if (this.#watched.size === 0) return;
    for (const listener of this.#watched.get(id)?.listeners ?? []) listener();
  }

  /** Hints may have been lost. */
  changedAll(): void {
    for (const id of this.#watched.keys()) this.changed(id);
  }

  /** Whether the backend gives hints about this id, and has done so since `subscribe` resolved. */
  isPushed(id: string): boolean {
    return this.#watched.get(id)?.isPushed === true;
  }

  /** Has the backend give hints about this id, for which there is a listener. Returns whether it does. */
  subscribe(id: string): Promise<boolean> {
    const watched = this.#of(id);
    return (watched.subscription ??= this.#subscribe(id, watched));
  }

  async #subscribe(id: string, watched: Watched): Promise<boolean> {
    try {
      if (this.#backend.watch === undefined) return false;
      watched.isAsked = true;
      await this.#backend.watch(id);
      watched.isPushed = true;
      return true;
    } catch {
      watched.subscription = undefined;
      return false; // the watcher asks more often, and tries again
    }
  }

  #of(id: string): Watched {
    const known = this.#watched.get(id);
    if (known !== undefined) return known;
    const watched = {
      listeners: new Set<() => void>(),
      subscription: undefined,
      isAsked: false,
      isPushed: false,
      linger: undefined,
    };
    this.#watched.set(id, watched);
    return watched;
  }

  #leave(id: string, watched: Watched): void {
    if (!watched.isAsked) this.#watched.delete(id);
    else watched.linger ??= this.#deadlines.set(lingerMs, () => this.#end(id, watched));
  }

  #end(id: string, watched: Watched): void {
    watched.linger = undefined;
    if (watched.listeners.size > 0) return;
    this.#watched.delete(id);
    this.#backend.unwatch?.(id).catch(() => undefined); // it is no longer listened to
  }
}
