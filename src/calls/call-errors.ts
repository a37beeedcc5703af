/** The errors of a call: what was tried, why it failed, and whether it may have taken effect. */
import {
  CorruptStateError,
  type HoldfastError,
  isOfOurs,
  type Outcome,
  quoted,
  sentence,
  UnavailableError,
} from "../errors.ts";

/** What a call is about. */
export type Subject = string | { readonly doing: string; readonly id: string };

/** `undefined`: it is not about one id. */
export function idOf(subject: Subject): string | undefined {
  return typeof subject === "string" ? undefined : subject.id;
}

/** `Saving the state`. */
export function doingOf(subject: Subject): string {
  return typeof subject === "string" ? subject : subject.doing;
}

const loadFirst = "It may have taken effect: check before you retry.";

/**
 * The error of a call without an answer within `operationMs`. `cause`: the last failure with a specific reason, if any.
 */
export function outOfTime(call: {
  readonly subject: Subject;
  readonly operationMs: number;
  readonly outcome: Outcome;
  readonly cause: HoldfastError;
}): UnavailableError {
  const { subject, operationMs, outcome, cause } = call;
  const code = cause instanceof UnavailableError ? cause.code : "UNREACHABLE";
  const text = `${textOf(subject)} did not succeed within operationMs (${operationMs} ms): ${sentence(cause.message)}`;
  const message = outcome === "unknown" ? `${text} ${loadFirst}` : text;
  return new UnavailableError(message, { code, outcome, cause });
}

/** A failure that will not go away by itself, with what was tried. An error of a class of the user's own stays as it is. */
export function ended(subject: Subject, error: HoldfastError): HoldfastError {
  if (typeof subject === "string" || !(error instanceof UnavailableError) || !isOfOurs(error)) return error;
  const { code, lasting, outcome, cause } = error;
  const message = `${textOf(subject)} failed: ${sentence(error.message)}`;
  return new UnavailableError(message, { code, lasting, outcome, cause });
}

/** No answer came in time, and no failure has a specific reason. */
export function noAnswer(backend: string, wasSent: boolean): UnavailableError {
  if (wasSent) return new UnavailableError(`${backend} did not answer`, { outcome: "unknown" });
  return new UnavailableError(`${backend} did not accept a connection in time`, { outcome: "none" });
}

export function forgotten(subject: Subject, backend: string): UnavailableError {
  return new UnavailableError(`${textOf(subject)}: ${backend} lost data between two attempts. ${loadFirst}`, {
    outcome: "unknown",
  });
}

/**
 * The error with this outcome: even if the last attempt was certainly not carried out, an earlier one may have been.
 */
export function withOutcome(error: HoldfastError, outcome: Outcome): HoldfastError {
  if (error.outcome === outcome) return error;
  if (error instanceof UnavailableError) {
    const message = outcome === "none" ? error.message.replace(` ${loadFirst}`, "") : error.message;
    const { code, lasting } = error;
    return new UnavailableError(message, { code, lasting, outcome, cause: error.cause ?? error });
  }
  return error instanceof CorruptStateError
    ? new CorruptStateError(error.message, { id: error.id, outcome, cause: error })
    : error;
}

function textOf(subject: Subject): string {
  return typeof subject === "string" ? subject : `${subject.doing} ${quoted(subject.id)}`;
}
