/**
 * What is stored for a key of `store.once()`: the number of the last attempt, and how the attempt ended, once it has.
 *
 * The record is a plain object that holds the result, so that a result of `undefined` or `null` is one, and an error can
 * be told from both. It is kept by the user's serializer, like every state. Its members are a stored format.
 */
import { createHash } from "node:crypto";
import type { LoadedState } from "../backends/contract.ts";
import { ConflictError, isError, shownId } from "../errors.ts";
import type { Codec } from "./codec.ts";

/** How an attempt ended: what is remembered, or what its caller gets. */
export type OnceOutcome = { readonly value: unknown } | { readonly error: unknown };

/** As stored. Without `done`, the attempt is running, has failed, or its process has died. */
interface Stored {
  readonly attempt: number;
  readonly fingerprint?: string;
  readonly done?: "value" | "error";
  readonly value?: unknown;
  readonly error?: { readonly name: string; readonly message: string; readonly code?: string };
}

/** An attempt: its number, and the fingerprint that an earlier call left. */
export type Attempt = Pick<Stored, "attempt" | "fingerprint">;

/** What a record says to a caller. */
export interface OnceRecord {
  /** The number of the last attempt; 0 if there was none. */
  readonly attempt: number;
  /** `undefined`: nothing is remembered. */
  readonly outcome: OnceOutcome | undefined;
  /** That of an earlier call. */
  readonly fingerprint?: string | undefined;
}

const noRecord: OnceRecord = { attempt: 0, outcome: undefined };

/** Reads and writes the records of one key. */
export class OnceRecords {
  readonly codec: Codec;
  readonly #id: string;
  readonly #fingerprint: { readonly fingerprint?: string };

  /** `id`: the internal one. `fingerprint`: of the caller's request, if it gave one. */
  constructor(id: string, codec: Codec, fingerprint: { readonly of: unknown } | undefined) {
    this.#id = id;
    this.codec = codec;
    this.#fingerprint =
      fingerprint === undefined ? {} : { fingerprint: hashOf(codec.encode(fingerprint.of)) };
  }

  /** The outcome is the caller's own copy. Throws ConflictError if the key was used with another fingerprint. */
  read(loaded: LoadedState): OnceRecord {
    const state = this.codec.readable(loaded);
    if (state === null) return noRecord;
    const stored = this.codec.valueOf(state) as Partial<Stored> | null | undefined;
    const attempt = stored?.attempt;
    if (typeof attempt !== "number") throw this.codec.corrupt("it is not a record of a once");
    const { fingerprint } = stored as Stored;
    this.#compare(fingerprint);
    return { attempt, outcome: outcomeOf(stored as Stored), fingerprint };
  }

  /** The bytes to store before the function of this attempt is called. */
  begun(attempt: Attempt): Uint8Array {
    return this.#encode(attempt);
  }

  ended(attempt: Attempt, outcome: OnceOutcome): Uint8Array {
    if ("value" in outcome) return this.#encode({ ...attempt, done: "value", value: outcome.value });
    return this.#encode({ ...attempt, done: "error", error: partsOf(outcome.error) });
  }

  /** What `ended` encoded, as its readers will see it. Throws SerializationError if that is impossible. */
  readBack(bytes: Uint8Array): OnceOutcome | undefined {
    return outcomeOf(this.codec.readBack(bytes) as Stored);
  }

  #encode(record: Stored): Uint8Array {
    return this.codec.encode({ ...record, ...this.#fingerprint });
  }

  #compare(found: string | undefined): void {
    const { fingerprint } = this.#fingerprint;
    if (fingerprint === undefined || found === undefined || fingerprint === found) return;
    throw new ConflictError(
      `The key of ${shownId(this.#id)} was used with another fingerprint before: a key stands for one request. ` +
        `Use another key, or forget() this one.`,
    );
  }
}

function outcomeOf({ done, value, error }: Stored): OnceOutcome | undefined {
  if (done === "value") return { value };
  return done === "error" ? { error: errorOf(error) } : undefined;
}

/** An error that an earlier call threw, perhaps in another process: what is kept of it, and the stack of this call. */
function errorOf(parts: Stored["error"]): Error {
  const error: Error & { code?: string } = new Error(parts?.message);
  const { name = "Error", code } = parts ?? {};
  Object.defineProperty(error, "name", { value: name, writable: true, configurable: true });
  if (code !== undefined) error.code = code;
  return error;
}

/** Texts only: what else an error has may be anything. */
function partsOf(thrown: unknown): NonNullable<Stored["error"]> {
  if (!isError(thrown)) return { name: "Error", message: wellFormed(thrown) };
  const { code } = thrown as { readonly code?: unknown };
  const parts = { name: wellFormed(thrown.name), message: wellFormed(thrown.message) };
  return typeof code === "string" ? { ...parts, code: wellFormed(code) } : parts;
}

/** A serializer may refuse lone surrogates. */
function wellFormed(text: unknown): string {
  return String(text).toWellFormed();
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64url");
}
