/**
 * The holder of a lock, as a string: a ticket, or the token of a foreign client [L11], which may be any bytes and must
 * be preserved.
 *
 * Valid UTF-8 is decoded. Otherwise each byte becomes one character, and those above 127 a lone surrogate (U+DC80 to
 * U+DCFF), which no UTF-8 decodes to. So no two tokens have the same string, and consoles and JSON show them escaped.
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

/** For a command: the bytes from which {@link tokenOf} made the string. */
export function argumentOf(token: string): string | Buffer {
  if (token.isWellFormed()) return token;
  return Buffer.from(Array.from(token, (character) => character.charCodeAt(0) & 0xff));
}
