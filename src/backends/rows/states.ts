/**
 * States: load, change, touch. decide.ts checks by the lock who may change one.
 *
 * An expired state is absent, whether or not its row still exists.
 */
import { mayReplace, otherFormat } from "../contract-formats.ts";
import type {
  Conflict,
  LoadedState,
  StateDescription,
  StateWrite,
  TouchReply,
  TouchWrite,
  Ttl,
  Unreadable,
  WriteReply,
} from "../contract.ts";
import type { Item, PendingChanges } from "./pending-changes.ts";
import type { StateHead } from "./row-types.ts";

export type Written = Extract<WriteReply, { status: "saved" | "deleted" }> | Conflict | Unreadable;

export function loadState(item: Item, expiry: boolean): LoadedState {
  const row = item.state();
  const { now } = item.pending;
  if (row === undefined || isOver(row, now)) return null;
  const { revision, serializer, bytes, expiresAt } = row;
  if (!expiry) return { revision, serializer, bytes };
  return { revision, serializer, bytes, expiresInMs: remainingOf(expiresAt, now) };
}

/** Without reading the bytes. */
export function describeState(item: Item): StateDescription | null {
  const head = liveHead(item);
  if (head === undefined) return null;
  const { revision, serializer, expiresAt } = head;
  return { revision, serializer, expiresInMs: remainingOf(expiresAt, item.pending.now) };
}

/** All or nothing: every refusal comes before the first change [S2] [S6] [S7]. */
export function writeState(item: Item, write: StateWrite): Written {
  return refusalOf(item, write, write.ifRevision) ?? changeState(item, write);
}

/** Why the state cannot be written, if it cannot. Changes nothing. */
export function refusalOf(
  item: Item,
  write: StateWrite | undefined,
  ifRevision: number | "absent" | undefined,
): Conflict | Unreadable | undefined {
  const head = liveHead(item);
  const revision = head?.revision ?? null;
  const wanted = ifRevision === "absent" ? null : ifRevision;
  if (wanted !== undefined && wanted !== revision) return { status: "conflict", revision };
  if (write?.kind === "touch" && head === undefined) return { status: "conflict", revision: null };
  if (write?.kind !== "save" || head === undefined || mayReplace(write, head.serializer)) return undefined;
  return { status: "unreadable", unreadable: otherFormat(head.serializer) }; // [S6]
}

/** Carries out a write that is not refused. `reserved`: the revision of a save, if it has one already. */
export function changeState(
  item: Item,
  write: StateWrite,
  reserved?: number,
): Exclude<Written, Conflict | Unreadable> {
  const head = liveHead(item);
  if (write.kind === "delete") {
    item.setState(null);
    return { status: "deleted", existed: head !== undefined };
  }
  if (write.kind === "touch") {
    if (head === undefined) throw new Error(`HOLDFAST_TOUCHES_NOTHING: ${item.id}`); // then it would have been refused
    item.setExpiry(endOf(write.ttlMs, head, item.pending));
    return { status: "saved", revision: head.revision };
  }
  const { bytes, serializer, ttlMs, above } = write;
  const expiresAt = endOf(ttlMs, head, item.pending);
  const saved = reserved ?? item.pending.reserveStamps(1, above);
  item.setState({ revision: saved, serializer, bytes, expiresAt });
  return { status: "saved", revision: saved };
}

/** Whether or not a ticket holds the lock. */
export function touchState(
  item: Item,
  { ttlMs, ifRevision }: Omit<TouchWrite, "kind">,
): Extract<TouchReply, { status: "touched" | "absent" | "conflict" }> {
  const head = liveHead(item);
  const revision = head?.revision ?? null;
  if (ifRevision !== undefined && ifRevision !== revision) return { status: "conflict", revision };
  if (head === undefined) return { status: "absent" };
  item.setExpiry(endOf(ttlMs, head, item.pending));
  return { status: "touched" };
}

/** [S7] When the state expires. `head`: what was stored; `undefined`: the state is new. */
function endOf(life: Ttl, head: StateHead | undefined, { now, wall }: PendingChanges): number | null {
  if (life === "none") return null;
  if (typeof life === "number") return now + life;
  if (typeof life === "object" && "until" in life) return now + (life.until - wall);
  if (head !== undefined) return head.expiresAt;
  return life === "keep" ? null : now + life.whenNew;
}

/** What is stored, unless it has expired. */
export function liveHead(item: Item): StateHead | undefined {
  const head = item.stateHead();
  return head === undefined || isOver(head, item.pending.now) ? undefined : head;
}

function remainingOf(expiresAt: number | null, now: number): number | null {
  return expiresAt === null ? null : Math.ceil(expiresAt - now);
}

function isOver({ expiresAt }: StateHead, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}
