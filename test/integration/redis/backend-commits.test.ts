// RedisBackend through the contract: a commit of several states is all or nothing, whatever is wrong with the server or
// with one of the keys.
// Seen failing with the defences out: types checked of queues only, where none waits (the asks of a lock without a queue) · the
// type of a lock not looked at (a lock of another type) · nothing written before the receipt (a full server remembers) ·
// a ticket that stays in the queue (confirms a hand-over).

import { describe, expect, test } from "vitest";

import type { CommitEntry } from "../../../src/backends/contract.ts";
import { encodeCommitStates } from "../../../src/backends/redis/protocol/several-states.ts";
import { scripts } from "../../../src/backends/redis/scripts/generated.ts";
import { remove, save, type ContractTicket } from "../../../src/testing/contract-client.ts";
import { commit } from "../../support/commit.ts";
import type { RedisServer } from "../../support/redis-server.ts";
import { failure, twoClients, type TestClient } from "./clients.ts";

let server: RedisServer;
let a: TestClient;
let b: TestClient;
twoClients({ prefixes: ["t:"] }, (of) => ({ server, a, b } = of));

const large = "x".repeat(20_000);

async function held(client: TestClient, ...ids: string[]): Promise<ContractTicket[]> {
  const tickets = ids.map((id) => client.ticketFor(id));
  for (const ticket of tickets) await ticket.granted();
  return tickets;
}

/** Everything that is stored but the last stamp and the receipts, byte by byte. */
async function stored(): Promise<Record<string, unknown>> {
  const keys = ((await server.command("KEYS", "*")) as string[]).sort();
  const kept = keys.filter((key) => key !== "t:stamp" && !key.startsWith("t:done:"));
  const dumps = kept.map(async (key) => [key, await server.command("DUMP", key)] as const);
  return Object.fromEntries(await Promise.all(dumps));
}

/** What is under the keys is as it was, and the tickets hold their locks. */
async function expectUntouched(before: Record<string, unknown>, tickets: ContractTicket[]): Promise<void> {
  expect(await stored()).toEqual(before);
  for (const ticket of tickets) expect(await ticket.renew()).toBe("renewed");
}

describe("[S9] a full server", () => {
  const full = { code: "OUT_OF_MEMORY", outcome: "none" };
  test.each([
    ["small values", ["1", "2", "3"]],
    ["large values", [large, large, large]],
    ["only the last value is large", ["1", "2", large]],
  ])("%s: everything is as it was, and the locks are held", async (_, values) => {
    await a.saved("x", save("before", { ttlMs: 60_000 }));
    const tickets = await held(a, "x", "y", "z");
    const waiter = b.ticketFor("y");
    const changes = values.map((value) => ({ write: save(value) }));
    for (const waits of [false, true]) {
      if (waits) await waiter.queued();
      const before = await stored();
      await server.command("CONFIG", "SET", "maxmemory", "1");
      const receipt = a.receipt();
      for (let attempt = 1; attempt <= 2; attempt += 1)
        expect(await failure(commit({ client: a, receipt }, tickets, changes))).toMatchObject(full);
      await server.command("CONFIG", "SET", "maxmemory", "0");
      await expectUntouched(before, tickets);
    }
    expect(await commit({ client: a }, tickets, changes)).toMatchObject({ status: "committed" });
    await waiter.granted();
    expect([await a.load("x"), await a.load("y"), await a.load("z")]).toEqual(values);
    expect(await server.command("KEYS", "t:sent:*")).toEqual([]);
  });

  test("the value of one state fits no more", async () => {
    const tickets = await held(a, "x", "y", "z");
    const before = await stored();
    const used = /used_memory:(\d+)/.exec(String(await server.command("INFO", "memory")))?.[1];
    await server.command("CONFIG", "SET", "maxmemory", String(Number(used) + 1_000_000));
    const changes = ["1", large, "x".repeat(4_000_000)].map((value) => ({ write: save(value) }));
    expect(await failure(commit({ client: a }, tickets, changes))).toMatchObject(full);
    await server.command("CONFIG", "SET", "maxmemory", "0");
    await expectUntouched(before, tickets);
  });

  test("deletes and releases all the same, and hands the locks over", async () => {
    await a.saved("x", save("1"));
    const tickets = await held(a, "x", "y");
    const waiter = b.ticketFor("y");
    await waiter.queued();
    await server.command("CONFIG", "SET", "maxmemory", "1");
    const reply = await commit({ client: a }, tickets, [{ write: remove() }]);
    await server.command("CONFIG", "SET", "maxmemory", "0");
    expect(reply).toEqual({ status: "committed", revisions: [null, null] });
    expect(await a.load("x")).toBeNull();
    await waiter.granted();
  });

  test("[S5] remembers a commit that changed nothing", async () => {
    const [ticket] = (await held(a, "x")) as [ContractTicket];
    await server.command("CONFIG", "SET", "maxmemory", "1");
    const receipt = a.receipt();
    const first = await commit({ client: a, receipt }, [ticket], [{ keeps: true }]);
    await server.command("CONFIG", "SET", "maxmemory", "0");
    await ticket.released();
    expect(await commit({ client: a, receipt }, [ticket], [{ keeps: true }])).toEqual(first);
  });
});

describe("[S9] a key that is not what it should be: nothing is written, and all locks are held", () => {
  const corrupt = { code: "CORRUPT_STATE" };
  const list = (key: string): Promise<unknown> => server.command("RPUSH", key, "x");
  const changes = [{ write: save("1") }, { write: save(large) }, { write: save("3") }];

  test.each(["t:queue:{y}", "t:stamp", "t:done:$client"])("%s", async (name) => {
    const tickets = await held(a, "x", "y", "z");
    const key = name.replace("$client", a.backend.clientId);
    await server.command("DEL", key);
    await list(key);
    const before = await stored();
    expect(await failure(commit({ client: a }, tickets, changes))).toMatchObject(corrupt);
    expect(await stored()).toEqual(before);
    await server.command("DEL", key);
    expect(await commit({ client: a }, tickets, changes)).toMatchObject({ status: "committed" });
  });

  test("a lock of another type", async () => {
    const [x, , z] = (await held(a, "x", "y", "z")) as [ContractTicket, ContractTicket, ContractTicket];
    const y = a.ticketFor("y");
    await server.command("DEL", "t:lock:{y}");
    await list("t:lock:{y}");
    const before = await stored();
    expect(await failure(commit({ client: a }, [x, y, z], changes))).toMatchObject(corrupt);
    await expectUntouched(before, [x, z]);
  });

  test("the asks of the waiters, in whose queue the ticket or another one waits", async () => {
    const tickets = await held(a, "x", "y", "z");
    await b.ticketFor("y").queued();
    await server.command("DEL", "t:asks:{y}");
    await list("t:asks:{y}");
    const before = await stored();
    expect(await failure(commit({ client: a }, tickets, changes))).toMatchObject(corrupt);
    await expectUntouched(before, tickets);
  });

  test("the asks of a lock without a queue are not looked at, also beside a lock that has one", async () => {
    const tickets = await held(a, "x", "y", "z");
    const waiter = b.ticketFor("z");
    await waiter.queued();
    await list("t:asks:{x}");
    expect(await commit({ client: a }, tickets, changes)).toMatchObject({ status: "committed" });
    expect([await b.load("x"), await b.load("y"), await b.load("z")]).toEqual(["1", large, "3"]);
    await waiter.granted();
    expect(await server.command("EXISTS", "t:lock:{x}", "t:lock:{y}")).toBe(0);
  });

  test("the holders of a semaphore, or anything else, where shares are noted", async () => {
    const tickets = await held(a, "x", "y");
    const [reads, waits] = [b.ticketFor("x"), b.ticketFor("y")];
    await reads.queued({ share: { kind: "shared" } });
    await waits.queued();
    await list("t:holders:{x}");
    expect(await commit({ client: a }, tickets, changes)).toMatchObject({ status: "committed" });
    await waits.granted();
    expect(await server.command("EXISTS", "t:lock:{x}")).toBe(0);
    await server.command("DEL", "t:holders:{x}");
    await reads.granted({ share: { kind: "shared" } });
  });

  test.each([
    ["a list", ["RPUSH", "t:state:{y}", "x"], "a Redis list"],
    ["text", ["SET", "t:state:{y}", "x"], "data that Holdfast did not write"],
    ["a later format", ["SET", "t:state:{y}", "hf2 1 json\n1"], "format hf2"],
  ])("[S6] a state that is %s", async (_, command, unreadable) => {
    const tickets = await held(a, "x", "y", "z");
    await server.command(...(command as [string, ...string[]]));
    const before = await stored();
    const refused = { status: "unreadable", index: 1, unreadable };
    for (const write of [save("2"), save(large), remove()]) {
      const each = [{ write: save(large) }, { write }, { write: save("3") }];
      expect(await commit({ client: a }, tickets, each)).toEqual(refused);
      await expectUntouched(before, tickets);
    }
    const checked = [{ write: save("1"), keeps: true }, { ifRevision: 7 }];
    expect(await commit({ client: a }, tickets, checked)).toEqual(refused);
    const others = [{ write: save("1") }, {}, { write: save("3") }];
    expect(await commit({ client: a }, tickets, others)).toMatchObject({ status: "committed" });
  });
});

describe("[S9] values that are sent ahead", () => {
  const changes = [{ write: save(large) }, { write: save("2") }, { write: save(`${large}3`) }];

  test("are gone after a refusal, and after a repetition", async () => {
    const tickets = await held(a, "x", "y", "z");
    const [x, y, z] = tickets as [ContractTicket, ContractTicket, ContractTicket];
    const sent = (): Promise<unknown> => server.command("KEYS", "t:sent:*");
    const other = [...changes.slice(0, 2), { write: save(large), ifRevision: 7 }];
    expect(await commit({ client: a }, tickets, other)).toMatchObject({ status: "conflict", index: 2 });
    expect(await sent()).toEqual([]);
    const unknown = a.ticketFor("w");
    expect(await commit({ client: a }, [x, unknown, z], changes)).toEqual({ status: "lost", index: 1 });
    expect(await sent()).toEqual([]);
    const receipt = a.receipt();
    const first = await commit({ client: a, receipt }, [x, y, z], changes);
    expect(await commit({ client: a, receipt }, [x, y, z], changes)).toEqual(first);
    expect(await sent()).toEqual([]);
  });

  test("one that is gone before the script runs: nothing is written", async () => {
    const tickets = await held(a, "x", "y", "z");
    const entries = tickets.map(({ id, ticket, receipt: release }, index) => ({
      ...{ id, ticket, release, write: changes[index]?.write },
    }));
    const { args, ahead } = encodeCommitStates(entries, (id) => `t:sent:{${id}}`);
    for (const { args: sent } of ahead) await server.command(...(sent.map(String) as [string]));
    await server.command("DEL", "t:sent:{z}");
    const { "t:sent:{x}": _, ...before } = await stored();
    const { commitStates } = scripts;
    const keys = ["t:stamp", `t:done:${a.backend.clientId}`];
    const call = ["EVAL", commitStates.text, "2", ...keys, "t:", "0", "9", "1", "", "60000", "0"] as const;
    await expect(server.command(...call, ...args.map(String))).rejects.toThrow(/STAGED/);
    await expectUntouched(before, tickets);
  });
});

test("[S9] the stamps of a commit are above all that its states had before, though the last one was lost", async () => {
  const past2090 = 3_800_000_000_000_000;
  await server.command("SET", "t:state:{y}", `hf1 ${String(past2090)} json\n1`);
  const tickets = await held(a, "x", "y", "z");
  const reply = await commit(
    { client: a },
    tickets,
    [1, 2, 3].map((n) => ({ write: save(String(n)) })),
  );
  expect(reply).toEqual({ status: "committed", revisions: [past2090 + 1, past2090 + 2, past2090 + 3] });
  expect(await b.saved("x", save("4"))).toBe(past2090 + 4);
});

test("[S9] [L9] a commit confirms a hand-over: its ticket is in no queue any more, also where the lock is kept", async () => {
  const held = [a.ticketFor("x"), a.ticketFor("y")];
  const handed = [b.ticketFor("x"), b.ticketFor("y")];
  for (const ticket of held) await ticket.granted();
  for (const ticket of handed) await ticket.queued();
  for (const ticket of held) await ticket.released();
  const inQueues = (): Promise<unknown> =>
    server.command("EXISTS", "t:queue:{x}", "t:asks:{x}", "t:queue:{y}", "t:asks:{y}");
  expect(await commit({ client: b }, handed, [{ ifRevision: 7 }])).toMatchObject({ status: "conflict" });
  expect(await inQueues()).toBe(4);
  expect(await commit({ client: b }, handed, [{ keeps: true }])).toMatchObject({ status: "committed" });
  expect(await inQueues()).toBe(0);
  expect(await handed[0]?.renew()).toBe("renewed");
});

test("[S9] the foreign token of another program under one of the locks: lost, and it stays", async () => {
  const [x, y] = (await held(a, "x", "y")) as [ContractTicket, ContractTicket];
  await server.command("SET", "t:lock:{y}", "token", "PX", "60000");
  const entries: CommitEntry[] = [x, y].map(({ id, ticket, receipt }) => ({ id, ticket, release: receipt }));
  expect(await a.backend.commitStates(entries, a.receipt())).toEqual({ status: "lost", index: 1 });
  expect(await server.command("GET", "t:lock:{y}")).toBe("token");
  expect(await x.renew()).toBe("renewed");
});
