// What the tests of a semaphore's queue share: a queue in a room of its own, whose asks are answered by the test.

import { beforeEach } from "vitest";

import type { AcquireReply, AcquireRequest, Share } from "../../../../src/backends/contract.ts";
import { InFlight } from "../../../../src/calls/in-flight-counter.ts";
import type { PermitQueue } from "../../../../src/scheduling/permits/permit-queue.ts";
import type { GrantRequest } from "../../../../src/scheduling/request.ts";
import { Later, quiet, type Room, withRoom } from "../../support/rooms.ts";

export const leaseMs = 30_000;
export const busy = { holder: { token: "other", foreign: true }, retryInMs: null } as const;
export const waiting: AcquireReply = { status: "waiting", ahead: 1, ...busy };

type How = NonNullable<Parameters<Room["grantRequest"]>[0]>;

export class PermitRoom {
  room!: Room; // set before each test, as is the queue
  queue!: PermitQueue;
  idle = 0;
  serving = new InFlight();
  asks: { readonly request: AcquireRequest; readonly reply: Later<AcquireReply> }[] = [];
  #fence = 0;

  async begin(room: Room): Promise<void> {
    [this.room, this.idle, this.asks, this.#fence, this.serving] = [room, 0, [], 0, new InFlight()];
    const { PermitQueue } = await import("../../../../src/scheduling/permits/permit-queue.ts");
    this.queue = new PermitQueue("x", {
      tickets: room.tickets,
      serving: this.serving,
      onIdle: () => void (this.idle += 1),
    });
    room.backend.answer("acquireLock", (_, __, request) => {
      const reply = new Later<AcquireReply>();
      this.asks.push({ request: request as AcquireRequest, reply });
      return reply.promise;
    });
    room.backend.answer("releaseLock", () => ({ status: "released", revision: null }));
    room.backend.answer("cancelLock", () => ({ status: "cancelled" }));
  }

  readonly add = (weight = 1, how: How = {}, limit: number | null = 3): GrantRequest => {
    const share: Share = { kind: "permits", weight, limit };
    const request = this.room.grantRequest({ ...how, share });
    this.queue.add(request);
    return request;
  };

  readonly answer = async (index: number, reply: AcquireReply): Promise<void> => {
    this.asks[index]?.reply.resolve(reply);
    await quiet();
  };

  readonly grant = async (index: number): Promise<void> => {
    const fences = this.asks[index]?.request.fences ?? 0;
    const fence = (this.#fence += 100);
    await this.answer(index, { status: "granted", fence, fences, leaseMs, waiting: 9 });
  };

  /** The weights that were asked for. */
  readonly asked = (): unknown[] =>
    this.asks.map(({ request: { share } }) => (share?.kind === "permits" ? share.weight : 0));

  readonly count = (method: "releaseLock" | "cancelLock"): number => this.room.backend.argsOf(method).length;
}

export function withPermits(): PermitRoom {
  const permits = new PermitRoom();
  let fresh: Room;
  withRoom((room) => {
    fresh = room;
  });
  beforeEach(() => permits.begin(fresh));
  return permits;
}
