// A process whose sixteen callers take permits of one semaphore, with weights from 1 to 5, over and over, until SIGTERM. It tells,
// before its caller goes on, when each of them has its permits, and when it no longer relies on them.

import { setTimeout as sleep } from "node:timers/promises";

import { open, type PermitGrant } from "../../../../src/index.ts";

const [url = "", id = ""] = process.argv.slice(2);
const callers = 16;
const weightOf = (caller: number): number => (caller % 5) + 1;
let isOver = false;
process.once("SIGTERM", () => (isOver = true));

/** Milliseconds, by a clock that all processes of a machine share. */
const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
/** Synchronous on pipes, so that what was told is told even though SIGKILL comes next. */
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

async function hold(caller: number, { fence, signal }: PermitGrant): Promise<void> {
  const weight = weightOf(caller);
  const left = (): boolean => tell({ left: fence, at: now() });
  tell({ got: fence, caller, weight, at: now() });
  signal.addEventListener("abort", left);
  await sleep(1 + Math.random() * 2);
  signal.removeEventListener("abort", left);
  if (!signal.aborted) left();
}

const store = open(url, { leaseMs: Number(process.env["LEASE_MS"]), waitMs: 60_000 });
const semaphore = store.semaphore(id, { permits: 5 });
await Promise.all(
  Array.from({ length: callers }, async (_, caller) => {
    while (!isOver) {
      const lost = (error: unknown): void => void tell({ failed: String(error) });
      await semaphore.run((grant) => hold(caller, grant), { weight: weightOf(caller) }).catch(lost);
    }
  }),
);
await store.close();
