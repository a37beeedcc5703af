/** The options of `createPickle()`, and their check. */
import { InvalidArgumentError } from "../../errors.ts";
import { parseOptions, show, type Parser } from "../../parse-options.ts";
import { defaultLimits, greatestLimits, type Limits } from "./limits.ts";

/** Options of {@link createPickle}. The limits hold for reading and for writing. */
export interface PickleOptions {
  /**
   * What a Python float with an integral value, such as 1.0, is read as. `"exact"`: a {@link PyFloat}, which is written as
   * a float again. `"numbers"`: a number, which is written as an int, unless it is beyond 2^53. Default `"exact"`.
   */
  floats?: "exact" | "numbers" | undefined;
  /**
   * What a dict is read as. `"objects"`: an object if all its keys are strings, and a `Map` otherwise; an empty one is an
   * object. So a `Map` of that kind is not written. `"maps"`: always a `Map`, which also keeps the order of keys such as
   * "10". Default `"objects"`.
   */
  dicts?: "objects" | "maps" | undefined;
  /** How many lists, tuples, dicts and sets may be nested, 1 … 1 000 000. Default 1000. */
  maxDepth?: number | undefined;
  /** How many steps there may be, about one for each value and each reference to one, 1 … 1 000 000 000. Default 10 000 000. */
  maxItems?: number | undefined;
  /** How many lists, tuples, dicts, sets, bytes and dates there may be, 1 … 16 000 000. Default 1 000 000. */
  maxContainers?: number | undefined;
  /** How many values may be kept for later references, 1 … 1 000 000 000. Default 10 000 000. */
  maxMemo?: number | undefined;
}

/** All options, complete. */
export interface PickleSettings extends Limits {
  readonly plainFloats: boolean;
  readonly maps: boolean;
}

/** Throws InvalidArgumentError. */
export function parsePickleOptions(options: unknown): PickleSettings {
  const { floats, dicts, ...limits } = parseOptions<PickleOptions>("createPickle", options, {
    floats: oneOf("exact", "numbers"),
    dicts: oneOf("objects", "maps"),
    maxDepth: upTo(greatestLimits.maxDepth),
    maxItems: upTo(greatestLimits.maxItems),
    maxContainers: upTo(greatestLimits.maxContainers),
    maxMemo: upTo(greatestLimits.maxMemo),
  });
  return { ...defaultLimits, ...limits, plainFloats: floats === "numbers", maps: dicts === "maps" };
}

function oneOf<T extends string>(...allowed: readonly T[]): Parser<T> {
  return (value, name) => {
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`${name} must be ${allowed.map(show).join(" or ")}; got ${show(value)}.`);
  };
}

function upTo(max: number): Parser<number> {
  return (value, name) => {
    if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max) return Number(value);
    throw new InvalidArgumentError(`${name} must be a whole number from 1 to ${max}; got ${show(value)}.`);
  };
}
