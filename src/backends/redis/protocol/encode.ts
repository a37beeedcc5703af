/**
 * Converts requests to the arguments of the scripts: acquires, renewals, releases, and the writes of states.
 *
 * The order of the fields is that in the header of each script; decode.ts reads the replies.
 */
import type {
  AcquireRequest,
  Ttl,
  Receipt,
  ReleaseRequest,
  RenewEntry,
  Share,
  StateWrite,
  Ticket,
} from "../../contract.ts";
import type { RedisArgument } from "../client/client-port.ts";
import { isLarge, stage } from "./large-values.ts";
import type { ReceiptFields } from "./receipt-hash.ts";
import type { OperationRequest } from "./operation.ts";
import type { AheadCommand } from "./script-runner.ts";

export interface AcquireFields {
  readonly id: string;
  readonly ticket: Ticket;
  readonly request: AcquireRequest;
  readonly receipt: Receipt;
}

/** For acquire.lua, or for acquire-share.lua. `listens`: whether wakes for this client arrive, as far as is known. */
export function encodeAcquire(
  { id, ticket, request, receipt }: AcquireFields,
  listens: boolean,
): OperationRequest {
  const { leaseMs, queue, load, fences, share } = request;
  const wish = `${queue ? "q" : ""}${load ? "s" : ""}${listens ? "p" : ""}` || "-";
  return {
    id,
    ticket,
    own: [String(receipt.sequence), receipt.n],
    terms:
      share === undefined
        ? [millis(leaseMs), fences, wish]
        : [millis(leaseMs), fences, ...shareTerms(wish, share)],
    stamps: fences,
    wantsBytes: true, // the token of a foreign holder may be any bytes
  };
}

/** For adopt.lua. */
export function adoptionArguments({ ticket, request, receipt }: AcquireFields): readonly string[] {
  const { leaseMs, fences, load, from } = request;
  const { sequence, n } = receipt;
  const wish = load ? "s" : "-";
  return [
    ...[ticket, String(sequence), String(n), millis(leaseMs), String(fences), wish],
    ...[from?.ticket ?? "", String(from?.fence ?? 0)],
  ];
}

/** wish limit */
function shareTerms(wish: string, share: Share): readonly string[] {
  if (share.kind === "shared") return [`${wish}r1`, ""];
  return [`${wish}w${String(share.weight)}`, String(share.limit ?? "-")];
}

/** For renew.lua. */
export function encodeRenewal({ id, ticket, leaseMs }: RenewEntry): OperationRequest {
  return { id, ticket, own: [], terms: [millis(leaseMs)], stamps: 0, wantsBytes: false };
}

/** For release.lua. */
export function encodeRelease(id: string, ticket: Ticket, receipt: ReceiptFields): OperationRequest {
  return { id, ticket, own: receipt, terms: [], stamps: 0, wantsBytes: false };
}

/** For commit.lua: the fields in addition to those of a release. */
export function encodeCommit(
  release: OperationRequest,
  { terms, ifRevision, bytes, staged, ahead, weight }: EncodedWrite,
  keep: ReleaseRequest["keep"],
): OperationRequest {
  const { id, ticket, own } = release;
  return {
    id,
    ticket,
    own: [...own, ifRevision, bytes?.byteLength ?? 0, staged],
    terms: [...terms, ...(keep === undefined ? ["", 0] : [millis(keep.leaseMs), keep.fences])],
    stamps: 1,
    wantsBytes: false,
    bytes,
    ahead,
    weight,
  };
}

/** A write of a state, as the scripts expect it. */
export interface EncodedWrite {
  /** kind serializer ttl; behind the serializer and commas, others that may be replaced */
  readonly terms: readonly string[];
  readonly ifRevision: string;
  readonly bytes: Buffer | undefined;
  /** The key to which a large value was sent ahead; otherwise empty. */
  readonly staged: string;
  readonly ahead: AheadCommand | undefined;
  /** The size of the value, in the script or ahead of it. */
  readonly weight: number;
}

const noWrite: EncodedWrite = {
  terms: ["none", "", ""],
  ifRevision: "",
  bytes: undefined,
  staged: "",
  ahead: undefined,
  weight: 0,
};

/** `stagingKey`: the key to which the value is sent ahead, if it is large. */
export function encodeWrite(write: StateWrite | undefined, stagingKey: () => string): EncodedWrite {
  if (write === undefined) return noWrite;
  const ifRevision = String(write.ifRevision ?? "");
  if (write.kind === "delete") return { ...noWrite, terms: ["delete", "", ""], ifRevision };
  if (write.kind === "touch")
    return { ...noWrite, terms: ["touch", "", ttlArgument(write.ttlMs)], ifRevision };
  const { bytes, serializer, replaces, ttlMs } = write;
  const terms = ["save", replaces ? [serializer, ...replaces].join() : serializer, ttlArgument(ttlMs)];
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const weight = bytes.byteLength;
  if (!isLarge(weight)) return { ...noWrite, terms, ifRevision, bytes: buffer, weight };
  const staged = stagingKey();
  const ahead = stage(staged, serializer, buffer);
  return { terms, ifRevision, bytes: undefined, staged, ahead, weight };
}

/** For write.lua. */
export function writeArguments({ terms, ifRevision, bytes, staged }: EncodedWrite): readonly RedisArgument[] {
  return [...terms, ifRevision, bytes ?? "", staged];
}

/** In the form that lib/change.lua and touch.lua read. */
export function ttlArgument(life: Ttl): string {
  if (typeof life === "number") return millis(life);
  if (typeof life === "string") return life;
  return "until" in life ? `until:${millis(life.until)}` : `new:${millis(life.whenNew)}`;
}

/** Redis accepts whole milliseconds, and not zero. */
export function millis(ms: number): string {
  return String(Math.max(1, Math.round(ms)));
}
