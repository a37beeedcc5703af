/**
 * States: load, change, touch. Who may change one is decided in protocol.ts, by its lock.
 *
 * An expired state is absent, whether or not its row is still there.
 */
import type { Conflict, Life, LoadedState, StateWrite, Unreadable, WriteReply } from "../contract.ts";
import { reserveStamps, type Step } from "./step.ts";
import type { StateHead } from "./tables.ts";

export type Written = Extract<WriteReply, { status: "saved" | "deleted" }> | Conflict | Unreadable;

export function loadState({ tables, now }: Step, id: string, expiry: boolean): LoadedState {
  const row = tables.state(id);
  if (row === undefined || isOver(row, now)) return null;
  const { revision, serializer, bytes, expiresAt } = row;
  if (!expiry) return { revision, serializer, bytes };
  return { revision, serializer, bytes, expiresInMs: expiresAt === null ? null : Math.ceil(expiresAt - now) };
}

/** All or nothing; whatever refuses it comes first [S2] [S6] [S7]. */
export function writeState(step: Step, id: string, write: StateWrite): Written {
  const { tables, now } = step;
  const head = liveHead(step, id);
  const revision = head?.revision ?? null;
  const wanted = write.ifRevision === "absent" ? null : write.ifRevision;
  if (wanted !== undefined && wanted !== revision) return { status: "conflict", revision };
  if (write.kind === "delete") {
    tables.deleteState(id);
    return { status: "deleted" };
  }
  const { bytes, serializer, ttlMs } = write;
  if (head !== undefined && head.serializer !== serializer) {
    return { status: "unreadable", unreadable: `a state of the serializer "${head.serializer}"` }; // [S6]
  }
  const expiresAt = endOf(ttlMs, head, now);
  const saved = reserveStamps(step, 1);
  tables.setState(id, { revision: saved, serializer, bytes, expiresAt });
  return { status: "saved", revision: saved };
}

export function touchState(step: Step, id: string, ttlMs: number): { status: "touched" | "absent" } {
  if (liveHead(step, id) === undefined) return { status: "absent" };
  step.tables.setExpiry(id, step.now + ttlMs);
  return { status: "touched" };
}

/** [S7] When a state ends that `head` is what is known of; `undefined`: it is new. */
function endOf(life: Life, head: StateHead | undefined, now: number): number | null {
  if (life === "none") return null;
  if (typeof life === "number") return now + life;
  if (head !== undefined) return head.expiresAt;
  return life === "keep" ? null : now + life.whenNew;
}

function liveHead({ tables, now }: Step, id: string): StateHead | undefined {
  const head = tables.stateHead(id);
  return head === undefined || isOver(head, now) ? undefined : head;
}

function isOver({ expiresAt }: StateHead, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}
