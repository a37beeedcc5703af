/** What Python's dates and times share: the ranges of their fields, and how they are shown. */
import { InvalidArgumentError } from "../../../errors.ts";

/** Returns the value. Throws InvalidArgumentError if it is not a whole number from the first to the last one. */
export function wholeNumber(what: string, value: number, [min, max]: readonly [number, number]): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value + 0; // not -0
  const got = typeof value === "number" ? `; got ${value}` : "";
  throw new InvalidArgumentError(`${what} must be a whole number from ${min} to ${max}${got}.`);
}

/** Checks the date: the years 1 to 9999, by the Gregorian calendar. */
export function checkDate(what: string, year: number, [month, day]: readonly [number, number]): void {
  wholeNumber(`The year of a ${what}`, year, [1, 9999]);
  wholeNumber(`The month of a ${what}`, month, [1, 12]);
  wholeNumber(`The day of a ${what}`, day, [1, daysOf(year, month)]);
}

/** The time of day, complete. */
export interface ClockFields {
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly microsecond: number;
  readonly fold: 0 | 1;
}

/** Fills in what was left out. Throws InvalidArgumentError. */
export function clockFields(
  what: string,
  parts: { readonly [K in keyof ClockFields]?: ClockFields[K] | undefined },
): ClockFields {
  const { hour = 0, minute = 0, second = 0, microsecond = 0, fold = 0 } = parts;
  return {
    hour: wholeNumber(`The hour of a ${what}`, hour, [0, 23]),
    minute: wholeNumber(`The minute of a ${what}`, minute, [0, 59]),
    second: wholeNumber(`The second of a ${what}`, second, [0, 59]),
    microsecond: wholeNumber(`The microsecond of a ${what}`, microsecond, [0, 999_999]),
    fold: wholeNumber(`The fold of a ${what}`, fold, [0, 1]) === 1 ? 1 : 0,
  };
}

/** `2026-11-30` */
export function dateText(year: number, month: number, day: number): string {
  return `${String(year).padStart(4, "0")}-${twoDigits(month)}-${twoDigits(day)}`;
}

/** `08:05:30`, with microseconds if there are any. */
export function clockText({ hour, minute, second, microsecond }: ClockFields): string {
  return `${[hour, minute, second].map(twoDigits).join(":")}${microsText(microsecond)}`;
}

/** `.000001`, or nothing. */
export function microsText(microseconds: number): string {
  return microseconds === 0 ? "" : `.${String(microseconds).padStart(6, "0")}`;
}

export function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}
