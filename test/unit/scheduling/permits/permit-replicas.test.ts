// Callers of one process that want permits, some of which must be on replicas: who asks meanwhile, and who gets them.
//
// Seen failing: a second ask for a caller whose grant waits for replicas · a grant that waits for replicas counted twice, so that
// a caller never asks.

import { describe, expect, test } from "vitest";

import { Later, outcomeOf, quiet } from "../../support/rooms.ts";
import { withPermits } from "./permit-room.ts";

describe("the queue of a semaphore whose permits must be on replicas", () => {
  const permits = withPermits();
  const { add, grant, count } = permits;
  const durability = { replicas: 1, timeoutMs: 100 };

  test("[L1] enough: it is lent, also to the next; nobody asks again meanwhile", async () => {
    const confirmed = new Later<number>();
    permits.room.backend.answer("awaitReplicas", () => confirmed.promise);
    const [first, second] = [add(2, { durability }), add(2, { durability })];
    await quiet();
    await grant(0);
    add();
    expect([await outcomeOf(first.granted), permits.asks.length]).toEqual(["pending", 1]);
    confirmed.resolve(1);
    await (await first.granted).release();
    expect((await second.granted).fence).toBe(101);
    expect(permits.room.backend.argsOf("awaitReplicas").length).toBe(1);
  });

  test("[L1] too few: it is released, and the callers learn why", async () => {
    permits.room.backend.answer("awaitReplicas", () => 0);
    const both = [add(2, { durability }), add(2, { durability })];
    await quiet();
    await grant(0);
    for (const { granted } of both) expect(String(await outcomeOf(granted))).toMatch(/replica/);
    expect([count("releaseLock"), permits.serving.count, permits.idle]).toEqual([1, 0, 1]);
  });

  test("[L7] a caller that gives up meanwhile: the permits go to the next, or back", async () => {
    const confirmed = new Later<number>();
    permits.room.backend.answer("awaitReplicas", () => confirmed.promise);
    const abort = new AbortController();
    add(3, { durability, signal: abort.signal });
    await quiet();
    await grant(0);
    abort.abort();
    await quiet();
    confirmed.resolve(1);
    await quiet();
    expect([count("releaseLock"), permits.serving.count, permits.idle]).toEqual([1, 0, 1]);
  });

  test("[L13] a grant that waits for replicas twice is for one caller, and the next one asks", async () => {
    const replies = [new Later<number>(), new Later<number>()];
    let confirmations = 0;
    permits.room.backend.answer("awaitReplicas", () => replies[confirmations++]?.promise);
    const abort = new AbortController();
    add(1, { durability, signal: abort.signal });
    await quiet();
    await grant(0);
    const second = add(1, { durability: { replicas: 2, timeoutMs: 100 } });
    abort.abort();
    replies[0]?.resolve(1);
    await quiet();
    expect(confirmations).toBe(2);
    const third = add(); // asks with a ticket of its own, while the grant of the second waits for replicas
    await quiet();
    replies[1]?.resolve(2);
    await second.granted;
    expect(permits.asks.length).toBe(2);
    await grant(1);
    expect((await third.granted).fence).toBe(200);
  });
});
