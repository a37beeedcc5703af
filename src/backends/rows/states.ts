/**
 * States: load, change, touch. decide.ts checks by the lock who may change one.
 *
 * An expired state is absent, whether or not its row still exists.
 */
import { mayReplace, otherFormat } from "../contract-formats.ts";
import type { Conflict, Ttl, LoadedState, StateWrite, Unreadable, WriteReply } from "../contract.ts";
import type { Item } from "./pending-changes.ts";
import type { StateHead } from "./row-types.ts";

export type Written = Extract<WriteReply, { status: "saved" | "deleted" }> | Conflict | Unreadable;

export function loadState(item: Item, expiry: boolean): LoadedState {
  const row = item.state();
  const { now } = item.pending;
  if (row === undefined || isOver(row, now)) return null;
  const { revision, serializer, bytes, expiresAt } = row;
  if (!expiry) return { revision, serializer, bytes };
  return { revision, serializer, bytes, expiresInMs: expiresAt === null ? null : Math.ceil(expiresAt - now) };
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
  if (write?.kind !== "save" || head === undefined || mayReplace(write, head.serializer)) return undefined;
  return { status: "unreadable", unreadable: otherFormat(head.serializer) }; // [S6]
}

/** Carries out a write that is not refused. */
export function changeState(item: Item, write: StateWrite): Exclude<Written, Conflict | Unreadable> {
  if (write.kind === "delete") {
    item.setState(null);
    return { status: "deleted" };
  }
  const { bytes, serializer, ttlMs, above } = write;
  const expiresAt = endOf(ttlMs, liveHead(item), item.pending.now);
  const saved = item.pending.reserveStamps(1, above);
  item.setState({ revision: saved, serializer, bytes, expiresAt });
  return { status: "saved", revision: saved };
}

export function touchState(item: Item, ttlMs: number): { status: "touched" | "absent" } {
  if (liveHead(item) === undefined) return { status: "absent" };
  item.setExpiry(item.pending.now + ttlMs);
  return { status: "touched" };
}

/** [S7] When the state expires. `head`: what was stored; `undefined`: the state is new. */
function endOf(life: Ttl, head: StateHead | undefined, now: number): number | null {
  if (life === "none") return null;
  if (typeof life === "number") return now + life;
  if (head !== undefined) return head.expiresAt;
  return life === "keep" ? null : now + life.whenNew;
}

/** What is stored, unless it has expired. */
export function liveHead(item: Item): StateHead | undefined {
  const head = item.stateHead();
  return head === undefined || isOver(head, item.pending.now) ? undefined : head;
}

function isOver({ expiresAt }: StateHead, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}
