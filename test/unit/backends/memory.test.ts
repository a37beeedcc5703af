import { expect, test } from "vitest";

import type { Wake } from "../../../src/backends/contract.ts";
import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { ContractClient, save, textOf } from "../../../src/testing/contract-client.ts";

function twoClients(): {
  a: ContractClient;
  b: ContractClient;
  wakes: { a: Wake[]; b: Wake[] };
  memory: Memory;
} {
  const memory = new Memory();
  const [a, b] = [new MemoryBackend({ memory }), new MemoryBackend({ memory })];
  const wakes: { a: Wake[]; b: Wake[] } = { a: [], b: [] };
  a.onWake((wake) => wakes.a.push(wake));
  b.onWake((wake) => wakes.b.push(wake));
  return { a: new ContractClient(a), b: new ContractClient(b), wakes, memory };
}

const nextTurnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve));

test("[L8] a release wakes exactly the next waiter, with its grant and the state, after the reply", async () => {
  const { a, b, wakes } = twoClients();
  const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
  await one.granted();
  await two.ask({ load: true, fences: 2 });
  await b.ticketFor("x").ask();
  await nextTurnOfTheLoop();
  wakes.a.length = 0;
  await one.release({ write: save("1") });
  expect(wakes).toEqual({ a: [], b: [] });
  await nextTurnOfTheLoop();
  expect(wakes.a).toEqual([]);
  expect(wakes.b).toMatchObject([
    { kind: "granted", id: "x", ticket: two.ticket, fences: 2, leaseMs: 10_000, waiting: 1 },
  ]);
  const [wake] = wakes.b;
  expect(textOf(wake?.kind === "granted" ? wake.state : null)).toBe("1");
  expect(await two.granted()).toBe(wake?.kind === "granted" ? wake.fence : 0);
});

test("[L8] the holder hears once of each ticket that begins to wait, and of no other ask", async () => {
  const { a, b, wakes } = twoClients();
  const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
  await one.granted();
  await b.ticketFor("x").ask({ queue: false });
  await two.ask();
  await two.ask();
  await nextTurnOfTheLoop();
  expect(wakes).toEqual({ a: [{ kind: "wanted", id: "x", ticket: one.ticket }], b: [] });
});

test("[L6] the holder hears of its forced release", async () => {
  const { a, b, wakes } = twoClients();
  const one = a.ticketFor("x");
  await one.granted();
  await b.backend.releaseLock("x", one.ticket, { forced: {} }, b.receipt());
  await nextTurnOfTheLoop();
  expect(wakes).toEqual({ a: [{ kind: "forced", id: "x", ticket: one.ticket }], b: [] });
});

test("[L9] an ask that finds a dead holder wakes the first waiter, when that is another", async () => {
  let time = 0;
  const memory = new Memory();
  const [a, b] = [1, 2].map(() => new ContractClient(new MemoryBackend({ memory, now: () => time })));
  const wakes: Wake[] = [];
  b!.backend.onWake((wake) => wakes.push(wake));
  await a!.ticketFor("x").granted({ leaseMs: 100 });
  const first = b!.ticketFor("x");
  await first.ask();
  time = 100;
  await a!.ticketFor("x").ask();
  await nextTurnOfTheLoop();
  expect(wakes).toMatchObject([{ kind: "granted", ticket: first.ticket, waiting: 1 }]);
});

test("two memories know nothing of each other", async () => {
  const [a, b] = [new ContractClient(new MemoryBackend()), new ContractClient(new MemoryBackend())];
  await a.saved("x", save("1"));
  expect(await b.load("x")).toBeNull();
});

test("[S7] what expired is cleared away by writes of other ids", async () => {
  let time = 0;
  const memory = new Memory();
  const client = new ContractClient(new MemoryBackend({ memory, now: () => time }));
  for (let n = 0; n < 100; n += 1) await client.saved(`short:${n}`, save("1", { ttlMs: 10 }));
  time = 10;
  for (let n = 0; n < 102; n += 1) await client.saved("long", save("1"));
  expect([...memory.states.keys()]).toEqual(["long"]);
});

test("[L10] locks and places that ended are cleared away by those of other ids", async () => {
  let time = 0;
  const memory = new Memory();
  const client = new ContractClient(new MemoryBackend({ memory, now: () => time }));
  for (let n = 0; n < 100; n += 1) {
    await client.ticketFor(`short:${n}`).granted({ leaseMs: 10 });
    await client.ticketFor(`short:${n}`).ask();
  }
  time = 100_000;
  const last = client.ticketFor("long");
  await last.granted();
  for (let n = 0; n < 102; n += 1) {
    await last.renew(1_000);
    await client.ticketFor("long").ask();
  }
  expect([[...memory.locks.keys()], [...memory.queues.keys()]]).toEqual([["long"], ["long"]]);
});

test("[L7] nothing is left of locks and queues when all have gone", async () => {
  const { a, b, memory } = twoClients();
  const [one, two, three] = [a.ticketFor("x"), b.ticketFor("x"), b.ticketFor("x")];
  await one.granted();
  await two.ask();
  await three.ask();
  await three.cancel();
  await one.release();
  await two.granted();
  await two.release();
  expect([memory.locks.size, memory.queues.size]).toEqual([0, 0]);
});
