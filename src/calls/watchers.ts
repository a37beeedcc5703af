/**
 * Who in this process watches an id, and wants to know when something about it may have changed. The hints come from
 * this process and, where the backend pushes them, from others. A hint may be lost, so a watcher also asks.
 */
import type { Backend } from "../backends/contract.ts";

export class Watchers {
  readonly #backend: Backend;
  readonly #listeners = new Map<string, Set<() => void>>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Returns a function that removes the listener. */
  add(id: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  /** Something about this id may have changed. */
  changed(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }

  /** Hints may have been lost. */
  changedAll(): void {
    for (const id of this.#listeners.keys()) this.changed(id);
  }

  /** Has the backend push hints about this id. Returns whether it does. */
  async subscribe(id: string): Promise<boolean> {
    if (this.#backend.watch === undefined) return false;
    try {
      await this.#backend.watch(id);
      return true;
    } catch {
      return false; // the watcher asks more often, and tries again
    }
  }
}
