/**
 * One commit of several states under their grants [S9]. It releases the locks in the same step, except for those that are
 * held on: by an outer grant, or for the next caller of this process.
 */
import type {
  CommitEntry,
  CommitReply,
  Committed,
  Durability,
  Forgotten,
  LoadedState,
  StateWrite,
  StoredState,
} from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { UnavailableError } from "../errors.ts";
import { lockLost, type HeldGrant } from "../ownership/grant.ts";
import type { JoinedRelease } from "../ownership/lender.ts";
import { now } from "../timers.ts";
import { publishUpdate } from "./batch.ts";
import { mayEndAtOnce } from "./merged-ttl.ts";

/** What becomes of the state of a grant. */
export interface StateChange {
  readonly grant: HeldGrant;
  /** What the change is based on: it must still be stored. */
  readonly stored: StoredState | null;
  /** `undefined`: it stays as it is. */
  readonly write: StateWrite | undefined;
}

/** The grants of a commit, and the releases that it carries out. */
type Joined = ReadonlyMap<HeldGrant, JoinedRelease | undefined>;

export type CommitResult = Exclude<CommitReply, Forgotten | { readonly status: "lost" }>;

/** Throws LockLostError if a lock was lost, and UnavailableError if it was not carried out, or may not have been. */
export async function commitUnderGrants(
  calls: BackendCalls,
  changes: readonly StateChange[],
  durability: Durability | undefined,
): Promise<CommitResult> {
  for (const { grant } of changes) if (grant.lossError !== undefined) throw grant.lossError;
  const at = now();
  const joined: Joined = new Map(changes.map(({ grant }) => [grant, grant.joinRelease()]));
  const entries = changes.map((change) => entryOf(change, joined.get(change.grant)));
  const [first] = entries;
  const operation = { doing: "Saving the states", id: first?.id ?? "", durability };
  const committing = calls.exactlyOnce<CommitReply>(operation, (receipt) =>
    calls.backend.commitStates(entries, receipt),
  );
  for (const { grant } of changes) void grant.track(committing.catch(() => undefined));
  const { reply, shortage } = await committing.catch((error: unknown) => {
    failed(joined, error);
    throw error;
  });
  for (const { grant } of changes) calls.watchers.changed(grant.id);
  if (reply.status === "committed")
    committed(changes, joined, { ...reply, at, isShort: shortage !== undefined });
  else for (const release of joined.values()) release?.refused();
  if (shortage !== undefined) throw shortage;
  if (reply.status !== "lost") return reply;
  const lost = changes[reply.index]?.grant;
  lost?.hold.lose("the server refused a save under it");
  throw lockLost(lost?.id ?? "", lost?.fence ?? NaN, "the server refused the save");
}

function entryOf({ grant, stored, write }: StateChange, joined: JoinedRelease | undefined): CommitEntry {
  const ifRevision = stored?.revision ?? "absent";
  return { id: grant.id, ticket: grant.hold.ticket, write, ifRevision, release: joined?.receipt };
}

function committed(
  changes: readonly StateChange[],
  joined: Joined,
  {
    revisions,
    at,
    isShort,
  }: Pick<Committed, "revisions"> & { readonly at: number; readonly isShort: boolean },
): void {
  for (const [index, change] of changes.entries()) {
    const { grant, write } = change;
    if (write !== undefined) publishUpdate(grant.id, 1, write);
    const release = joined.get(grant);
    if (release !== undefined) release.released();
    else if (isShort)
      grant.hold.taint(); // a failover may still lose it
    else leaveState(change, revisions[index] ?? null, at);
  }
}

/** The next caller of this process may start from what is stored now. */
function leaveState({ grant, write, stored }: StateChange, revision: number | null, at: number): void {
  if (grant.parent !== undefined || grant.hold.state !== "held") return;
  if (mayEndAtOnce(write)) return;
  let loaded: LoadedState = stored;
  if (write?.kind === "delete") loaded = null;
  if (write?.kind === "save" && revision !== null)
    loaded = { revision, serializer: write.serializer, bytes: write.bytes };
  grant.hold.leaveKnownState({ loaded, at });
}

/** If a copy of the commit may still arrive, these tickets must not serve other callers. */
function failed(joined: Joined, error: unknown): void {
  const mayArrive = !(error instanceof UnavailableError) || error.outcome !== "none";
  for (const [{ hold }, release] of joined) {
    if (!mayArrive) release?.refused();
    else if (release === undefined) hold.taint();
    else hold.lose("it is not known whether its release took effect");
  }
}
