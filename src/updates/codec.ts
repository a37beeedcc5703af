/**
 * Converts the values of one state to bytes and back, with the checks that apply to every serializer: its name, the
 * size, and errors that name the state.
 *
 * No bytes are shared with user code: a serializer gets a copy, and what it returns is copied. So bytes that are
 * compared, kept or sent are never changed through a value made from them, or by the next call [S3].
 */
import type { LoadedState, StoredState } from "../backends/contract.ts";
import { clause, CorruptStateError, HoldfastError, isError, quoted, SerializationError } from "../errors.ts";
import type { Serializer } from "../serializers/serializer.ts";

export class Codec {
  readonly serializer: Serializer;
  /** Of the state. */
  readonly id: string;
  readonly #maxBytes: number;

  constructor(id: string, serializer: Serializer, maxBytes: number) {
    this.id = id;
    this.serializer = serializer;
    this.#maxBytes = maxBytes;
  }

  /** Throws SerializationError if the value cannot be kept exactly, or is too large. */
  encode(value: unknown): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = this.serializer.serialize(value);
    } catch (error) {
      if (error instanceof SerializationError)
        throw new SerializationError(`The new value of ${this.#state} was not saved. ${error.message}`, {
          cause: error,
        });
      if (error instanceof HoldfastError) throw error;
      throw new SerializationError(
        `The serializer ${this.#name} cannot keep the new value of ${this.#state}.`,
        { cause: error },
      );
    }
    if (!(bytes instanceof Uint8Array)) {
      throw new SerializationError(`The serializer ${this.#name} must return a Uint8Array.`);
    }
    if (bytes.byteLength > this.#maxBytes) {
      throw new SerializationError(
        `The new value of ${this.#state} takes ${bytes.byteLength} bytes, more than maxStateBytes ` +
          `(${this.#maxBytes}). Split it into several states, or raise maxStateBytes.`,
      );
    }
    return this.#own(bytes);
  }

  /** Returns a new value. Throws CorruptStateError if this handle cannot read the bytes [S6]. */
  decode(bytes: Uint8Array): unknown {
    if (bytes.byteLength > this.#maxBytes) {
      throw this.#corrupt(`it takes ${bytes.byteLength} bytes, more than maxStateBytes (${this.#maxBytes})`);
    }
    try {
      return this.#deserialize(bytes);
    } catch (error) {
      throw this.#corrupt(messageOf(error), error);
    }
  }

  /** What was just encoded, as the caller's own copy. Throws SerializationError if the serializer cannot read it. */
  readBack(bytes: Uint8Array): unknown {
    try {
      return this.#deserialize(bytes);
    } catch (error) {
      throw new SerializationError(
        `The serializer ${this.#name} cannot read what it wrote for the new value of ${this.#state} ` +
          `(${messageOf(error)}). Nothing was saved: fix the serializer.`,
        { cause: error },
      );
    }
  }

  /** The stored state, if this handle can read it; `null` only if it is absent [S1]. */
  readable(loaded: LoadedState): StoredState | null {
    if (loaded === null) return null;
    if ("unreadable" in loaded) throw this.#corrupt(loaded.unreadable);
    if (loaded.serializer === this.serializer.name) return loaded;
    throw this.#corrupt(
      `it was written by the serializer "${loaded.serializer}", and this handle uses ${this.#name}`,
    );
  }

  /** What the value would be after a save and a load with this handle: the caller's own copy. */
  copy(value: unknown): unknown {
    return this.readBack(this.encode(value));
  }

  /** The error for stored data that cannot be read. */
  corrupt(found: string): CorruptStateError {
    return this.#corrupt(found);
  }

  #deserialize(bytes: Uint8Array): unknown {
    return this.serializer.deserialize(this.#own(bytes));
  }

  #own(bytes: Uint8Array): Uint8Array {
    return this.serializer.isolated === true ? bytes : new Uint8Array(bytes);
  }

  #corrupt(found: string, cause?: unknown): CorruptStateError {
    return new CorruptStateError(`${this.#state} cannot be read and was left as it is: ${clause(found)}.`, {
      cause,
    });
  }

  get #state(): string {
    return `the state ${quoted(this.id)}`;
  }

  get #name(): string {
    return `"${this.serializer.name}"`;
  }
}

function messageOf(error: unknown): string {
  return clause(isError(error) ? error.message : String(error));
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
