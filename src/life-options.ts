/**
 * Options that say how long a state lives: `ttlMs`, a duration, or `expiresAt`, a time of day. A call takes one of them.
 *
 * No clock of this process decides: a time is sent as it is, and the server compares it with its own clock in the step that
 * stores the state.
 */
import type { NewTtl, Ttl } from "./backends/contract.ts";
import { InvalidArgumentError } from "./errors.ts";
import { saveTtlMs, ttlMs } from "./options.ts";
import { parseOptions, show, type Parser } from "./parse-options.ts";
import { wallNow } from "./timers.ts";

/** A time at which a state ceases to exist. */
export interface ExpiresAt {
  /** A Date, or milliseconds since 1970. If it has passed by the server's clock, the state is gone at once. */
  expiresAt: Date | number;
}

/** A hundred years. */
const mostMs = 36_525 * 86_400_000;
/** Smaller numbers are seconds since 1970, in all likelihood: as milliseconds, this is in 1973. 0 is a usual "expired". */
const leastMs = 100_000_000_000;

/** A Date or a number → whole milliseconds since 1970, at least 1. */
export const expiresAt: Parser<number> = (value, name) => {
  const isDate = value instanceof Date;
  const ms = isDate ? value.getTime() : value;
  if (typeof ms !== "number" || !Number.isFinite(ms)) throw notATime(name, value);
  if (!isDate && ms > 0 && ms < leastMs) {
    throw new InvalidArgumentError(
      `${name} is ${ms}: as milliseconds since 1970, that is in ${String(new Date(ms).getUTCFullYear())}. If you meant ` +
        `seconds, write ${ms} * 1000. A Date is taken as it is.`,
    );
  }
  if (ms > wallNow() + mostMs) {
    throw new InvalidArgumentError(
      `${name} must be within the next 100 years; got ${isDate ? describeDate(value) : show(value)}. For a state that never ` +
        `expires, use ttlMs: "none".`,
    );
  }
  return Math.max(1, Math.ceil(ms));
};

/** The parsers of a write's options about the life of what it stores; then {@link lifeOf}. */
export const lifeParsers = { ttlMs: saveTtlMs, expiresAt } as const;

/** What `ttlMs` or `expiresAt` of a call ask for, once parsed; `undefined`: neither was given. */
export function lifeOf(
  what: string,
  given: { readonly ttlMs?: Ttl | undefined; readonly expiresAt?: number | Date | undefined },
): Ttl | undefined {
  if (given.expiresAt === undefined) return given.ttlMs;
  if (given.ttlMs === undefined) return { until: Number(given.expiresAt) };
  throw new InvalidArgumentError(
    `${what} takes ttlMs or expiresAt, not both: each says when the state expires.`,
  );
}

/** The argument of `context.setTtl()`. */
export const chosenLife: Parser<Ttl> = (value, name) => {
  const until = untilOf(value, name);
  if (until !== undefined) return until;
  if (value === "keep" || isLife(value)) return saveTtlMs(value, name);
  if (typeof value === "object" && value !== null && "whenNew" in value) return saveTtlMs(value, name);
  throw new InvalidArgumentError(
    `${name} must be a number of milliseconds, "keep", "none", { whenNew: milliseconds } or { expiresAt: a Date }; got ` +
      `${show(value)}.`,
  );
};

/** The argument of `touch()`. */
export const touchedLife: Parser<NewTtl> = (value, name) => {
  const until = untilOf(value, name);
  if (until !== undefined) return until;
  if (value === "none") return value;
  if (typeof value === "number") return ttlMs(value, name);
  throw new InvalidArgumentError(
    `${name} must be a number of milliseconds, "none" or { expiresAt: a Date }; got ${show(value)}.`,
  );
};

/** Whether it replaces the expiry of a state that is there. */
export function isNewTtl(life: Ttl | undefined): life is NewTtl {
  return life !== undefined && life !== "keep" && !(typeof life === "object" && "whenNew" in life);
}

function untilOf(value: unknown, name: string): { readonly until: number } | undefined {
  if (typeof value !== "object" || value === null || !("expiresAt" in value)) return undefined;
  const given = parseOptions<Partial<{ expiresAt: number }>>(name, value, { expiresAt });
  return given.expiresAt === undefined ? undefined : { until: given.expiresAt };
}

function isLife(value: unknown): boolean {
  return value === "none" || typeof value === "number";
}

function notATime(name: string, value: unknown): InvalidArgumentError {
  const got = value instanceof Date ? "an invalid Date" : show(value);
  return new InvalidArgumentError(
    `${name} must be a Date, or a number of milliseconds since 1970; got ${got}.`,
  );
}

function describeDate(date: Date): string {
  return `the year ${String(date.getUTCFullYear())}`;
}
