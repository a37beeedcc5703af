/**
 * The settings of the package `redlock`, and what they mean here. Retries become a time to wait: a waiting call stands in the
 * lock's queue and is told when its turn has come, so that no delay is needed between attempts.
 */
import { InvalidArgumentError } from "../errors.ts";
import { leaseMs, parseOptions, show, type Given, type Parser } from "../options.ts";

/** As for `lockAll`. */
const maxResources = 64;

/** The settings of a `Redlock`. */
export interface Settings {
  /** The part of a lock's duration that `expiration` and `using` leave unused, 0 … 1. Default 0.01. */
  readonly driftFactor: number;
  /**
   * With the two that follow, how long a call waits: `retryCount × (retryDelay + retryJitter)`. 0 tries once; -1 has no
   * deadline. Default 10.
   */
  readonly retryCount: number;
  /** In milliseconds. Default 200. */
  readonly retryDelay: number;
  /** In milliseconds. Default 100. */
  readonly retryJitter: number;
  /** How much of the lock's time is left when `using` extends it, in milliseconds. Default 500. */
  readonly automaticExtensionThreshold: number;
}

/** Settings as they are given: those that are missing are the instance's, or the defaults. */
export type GivenSettings = { readonly [Name in keyof Settings]?: Settings[Name] | undefined };

const defaultSettings: Settings = Object.freeze({
  driftFactor: 0.01,
  retryCount: 10,
  retryDelay: 200,
  retryJitter: 100,
  automaticExtensionThreshold: 500,
});

/** The settings of a call, or of an instance. `call` names it in errors. */
export function settingsOf(call: string, given: unknown, base: Settings = defaultSettings): Settings {
  const parsed: Given<GivenSettings> = parseOptions<GivenSettings>(call, given, {
    driftFactor: fraction,
    retryCount,
    retryDelay: milliseconds,
    retryJitter: milliseconds,
    automaticExtensionThreshold: milliseconds,
  });
  return Object.freeze({ ...base, ...parsed });
}

/** The longest that `redlock` may pause in all between its attempts. */
export function waitMsOf({ retryCount: count, retryDelay, retryJitter }: Settings): number {
  return count === -1 || count === Infinity ? Infinity : count * (retryDelay + retryJitter);
}

/** What is left unused of a lock's duration. Two milliseconds more, as in `redlock`: what Redis may round. */
export function driftMsOf({ driftFactor }: Settings, durationMs: number): number {
  return Math.round(driftFactor * durationMs) + 2;
}

export function durationOf(call: string, duration: unknown): number {
  return leaseMs(duration, `${call}'s duration`);
}

/** Each once, in the order in which they were given. `Redlock` has no use for a lock of nothing. */
export function resourcesOf(call: string, resources: unknown): string[] {
  if (Array.isArray(resources) && resources.every(isText)) {
    const ids = new Set<string>(resources);
    if (ids.size >= 1 && ids.size <= maxResources) return [...ids];
  }
  throw new InvalidArgumentError(
    `${call} takes an array of 1 to ${maxResources} resources, each a string, such as ["account:7"]; got ${shown(resources)}.`,
  );
}

function shown(resources: unknown): string {
  if (!Array.isArray(resources)) return show(resources);
  const odd: unknown = resources.find((one) => !isText(one));
  return resources.every(isText) ? `an array of ${resources.length}` : `an array with ${show(odd)} in it`;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

const fraction: Parser<number> = (value, name) => {
  if (typeof value === "number" && value >= 0 && value < 1) return value;
  throw new InvalidArgumentError(`${name} must be a number from 0 to less than 1; got ${show(value)}.`);
};

const retryCount: Parser<number> = (value, name) => {
  if (value === -1 || value === Infinity || (Number.isInteger(value) && Number(value) >= 0))
    return Number(value);
  throw new InvalidArgumentError(
    `${name} must be a whole number from 0, or -1 for no limit; got ${show(value)}.`,
  );
};

const milliseconds: Parser<number> = (value, name) => {
  if (typeof value === "number" && value >= 0 && value < Infinity) return value;
  throw new InvalidArgumentError(`${name} must be a number of milliseconds from 0; got ${show(value)}.`);
};
