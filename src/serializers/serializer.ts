/**
 * The interface between values and bytes.
 *
 * A serializer keeps a value exactly or throws; it never changes one silently. Its name is stored with the bytes [S6],
 * so that no other serializer reads them. It does no I/O. src/updates/codec.ts copies its input and its output, unless
 * the serializer says that this is not necessary.
 */

/**
 * Turns values into bytes and back.
 *
 * @example
 * ```ts
 * const plain: Serializer = {
 *   name: "plain-text",
 *   serialize: (value) => new TextEncoder().encode(String(value)),
 *   deserialize: (bytes) => new TextDecoder().decode(bytes),
 * };
 * ```
 */
export interface Serializer {
  /**
   * 1–32 characters of `a-z A-Z 0-9 . _ -`. Stored with every state, so change it if the meaning of the bytes changes.
   * Not one of Holdfast's own: `json`, `text`, `bytes`, `pickle`, `msgpack`, `sealed-…`.
   */
  readonly name: string;
  /** Returns the bytes of the value. Throws if the value cannot be kept exactly. Equal values must give equal bytes. */
  serialize(value: unknown): Uint8Array;
  /**
   * Returns the value of the bytes. Throws if this serializer did not write them. The bytes are its own copy; the value
   * may keep parts of them.
   */
  deserialize(bytes: Uint8Array): unknown;
  /**
   * `true`: `serialize` returns new bytes at each call, and nothing that `deserialize` returns refers to its input.
   * Then neither is copied, which saves time for large values. Leave it out if in doubt: decoders of typed arrays
   * (`node:v8`, MessagePack, CBOR) return views of their input.
   */
  readonly isolated?: boolean | undefined;
}
