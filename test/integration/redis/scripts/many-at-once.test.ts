// Operations of one tick: they share scripts, and each has its own answer all the same.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { LoadedState, ReleaseRequest, Wake } from "../../../../src/backends/contract.ts";
import {
  argumentsAlone,
  OperationEncoder,
} from "../../../../src/backends/redis/pipeline/operation-encoder.ts";
import { repliesOf } from "../../../../src/backends/redis/protocol/decode.ts";
import { remove, save, textOf } from "../../../../src/testing/contract-client.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { closeClients, TestClient } from "../clients.ts";

describe("as text", () => {
  const ask = (n: number, terms: readonly (string | number)[]) => ({
    id: `id ${String(n)}`,
    ticket: `h:1:c:${String(n)}`,
    own: ["0"],
    terms,
  });

  test("base and count, the operations, and each set of terms once", () => {
    const operations = new OperationEncoder();
    const short = ["100", 1];
    for (const one of [ask(1, short), ask(2, ["200", 1]), ask(3, ["100", 1]), ask(4, ["200", 2])])
      expect(operations.add(one)).toBe(true);
    const [text, ...others] = operations.argumentsWith(["other"]);
    expect(others).toEqual(["other"]);
    expect(JSON.parse(String(text))).toEqual(
      [
        ["h:1:c:", 4],
        ["id 1", "1", "0", 0, "id 2", "2", "0", 2, "id 3", "3", "0", 0, "id 4", "4", "0", 4],
        ["100", 1, "200", 1, "200", 2],
      ].flat(),
    );
  });

  test("one alone stands behind the other arguments, from where the first says", () => {
    expect(argumentsAlone(ask(1, ["100", 1]), ["a", "b"])).toEqual(
      [
        ["4", "a", "b"],
        ["h:1:c:", "1"],
        ["id 1", "1", "0", "0", "100", "1"],
      ].flat(),
    );
  });

  test.each(["h:1:d:2", "h:1:c2", "h:1:c:2:3", "2", ""])(
    "a ticket of another base is not taken: %j",
    (ticket) => {
      const operations = new OperationEncoder();
      expect(operations.add(ask(1, []))).toBe(true);
      expect(operations.add({ ...ask(2, []), ticket })).toBe(false);
      expect(operations.argumentsWith([])[0]).toContain('["h:1:c:",1,');
    },
  );
});

describe("one reply for all", () => {
  test("the first stamp: each took its own after the last", () => {
    expect(repliesOf(10, [1, 3, 1])).toEqual([10, 11, 14]);
    expect(repliesOf(["granted", 10, "a", null, "c"], [1, 3, 1])).toEqual([
      [10, "a"],
      [11, null],
      [14, "c"],
    ]);
    expect(repliesOf([Buffer.from("granted"), 10, null], [1])).toEqual([[10, null]]);
  });

  test("a word is that of each", () => {
    expect(repliesOf("released", [0, 0])).toEqual(["released", "released"]);
  });

  test("a list has one for each, also where it begins with a word", () => {
    for (const list of [
      ["settled", 10],
      [1, 0],
      [["granted", 10, 1, 5, 0], 3],
    ])
      expect(repliesOf(list, [1, 1])).toBe(list);
  });
});

describe("on a server", () => {
  let server: RedisServer;
  let client: TestClient;
  beforeAll(async () => {
    server = await startRedis({ prefixes: ["t:"] });
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    await server.command("FLUSHALL");
    client = await new TestClient(server.url).listening();
  });
  afterEach(closeClients);

  const ids = Array.from({ length: 24 }, (_, n) => `id ${String(n)}`);

  test("[L1] [L3] asks with and without the state, of other leases and fences", async () => {
    await client.saved("id 3", save("three"));
    const turns = ids.map((id) => client.ticketFor(id));
    const asked = turns.map((turn, n) => {
      const request = { leaseMs: 10_000 + (n % 3) * 20_000, fences: 1 + (n % 2), load: n % 4 === 3 };
      return { turn, request, reply: turn.ask(request) };
    });
    const taken = new Set<number>();
    for (const [n, { turn, request, reply: coming }] of asked.entries()) {
      const reply = await coming;
      if (reply.status !== "granted") throw new Error(reply.status);
      expect(reply).toMatchObject({ fences: request.fences, leaseMs: request.leaseMs, waiting: 0 });
      expect("state" in reply).toBe(request.load);
      if (request.load) expect(textOf(reply.state)).toBe(n === 3 ? "three" : null);
      for (let fence = reply.fence; fence < reply.fence + reply.fences; fence += 1) {
        expect(taken).not.toContain(fence);
        taken.add(fence);
      }
      const value = String(await server.command("GET", `t:lock:{${turn.id}}`));
      const last = reply.fences === 1 ? "" : ` ${String(reply.fence + 1)}`;
      expect(value).toBe(`${turn.ticket} ${String(reply.fence)}${last}`);
      const left = Number(await server.command("PTTL", `t:lock:{${turn.id}}`));
      expect(left).toBeGreaterThan(request.leaseMs - 10_000);
      expect(left).toBeLessThanOrEqual(request.leaseMs);
    }
  });

  test("[L1] [S1] one that is held and one whose state is unreadable do not disturb the others", async () => {
    const other = await new TestClient(server.url).listening();
    await other.ticketFor("id 5").granted();
    await server.command("SET", "t:state:{id 7}", "not ours");
    await server.command("RPUSH", "t:state:{id 9}", "no string");
    const replies = await Promise.all(ids.map((id) => client.ticketFor(id).ask({ load: true })));
    for (const [n, reply] of replies.entries()) {
      if (n === 5) expect(reply.status).toBe("waiting");
      else if (n === 7 || n === 9)
        expect(reply).toMatchObject({ status: "granted", state: { unreadable: /./ } });
      else expect(reply).toMatchObject({ status: "granted", state: null });
    }
  });

  test("[L6] releases: one whose lock was lost, one that is tried again", async () => {
    const turns = ids.map((id) => client.ticketFor(id));
    await Promise.all(turns.map((turn) => turn.granted()));
    await server.command("SET", "t:lock:{id 4}", "stolen");
    expect(await turns[6]?.release()).toEqual({ status: "released", revision: null });
    const replies = await Promise.all(turns.map((turn) => turn.release()));
    for (const [n, reply] of replies.entries()) {
      expect(reply).toEqual(n === 4 ? { status: "lost" } : { status: "released", revision: null });
    }
    expect(await server.command("KEYS", "t:lock:*")).toEqual(["t:lock:{id 4}"]);
  });

  test("[S2] [S4] commits: revisions rise in order, and one that is refused does not disturb the others", async () => {
    const before = await client.saved("id 2", save("old"));
    for (const refused of [undefined, 2, 8]) {
      const turns = ids.map((id) => client.ticketFor(id));
      await Promise.all(turns.map((turn) => turn.granted()));
      if (refused === 8) await server.command("DEL", "t:lock:{id 8}");
      const replies = await Promise.all(
        turns.map((turn, n) => {
          const ifRevision = n === 2 && refused === 2 ? { ifRevision: before } : {};
          return turn.release({ write: save(`${String(refused)} ${String(n)}`, ifRevision) });
        }),
      );
      let last = 0;
      for (const [n, reply] of replies.entries()) {
        if (n === refused) {
          expect(reply.status).toBe(refused === 2 ? "conflict" : "lost");
          if (refused === 2) await turns[n]?.release();
          continue;
        }
        if (reply.status !== "released" || reply.revision === null) throw new Error(reply.status);
        expect(reply.revision).toBeGreaterThan(last);
        last = reply.revision;
        const state = await client.backend.loadState(`id ${String(n)}`, { expiry: false });
        expect(state).toMatchObject({ revision: reply.revision });
        expect(textOf(state)).toBe(`${String(refused)} ${String(n)}`);
      }
    }
  });

  const stateOf = (id: string): Promise<LoadedState> => client.backend.loadState(id, { expiry: false });

  test("[S2] [S3] [L2] [L3] commits of all kinds: each has its own answer, and what is told is what is stored", async () => {
    const other = await new TestClient(server.url).listening();
    const turns = ids.map((id) => client.ticketFor(id));
    const fences = await Promise.all(turns.map((turn) => turn.granted()));
    const waiters = new Map(ids.filter((_, n) => n % 6 === 3).map((id) => [id, other.ticketFor(id)]));
    for (const waiter of waiters.values()) expect((await waiter.ask()).status).toBe("waiting");
    const big = "x".repeat(5_000);
    const requests: readonly ReleaseRequest[] = [
      { write: save("small") },
      { write: remove() },
      { write: save("kept"), keep: { leaseMs: 9_000, fences: 3 } },
      { write: save("handed over"), keep: { leaseMs: 9_000, fences: 2 } },
      { write: save(big) },
      { write: save("refused", { ifRevision: 1 }) },
    ];
    const replies = await Promise.all(turns.map((turn, n) => turn.release(requests[n % 6])));
    const stamps = new Set<number>(fences);
    const isNew = (stamp: number): void => {
      expect(stamp).toBeGreaterThan(Math.max(...fences));
      expect(stamps).not.toContain(stamp);
      stamps.add(stamp);
    };
    for (const [n, reply] of replies.entries()) {
      const id = ids[n] ?? "";
      if (n % 6 === 1) {
        expect(reply).toEqual({ status: "released", revision: null });
        expect(await stateOf(id)).toBeNull();
      } else if (n % 6 === 5) {
        expect(reply).toEqual({ status: "conflict", revision: null });
      } else {
        const { revision } = reply as { revision: number };
        isNew(revision);
        expect(await stateOf(id)).toMatchObject({ revision });
        expect(textOf(await stateOf(id))).toBe(["small", "", "kept", "handed over", big][n % 6]);
        expect(reply.status).toBe(n % 6 === 2 ? "kept" : "released");
      }
      if (reply.status === "kept") for (const more of [0, 1, 2]) isNew((reply.fence ?? NaN) + more);
    }
    for (const [id, { ticket }] of waiters) {
      const wake = (await wakesOf(other, waiters.size)).find((one) => one.id === id);
      expect(wake).toMatchObject({ ticket });
      isNew(wake?.fence ?? 0);
    }
  });

  test("[S2] commits of which one meets a revision above the stamps: told is stored", async () => {
    const above = Date.now() * 1_000 + 3_600_000_000; // as of a server whose clock was set back
    await server.command("SET", "t:state:{id 3}", `hf1 ${String(above)} json\nold`);
    const turns = ids.map((id) => client.ticketFor(id));
    await Promise.all(turns.map((turn) => turn.granted()));
    const replies = await Promise.all(turns.map((turn, n) => turn.release({ write: save(String(n)) })));
    for (const [n, reply] of replies.entries()) {
      const { revision } = reply as { revision: number };
      expect(await stateOf(ids[n] ?? "")).toMatchObject({ revision });
      if (n === 3) expect(revision).toBeGreaterThan(above);
    }
  });

  test("[S5] a server that forgets everything, scripts too, between asks and releases of one tick", async () => {
    const turns = ids.map((id) => client.ticketFor(id));
    await Promise.all(turns.map((turn) => turn.granted()));
    await server.command("FLUSHALL");
    await server.command("SCRIPT", "FLUSH");
    const replies = await Promise.all(turns.map((turn) => turn.release({ write: save("late") })));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set(["lost"]));
    const again = await Promise.all(ids.map((id) => client.ticketFor(id).ask()));
    expect(new Set(again.map(({ status }) => status))).toEqual(new Set(["granted"]));
  });
});

async function wakesOf(client: TestClient, count: number): Promise<Extract<Wake, { kind: "granted" }>[]> {
  await client.wake("granted", count);
  return client.wakes.filter((wake) => wake.kind === "granted");
}
