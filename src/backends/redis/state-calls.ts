/** The calls that change states and are sent separately: a write, a touch, and a commit of several states. */
import type { Backend, CommitReply, Receipt, StateWrite, TouchReply, WriteReply } from "../contract.ts";
import { readTouch, readWrite } from "./protocol/decode.ts";
import { encodeWrite, ttlArgument, writeArguments, type EncodedWrite } from "./protocol/encode.ts";
import type { Keys } from "./protocol/keys.ts";
import { causedByAhead, type AheadCommand } from "./protocol/script-runner.ts";
import type { RecordedReply, ServerFacts } from "./protocol/server-facts.ts";
import { encodeCommitStates, readCommitStates } from "./protocol/several-states.ts";
import { scripts } from "./scripts/generated.ts";
import type { RecordedCall, SingleCalls } from "./single-calls.ts";

export class StateCalls {
  readonly #singleCalls: SingleCalls;
  readonly #keys: Keys;
  readonly #facts: ServerFacts;

  constructor(singleCalls: SingleCalls, keys: Keys, facts: ServerFacts) {
    this.#singleCalls = singleCalls;
    this.#keys = keys;
    this.#facts = facts;
  }

  write(...args: Parameters<Backend["writeState"]>): Promise<WriteReply> {
    const [id, write, ticket, receipt] = args;
    const encoded = this.encode(id, write, receipt);
    return runWithAhead(this.#singleCalls, {
      script: scripts.write,
      ahead: encoded.ahead === undefined ? [] : [encoded.ahead],
      keys: [...this.#keys.all(id), this.#keys.watch(id)],
      madeKeys: () => this.#keys.ofIndex,
      args: (recording) => [
        ticket ?? "",
        ...recording,
        this.#facts.stampFloorFor(write),
        ...writeArguments(encoded),
      ],
      receipt,
      read: readWrite,
      id,
    });
  }

  touch(...args: Parameters<Backend["touchState"]>): Promise<TouchReply> {
    const [id, { ttlMs, ifRevision }, receipt] = args;
    return this.#singleCalls.runRecorded({
      script: scripts.touch,
      keys: [this.#keys.state(id), this.#keys.done, this.#keys.stamp, this.#keys.watch(id)],
      args: (recording) => [ttlArgument(ttlMs), String(ifRevision ?? ""), ...recording],
      receipt,
      read: readTouch,
      id,
    });
  }

  commit(...args: Parameters<Backend["commitStates"]>): Promise<CommitReply> {
    const [entries, receipt] = args;
    for (const { id, write } of entries) this.#noteSize(id, write);
    const encoded = encodeCommitStates(entries, (id) => this.#keys.staged(id, receipt));
    return runWithAhead(this.#singleCalls, {
      script: scripts.commitStates,
      ahead: encoded.ahead,
      keys: this.#keys.common,
      madeKeys: () => entries.flatMap(({ id }) => this.#keys.changing(id)),
      args: (recording) => [this.#keys.prefix, this.#facts.stampFloor, ...recording, ...encoded.args],
      receipt,
      read: readCommitStates,
      id: entries[0]?.id,
    });
  }

  /** A write with this receipt, as the scripts expect it. */
  encode(id: string, write: StateWrite | undefined, receipt: Receipt): EncodedWrite {
    this.#noteSize(id, write);
    return encodeWrite(write, () => this.#keys.staged(id, receipt));
  }

  #noteSize(id: string, write: StateWrite | undefined): void {
    if (write?.kind === "save") this.#facts.largeValues.noteSize(id, write.bytes.byteLength);
  }
}

/** A failure is that of a command ahead, if there is one. */
export async function runWithAhead<T extends RecordedReply>(
  singleCalls: SingleCalls,
  call: RecordedCall<T> & { readonly ahead: readonly AheadCommand[] },
): Promise<T> {
  try {
    return await singleCalls.runRecorded(call);
  } catch (error) {
    throw causedByAhead(
      call.ahead.find(({ failure }) => failure !== undefined),
      error,
    );
  }
}
