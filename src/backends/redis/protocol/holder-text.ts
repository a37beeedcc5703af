/**
 * The holder of a lock, as a string: a ticket of ours, or the token of a foreign client [L11], which may be any bytes and
 * must come back unchanged.
 *
 * Valid UTF-8 is decoded as such. Otherwise each byte becomes one character, those above 127 a lone surrogate (U+DC80 to
 * U+DCFF), which no UTF-8 decodes to: no two tokens share a string, and consoles and JSON show them escaped.
 */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const surrogateBase = 0xdc00;

export function tokenOf(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 128 ? byte : surrogateBase + byte)).join(
      "",
    );
  }
}

/** For a command: the bytes that {@link tokenOf} was given. */
export function argumentOf(token: string): string | Buffer {
  if (token.isWellFormed()) return token;
  return Buffer.from(Array.from(token, (character) => character.charCodeAt(0) & 0xff));
}
