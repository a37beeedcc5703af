// What the backend is told of the waits of this process, and what becomes of its answers, with a backend that answers what the
// test says.
//
// Seen failing: two calls at once, the second overtaken by the first; a refused note sent for ever; a hold that serves the next
// caller although its note may still be there, or is outdated; the second of two cycles missed; a cycle told to a caller that has its lock by now.

import { describe, expect, test, vi } from "vitest";

import type { Deadlock, NoteOrder, WaitNote } from "../../../src/backends/contract.ts";
import { MemoryBackend, Memory } from "../../../src/backends/memory/backend.ts";
import { open, UnavailableError, type HoldfastError, type Store } from "../../../src/index.ts";

interface Call {
  readonly notes: readonly WaitNote[];
  readonly order: NoteOrder;
  readonly answer: (reply: readonly (Deadlock | null)[] | Error) => void;
}

/** The calls of noteWaits wait for the test; all others are carried out. */
function storeAndCalls(): { store: Store; other: Store; calls: Call[]; close: () => Promise<unknown> } {
  const memory = new Memory();
  const backend = new MemoryBackend({ memory });
  const calls: Call[] = [];
  backend.noteWaits = (notes, order) =>
    new Promise((resolve, reject) => {
      const answer = (reply: readonly (Deadlock | null)[] | Error): void =>
        reply instanceof Error ? reject(reply) : resolve(reply);
      calls.push({ notes, order, answer });
    });
  const store = open(backend, { operationMs: 1_000 });
  const other = open(new MemoryBackend({ memory }));
  return { store, other, calls, close: () => Promise.all([store.close({ drainMs: 0 }), other.close()]) };
}

const idsOf = ({ notes }: Call): string[][] =>
  notes.map(({ id, asks }) => [id, ...asks.map((ask) => ask.id)]);

describe("notes of waits", () => {
  test("[L15] one call at a time, with rising numbers; the next has what has changed since", async () => {
    const { store, other, calls, close } = storeAndCalls();
    const held = [await other.lock("b").acquire(), await other.lock("c").acquire()];
    await store.lock("a").run(async () => {
      const first = store.lock("b").run(() => "b");
      await vi.waitFor(() => expect(calls).toHaveLength(1));
      const second = store.lock("c").run(() => "c");
      await held[0]?.release();
      expect(await first).toBe("b");
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(calls).toHaveLength(1);
      calls[0]?.answer([null]);
      await vi.waitFor(() => expect(calls).toHaveLength(2));
      calls[1]?.answer([null]);
      await held[1]?.release();
      expect(await second).toBe("c");
    });
    await vi.waitFor(() => expect(calls).toHaveLength(3));
    expect(calls.map(idsOf)).toEqual([[["a", "b"]], [["a", "c"]], [["a"]]]);
    expect(calls.map(({ order }) => order.n)).toEqual([1, 2, 3]);
    calls[2]?.answer([null]);
    await close();
  });

  test("[L15] the answer comes when the lock has been granted: its caller has it", async () => {
    const { store, other, calls, close } = storeAndCalls();
    const held = await other.lock("b").acquire();
    await store.lock("a").run(async () => {
      const waiting = store.lock("b").run(() => "b");
      await vi.waitFor(() => expect(calls).toHaveLength(1));
      await held.release();
      expect(await waiting).toBe("b");
      const [note] = calls[0]?.notes ?? [];
      const [ask] = note?.asks ?? [];
      if (note === undefined || ask === undefined) throw new Error("nothing was noted");
      calls[0]?.answer([[{ ...note, ask }]]);
    });
    await close();
  });

  test("[L15] a cycle in the answer ends the call that waits, and no other", async () => {
    const { store, other, calls, close } = storeAndCalls();
    const held = await other.lock("b").acquire();
    const outside = store.lock("b").acquire(); // it waits with the same ticket
    await store.lock("a").run(async () => {
      const waiting = store.lock("b").acquire();
      await vi.waitFor(() => expect(calls).toHaveLength(1));
      const [note] = calls[0]?.notes ?? [];
      const [ask] = note?.asks ?? [];
      if (note === undefined || ask === undefined) throw new Error("nothing was noted");
      const ticket = "elsewhere:7:0123:1";
      calls[0]?.answer([
        [
          { ...note, ask },
          { id: "b", ticket, ask: { id: "a", ticket } },
        ],
      ]);
      const error = (await waiting.catch((reason: unknown) => reason)) as HoldfastError;
      expect(error.code).toBe("DEADLOCK");
      expect(error.message).toMatch(/"b" is held by process 7 on elsewhere, which needs the lock "a" first/);
    });
    await held.release();
    await (await outside).release();
    await close();
  });

  test("[L15] [P1] a backend that refuses: the calls go on as if nothing could be noted, and it is not asked again", async () => {
    const { store, other, calls, close } = storeAndCalls();
    await store.lock("a").run(async () => {
      for (const failure of [new Error("has no such method"), new Error("again")]) {
        const held = await other.lock("b").acquire();
        const waiting = store.lock("b").run(() => "b");
        if (calls.length === 0) await vi.waitFor(() => expect(calls).toHaveLength(1));
        else await new Promise((resolve) => setTimeout(resolve, 80));
        calls.at(-1)?.answer(failure);
        await held.release();
        expect(await waiting).toBe("b");
      }
    });
    expect(calls).toHaveLength(1);
    await close();
  });

  test("[L15] a note is outdated when its function ends: its hold serves no other caller", async () => {
    const { store, other, calls, close } = storeAndCalls();
    const held = await other.lock("b").acquire();
    const enough = new AbortController();
    const ticketOf = async (id: string): Promise<string | undefined> => {
      const holder = (await store.lock(id).inspect())?.holder;
      return holder !== undefined && "ticket" in holder ? holder.ticket : undefined;
    };
    const first = store.lock("a").run(async () => {
      const waiting = store.lock("b").acquire({ signal: enough.signal });
      await vi.waitFor(() => expect(calls).toHaveLength(1));
      calls[0]?.answer([null]);
      enough.abort(new Error("enough"));
      await expect(waiting).rejects.toThrow("enough");
    });
    const next = store.lock("a").run(() => ticketOf("a"));
    await first;
    expect(await next).toBeDefined();
    expect(await next).not.toBe(calls[0]?.notes[0]?.ticket);
    await vi.waitFor(() => expect(calls.slice(1).map(idsOf)).toEqual([[["a"]]]));
    calls[1]?.answer([null]);
    await held.release();
    await close();
  });

  test("[L15] of two asks of a function, both close cycles: both are told", async () => {
    const { store, other, calls, close } = storeAndCalls();
    const held = [await other.lock("b").acquire(), await other.lock("c").acquire()];
    const cycles = ({ notes }: Call): (Deadlock | null)[] =>
      notes.map(({ id, ticket, asks: [ask] }) => {
        if (ask === undefined) return null;
        const elsewhere = "elsewhere:7:0123:1";
        return [
          { id, ticket, ask },
          { id: ask.id, ticket: elsewhere, ask: { id, ticket: elsewhere } },
        ];
      });
    await store.lock("a").run(async () => {
      const both = Promise.allSettled(["b", "c"].map((id) => store.lock(id).acquire()));
      for (const count of [1, 2]) {
        await vi.waitFor(() => expect(calls).toHaveLength(count));
        const [call] = calls.slice(-1);
        call?.answer(cycles(call));
      }
      const codes = (await both).map(
        (one) => one.status === "rejected" && (one.reason as HoldfastError).code,
      );
      expect(codes).toEqual(["DEADLOCK", "DEADLOCK"]);
    });
    expect(calls.map(idsOf)).toEqual([[["a", "b", "c"]], [["a", "c"]]]);
    for (const grant of held) await grant.release();
    await close();
  });

  test("[L15] what became of a note is not known: its hold is released, and serves no other caller", async () => {
    const { store, other, calls, close } = storeAndCalls();
    const held = await other.lock("b").acquire();
    let ticket: string | undefined;
    const first = store.lock("a").run(async () => {
      const waiting = store.lock("b").run(() => "b");
      await vi.waitFor(() => expect(calls).toHaveLength(1));
      ticket = calls[0]?.notes[0]?.ticket;
      calls[0]?.answer(new UnavailableError("gone", { lasting: true, outcome: "unknown" }));
      await held.release();
      await waiting;
    });
    const next = store.lock("a").run(async () => {
      const holder = (await store.lock("a").inspect())?.holder;
      return holder !== undefined && "ticket" in holder ? holder.ticket : undefined;
    });
    await first;
    expect(await next).toBeDefined();
    expect(await next).not.toBe(ticket);
    await close();
  });
});
