/**
 * Writes of this process of many states at once that were not answered yet. They pass the queues of the ids by, so reads of
 * one of these states, and other writes of this kind, wait for them here [S1].
 */

interface Writes {
  readonly ids: readonly string[];
  readonly answered: Promise<void>;
  /** Made for the first read. */
  known: ReadonlySet<string> | undefined;
}

export class WritesTogether {
  readonly #all = new Set<Writes>();

  /** Call the returned function once each of the ids is written, or is in its queue; at the latest when that fails. */
  begin(ids: readonly string[]): () => void {
    let settle = (): void => undefined;
    const answered = new Promise<void>((resolve) => (settle = resolve));
    const writes: Writes = { ids, answered, known: undefined };
    this.#all.add(writes);
    return () => {
      this.#all.delete(writes);
      settle();
    };
  }

  /** Resolves when those that write this id are answered; `undefined`: there are none. */
  of(id: string): Promise<unknown> | undefined {
    return this.#all.size === 0 ? undefined : this.ofAny([id]);
  }

  /** The same of several ids. */
  ofAny(ids: readonly string[]): Promise<unknown> | undefined {
    if (this.#all.size === 0) return undefined;
    const about = [...this.#all].filter((writes) => {
      const known = (writes.known ??= new Set(writes.ids));
      return ids.some((id) => known.has(id));
    });
    return about.length === 0 ? undefined : Promise.all(about.map(({ answered }) => answered));
  }
}
