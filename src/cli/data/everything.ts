/** All that is known under an id: the lock and the state, and what a semaphore, a once and a leader of that name have. */
import type { LoadedState } from "../../backends/contract.ts";
import { CorruptStateError } from "../../errors.ts";
import type { LeaderInfo } from "../../handles/leader/leader.ts";
import type { SemaphoreInfo } from "../../handles/semaphore.ts";

import { internalId, partsOfInternal } from "../../names.ts";
import { parseFormat } from "../../updates/formats/format-name.ts";
import type { Opened } from "../store-options.ts";
import { lockView, type LockView } from "./holders.ts";

/** A state without its value. */
export type StateView =
  | {
      readonly revision: number;
      readonly bytes: number;
      readonly serializer: string;
      readonly version: number;
      readonly expiresInMs: number | null;
    }
  /** What is there is not a state. */
  | { readonly unreadable: string };

/** A once, or a leader: the lock of the one that runs or leads, and the record that it has written. */
export interface RecordView {
  readonly lock: LockView | null;
  readonly record: StateView | null;
}

/** `null`: there is none. */
export interface Everything {
  readonly id: string;
  readonly lock: LockView | null;
  readonly state: StateView | null;
  readonly semaphore: SemaphoreInfo | null;
  readonly once: RecordView | null;
  readonly leader: (RecordView & Partial<Pick<LeaderInfo<unknown>, "since" | "value">>) | null;
}

export async function everythingUnder(opened: Opened, id: string): Promise<Everything> {
  const [lock, state, semaphore, once, leader] = await Promise.all([
    lockOf(opened, id),
    stateOf(opened, id),
    opened.store.semaphore(id).inspect(),
    recordOf(opened, internalId("once", id)),
    leaderOf(opened, id),
  ]);
  return { id, lock, state, semaphore, once, leader };
}

export async function lockOf({ backend, calls }: Opened, id: string): Promise<LockView | null> {
  const entry = await calls.read({ doing: "Inspecting the lock", id }, () => backend.inspectLock(id));
  return entry && lockView(entry);
}

export async function stateOf({ backend, calls }: Opened, id: string): Promise<StateView | null> {
  const load = (): Promise<LoadedState> => backend.loadState(id, { expiry: true });
  const loaded = await calls.read({ doing: "Loading the state", id }, load);
  if (loaded === null || "unreadable" in loaded) return loaded;
  const { revision, bytes, serializer, expiresInMs = null } = loaded;
  return { revision, bytes: bytes.byteLength, ...parseFormat(serializer), expiresInMs };
}

async function recordOf(opened: Opened, id: string): Promise<RecordView | null> {
  const [lock, record] = await Promise.all([lockOf(opened, id), stateOf(opened, id)]);
  const named = lock && { ...lock, id: partsOfInternal(id)?.id ?? id };
  return lock === null && record === null ? null : { lock: named, record };
}

/** What it proclaims can be read if Holdfast's own serializer wrote it. */
async function leaderOf(opened: Opened, id: string): Promise<Everything["leader"]> {
  const [found, current] = await Promise.all([
    recordOf(opened, internalId("leader", id)),
    opened.store.leader(id).current().catch(insteadIfCorrupt),
  ]);
  if (found === null || current === null) return found;
  const { since, value } = current;
  return { ...found, since, ...(value === undefined ? {} : { value }) };
}

function insteadIfCorrupt(error: unknown): null {
  if (error instanceof CorruptStateError) return null;
  throw error;
}
