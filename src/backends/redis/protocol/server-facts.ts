/**
 * What this client has learned from replies and wakes: the highest stamp, the expiry of its receipts, and which states
 * are large. Later operations send it to the server.
 */
import type {
  AcquireReply,
  CancelReply,
  CommitReply,
  Forgotten,
  LoadedState,
  Receipt,
  ReleaseReply,
  SemaphoreReply,
  StateWrite,
  TouchReply,
  Wake,
  WriteReply,
  WriteStatesReply,
} from "../../contract.ts";
import { recordedStatuses } from "../../contract-types.ts";
import { LargeValues } from "./large-values.ts";
import { ReceiptHash, type ReceiptExpiry } from "./receipt-hash.ts";
import { isStamp } from "./stamp-range.ts";

/** Replies to operations that leave a receipt. */
export type RecordedReply =
  | WriteReply
  | WriteStatesReply
  | TouchReply
  | ReleaseReply
  | CommitReply
  | CancelReply
  | SemaphoreReply
  | Forgotten;

/** In microseconds. Stamps of a wake that are this far ahead of those in replies are not trusted. */
const dayMicros = 86_400_000_000;

export class ServerFacts {
  readonly receipts = new ReceiptHash();
  readonly largeValues = new LargeValues();
  /** The floor for the next stamps [S2] [L3]. */
  #highestStamp = 0;
  /** The highest stamp that came in a reply. Any client that may publish can send a wake; only a server replies. */
  #highestInReply = 0;

  /** As an argument of a script. */
  get stampFloor(): string {
    return String(this.#highestStamp);
  }

  /** A state that comes from another server may ask for more. */
  stampFloorFor(write: StateWrite): string {
    const above = write.kind === "save" ? (write.above ?? 0) : 0;
    return String(Math.max(this.#highestStamp, above));
  }

  /** Records the reply to an operation with this receipt, by a script that was sent with this expiry. */
  noteRecorded<T extends RecordedReply>(reply: T, receipt: Receipt, expiry: ReceiptExpiry): T {
    if (recordedStatuses.has(reply.status)) this.receipts.noteRecorded(receipt, expiry);
    if ("revision" in reply) this.#noteReplied(reply.revision ?? 0);
    if ("revisions" in reply) for (const revision of reply.revisions) this.#noteReplied(revision ?? 0);
    if ("fence" in reply) this.#noteReplied((reply.fence ?? 0) + (reply.fences ?? 1) - 1);
    return reply;
  }

  noteAcquire(id: string, reply: AcquireReply): AcquireReply {
    if (reply.status !== "granted") return reply;
    this.#noteReplied(reply.fence + reply.fences - 1);
    if (reply.state !== undefined) this.noteState(id, reply.state);
    return reply;
  }

  noteState(id: string, state: LoadedState): LoadedState {
    if (state === null || !("revision" in state)) return state;
    this.#noteReplied(state.revision);
    this.largeValues.noteSize(id, state.bytes.byteLength);
    return state;
  }

  /** Records the last fence of the holder, from the reply to a waiting ask. */
  noteHolder(lastFence: number | null): void {
    this.#noteReplied(lastFence ?? 0);
  }

  /**
   * The part of the wake that can be trusted. If its stamps are far ahead of all replies, it only means that it is time
   * to ask.
   */
  noteWake(wake: Wake): Wake {
    if (wake.kind !== "granted") return wake;
    const last = wake.fence + wake.fences - 1;
    if (last > this.#highestInReply + dayMicros) return { kind: "again" };
    this.#noteStamp(last);
    return wake;
  }

  #noteReplied(stamp: number): void {
    if (stamp > this.#highestInReply && isStamp(stamp)) this.#highestInReply = stamp;
    this.#noteStamp(stamp);
  }

  #noteStamp(stamp: number): void {
    if (stamp > this.#highestStamp && isStamp(stamp)) this.#highestStamp = stamp;
  }
}
