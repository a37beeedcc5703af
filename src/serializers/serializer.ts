/**
 * The port between values and bytes.
 *
 * A serializer keeps a value exactly or throws; it never changes one silently. Its name is stored beside the
 * bytes [S6], so that nobody reads them with another one. It does no I/O and keeps no state between calls.
 */

/**
 * Turns values into bytes and back.
 *
 * @example
 * ```ts
 * const upper: Serializer = {
 *   name: "text",
 *   serialize: (value) => new TextEncoder().encode(String(value)),
 *   deserialize: (bytes) => new TextDecoder().decode(bytes),
 * };
 * ```
 */
export interface Serializer {
  /** 1–32 characters of `a-z A-Z 0-9 . _ -`; stored with every state, so change it when the bytes change meaning. */
  readonly name: string;
  /** Throws when the value cannot be kept exactly. Equal values must give equal bytes. */
  serialize(value: unknown): Uint8Array;
  /** Throws when the bytes are not its own. Every call returns a fresh value. */
  deserialize(bytes: Uint8Array): unknown;
}
