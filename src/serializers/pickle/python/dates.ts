/**
 * Python's `date`, `time` and `datetime`, exact to the microsecond. The last two may have an offset from UTC ("aware")
 * or none ("naive"): a naive one names no point in time.
 */
import { InvalidArgumentError } from "../../../errors.ts";
import { checkDate, clockFields, clockText, dateText } from "./fields.ts";
import { PyTimeZone } from "./spans.ts";

/** The parts of a {@link PyTime}; those that are left out are 0. */
export interface PyTimeParts {
  /** 0 … 23 */
  hour?: number | undefined;
  /** 0 … 59 */
  minute?: number | undefined;
  /** 0 … 59 */
  second?: number | undefined;
  /** 0 … 999 999 */
  microsecond?: number | undefined;
  /** 1: the second of two equal local times, when clocks are set back. */
  fold?: 0 | 1 | undefined;
  /** `null` or left out: naive. */
  tzinfo?: PyTimeZone | null | undefined;
}

/** The parts of a {@link PyDateTime}. */
export interface PyDateTimeParts extends PyTimeParts {
  /** 1 … 9999 */
  year: number;
  /** 1 … 12 */
  month: number;
  /** 1 … 31 */
  day: number;
}

/**
 * A Python `date`.
 *
 * @example
 * ```ts
 * String(new PyDate(2026, 11, 30)); // 2026-11-30
 * ```
 */
export class PyDate {
  /** 1 … 9999 */
  readonly year: number;
  /** 1 … 12 */
  readonly month: number;
  /** 1 … 31 */
  readonly day: number;

  /** Throws InvalidArgumentError if there is no such day in the years 1 to 9999. */
  constructor(year: number, month: number, day: number) {
    checkDate("PyDate", year, [month, day]);
    this.year = year;
    this.month = month;
    this.day = day;
    Object.freeze(this);
  }

  /** ISO 8601: `2026-11-30`. */
  toString(): string {
    return dateText(this.year, this.month, this.day);
  }
}

/**
 * A Python `time`.
 *
 * @example
 * ```ts
 * String(new PyTime({ hour: 8, minute: 30 })); // 08:30:00
 * ```
 */
export class PyTime {
  /** 0 … 23 */
  readonly hour: number;
  /** 0 … 59 */
  readonly minute: number;
  /** 0 … 59 */
  readonly second: number;
  /** 0 … 999 999 */
  readonly microsecond: number;
  /** 1: the second of two equal local times, when clocks are set back. */
  readonly fold: 0 | 1;
  /** The offset from UTC; `null`: naive. */
  readonly tzinfo: PyTimeZone | null;

  /** Throws InvalidArgumentError if a part is out of range. */
  constructor(parts: PyTimeParts = {}) {
    const { hour, minute, second, microsecond, fold } = clockFields("PyTime", parts);
    this.hour = hour;
    this.minute = minute;
    this.second = second;
    this.microsecond = microsecond;
    this.fold = fold;
    this.tzinfo = zone("PyTime", parts.tzinfo);
    Object.freeze(this);
  }

  /** ISO 8601: `08:30:00+01:00`; microseconds only if there are any. */
  toString(): string {
    return `${clockText(this)}${this.tzinfo?.toString() ?? ""}`;
  }
}

/**
 * A Python `datetime`. A JavaScript `Date` is written as an aware one in UTC, and comes back as a `PyDateTime`.
 *
 * @example
 * ```ts
 * const due = new PyDateTime({ year: 2026, month: 11, day: 30, hour: 8, tzinfo: PyTimeZone.utc });
 * due.toDate().getTime();
 * ```
 */
export class PyDateTime {
  /** 1 … 9999 */
  readonly year: number;
  /** 1 … 12 */
  readonly month: number;
  /** 1 … 31 */
  readonly day: number;
  /** 0 … 23 */
  readonly hour: number;
  /** 0 … 59 */
  readonly minute: number;
  /** 0 … 59 */
  readonly second: number;
  /** 0 … 999 999 */
  readonly microsecond: number;
  /** 1: the second of two equal local times, when clocks are set back. */
  readonly fold: 0 | 1;
  /** The offset from UTC; `null`: naive. */
  readonly tzinfo: PyTimeZone | null;

  /** Throws InvalidArgumentError if a part is out of range. */
  constructor(parts: PyDateTimeParts) {
    const { year, month, day } = parts;
    checkDate("PyDateTime", year, [month, day]);
    const { hour, minute, second, microsecond, fold } = clockFields("PyDateTime", parts);
    this.year = year;
    this.month = month;
    this.day = day;
    this.hour = hour;
    this.minute = minute;
    this.second = second;
    this.microsecond = microsecond;
    this.fold = fold;
    this.tzinfo = zone("PyDateTime", parts.tzinfo);
    Object.freeze(this);
  }

  /** The same point in time, in UTC. Throws InvalidArgumentError if it is not in the years 1 to 9999. */
  static fromDate(date: Date): PyDateTime {
    const year = date.getUTCFullYear();
    if (!(year >= 1 && year <= 9999)) {
      throw new InvalidArgumentError("A Date must be valid and in the years 1 to 9999 to be a PyDateTime.");
    }
    return new PyDateTime({
      ...{ year, month: date.getUTCMonth() + 1, day: date.getUTCDate() },
      ...{ hour: date.getUTCHours(), minute: date.getUTCMinutes(), second: date.getUTCSeconds() },
      ...{ microsecond: date.getUTCMilliseconds() * 1000, tzinfo: PyTimeZone.utc },
    });
  }

  /**
   * The point in time, down to the millisecond before it. Throws InvalidArgumentError for a naive one: only its writer
   * knows in which zone it is.
   */
  toDate(): Date {
    if (this.tzinfo === null) {
      throw new InvalidArgumentError(
        `${this.toString()} has no time zone, so it names no point in time. Make a PyDateTime with its zone.`,
      );
    }
    const { days, seconds, microseconds } = this.tzinfo.offset;
    const local = new Date(0);
    local.setUTCFullYear(this.year, this.month - 1, this.day); // Date.UTC takes the year 99 for 1999
    local.setUTCHours(this.hour, this.minute, this.second);
    const micros = this.microsecond - microseconds;
    return new Date(local.getTime() - days * 86_400_000 - seconds * 1000 + Math.floor(micros / 1000));
  }

  /** ISO 8601: `2026-11-30T08:30:00+01:00`; microseconds only if there are any. */
  toString(): string {
    return `${dateText(this.year, this.month, this.day)}T${clockText(this)}${this.tzinfo?.toString() ?? ""}`;
  }
}

function zone(what: string, value: PyTimeZone | null | undefined): PyTimeZone | null {
  if (value === undefined || value === null) return null;
  if (value instanceof PyTimeZone) return value;
  throw new InvalidArgumentError(`The tzinfo of a ${what} must be a PyTimeZone or null.`);
}
