/**
 * Operations of one tick, sent together: one script takes, releases or commits many locks, since most of what a command
 * costs, on either side, it costs once per command and not once per lock.
 *
 * Each operation has its own answer or its own error, and none waits for another tick: what comes alone is sent alone.
 * Two operations on one id never share a script, so that a script meets each lock once.
 */
import type { Ahead, Caller } from "./caller.ts";
import type { RedisArgument, RedisReply } from "./client.ts";
import type { Life } from "./receipts.ts";
import type { Script } from "./scripts.ts";

/** One script stops the server for all of its operations: about 0.2 ms for so many. */
const maxOperations = 64;
const maxBytes = 262_144;

/** A field of an operation: text, except for what a script counts with. */
export type Field = string | number;

export interface Operation<T> {
  readonly id: string;
  /** As the header of the script names them: the id comes first. */
  readonly fields: readonly Field[];
  /** What a save brings. */
  readonly bytes?: Buffer | undefined;
  /** A command that must go ahead of the script. */
  readonly ahead?: Ahead | undefined;
  /** How many bytes it brings, here or ahead. */
  readonly size?: number;
  /** The script has been sent: what is sent now follows it. */
  readonly onSent?: (() => void) | undefined;
  /** Strings of the reply are wanted as bytes. */
  readonly wantsBytes: boolean;
  /** `life`: that of the receipts, as the script was told of it. */
  readonly read: (reply: RedisReply, life: Life) => T;
}

interface Waiting {
  readonly operation: Operation<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What all operations of one script share; asked for when it is sent. */
export interface Common {
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly life: Life;
}

export class Batcher {
  readonly #caller: Caller;
  readonly #script: Script;
  readonly #common: () => Common;
  #batch = new Batch();

  constructor(caller: Caller, script: Script, common: () => Common) {
    this.#caller = caller;
    this.#script = script;
    this.#common = common;
  }

  add<T>(operation: Operation<T>): Promise<T> {
    if (!this.#batch.takes(operation)) this.#send();
    // After the promises that the last replies have settled, which may bring more, and before the next replies.
    if (this.#batch.isEmpty) process.nextTick(this.#flush, this.#batch);
    return this.#batch.add(operation);
  }

  readonly #flush = (batch: Batch): void => {
    if (batch === this.#batch) this.#send();
  };

  #send(): void {
    const batch = this.#batch;
    this.#batch = new Batch();
    const { keys, args, life } = this.#common();
    const call = {
      script: this.#script,
      keys,
      args: [...args, JSON.stringify(batch.operations), batch.payload],
      bytes: batch.wantsBytes,
      ahead: batch.ahead,
      onSent: () => batch.sent(),
      read: (replies: RedisReply) => batch.answer(replies, life, this.#caller),
    };
    this.#caller.run(call).catch((error: unknown) => batch.fail(error));
  }
}

class Batch {
  readonly operations: (readonly Field[])[] = [];
  readonly ahead: Ahead[] = [];
  readonly #payloads: Buffer[] = [];
  wantsBytes = false;
  readonly #waiting: Waiting[] = [];
  readonly #ids = new Set<string>();
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** One argument: each of its own would be a piece of its own for the socket. */
  get payload(): RedisArgument {
    const [first, ...rest] = this.#payloads;
    if (first === undefined) return "";
    return rest.length === 0 ? first : Buffer.concat(this.#payloads);
  }

  takes({ id, size = 0 }: Operation<unknown>): boolean {
    if (this.isEmpty) return true;
    return this.#waiting.length < maxOperations && this.#bytes + size <= maxBytes && !this.#ids.has(id);
  }

  add<T>(operation: Operation<T>): Promise<T> {
    this.#ids.add(operation.id);
    this.wantsBytes ||= operation.wantsBytes;
    this.operations.push(operation.fields);
    if (operation.ahead !== undefined) this.ahead.push(operation.ahead);
    if (operation.bytes !== undefined) this.#payloads.push(operation.bytes);
    this.#bytes += operation.size ?? 0;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, resolve: resolve as Waiting["resolve"], reject });
    });
  }

  sent(): void {
    for (const { operation } of this.#waiting) operation.onSent?.();
  }

  answer(replies: RedisReply, life: Life, caller: Caller): void {
    const list = Array.isArray(replies) ? (replies as readonly RedisReply[]) : [];
    this.#waiting.forEach(({ operation, resolve, reject }, index) => {
      try {
        const reply = list[index];
        if (reply === undefined)
          throw new Error(`HOLDFAST_REDIS_REPLY: no answer to operation ${String(index)}`);
        if (reply instanceof Error)
          throw caller.failureOf(reply.message, { id: operation.id, ahead: operation.ahead });
        resolve(operation.read(reply, life));
      } catch (error) {
        reject(error);
      }
    });
  }

  fail(error: unknown): void {
    for (const { reject } of this.#waiting) reject(error);
  }
}
