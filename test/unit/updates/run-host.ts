// Who hands a run of changes its work and gives the lock back, made by hand.

import type { ReleaseReply, StateWrite } from "../../../src/backends/contract.ts";
import type { Done } from "../../../src/calls/backend-calls.ts";
import type { Batch } from "../../../src/updates/batch.ts";
import type { RunHost } from "../../../src/updates/batch-run.ts";
import type { Change } from "../../../src/updates/change.ts";
import { textOf, type Later } from "../support/rooms.ts";

export const released = { status: "released", revision: 8 } as const;
type Reply = ReleaseReply | Promise<ReleaseReply> | Error;

/** Hands out these changes, and answers the release as it is told, reply by reply; the last again and again. */
export class Host implements RunHost {
  readonly changes: Change[];
  readonly log: string[] = [];
  readonly replies: Reply[];
  readonly known: unknown[] = [];
  readonly onSlow = undefined;
  writes: (StateWrite | undefined)[] = [];
  /** The release that is left to the host waits for this. */
  givenUp: Later<void> | undefined;
  shortage: Done<ReleaseReply>["shortage"];

  constructor(changes: Change[], replies: Reply[] = [released]) {
    this.changes = changes;
    this.replies = replies;
  }

  nextChange(batch: Batch): Change | undefined {
    return batch.closed ? undefined : this.changes.shift();
  }

  async release(write: StateWrite | undefined): Promise<Done<ReleaseReply>> {
    this.log.push(write === undefined ? "release" : `release with ${textOf(write)}`);
    this.writes.push(write);
    const reply = this.replies.length > 1 ? this.replies.shift() : this.replies[0];
    if (reply instanceof Error) throw reply;
    return { reply: await reply!, shortage: this.shortage };
  }

  async releaseUnlessWanted(): Promise<void> {
    this.log.push("release unless wanted");
    await this.givenUp?.promise;
  }

  leaveKnownState({ loaded }: { loaded: unknown }): void {
    this.known.push(loaded);
  }
}
