// Lends a lock that is ours to changes and to callers who want replicas to have it: what is done with the release, and what
// before a grant is handed out.
//
// Seen failing: the bounds, the lease and the replicas of a change not compared · a known state kept after a grant · the lock
// kept while replicas are waited for · callers told before the lock was given back · each answer of a release not settled.

import { describe, expect, test } from "vitest";

import type { Dispatcher } from "../../../src/scheduling/dispatcher.ts";
import type { LocalQueue } from "../../../src/scheduling/local-queue.ts";
import type { GrantRequest } from "../../../src/scheduling/request.ts";
import { InFlight } from "../../../src/calls/in-flight-counter.ts";
import { Later, outcomeOf, quiet, type Room, textOf, withRoom } from "../support/rooms.ts";

const released = { status: "released", revision: null } as const;

describe("the dispatcher", () => {
  let room: Room;
  let queue: LocalQueue;
  let dispatcher: Dispatcher;
  let served: number;
  withRoom(async (fresh) => {
    room = fresh;
    queue = room.queue();
    served = 0;
    const serving = new InFlight();
    const { Dispatcher } = await import("../../../src/scheduling/dispatcher.ts");
    const onServed = (): void => void (served += 1);
    dispatcher = new Dispatcher(queue, { tickets: room.tickets, serving, onServed });
    room.backend.answer("releaseLock", () => released);
    room.backend.answer("cancelLock", () => ({ status: "cancelled" }));
  });

  const add = (...how: Parameters<Room["grantRequest"]>): GrantRequest => {
    const request = room.grantRequest(...how);
    queue.add(request);
    return request;
  };
  const releases = () => room.backend.argsOf("releaseLock").map(([, , request]) => request);

  describe("changes", () => {
    const change = (fn: (n: number) => unknown, how = {}) => {
      const made = room.update(fn);
      queue.add(room.changeRequest(made, how));
      return made;
    };
    const holdWithState = (more = {}) => room.hold({ state: room.stored(1, 7), ...more });

    test("[S3] those at the head are saved by the release, in one step; a grant behind them is kept for", async () => {
      room.backend.answer("releaseLock", () => ({ status: "kept", revision: 8, fence: 500, fences: 1 }));
      const [a, b] = [change((n) => n + 1), change((n) => n * 10)];
      const request = add();
      const after = change((n) => n + 1000);
      dispatcher.begin(holdWithState());
      expect([await a.promise, await b.promise]).toEqual([2, 20]);
      expect((await request.granted).fence).toBe(500);
      expect(await outcomeOf(after.promise)).toBe("pending");
      const [{ write, keep }] = releases() as [{ write: unknown; keep: unknown }];
      expect([textOf(write), keep]).toEqual(["20", { leaseMs: 30_000, fences: 2 }]);
    });

    test("[L2] at most 16 while others wait, though all are there", async () => {
      const changes = Array.from({ length: 20 }, () => change((n) => n + 1));
      dispatcher.begin(holdWithState({ waiting: 1 }));
      await quiet();
      expect(textOf((releases()[0] as { write: unknown }).write)).toBe("17");
      expect(await outcomeOf(changes[15]!.promise)).toBe(17);
      expect([await outcomeOf(changes[16]!.promise), queue.size, served]).toEqual(["pending", 4, 1]);
    });

    test.each([
      ["another lease", { leaseMs: 7_000 }, undefined],
      ["other replicas", {}, { replicas: 1, timeoutMs: 5 }],
    ])("one with %s is left in the queue", async (_, how, durability) => {
      room.backend.answer("releaseLock", () => ({ status: "released", revision: 8 }));
      const first = change((n) => n + 1);
      const other = room.update((n) => n + 1, durability);
      queue.add(room.changeRequest(other, how));
      dispatcher.begin(holdWithState());
      expect([await outcomeOf(first.promise), await outcomeOf(other.promise)]).toEqual([2, "pending"]);
      expect([queue.size, textOf((releases()[0] as { write: unknown }).write)]).toEqual([1, "2"]);
    });

    test("[L2] while replicas are waited for no other client is kept waiting: the lock is not kept", async () => {
      room.backend.answer("releaseLock", () => ({ status: "released", revision: 8 }));
      room.backend.answer("awaitReplicas", () => 1);
      const durable = room.update((n) => n + 1, { replicas: 1, timeoutMs: 5 });
      queue.add(room.changeRequest(durable));
      add();
      dispatcher.begin(holdWithState());
      expect(await outcomeOf(durable.promise)).toBe(2);
      expect(releases()).toMatchObject([{ keep: undefined }]);
    });

    test("who only tries when a change is answered may be served by the next answer: the lock was given back", async () => {
      room.backend.answer("releaseLock", () => ({ status: "released", revision: 8 }));
      const trying = change((n) => n + 1).promise.then(() => add({ waitMs: 0 }));
      dispatcher.begin(holdWithState());
      expect(await outcomeOf((await trying).granted)).toBe("pending");
    });

    test("[L5] after a refused save the lock is still held, and renewed again", async () => {
      room.backend.answer("releaseLock", () => ({ status: "conflict", revision: 9 }));
      const loaded = new Later<unknown>();
      room.backend.answer("loadState", () => loaded.promise);
      const made = change((n) => n + 1);
      const hold = holdWithState();
      dispatcher.begin(hold);
      await quiet();
      expect([hold.state, hold.watch === undefined]).toEqual(["held", false]);
      room.backend.answer("releaseLock", () => ({ status: "released", revision: 10 }));
      loaded.resolve(room.stored(50, 9));
      expect(await outcomeOf(made.promise)).toBe(51);
    });

    test("[S3] a state that cannot be loaded fails the changes that wait, and no grant", async () => {
      const failure = new room.modules.UnavailableError("no way", { code: "ACCESS_DENIED" });
      room.backend.answer("loadState", () => Promise.reject(failure));
      const [a, request] = [change((n) => n + 1), add()];
      dispatcher.begin(room.hold());
      expect(await outcomeOf(a.promise)).toMatchObject({ code: "ACCESS_DENIED" });
      expect((await request.granted).fence).toBe(100);
    });

    test("[S1] a grant makes it forget the state that it knew: the caller may change it", async () => {
      room.backend.answer("loadState", () => room.stored(50, 9));
      const [request, later] = [add(), change((n) => n + 1)];
      dispatcher.begin(holdWithState());
      await (await request.granted).release();
      expect(await outcomeOf(later.promise)).toBe(51);
    });
  });

  describe("replicas", () => {
    const durability = { replicas: 1, timeoutMs: 100 };

    test("[L1] enough: the grant is handed out, and known to be there for the next", async () => {
      room.backend.answer("awaitReplicas", () => 1);
      const [a, b] = [add({ durability }), add({ durability })];
      dispatcher.begin(room.hold());
      await (await a.granted).release();
      expect((await b.granted).fence).toBe(101);
      expect(room.backend.methods).toEqual(["awaitReplicas"]);
    });

    test("[L1] too few: the lock is given back first, then all that want as much are told", async () => {
      room.backend.answer("awaitReplicas", () => 0);
      const reply = new Later<unknown>();
      room.backend.answer("releaseLock", () => reply.promise);
      const [a, b] = [add({ durability }), add({ durability })];
      dispatcher.begin(room.hold());
      expect([await outcomeOf(a.granted), room.backend.methods]).toEqual([
        "pending",
        ["awaitReplicas", "releaseLock"],
      ]);
      reply.resolve(released);
      for (const { granted } of [a, b])
        expect(await outcomeOf(granted)).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
      expect(served).toBe(1);
    });

    test("[L7] a caller who gives up meanwhile gets nothing: the next is served", async () => {
      const replicas = new Later<number>();
      room.backend.answer("awaitReplicas", () => replicas.promise);
      const controller = new AbortController();
      const [a, b] = [add({ durability, signal: controller.signal }), add()];
      dispatcher.begin(room.hold());
      await quiet();
      controller.abort("enough");
      replicas.resolve(1);
      expect([await outcomeOf(a.granted), (await b.granted).fence]).toEqual(["enough", 100]);
    });
  });
});
