/**
 * Removes rows that have ended and that no request asks about: a few at each write of other ids.
 */

/** More than a write adds. */
const sweptPerWrite = 2;

/** Goes round a map, a few entries at each write, and removes those that have ended. */
export class Sweep<Row> {
  readonly #rows: Map<string, Row>;
  readonly #isOver: (row: Row, time: number) => boolean;
  readonly #removed: ((id: string) => unknown) | undefined;
  #rest: MapIterator<[string, Row]>;

  /** `removed` is called with each id whose row was removed. */
  constructor(
    rows: Map<string, Row>,
    isOver: (row: Row, time: number) => boolean,
    removed?: (id: string) => unknown,
  ) {
    this.#rows = rows;
    this.#isOver = isOver;
    this.#removed = removed;
    this.#rest = rows.entries();
  }

  run(time: number): void {
    for (let looked = 0; looked < sweptPerWrite; looked += 1) {
      const { done, value } = this.#rest.next();
      if (done === true) {
        this.#rest = this.#rows.entries();
        return;
      }
      const [id, row] = value;
      if (!this.#isOver(row, time)) continue;
      this.#rows.delete(id);
      this.#removed?.(id);
    }
  }
}
