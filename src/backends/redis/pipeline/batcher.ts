/**
 * Operations of one tick, sent together: a script takes, releases or commits many locks, since most of what a command
 * costs, on either side, it costs once per command and not once per lock.
 *
 * Each operation has its own answer or its own error, and none waits for another tick: what comes alone is sent alone.
 * Two operations on one id never share a script, so that a script meets each lock once. How many scripts a tick makes, and
 * when their answers are opened: pacer.ts.
 */
import { failureBehind, type Ahead, type Caller } from "./script-runner.ts";
import type { RedisArgument, RedisReply } from "../client/port.ts";
import type { Flow } from "./pacer.ts";
import { Operations, type OperationFields } from "./encode.ts";
import type { Life } from "../receipts.ts";
import { repliesOf } from "./decode.ts";
import type { Script } from "../scripts/generated.ts";

/** One script stops the server for all of its operations: about 0.2 ms for so many asks, more for saves. */
const maxOperations = 64;
const maxBytes = 262_144;

export interface Operation<T> extends OperationFields {
  /** What a save brings. */
  readonly bytes?: Buffer | undefined;
  /** A command that must go ahead of the script. */
  readonly ahead?: Ahead | undefined;
  /** How many bytes it brings, here or ahead. */
  readonly weight?: number;
  /** The script has been sent: what is sent now follows it. */
  readonly onSent?: (() => void) | undefined;
  /** Strings of the reply are wanted as bytes. */
  readonly wantsBytes: boolean;
  /** Where one reply serves all: how far the next operation's stamp is from this one's. */
  readonly stamps: number;
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

export interface BatcherOptions {
  readonly caller: Caller;
  readonly flow: Flow;
  readonly script: Script;
  readonly common: () => Common;
}

export class Batcher {
  readonly #options: BatcherOptions;
  #waiting: Waiting[] = [];

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  add<T>(operation: Operation<T>): Promise<T> {
    // After the promises that the last replies have settled, which may bring more, and before the next replies.
    if (this.#waiting.length === 0) process.nextTick(this.#flush);
    this.#options.flow.added();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, resolve: resolve as Waiting["resolve"], reject });
    });
  }

  readonly #flush = (): void => {
    let waiting = this.#waiting;
    this.#waiting = [];
    // Room, bytes or an id that comes twice may make it more.
    for (let scripts = this.#options.flow.scriptsFor(waiting.length); waiting.length > 0; scripts -= 1) {
      const batch = new Batch(Math.ceil(waiting.length / Math.max(1, scripts)));
      const left = waiting.findIndex((one) => !batch.add(one));
      waiting = left < 0 ? [] : waiting.slice(left);
      this.#send(batch);
    }
  };

  #send(batch: Batch): void {
    const { caller, flow, script, common } = this.#options;
    const { keys, args, life } = common();
    const call = {
      script,
      keys,
      args: [batch.operations.toString(), ...args, batch.payload],
      bytes: batch.wantsBytes,
      ahead: batch.ahead,
      onSent: () => batch.sent(),
      read: (replies: RedisReply) => flow.answered(batch.count, () => batch.answer(replies, life, caller)),
    };
    flow.sent();
    caller.run(call).catch((error: unknown) => flow.answered(batch.count, () => batch.fail(error)));
  }
}

class Batch {
  readonly operations = new Operations();
  readonly ahead: Ahead[] = [];
  readonly #payloads: Buffer[] = [];
  wantsBytes = false;
  readonly #waiting: Waiting[] = [];
  readonly #ids = new Set<string>();
  readonly #room: number;
  #bytes = 0;

  constructor(room: number) {
    this.#room = Math.min(room, maxOperations);
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** One argument: each of its own would be a piece of its own for the socket. */
  get payload(): RedisArgument {
    const [first, ...rest] = this.#payloads;
    if (first === undefined) return "";
    return rest.length === 0 ? first : Buffer.concat(this.#payloads);
  }

  /** Is it taken? What comes after it has to wait for another script, then. */
  add(one: Waiting): boolean {
    const { id, ahead, bytes, weight = 0, wantsBytes } = one.operation;
    const isFull = this.count >= this.#room || this.#bytes + weight > maxBytes || this.#ids.has(id);
    if ((isFull && this.count > 0) || !this.operations.add(one.operation)) return false;
    this.#waiting.push(one);
    this.#ids.add(id);
    if (ahead !== undefined) this.ahead.push(ahead);
    if (bytes !== undefined) this.#payloads.push(bytes);
    this.#bytes += weight;
    this.wantsBytes ||= wantsBytes;
    return true;
  }

  sent(): void {
    for (const { operation } of this.#waiting) operation.onSent?.();
  }

  answer(replies: RedisReply, life: Life, caller: Caller): void {
    const list = repliesOf(
      replies,
      this.#waiting.map(({ operation }) => operation.stamps),
    );
    this.#waiting.forEach(({ operation, resolve, reject }, index) => {
      try {
        const reply = list[index];
        if (reply === undefined)
          throw new Error(`HOLDFAST_REDIS_REPLY: no answer to operation ${String(index)}`);
        if (reply instanceof Error)
          throw caller.failure(reply.message, { id: operation.id, ahead: operation.ahead });
        resolve(operation.read(reply, life));
      } catch (error) {
        reject(error);
      }
    });
  }

  fail(error: unknown): void {
    for (const { operation, reject } of this.#waiting) reject(failureBehind(operation.ahead, error));
  }
}
