/**
 * The escapes of protocol 0, which writes text in lines: `raw-unicode-escape` for the strings of Python 3, and the
 * `repr()` of those of Python 2. Both take linear time.
 */
import { joins } from "../utf8.ts";

/** A backslash and the character after it go together: the u of \\u41 belongs to no escape. */
const rawEscape = /\\(?:u(.{0,4})|U(.{0,8})|[^uU]|$)/gs;

/** What a line of UNICODE says; one character of `line` for each byte. `undefined`: it is not valid, or cannot be kept. */
export function decodeRawUnicode(line: string): string | undefined {
  const pieces: string[] = [];
  let start = 0;
  let last = "";
  for (const { 0: found, 1: short, 2: long, index } of line.matchAll(rawEscape)) {
    const digits = short ?? long;
    if (digits === undefined && found.length === 2) continue; // stands for itself
    const character = characterOf(digits ?? "", short === undefined ? 8 : 4);
    // Two escapes that would make one character of two.
    if (character === undefined || (index === start && joins(last, character))) return undefined;
    pieces.push(line.slice(start, index), character);
    start = index + found.length;
    last = character;
  }
  return pieces.length === 0 ? line : pieces.join("") + line.slice(start);
}

function characterOf(digits: string, length: number): string | undefined {
  if (digits.length !== length || !/^[\da-f]+$/i.test(digits)) return undefined;
  const code = Number.parseInt(digits, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

const escape = /\\(?:x([\da-fA-F]{2})|([0-7]{1,3})|(.)|$)/gs;
const letters: ReadonlyMap<string, string> = new Map([
  ["\\", "\\"],
  ["'", "'"],
  ['"', '"'],
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);

/** What a line of STRING says: quoted, with the escapes of `repr()`. `undefined`: it is not valid. */
export function decodeEscapes(text: string): string | undefined {
  const quote = text.charAt(0);
  if (text.length < 2 || !/["']/.test(quote) || !text.endsWith(quote)) return undefined;
  const pieces: string[] = [];
  const inside = text.slice(1, -1);
  let start = 0;
  for (const { 0: found, 1: hex, 2: octal, 3: letter, index } of inside.matchAll(escape)) {
    const code = hex === undefined ? Number.parseInt(octal ?? "", 8) & 0xff : Number.parseInt(hex, 16);
    const isCode = hex !== undefined || octal !== undefined;
    const character = isCode ? String.fromCharCode(code) : decodeLetter(letter);
    if (character === undefined) return undefined;
    pieces.push(inside.slice(start, index), character);
    start = index + found.length;
  }
  return pieces.join("") + inside.slice(start);
}

/** What is no escape stands for itself, with its backslash. */
function decodeLetter(letter: string | undefined): string | undefined {
  if (letter === undefined || letter === "x") return undefined;
  return letters.get(letter) ?? `\\${letter}`;
}
