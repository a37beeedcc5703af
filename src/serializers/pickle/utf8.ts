/**
 * Text as CPython pickles it: UTF-8 in which a lone surrogate is written like any other character ("surrogatepass").
 *
 * JavaScript keeps lone surrogates as well, so they are kept. It cannot keep two that make a pair, but stand for two
 * characters in Python: such a text would become another one, and is not read.
 */
import { Buffer, isAscii } from "node:buffer";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of the bytes, or `undefined` if they are not text that JavaScript can keep. */
export function decodeText(bytes: Uint8Array): string | undefined {
  if (isAscii(bytes)) return latin1(bytes);
  try {
    return decoder.decode(bytes);
  } catch {
    return decodeWithSurrogates(bytes);
  }
}

/** One character for each byte. */
export function latin1({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

/** The bytes of the text. */
export function encodeText(text: string): Uint8Array {
  return text.isWellFormed() ? Buffer.from(text, "utf8") : Buffer.concat(piecesOf(text).map(encodePiece));
}

/** Whether the text has a surrogate pair that was put together of two characters of its own. */
export function joins(before: string, after: string): boolean {
  return isHigh(before.charCodeAt(before.length - 1)) && isLow(after.charCodeAt(0));
}

/** What is well-formed, and single surrogates, in turn. */
function piecesOf(text: string): string[] {
  return text.split(/(\p{Surrogate})/u);
}

function encodePiece(piece: string): Buffer {
  const code = piece.charCodeAt(0);
  if (piece.length !== 1 || (!isHigh(code) && !isLow(code))) return Buffer.from(piece, "utf8");
  return Buffer.from([0xed, 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]);
}

function decodeWithSurrogates(bytes: Uint8Array): string | undefined {
  const pieces: string[] = [];
  let start = 0;
  for (let at = bytes.indexOf(0xed); at !== -1; at = bytes.indexOf(0xed, at + 1)) {
    const code = surrogateAt(bytes, at);
    if (code === undefined) continue;
    pieces.push(decodeStrictly(bytes.subarray(start, at)) ?? notText, String.fromCharCode(code));
    if (pieces.at(-2) === notText) return undefined;
    start = at + 3;
  }
  const end = decodeStrictly(bytes.subarray(start));
  if (end === undefined || pieces.length === 0) return undefined;
  const kept = [...pieces, end].filter((piece) => piece !== "");
  const isJoined = kept.some((piece, index) => joins(piece, kept[index + 1] ?? ""));
  return isJoined ? undefined : kept.join("");
}

/** No piece of a text is equal to it: they are well-formed, or one surrogate. */
const notText = "\ud800\ud800";

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The surrogate whose three bytes begin there. The byte 0xED begins nothing else that its second byte allows. */
function surrogateAt(bytes: Uint8Array, at: number): number | undefined {
  const [second = 0, third = 0] = bytes.subarray(at + 1, at + 3);
  if (second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) return undefined;
  return 0xd000 | ((second & 0x3f) << 6) | (third & 0x3f);
}

function isHigh(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLow(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
