/**
 * Who holds a lock, as a string: a ticket of ours, or the token of a foreign client [L11], which may be any bytes and must
 * come back as they were.
 *
 * Bytes that are UTF-8 are that text. Others become one character each, those above 127 a lone surrogate (U+DC80 to
 * U+DCFF), which no UTF-8 can stand for: so no two tokens share a string, and consoles and JSON show them escaped.
 */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const lone = 0xdc00;

export function tokenOf(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 128 ? byte : lone + byte)).join("");
  }
}

/** For a command: what {@link tokenOf} was made of. */
export function argumentOf(token: string): string | Buffer {
  if (token.isWellFormed()) return token;
  return Buffer.from(Array.from(token, (character) => character.charCodeAt(0) & 0xff));
}
