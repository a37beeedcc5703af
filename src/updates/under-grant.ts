/**
 * A state task under a grant that the caller holds already: no turn of its own, but the same order, fence and refusal.
 *
 * It passes the grant's gate like a nested grant [L4], and is refused once the grant has ended [S4].
 */
import type { Durability, LoadedState, StateWrite } from "../backends/contract.ts";
import { publishUpdate } from "./batch.ts";
import { acquireChild, awaitGrant } from "../ownership/reentry.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import { runHolding } from "../ownership/owner-context.ts";
import type { Patience, StateTask } from "../scheduling/request.ts";
import type { Room } from "../leases/room.ts";
import { maxTries, tooManyConflicts } from "./batch-run.ts";
import { writeUnder } from "./guarded-write.ts";

/** Settles the task in the end, whatever happens. */
export async function runUnder(
  room: Room,
  task: StateTask,
  under: Patience & { readonly grant: HeldGrant },
): Promise<void> {
  room.conversations.keepAlive.hold(); // [P1]
  try {
    const child = await acquireChild(room, under.grant, under);
    try {
      const writer: Writer = { room, grant: child, durability: under.durability };
      if (task.plain !== undefined) task.answer?.(await write(writer, task.plain));
      else await applyUnder(writer, task);
    } finally {
      await child.end();
    }
  } catch (error) {
    task.fail(error);
  } finally {
    room.conversations.keepAlive.drop();
  }
}

/** Who writes, and what must have reached replicas before its caller hears of it. */
interface Writer {
  readonly room: Room;
  readonly grant: HeldGrant;
  readonly durability: Durability | undefined;
}

async function applyUnder(writer: Writer, task: StateTask): Promise<void> {
  const { room, grant: child, durability } = writer;
  for (let tries = 1; tries <= maxTries; tries += 1) {
    const stored = await load(room, child.id);
    const link = { owner: room.owner, grant: child, draft: true };
    const change = await runHolding(link, () => task.apply(stored, child));
    if (change === undefined) {
      // What was there already may not have reached the replicas yet.
      if (durability !== undefined) await awaitGrant(room, child, durability);
      task.done(null);
      return;
    }
    const ifRevision = stored === null ? "absent" : "unreadable" in stored ? undefined : stored.revision;
    const reply = await write(writer, { ...change, ifRevision });
    if (reply.status === "saved") {
      task.done(reply.revision);
      return;
    }
    if (reply.status === "deleted") {
      task.done(null);
      return;
    }
    // Otherwise it has expired or was changed behind the protocol's back: once more, on what is there now.
  }
  throw tooManyConflicts(child.id);
}

function load(room: Room, id: string): Promise<LoadedState> {
  const { conversations } = room;
  const what = { doing: "Loading the state", id };
  return conversations.read(what, () => conversations.backend.loadState(id, { expiry: false }));
}

/** One write under the grant; throws LockLostError once that has ended. */
async function write({ room, grant, durability }: Writer, change: StateWrite): ReturnType<typeof writeUnder> {
  const lost = grant.lossError;
  if (lost !== undefined) throw lost;
  const { turn, fence } = grant;
  const reply = await grant.track(writeUnder({ room, turn, fence, durability }, change));
  if (reply.status === "saved" || reply.status === "deleted") publishUpdate(grant.id, 1, change);
  return reply;
}
