/**
 * How much a pickle may ask for. The same limits hold for writing, so that what is written can be read.
 *
 * The size in bytes is bounded by `maxStateBytes` of the store. These bound what a few bytes can ask for: an empty dict
 * takes one byte of a pickle, and a hundred in memory.
 */
export interface Limits {
  /** How many lists, tuples, dicts and sets may be nested, the outermost included. */
  readonly maxDepth: number;
  /** How many values there may be, each reference to a shared one included. */
  readonly maxItems: number;
  /** How many of them may be more than a number or a string. */
  readonly maxContainers: number;
  /** How many values may be kept for later references. */
  readonly maxMemo: number;
}

export const defaultLimits: Limits = Object.freeze({
  maxDepth: 1000, // as deep as CPython writes, unless its recursion limit is raised
  maxItems: 10_000_000, // 8 bytes each: more than fit into the default maxStateBytes
  maxContainers: 1_000_000, // 30 to 500 bytes each
  maxMemo: 10_000_000, // 8 bytes each, for the indexes that CPython writes
});

/** The greatest value of each. A JavaScript Set or Map cannot hold 2²⁴ entries. */
export const greatestLimits: Limits = Object.freeze({
  maxDepth: 1_000_000,
  maxItems: 1_000_000_000,
  maxContainers: 16_000_000,
  maxMemo: 1_000_000_000,
});

/**
 * Of decimal text, in protocols 0 and 1. Reading it takes more than linear time, so that its length must be bounded.
 * CPython since 3.11 neither writes nor reads more than 4300.
 */
export const maxDigits = 10_000;

/**
 * V8 hashes numbers and bigints without a secret. Keys of one Map or Set whose hashes agree are compared with each other:
 * this many comparisons are allowed, which take less than a second.
 */
export const maxCollisions = 20_000_000;

/**
 * To use an integer for a key, or once more from the memo, takes time or bytes in proportion to its length. This many
 * hexadecimal digits are allowed for, and four for each byte of the pickle, which no pickler asks for: a fraction of a second.
 */
export const maxRepeatedDigits = 50_000_000;
