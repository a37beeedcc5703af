// Many states in one call: loads and writes of all ids of one place.

import type { LoadedState, Receipt, WriteEntry, WriteStatesReply } from "../../src/backends/contract.ts";
import type { Both, Comparison } from "./oracle-comparison.ts";
import type { Op } from "./oracle-ops.ts";
import type { Writes } from "./oracle-writes.ts";

type ManyOp = Extract<Op, { op: "load-many" | "write-many" }>;

export interface Many {
  readonly client: number;
  /** Those that the call is about, the first one first. */
  readonly ids: readonly [string, ...string[]];
  readonly load: (side: 0 | 1) => Promise<readonly LoadedState[]>;
  readonly write: (side: 0 | 1, receipt: Receipt) => Promise<WriteStatesReply>;
}

export function manyOf(op: ManyOp, of: Comparison, { all, writes }: { all: string[]; writes: Writes }): Many {
  const placeOf = of.placeOf ?? (() => 0);
  const first = all[op.id]!;
  const others = all.filter((id) => id !== first && placeOf(id) === placeOf(first));
  const ids = [first, ...others] as const;
  const changes = op.op === "write-many" ? op.writes : [];
  const written = ids.slice(0, changes.length);
  const both = written.map((id, index) => writes.of(id, changes[index]!));
  const entries: Both<WriteEntry[]> = [
    both.map(([write], index) => ({ id: written[index]!, write: write as WriteEntry["write"] })),
    both.map(([, write], index) => ({ id: written[index]!, write: write as WriteEntry["write"] })),
  ];
  const backend = (side: 0 | 1) => (side === 0 ? of.reference : of.subject).clients[op.client]!;
  return {
    client: op.client,
    ids: op.op === "write-many" ? [first, ...written.slice(1)] : [first, ...others],
    load: (side) => backend(side).loadStates([...ids]),
    write: (side, receipt) => backend(side).writeStates(entries[side], receipt),
  };
}

/** One for each entry. */
export function revisionsOfMany(reply: unknown): readonly unknown[] {
  const { revision, results = [] } = reply as { revision?: number | null; results?: readonly unknown[] };
  return results.map((result) =>
    result === "saved" ? revision : (result as { revision?: unknown }).revision,
  );
}
