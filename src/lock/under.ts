/**
 * A state task under a grant that the caller holds already: no turn of its own, but the same order, fence and refusal.
 *
 * It passes the grant's gate like a nested grant [L4], and is refused once the grant has ended [S4].
 */
import type { Durability, LoadedState, StateWrite, WriteReply } from "../backends/backend.ts";
import { tellDurably } from "../durability.ts";
import { UnavailableError } from "../errors.ts";
import { maxTries, publishUpdate, restless } from "./batch.ts";
import { acquireChild, awaitGrant } from "./child.ts";
import { lockLost, type HeldGrant } from "./grant.ts";
import { runHolding } from "./held.ts";
import type { Patience, StateTask } from "./job.ts";
import type { Room } from "./room.ts";

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
      if (task.plain !== undefined) settlePlain(task, await write(writer, task.plain));
      else await applyUnder(writer, task);
    } finally {
      await child.release();
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
    if (reply.status === "held") throw new Error(`HOLDFAST_HELD_UNDER_GRANT: ${child.id}`);
    // Otherwise it has expired or was changed behind the protocol's back: once more, on what is there now.
  }
  throw restless(child.id);
}

function load(room: Room, id: string): Promise<LoadedState> {
  const { conversations } = room;
  const what = { doing: "Loading the state", id };
  return conversations.read(what, () => conversations.backend.loadState(id, { expiry: false }));
}

/** One write under the grant; throws LockLostError when the server refuses it. */
async function write({ room, grant, durability }: Writer, change: StateWrite): Promise<WriteReply> {
  const { conversations } = room;
  const lost = grant.lossError;
  if (lost !== undefined) throw lost;
  const { id, turn } = grant;
  const what = { doing: "Writing the state", id, durability };
  const reply = await grant.track(
    tellDurably(conversations, what, (receipt) =>
      conversations.backend.writeState(id, change, turn.ticket, receipt),
    ).catch((error: unknown) => {
      // A late copy of it could still arrive: this ticket must not serve anybody else.
      if (error instanceof UnavailableError && error.outcome === "unknown") turn.tainted = true;
      throw error;
    }),
  );
  if (reply.status === "saved" || reply.status === "deleted") publishUpdate(id, 1, change);
  if (reply.status === "lost") {
    turn.lose("the server refused a save under it");
    throw lockLost(id, grant.fence, "the server refused the save");
  }
  return reply;
}

function settlePlain(task: StateTask, reply: WriteReply): void {
  if (reply.status === "held" || reply.status === "forgotten") {
    throw new Error(`HOLDFAST_PLAIN_REPLY: ${reply.status} under a grant`);
  }
  task.answer?.(reply);
}
