/** `holdfast run`: runs a command under a lock, or with permits of a semaphore. */
import type { Store } from "../../store/store.ts";
import { defineCommand, type Values } from "../command.ts";
import { UsageError } from "../exit-codes.ts";
import { withStore } from "../store-options.ts";
import type { Held } from "./child-command.ts";
import { childOptions, childTimes, waitingOf, waitOptions } from "./child-options.ts";
import type { Status } from "./status.ts";
import { supervise } from "./supervisor.ts";

const options = {
  ...waitOptions,
  shared: { type: "boolean", short: "s", help: "share the lock with others that share it" },
  permits: {
    type: "string",
    short: "p",
    value: "N/LIMIT",
    help: "take N permits of a semaphore that has LIMIT, instead of a lock",
  },
  ...childOptions,
} as const;

export const runCommand = defineCommand({
  usage: "[options] ID -- COMMAND [argument ...]",
  description: `Runs a command while it holds the lock ID, and exits with the command's exit code.

The command is run without a shell, with HOLDFAST_LOCK_ID and HOLDFAST_FENCE in its environment. Signals are passed on
to it. If the lock is lost, the command and what it started are ended.

Exit codes: the command's own; 128 + n if signal n ended it; 127 not found; 126 not executable; 4 the lock was lost;
1, or --conflict-exit-code, the lock is held by another; 2 wrong usage; 3 the store is unreachable.`,
  options,
  operands: { min: 1, max: 1 },
  takesChildCommand: true,
  examples: [
    "holdfast run -n nightly-report -- node report.js",
    "holdfast run --wait 30 --url redis://cache deploy -- ./deploy.sh production",
    "holdfast run -p 1/4 gpu -- python3 train.py",
  ],
  run({ values, operands: [id = ""], childCommand, output }) {
    const permits = permitsOf(values);
    const { waitMs, conflictCode } = waitingOf(values);
    const times = childTimes(values);
    const of = { name: "run", id, command: childCommand, output, conflictCode, ...times };
    return supervise(of, (supervisor) =>
      withStore(values, (store) => {
        const { leaseMs } = times;
        const how = { waitMs, leaseMs, signal: supervisor.signals.stop, shared: values.shared === true };
        return hold(store, id, { ...how, permits, body: (held) => supervisor.run(held) });
      }),
    );
  },
});

interface Permits {
  readonly weight: number;
  readonly limit: number;
}

interface Holding {
  readonly waitMs: number;
  readonly leaseMs: number;
  readonly signal: AbortSignal;
  readonly shared: boolean;
  readonly permits: Permits | undefined;
  readonly body: (held: Held) => Promise<Status>;
}

function hold(store: Store, id: string, { permits, shared, body, ...how }: Holding): Promise<Status> {
  if (permits === undefined) return store.lock(id).run(body, { ...how, shared });
  const { weight, limit } = permits;
  return store.semaphore(id, { permits: limit }).run(body, { ...how, weight });
}

function permitsOf({ permits, shared }: Values<typeof options>): Permits | undefined {
  if (permits === undefined) return undefined;
  if (shared === true)
    throw new UsageError("--shared is of a lock, --permits of a semaphore: use one of them.");
  const [, weight = 0, limit = 0] = (/^(\d{1,7})\/(\d{1,7})$/.exec(permits) ?? []).map(Number);
  if (weight >= 1 && weight <= limit) return { weight, limit };
  throw new UsageError(
    `--permits must be N/LIMIT, such as 1/4, with N from 1 to LIMIT; got ${JSON.stringify(permits)}.`,
  );
}
