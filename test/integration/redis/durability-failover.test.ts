// What docs/redis.md says of durability, line by line: what was acknowledged is there after a replica was promoted.
// Seen failing with the defences out: the number of WAIT not compared (what was acknowledged is gone) · no look whether
// the server that answers has it ([S5] another answers).

import { afterEach, describe, expect, test } from "vitest";

import { LockLostError } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { startRedis } from "../../support/redis-server.ts";
import { counter, failureOf, listOf, none, one, patient, Replicated, unknown } from "./replicated.ts";

let all: Replicated;
afterEach(() => all.stop());

describe("what was acknowledged, after a failover", () => {
  test("[S3] none: it may be gone; what is there is consistent, and goes on", async () => {
    all = await Replicated.start(1);
    const n = counter(all.open());
    await n.save(1, { durability: patient });
    all.silence();
    const lost = await n.save(2);
    await all.failOver();
    expect(await n.load()).toBe(1);
    expect(await n.save(3)).toBeGreaterThan(lost); // [S2] the client has seen the higher one, and lifts it
  });

  test("[S3] replicas: 1: it is there; what was not acknowledged is unknown", async () => {
    all = await Replicated.start(1);
    const list = listOf(all.open({ durability: one }));
    const [acknowledged, others]: [string[], { id: string; error: unknown }[]] = [[], []];
    let going = true;
    const caller = async (name: string): Promise<void> => {
      for (let at = 0; going && at < 300; at += 1) {
        const id = `${name}-${String(at)}`;
        await list
          .run((draft) => void draft.ids.push(id))
          .then(
            () => acknowledged.push(id),
            (error: unknown) => others.push({ id, error }),
          );
      }
    };
    const callers = ["a", "b", "c", "d"].map(caller);
    try {
      await poll(() => acknowledged.length).toBeGreaterThan(40);
      all.silence();
      await poll(() => others.length).toBeGreaterThan(8);
    } finally {
      going = false;
    }
    const before = acknowledged.length;
    await all.failOver();
    await Promise.all(callers);
    const { ids } = await list.load();
    expect(ids).toEqual([...new Set(ids)]);
    expect(acknowledged.slice(0, before).filter((id) => !ids.includes(id))).toEqual([]);
    for (const { id, error } of others) {
      // The lock was of the old primary, and the save was first sent to the promoted one: certainly nothing was done.
      if (error instanceof LockLostError && error.outcome === "none") expect(ids).not.toContain(id);
      else expect(error).toMatchObject({ outcome: "unknown" });
    }
  });

  test("[S5] replicas: 1: the primary dies while they are waited for: carried out once, by the promoted one", async () => {
    all = await Replicated.start(1);
    await all.addReplica(all.replica); // of the replica: who is promoted can have its writes acknowledged
    const n = counter(all.open());
    await n.save(1, { durability: patient });
    all.line.silent = true;
    const saving = n.update((at) => at + 1, { durability: patient });
    await all.waiting();
    await all.failOver();
    expect(await saving).toBe(2);
    expect(await n.load()).toBe(2);
  });

  test("[S5] replicas: 1: done by one server, and another answers for the replicas: unknown", async () => {
    all = await Replicated.start(1);
    await all.addReplica(all.replica);
    const store = all.open();
    const n = counter(store);
    await n.save(1);
    await poll(() => counter(all.openAt(all.replica.url)).load()).toBe(1);
    all.line.silent = true;
    await all.replica.command("REPLICAOF", "NO", "ONE");
    all.address.repoint(all.replica, "stay"); // the old primary does not know yet, and our connection to it is up
    const error = await failureOf(n.save(2, { durability: patient }));
    expect(error).toMatchObject(unknown);
    expect(error.message).toContain("lost data between two attempts");
    const refused = await failureOf(store.lock("x").acquire({ durability: one, waitMs: 200 }));
    expect(["UNREACHABLE", "LOCK_TIMEOUT"]).toContain(refused.code); // granted there, and never handed out
    all.address.cut();
    expect(await n.load()).toBe(1);
    await n.save(3, { durability: patient });
  });

  test("[L1] [L3] [S2] replicas: 1: a grant is known there: its holder goes on, nobody else enters, fences rise", async () => {
    all = await Replicated.start(1);
    const [a, b] = [all.open({ durability: patient }), all.open()];
    const n = counter(a);
    const grant = await a.lock("n").acquire();
    const revision = await n.save(1, { grant });
    await all.failOver();
    expect(await b.lock("n").tryAcquire()).toBeNull();
    expect(grant.signal.aborted).toBe(false);
    expect(await n.save(2, { grant, durability: none })).toBeGreaterThan(revision);
    expect(await grant.release()).toBe(true);
    const next = await b.lock("n").acquire();
    expect(next.fence).toBeGreaterThan(grant.fence);
    await next.release();
  });

  test("[L1] none: two believe that they hold the lock; the promoted server accepts the saves of one", async () => {
    all = await Replicated.start(1);
    const [a, b] = [all.open(), all.openAt(all.replica.url)];
    all.silence();
    const first = await a.lock("n").acquire();
    await all.replica.command("REPLICAOF", "NO", "ONE");
    const second = await b.lock("n").acquire();
    expect([first.signal.aborted, second.signal.aborted]).toEqual([false, false]);
    await counter(a).save(1, { grant: first }); // the old one still takes it, and it is lost with it
    // With replicas: 1 neither would have been acknowledged there: it has none any more.
    expect(await failureOf(a.lock("other").acquire({ durability: one }))).toMatchObject(unknown);
    all.address.repoint(all.replica);
    await counter(b).save(2, { grant: second });
    expect(await failureOf(counter(a).save(3, { grant: first }))).toMatchObject({ code: "LOCK_LOST" });
    expect(await counter(b).load()).toBe(2);
    expect(await second.release()).toBe(true);
    expect(await first.release()).toBe(false);
  });

  test("appendfsync always: what was acknowledged is there after kill -9 and a restart; without it, it is not", async () => {
    all = await Replicated.start(0, { appendonly: true });
    const n = counter(all.open());
    const revision = await n.save(1);
    await all.primary.kill();
    await all.primary.start();
    expect(await n.read()).toMatchObject({ value: 1, revision });
    const forgetful = await startRedis();
    const other = counter(all.openAt(forgetful.url));
    const gone = await other.save(1);
    await forgetful.kill();
    await forgetful.start();
    expect(await other.read()).toBeUndefined();
    expect(await other.save(2)).toBeGreaterThan(gone); // [S2]
    await forgetful.stop();
  });
});
