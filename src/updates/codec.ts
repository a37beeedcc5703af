/**
 * Converts the values of one state to bytes and back, with the checks that apply to every serializer: its name, the
 * size, and errors that name the state.
 *
 * No bytes are shared with user code: a serializer gets a copy, and what it returns is copied. So bytes that are
 * compared, kept or sent are never changed through a value made from them, or by the next call [S3].
 *
 * A value has two forms: the bytes of the value, which are compared and counted, and those that are stored, which may be
 * sealed, or of an older format. `open` and `toSave` are the only ways from one to the other.
 */
import { formatIn } from "../backends/contract-formats.ts";
import type { LoadedState, SaveWrite, StoredState, Ttl } from "../backends/contract.ts";
import {
  clause,
  CorruptStateError,
  HoldfastError,
  isError,
  quoted,
  SerializationError,
  shownId,
} from "../errors.ts";
import { SealError } from "../value-errors.ts";
import { sealingOf, type Sealing } from "../serializers/sealed/sealing.ts";
import type { Serializer } from "../serializers/serializer.ts";
import { cannotRead, type Known } from "./formats/format-name.ts";

/** A stored value, as bytes that `decode` reads. */
export interface Opened {
  readonly bytes: Uint8Array;
  /**
   * Whether it may stay as it is stored. `false`: it was stored in another format, or sealed with an older key, and the next
   * update stores it again, even if the value has not changed.
   */
  readonly isCurrent: boolean;
}

export class Codec {
  /** Its name is stored. */
  readonly serializer: Serializer;
  /** Of the state. */
  readonly id: string;
  /** What it writes. */
  readonly format: string;
  /** The other formats that its saves may replace. */
  readonly replaces: readonly string[] | undefined = undefined;
  readonly #maxBytes: number;
  readonly #sealing: Sealing | undefined;
  /** Between values and bytes. */
  readonly #inner: Serializer;

  constructor(id: string, serializer: Serializer, maxBytes: number) {
    this.id = id;
    this.serializer = serializer;
    this.format = serializer.name;
    this.#maxBytes = maxBytes;
    this.#sealing = sealingOf(serializer);
    this.#inner = this.#sealing?.inner ?? serializer;
  }

  /** Throws SerializationError if the value cannot be kept exactly, or is too large. */
  encode(value: unknown): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = this.#inner.serialize(value);
    } catch (error) {
      if (error instanceof SerializationError)
        throw this.#notSaved(`The new value of ${this.#state} was not saved. ${error.message}`, error);
      if (error instanceof HoldfastError) throw error;
      throw this.#notSaved(
        `The serializer ${this.#name} cannot keep the new value of ${this.#state}.`,
        error,
      );
    }
    if (!(bytes instanceof Uint8Array)) {
      throw this.#notSaved(
        `The new value of ${this.#state} was not saved: the serializer ${this.#name} must return a Uint8Array.`,
      );
    }
    if (bytes.byteLength > this.#maxBytes) {
      throw this.#notSaved(
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
      throw this.#notSaved(
        `The serializer ${this.#name} cannot read what it wrote for the new value of ${this.#state} ` +
          `(${messageOf(error)}). Nothing was saved: fix the serializer.`,
        error,
      );
    }
  }

  /**
   * The stored state, if it has a format that this handle reads, and so may replace; `null` only if it is absent [S1] [S6].
   */
  readable(loaded: LoadedState): StoredState | null {
    if (loaded === null) return null;
    if ("unreadable" in loaded) throw this.#corrupt(loaded.unreadable);
    if (loaded.serializer === this.format || this.replaces?.includes(loaded.serializer) === true)
      return loaded;
    throw cannotRead(this.known, loaded.serializer);
  }

  /** The bytes of a stored value in the format of this handle. Throws SealError if they are sealed, and cannot be had. */
  open({ bytes, serializer: format }: StoredState): Opened {
    if (this.#sealing === undefined) return { bytes, isCurrent: true };
    const unsealed = this.#sealing.unseal(bytes, { id: this.id, format });
    if ("bytes" in unsealed) return unsealed;
    const { problem, keyId } = unsealed;
    throw new SealError(this.#leftAlone(problem), { id: shownId(this.id), keyId });
  }

  /** The value of a stored state: `open` and `decode`. */
  valueOf(stored: StoredState): unknown {
    return this.decode(this.open(stored).bytes);
  }

  /** What is stored for a value that was encoded, sealed if this serializer seals. */
  toSave(bytes: Uint8Array, ttlMs: Ttl): SaveWrite {
    const { id, format, replaces } = this;
    const stored = this.#sealing?.seal(bytes, { id, format }) ?? bytes;
    return { kind: "save", bytes: stored, serializer: format, replaces, ttlMs };
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
    return this.#inner.deserialize(this.#own(bytes));
  }

  #own(bytes: Uint8Array): Uint8Array {
    return this.#inner.isolated === true ? bytes : new Uint8Array(bytes);
  }

  #corrupt(found: string, cause?: unknown): CorruptStateError {
    return new CorruptStateError(this.#leftAlone(found), { id: shownId(this.id), cause });
  }

  #leftAlone(found: string): string {
    return `The state ${quoted(this.id)} cannot be read and was left as it is: ${clause(found)}.`;
  }

  #notSaved(message: string, cause?: unknown): SerializationError {
    return new SerializationError(message, { id: shownId(this.id), cause });
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
