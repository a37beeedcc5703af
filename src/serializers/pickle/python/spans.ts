/** Python's `timedelta` and `timezone`: lengths of time in whole microseconds, and fixed offsets from UTC. */
import { InvalidArgumentError } from "../../../errors.ts";
import { wholeNumber, twoDigits, microsText } from "./fields.ts";

/** The parts of a {@link PyTimeDelta}: whole numbers, of any sign. */
export interface PyTimeDeltaParts {
  /** Default: 0. */
  days?: number | undefined;
  /** Default: 0. */
  seconds?: number | undefined;
  /** Default: 0. */
  microseconds?: number | undefined;
}

const maxDays = 999_999_999;

/**
 * A Python `timedelta`. As in Python, its parts are normalized: only `days` may be negative.
 *
 * @example
 * ```ts
 * const delta = new PyTimeDelta({ seconds: -1 });
 * delta.days; // -1
 * delta.seconds; // 86399
 * ```
 */
export class PyTimeDelta {
  /** -999 999 999 … 999 999 999 */
  readonly days: number;
  /** 0 … 86 399 */
  readonly seconds: number;
  /** 0 … 999 999 */
  readonly microseconds: number;

  /** Throws InvalidArgumentError if a part is not a safe integer, or the sum is beyond 999 999 999 days. */
  constructor({ days = 0, seconds = 0, microseconds = 0 }: PyTimeDeltaParts = {}) {
    const range = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as const;
    for (const [name, value] of Object.entries({ days, seconds, microseconds })) {
      wholeNumber(`${name} of a PyTimeDelta`, value, range);
    }
    // The sum of all seconds may be no safe integer.
    const restSeconds = remainder(seconds, 86_400) + Math.floor(microseconds / 1e6);
    const allDays = days + Math.floor(seconds / 86_400) + Math.floor(restSeconds / 86_400);
    this.microseconds = remainder(microseconds, 1e6);
    this.seconds = remainder(restSeconds, 86_400);
    this.days = wholeNumber("the days of a PyTimeDelta, in all,", allDays, [-maxDays, maxDays]);
    Object.freeze(this);
  }

  /** In milliseconds; exact to the microsecond up to some 285 years. */
  get totalMs(): number {
    return this.days * 86_400_000 + this.seconds * 1000 + this.microseconds / 1000;
  }
}

/**
 * A Python `datetime.timezone`: a fixed offset from UTC. Zones of `zoneinfo` or `pytz` are not plain data.
 *
 * @example
 * ```ts
 * const cet = new PyTimeZone(new PyTimeDelta({ seconds: 3600 }), "CET");
 * ```
 */
export class PyTimeZone {
  /** UTC, as `datetime.timezone.utc`. */
  static readonly utc: PyTimeZone = new PyTimeZone(new PyTimeDelta());

  /** How far local time is ahead of UTC: more than -24 and less than 24 hours. */
  readonly offset: PyTimeDelta;
  /** The name that it was given, or `null`. */
  readonly name: string | null;

  /** Throws InvalidArgumentError if the offset is not less than a day either way, or the name is not a string. */
  constructor(offset: PyTimeDelta, name: string | null = null) {
    if (!(offset instanceof PyTimeDelta)) throw new InvalidArgumentError("PyTimeZone takes a PyTimeDelta.");
    if (name !== null && typeof name !== "string") {
      throw new InvalidArgumentError("The name of a PyTimeZone must be a string or null.");
    }
    const { days, seconds, microseconds } = offset;
    if (days !== 0 && (days !== -1 || seconds + microseconds === 0)) {
      throw new InvalidArgumentError("The offset of a PyTimeZone must be less than 24 hours, either way.");
    }
    this.offset = offset;
    this.name = name;
    Object.freeze(this);
  }

  /** As in ISO 8601: `+01:00`; with seconds and microseconds if there are any. */
  toString(): string {
    const { days, seconds, microseconds } = this.offset;
    const isBehind = days < 0;
    const micros = isBehind ? 86_400e6 - (seconds * 1e6 + microseconds) : seconds * 1e6 + microseconds;
    const whole = Math.floor(micros / 1e6);
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const fraction = microsText(micros % 1e6);
    const tail = rest === 0 && fraction === "" ? "" : `:${twoDigits(rest)}${fraction}`;
    return `${isBehind ? "-" : "+"}${twoDigits(hours)}:${twoDigits(minutes)}${tail}`;
  }
}

/** Never negative, and never -0. */
function remainder(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
