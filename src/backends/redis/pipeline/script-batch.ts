/**
 * The operations of one script: collected, sent, and settled one by one, each with its own reply or its own error.
 *
 * Two operations on one id never share a script, so that a script handles each lock once.
 */
import type { RedisArgument, RedisReply } from "../client/client-port.ts";
import type { ReceiptExpiry } from "../protocol/receipt-hash.ts";
import type { Script } from "../scripts/generated.ts";
import { repliesOf } from "../protocol/decode.ts";
import type { Operation } from "../protocol/operation.ts";
import { OperationEncoder } from "./operation-encoder.ts";
import { causedByAhead, type AheadCommand, type ScriptRunner } from "../protocol/script-runner.ts";

/** One script blocks the server for all its operations: about 0.2 ms for this many asks, more for saves. */
const maxOperations = 64;
const maxBytes = 262_144;

/** An operation whose caller waits for the reply. */
export interface PendingOperation {
  readonly operation: Operation<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The arguments that all operations of one script share; determined when it is sent. */
export interface SharedArguments {
  readonly keys: readonly string[];
  readonly args: readonly string[];
  readonly expiry: ReceiptExpiry;
}

export interface BatchTarget {
  readonly runner: ScriptRunner;
  readonly script: Script;
  /** The keys of one id that the script makes by itself. */
  readonly madeKeys: (id: string) => readonly string[];
  readonly shared: () => SharedArguments;
}

export class ScriptBatch {
  readonly #encoder = new OperationEncoder();
  readonly #ahead: AheadCommand[] = [];
  readonly #payloads: Buffer[] = [];
  readonly #pending: PendingOperation[] = [];
  readonly #ids = new Set<string>();
  readonly #maxOperations: number;
  #wantsBytes = false;
  #bytes = 0;

  constructor(operations: number) {
    this.#maxOperations = Math.min(operations, maxOperations);
  }

  get count(): number {
    return this.#pending.length;
  }

  /** Returns whether it fits. If not, it and the operations after it need another script. */
  add(pending: PendingOperation): boolean {
    const { request } = pending.operation;
    const { id, ahead, bytes, weight = 0, wantsBytes } = request;
    const isFull = this.count >= this.#maxOperations || this.#bytes + weight > maxBytes || this.#ids.has(id);
    if ((isFull && this.count > 0) || !this.#encoder.add(request)) return false;
    this.#pending.push(pending);
    this.#ids.add(id);
    if (ahead !== undefined) this.#ahead.push(ahead);
    if (bytes !== undefined) this.#payloads.push(bytes);
    this.#bytes += weight;
    this.#wantsBytes ||= wantsBytes;
    return true;
  }

  /** Sends the script. Once it has a reply or has failed, `onReply` gets a function that settles the operations. */
  send({ runner, script, madeKeys, shared }: BatchTarget, onReply: (settle: () => void) => void): void {
    const { keys, args, expiry } = shared();
    const call = {
      script,
      keys,
      madeKeys: () => this.#pending.flatMap(({ operation }) => madeKeys(operation.request.id)),
      args: this.#encoder.argumentsWith([...args, this.#payload()]),
      bytes: this.#wantsBytes,
      ahead: this.#ahead,
      onSent: () => this.#sent(),
      read: (replies: RedisReply) => onReply(() => this.#resolve(replies, expiry, runner)),
    };
    runner.run(call).catch((error: unknown) => onReply(() => this.#reject(error)));
  }

  /** One argument, since each would be a separate write to the socket. */
  #payload(): RedisArgument {
    const [first, ...rest] = this.#payloads;
    if (first === undefined) return "";
    return rest.length === 0 ? first : Buffer.concat(this.#payloads);
  }

  #sent(): void {
    for (const { operation } of this.#pending) operation.onSent?.();
  }

  #resolve(replies: RedisReply, expiry: ReceiptExpiry, runner: ScriptRunner): void {
    const list = repliesOf(
      replies,
      this.#pending.map(({ operation }) => operation.request.stamps),
    );
    this.#pending.forEach((pending, index) => settle(pending, list[index], { expiry, runner }));
  }

  #reject(error: unknown): void {
    for (const { operation, reject } of this.#pending) reject(causedByAhead(operation.request.ahead, error));
  }
}

/** `reply`: its own. */
export function settle(
  { operation, resolve, reject }: PendingOperation,
  reply: RedisReply | undefined,
  { expiry, runner }: { readonly expiry: ReceiptExpiry; readonly runner: ScriptRunner },
): void {
  try {
    if (reply === undefined) throw new Error("HOLDFAST_REDIS_REPLY: no answer to an operation");
    if (reply instanceof Error) throw runner.errorFor(reply.message, operation.request);
    resolve(operation.read(reply, expiry));
  } catch (error) {
    reject(error);
  }
}
