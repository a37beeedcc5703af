// One process of a release of a program, as a worker: `RELEASE` says which. Both count visits; the second release also
// says whose they are. It does what it is told, one JSON line at a time, as test/support/worker.ts.

import { createInterface } from "node:readline";

import { open, type HoldfastError, type State } from "../../../../src/index.ts";

interface Visits {
  visits: number;
}
interface OwnedVisits extends Visits {
  owner: string;
}

const [url = ""] = process.argv.slice(2);
const store = open(url);
const id = "{visits}";
const other = store.state("{visits}:other", { initial: () => ({ n: 0 }) });

const releases: Readonly<Record<string, State<Visits>>> = {
  "1": store.state<Visits>(id),
  "2": store.state<OwnedVisits>(id, {
    version: 2,
    migrate: { 1: (visits: Visits): OwnedVisits => ({ ...visits, owner: "unknown" }) },
  }),
};
const state = releases[process.env["RELEASE"] ?? ""];
if (state === undefined) throw new Error("which release?");

const visit = (draft: Visits | undefined): void => {
  if (draft === undefined) throw new Error("it is absent");
  draft.visits += 1;
};

const operations: Readonly<Record<string, (order: Record<string, unknown>) => Promise<unknown>>> = {
  load: () => state.load(),
  read: () => state.read(),
  save: ({ value }) => state.save(value as Visits),
  saveIf: ({ value, revision }) => state.save(value as Visits, { ifRevision: revision as number }),
  trySave: ({ value, revision }) => state.trySave(value as Visits, { ifRevision: revision as number }),
  update: () => state.update(visit),
  run: () => state.run(visit),
  saveLocked: ({ value }) => store.lock(id).run(() => state.save(value as Visits)),
  updateLocked: () => store.lock(id).run(() => state.update(visit)),
  transact: () =>
    store.transact([state, other], ([draft, another]) => {
      visit(draft);
      another.n += 1;
    }),
  delete: () => state.delete(),
  /** Visits until it is refused, or has visited so often. Returns how many visits were acknowledged, and the code. */
  async visits({ count }) {
    for (let n = 0; n < Number(count); n += 1) {
      try {
        await state.update(visit);
      } catch (error) {
        return { acknowledged: n, code: (error as HoldfastError).code };
      }
    }
    return { acknowledged: count, code: null };
  },
};

async function obey({ n, op, ...order }: Record<string, unknown>): Promise<void> {
  let answer: object;
  try {
    answer = { n, ok: (await operations[String(op)]?.(order)) ?? null };
  } catch (error) {
    const { code, outcome } = error as Partial<HoldfastError>;
    answer = { n, error: { code, outcome, message: (error as Error).message } };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

createInterface(process.stdin).on("line", (line) => void obey(JSON.parse(line) as Record<string, unknown>));
