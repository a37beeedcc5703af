/**
 * Text that cannot break a terminal: control characters, and the marks that change the direction of text, are written
 * as escapes. Nor does a message show a password.
 */

/** Controls, separators of lines, marks of direction, lone surrogates. */
const unsafe = /\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}|\p{Surrogate}/gu;

/** The text on one line. A backslash stays as it is, so this is for people, not for programs. */
export function printable(text: string): string {
  return text.replace(unsafe, escaped);
}

/** The value as JSON on one line; parses as the same value. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(unsafe, escaped);
}

/** The value as JSON on several lines, for people. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[^\n]+/g, printable);
}

/** [P3] A URL that was given in a wrong place is shown without its password. */
export function withoutPasswords(text: string): string {
  return text.replace(/(:\/\/[^\s/:@]*:).*@/g, "$1***@");
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
