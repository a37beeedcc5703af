/**
 * The port between values and bytes.
 *
 * A serializer keeps a value exactly or throws; it never changes one silently. Its name is stored with the
 * bytes [S6], so that they are never read with another one. It does no I/O. What it is given and what it returns is
 * copied by src/updates/codec.ts, unless it says that it need not be.
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
  /** Throws when the bytes are not its own. The bytes are its own copy, and the value may keep parts of them. */
  deserialize(bytes: Uint8Array): unknown;
  /**
   * `true`: `serialize` returns new bytes at each call, and nothing that `deserialize` returns refers to the bytes that it
   * was given. Then neither is copied, which saves time for large values. Leave it out when in doubt: decoders of typed
   * arrays (`node:v8`, MessagePack, CBOR) return views of their input.
   */
  readonly isolated?: boolean;
}
