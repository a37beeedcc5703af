// The ledger of the server knows what a commit of several states has written, and under which tickets.

import { expect, test } from "vitest";

import type { CommitEntry, CommitReply } from "../../src/backends/contract.ts";
import { Memory, MemoryTables } from "../../src/backends/memory/tables.ts";
import { Proofs } from "../../src/backends/retry-proofs.ts";
import { Executor } from "../../src/backends/rows/executor.ts";
import type { Kind, ReplyTo, RowRequest } from "../../src/backends/rows/request-types.ts";
import * as library from "../../src/index.ts";
import { save } from "../../src/testing/contract-client.ts";
import { Loop, Timeline } from "./clock.ts";
import { Ledger } from "./server/ledger.ts";
import { Server, type Call } from "./server/server.ts";

const clientId = "a".repeat(24);
const ids = ["x", "y"];
const attempt = { retry: false, proof: undefined };
const receiptOf = (sequence: number) => ({ sequence, n: 1, keepMs: 60_000 });
const ticketOf = (n: number): string => `host:1:${clientId}:${String(n)}`;
const list = (...of: string[]) => save(JSON.stringify({ count: of.length, ids: of }));

/** Both locks are held by the tickets 0 and 1. */
function begin(by: typeof Executor = Executor) {
  const seen: string[] = [];
  const ledger = new Ledger(
    () => 0,
    (rule) => seen.push(rule),
  );
  const loop = new Loop({ timeline: new Timeline() });
  const copy = { library, parts: { Memory, MemoryTables, Executor: by, Proofs }, loop };
  const server = new Server({ copy, ledger, limits: { askLimitMs: 12_000, handOverMs: 10_000 } });
  const client = server.connect(clientId, undefined);
  const send = (call: Call): unknown => client.carryOut({ call, attempt });
  const ask = { leaseMs: 30_000, queue: false, load: false, fences: 1 };
  for (const [n, id] of ids.entries())
    send({ method: "acquireLock", args: [id, ticketOf(n), ask, receiptOf(n)] });
  const commit = (tickets = ids.map((_, n) => ticketOf(n))): CommitReply => {
    const entries = ids.map((id, n): CommitEntry => ({
      id,
      ticket: tickets[n] ?? "",
      write: list(id),
      release: receiptOf(n),
    }));
    return send({ method: "commitStates", args: [entries, receiptOf(9)] }) as CommitReply;
  };
  return { seen, ledger, commit };
}

/** A server that carries out commits of these entries instead. */
function instead(of: (entries: readonly CommitEntry[]) => readonly CommitEntry[]): typeof Executor {
  return class extends Executor {
    override run<K extends Kind>(request: RowRequest<K>): ReplyTo<K> {
      if (!isCommit(request)) return super.run(request);
      return super.run<K>({ ...request, entries: of(request.entries) });
    }
  };
}

function isCommit<K extends Kind>(request: RowRequest<K>): request is RowRequest<K> & RowRequest<"commit"> {
  return request.kind === "commit";
}

test("all states of a commit come to be, each under its ticket", () => {
  const { seen, ledger, commit } = begin();
  const reply = commit();
  expect(reply.status).toBe("committed");
  expect(ids.flatMap((id) => ledger.versions(id).map((version) => version.ids))).toEqual([["x"], ["y"]]);
  expect(commit()).toEqual(reply);
  expect(seen).toEqual([]);
});

test("one that is refused is not a write", () => {
  const { seen, ledger, commit } = begin();
  expect(commit([ticketOf(0), ticketOf(7)])).toEqual({ status: "lost", index: 1 });
  expect(ids.flatMap((id) => ledger.versions(id))).toEqual([]);
  expect(seen).toEqual([]);
});

test("a server that saves one of two states is found", () => {
  const { seen, commit } = begin(instead((entries) => entries.slice(0, 1)));
  commit();
  expect(seen).toEqual(["half-commit"]);
});

test("a server that does not look at the second ticket is found", () => {
  const { seen, commit } = begin(
    instead((entries) => entries.map((entry, n) => ({ ...entry, ticket: ticketOf(n) }))),
  );
  commit([ticketOf(0), ticketOf(7)]);
  expect(seen).toEqual(["stale-save"]);
});
