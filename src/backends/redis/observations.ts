/**
 * What this client has learned from replies and wakes: the highest stamp, the expiry of its receipts, and which states
 * are large. Later operations carry it to the server.
 */
import type {
  AcquireReply,
  CancelReply,
  LoadedState,
  ReleaseReply,
  TouchReply,
  Wake,
  WriteReply,
} from "../contract.ts";
import { recordedStatuses } from "../messages.ts";
import { LargeValues } from "./large-values.ts";
import { ReceiptHash, type ReceiptExpiry } from "./receipt-hash.ts";
import { isStamp } from "./stamp-range.ts";

/** Replies to operations that leave a receipt. */
export type RecordedReply = WriteReply | TouchReply | ReleaseReply | CancelReply;

export class Observations {
  readonly receipts = new ReceiptHash();
  readonly largeValues = new LargeValues();
  /** The floor of the next stamps [S2] [L3]. */
  #highestStamp = 0;

  /** As an argument of a script. */
  get stampFloor(): string {
    return String(this.#highestStamp);
  }

  noteRecorded<T extends RecordedReply>(reply: T, expiry: ReceiptExpiry): T {
    if (recordedStatuses.has(reply.status)) this.receipts.noteRecorded(expiry);
    if ("revision" in reply) this.#noteStamp(reply.revision ?? 0);
    if ("fence" in reply) this.#noteStamp((reply.fence ?? 0) + (reply.fences ?? 1) - 1);
    return reply;
  }

  noteAcquire(id: string, reply: AcquireReply): AcquireReply {
    if (reply.status !== "granted") return reply;
    this.#noteStamp(reply.fence + reply.fences - 1);
    if (reply.state !== undefined) this.noteState(id, reply.state);
    return reply;
  }

  noteState(id: string, state: LoadedState): LoadedState {
    if (state === null || !("revision" in state)) return state;
    this.#noteStamp(state.revision);
    this.largeValues.noteSize(id, state.bytes.byteLength);
    return state;
  }

  noteWake(wake: Wake): void {
    if (wake.kind === "granted") this.#noteStamp(wake.fence + wake.fences - 1);
  }

  #noteStamp(stamp: number): void {
    if (stamp > this.#highestStamp && isStamp(stamp)) this.#highestStamp = stamp;
  }
}
