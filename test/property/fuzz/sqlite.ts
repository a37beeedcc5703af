// A hostile neighbour of a SQLite file: rows that the schema lets in and the protocol never writes, receipts that are no
// JSON, numbers beyond what JavaScript can count, tables that are gone, bytes that are no database. Every case has its own
// file and two stores; each call settles with a value or with an error of ours, and bytes that no handle can read stay.

import fc from "fast-check";
import { deepStrictEqual } from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { open, type Store } from "../../../src/index.ts";
import { callArbitrary, hold, idArbitrary, perform, type Call } from "./calls.ts";
import { settle, type Prepared, type Target } from "./harness.ts";

type Value = string | number | bigint | null | Uint8Array;

/** One statement of the neighbour's; `$client` and `$ticket` stand for real ones. */
interface Plant {
  readonly sql: string;
  readonly values: readonly Value[];
}

const number = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer({ min: 0, max: 100_000 }),
  fc.constantFrom<number | bigint>(
    2 ** 53 - 1,
    -(2 ** 53),
    2n ** 53n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    4_503_599_627_370_496,
  ),
  fc.constantFrom(1_800_000_000_000, 1_800_000_000_000_000),
);
const evilJson = fc.constantFrom(
  '{"__proto__":{"polluted":1}}',
  '{"status":"released","revision":null}',
  '{"status":"kept"}',
  '{"status":"saved","revision":"x"}',
  '{"status":"__proto__"}',
  "[".repeat(5_000),
  "null",
  "7",
  "",
  "{",
);
const bytes = fc.oneof(
  evilJson.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 20 }),
  fc.jsonValue({ maxDepth: 2 }).map((value) => Buffer.from(JSON.stringify(value))),
);
const serializer = fc.constantFrom("json", "json", "msgpack", "", "__proto__", "j".repeat(300));
const prefix = fc.constantFrom("t:", "t:", "t:", "", "t");
const id = idArbitrary;
const ticket = fc.constantFrom(
  "$ticket",
  "$ticket",
  "h:1:abc:1",
  "",
  "x y",
  "h:1:$client:9",
  "h:1:$client:1",
);
const small = fc.oneof(fc.constantFrom(0, 1), number);

function row(table: string, columns: fc.Arbitrary<readonly Value[]>): fc.Arbitrary<Plant> {
  return columns.map((values) => ({
    sql: `INSERT OR REPLACE INTO ${table} VALUES (${values.map(() => "?").join(", ")})`,
    values,
  }));
}

/** Odd values in rows that are there, such as those of a grant that is held. */
const changed = fc
  .tuple(
    fc.constantFrom(
      ...["locks.fence", "locks.fences", "locks.since", "locks.lease_ms", "locks.unconfirmed", "stamps.last"],
      ...[
        "waiters.place",
        "waiters.asked_at",
        "waiters.lease_ms",
        "waiters.fences",
        "waiters.load",
        "receipts.n",
      ],
      ...["states.revision", "states.expires_at", "receipts.keep_until", "waiters.passed_over"],
    ),
    number,
  )
  .map(([column, value]): Plant => {
    const [table = "", name = ""] = column.split(".");
    return { sql: `UPDATE ${table} SET ${name} = ?`, values: [value] };
  });
const broken = fc
  .constantFrom(
    ...[
      "DELETE FROM stamps",
      "INSERT INTO stamps VALUES (5, '')",
      "DROP TABLE waiters",
      "DROP TABLE receipts",
    ],
    ...[
      "DROP TABLE states",
      "DROP TABLE locks",
      "DROP TABLE stamps",
      "PRAGMA user_version = 9",
      "DELETE FROM locks",
    ],
    ...["ALTER TABLE locks RENAME COLUMN fence TO fenz", "PRAGMA application_id = 1", "DELETE FROM receipts"],
    "UPDATE receipts SET reply = 'x'",
    `UPDATE receipts SET reply = '{"status":"kept"}'`,
  )
  .map((sql): Plant => ({ sql, values: [] }));

const plantArbitrary = fc.oneof(
  row("states", fc.tuple(prefix, id, number, serializer, fc.oneof(fc.constant(null), number), bytes)),
  row("locks", fc.tuple(prefix, id, ticket, number, number, number, number, small)),
  row("waiters", fc.tuple(prefix, id, ticket, number, number, number, number, small, small)),
  row("receipts", fc.tuple(fc.constantFrom("$client", "x"), fc.nat(3), small, number, evilJson)),
  changed,
  changed,
  broken,
);

type Step = { readonly plant: Plant } | { readonly call: Call; readonly awaited: boolean };

const caseArbitrary = fc.record({
  held: fc.uniqueArray(idArbitrary, { maxLength: 2 }),
  steps: fc.array(
    fc.oneof(
      plantArbitrary.map((plant): Step => ({ plant })),
      fc.record({ call: callArbitrary, awaited: fc.boolean() }),
    ),
    { minLength: 1, maxLength: 6 },
  ),
});

type Case = typeof caseArbitrary extends fc.Arbitrary<infer T> ? T : never;

export const sqliteNeighbour: Target = { name: "sqlite neighbour", share: 0.003, prepare };

async function prepare(): Promise<Prepared> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-fuzz-"));
  const met: Record<string, number> = {};
  let files = 0;
  const property = fc.asyncProperty(caseArbitrary, async (what) => {
    const path = join(folder, `${String((files += 1))}.db`);
    const options = { prefix: "t:", waitMs: 20, operationMs: 600, leaseMs: 1_000 };
    const stores = [open(`sqlite:${path}`, options), open(`sqlite:${path}`, options)] as const;
    await stores[0].ready();
    const db = new DatabaseSync(path, { timeout: 5_000 });
    try {
      await attack(stores, db, { what, met });
    } finally {
      for (const store of stores) await settle("close", () => store.close({ drainMs: 0 }));
      db.close();
      for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
    }
  });
  const end = async (): Promise<void> => rmSync(folder, { recursive: true });
  return { property, end, met: () => met };
}

async function attack(
  stores: readonly [Store, Store],
  db: DatabaseSync,
  { what, met }: { readonly what: Case; readonly met: Record<string, number> },
): Promise<void> {
  const releases: (() => Promise<void>)[] = [];
  for (const id of what.held) releases.push(await hold(stores[0], id));
  const calls: Promise<void>[] = [];
  for (const step of what.steps) {
    if ("plant" in step) {
      plant(db, step.plant);
      continue;
    }
    const before = foreignStates(db);
    const call = perform(stores[step.call.by === 0 ? 0 : 1], step.call).then((verdict) => {
      const said = "code" in verdict ? verdict.code : "answered";
      met[said] = (met[said] ?? 0) + 1;
      // What another serializer wrote is taken away by a delete and by the end of its life, which a touch may bring.
      if (step.awaited && !["delete", "touch"].includes(step.call.name) && calls.length === 0)
        deepStrictEqual(foreignStates(db), before);
    });
    if (step.awaited) await call;
    else calls.push(call);
  }
  for (const release of releases) await release();
  await Promise.all(calls);
}

/** A neighbour's mistakes are its own business: a value that the schema refuses, a table that is gone already. */
function plant(db: DatabaseSync, { sql, values }: Plant): void {
  const fill = (value: Value): Value =>
    typeof value === "string" ? value.replace("$client", client(db)).replace("$ticket", holder(db)) : value;
  tolerant(() => void db.prepare(sql).run(...values.map(fill)));
}

const client = (db: DatabaseSync): string => /:([0-9a-f]{24}):/.exec(holder(db))?.[1] ?? "abc";

function holder(db: DatabaseSync): string {
  const row = tolerant(() =>
    db.prepare("SELECT ticket FROM locks UNION SELECT ticket FROM waiters LIMIT 1").get(),
  );
  return (row as { ticket: string } | undefined)?.ticket ?? "h:1:abc:1";
}

function foreignStates(db: DatabaseSync): unknown {
  const sql =
    "SELECT prefix, id, hex(bytes) FROM states WHERE serializer <> 'json' AND expires_at IS NULL ORDER BY prefix, id";
  return tolerant(() => db.prepare(sql).all());
}

function tolerant<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
