/**
 * Converts the values of one state to bytes and back, with the checks that apply to every serializer: its name, the
 * size, and errors that name the state.
 *
 * No bytes are shared with user code: a serializer gets a copy, and what it returns is copied. So bytes that are
 * compared, kept or sent are never changed through a value made from them, or by the next call [S3].
 */
import { formatIn } from "../backends/contract-formats.ts";
import type { LoadedState, StoredState } from "../backends/contract.ts";
import { clause, CorruptStateError, HoldfastError, isError, quoted, SerializationError } from "../errors.ts";
import type { Serializer } from "../serializers/serializer.ts";
import { cannotRead, type Known } from "./formats/format-name.ts";

/** A stored state whose bytes are in the format of the handle that has loaded it. */
export interface ReadableState extends StoredState {
  /** The format that is stored, if it is another one. */
  readonly storedAs?: string | undefined;
}

export class Codec {
  readonly serializer: Serializer;
  /** Of the state. */
  readonly id: string;
  /** What it writes. */
  readonly format: string;
  /** The other formats that its saves may replace. */
  readonly replaces: readonly string[] | undefined = undefined;
  readonly #maxBytes: number;

  constructor(id: string, serializer: Serializer, maxBytes: number) {
    this.id = id;
    this.serializer = serializer;
    this.format = serializer.name;
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
  readable(loaded: LoadedState): ReadableState | null {
    const stored = this.replaceable(loaded);
    if (stored === null || stored.serializer === this.format) return stored;
    throw cannotRead(this.known, stored.serializer);
  }

  /** The stored state, if a save of this handle may replace it; it need not be read for that [S6]. */
  replaceable(loaded: LoadedState): StoredState | null {
    if (loaded === null) return null;
    if ("unreadable" in loaded) throw this.#corrupt(loaded.unreadable);
    if (loaded.serializer === this.format || this.replaces?.includes(loaded.serializer) === true)
      return loaded;
    throw cannotRead(this.known, loaded.serializer);
  }

  /** What the value would be after a save and a load with this handle: the caller's own copy. */
  copy(value: unknown): unknown {
    return this.readBack(this.encode(value));
  }

  /** The error for stored data that cannot be read, or not be replaced. */
  corrupt(found: string): HoldfastError {
    const format = formatIn(found);
    return format === undefined ? this.#corrupt(found) : cannotRead(this.known, format);
  }

  /** What it reads and writes, for messages. */
  protected get known(): Known {
    return { id: this.id, format: { serializer: this.serializer.name, version: 1 }, oldest: 1, previous: [] };
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
