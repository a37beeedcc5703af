/** The errors of a store whose option `index` is not what the store has, or that is asked for an order without one. */
import { InvalidArgumentError } from "../../../errors.ts";

const advice = '("npx holdfast index --help" says more)';

export function hasIndex(name: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `${name} holds a store with an index, which every client must keep: pass index: true to open(). To do without the ` +
      `index, use "npx holdfast index drop" ${advice}.`,
  );
}

export function hasNoIndex(name: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `${name} holds a store without an index, so open() cannot take index: true yet. Close the store in every process, and ` +
      `build the index by "npx holdfast index build" ${advice}.`,
  );
}

export function isBeingBuilt(name: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `The index of ${name} is being built. If that was interrupted, run "npx holdfast index build" again.`,
  );
}

/** A running client was refused: nothing was done. */
export function indexChanged(name: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `${name}: the index of the store was built or dropped after this process had opened it, so it may save and lock ` +
      `nothing any more. Start it again, with the same option index as all others.`,
  );
}

export function hasNoOrder(name: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `${name} keeps no order of ids, so states() cannot take order or after. Open the store with index: true; one that is in ` +
      `use gets its index by "npx holdfast index build". Or sort what is listed.`,
  );
}
