/**
 * How a sealed serializer is recognized, and what it does to bytes. Only src/updates/codec.ts calls it: it knows the id
 * that a value is bound to, and compares values before they are sealed.
 *
 * The property is not enumerable. So a serializer that is made by spreading a sealed one is not sealed by accident
 * halfway: its `serialize` throws.
 */
import type { Serializer } from "../serializer.ts";

/** Two copies of the package in one process share it. With the version of what the property holds. */
const mark = Symbol.for("holdfast.sealing.1");

/** What a sealed value is bound to. */
export interface Binding {
  /** As it is stored. */
  readonly id: string;
  /** The stored format, which has the names of both serializers, the version, and no NUL. */
  readonly format: string;
}

/** The bytes of a value, or why they cannot be had. */
export type Unsealed =
  | {
      readonly bytes: Uint8Array;
      /** Whether it was sealed with the first key. */
      readonly isCurrent: boolean;
    }
  | {
      /** For the message of a SealError, as the end of "the state cannot be read: ". */
      readonly problem: string;
      /** The key that is missing. */
      readonly keyId?: string;
    };

export interface Sealing {
  /** Between values and the bytes to seal. */
  readonly inner: Serializer;
  /** Other bytes at each call. */
  seal(bytes: Uint8Array, binding: Binding): Uint8Array;
  unseal(bytes: Uint8Array, binding: Binding): Unsealed;
  /** The same keys around another serializer. */
  withInner(inner: Serializer): Serializer;
}

export function withSealing(serializer: Serializer, sealing: Sealing): Serializer {
  return Object.freeze(Object.defineProperty(serializer, mark, { value: sealing }));
}

/** `undefined`: it is not sealed. */
export function sealingOf(serializer: Serializer): Sealing | undefined {
  return (serializer as { readonly [mark]?: Sealing })[mark];
}
