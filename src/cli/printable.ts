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

/** What a password is shown as. */
const mask = "***";
/** Of a password that was cut short, so many characters are enough to know it by. */
const enough = 4;

/** [P3] The text without the passwords of the URLs that were given, wherever on the command line, also where they are cut short. */
export function withoutPasswords(text: string, given: readonly string[] = givenTexts()): string {
  let masked = text;
  for (const url of given) {
    const [, head, password] = /(\w+:\/\/[^\s/:@]*:)(.+)@/s.exec(url) ?? [];
    if (head === undefined || password === undefined) continue;
    for (const form of new Set([password, printable(password), JSON.stringify(password).slice(1, -1)]))
      masked = withoutPassword(masked, { head, password: form });
  }
  return masked;
}

function withoutPassword(
  text: string,
  { head, password }: { readonly head: string; readonly password: string },
): string {
  const [first = "", ...rest] = text.split(head);
  const masked = rest.map((piece) => {
    let same = 0;
    while (same < password.length && piece[same] === password[same]) same += 1;
    return same < Math.min(password.length, enough) ? piece : mask + piece.slice(same);
  });
  return [first, ...masked].join(head);
}

function givenTexts(): string[] {
  return [...process.argv.slice(2), process.env["HOLDFAST_URL"] ?? ""];
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
