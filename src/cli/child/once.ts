/** `holdfast once`: runs a command that succeeds at most once for an id in a time. */
import { defineCommand } from "../command.ts";
import { durationMs } from "../durations.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { withStore } from "../store-options.ts";
import type { Once } from "../../handles/once/once.ts";
import { childOptions, childTimes, waitingOf, waitOptions } from "./child-options.ts";
import type { Status } from "./status.ts";
import { supervise, type Ended, type Supervisor } from "./supervisor.ts";

/** What is remembered: a stored format. Of the clock of the machine on which it ran. */
interface Done {
  readonly doneAt: string;
}

/** Only a success is remembered; this is thrown for any other end. */
class Failed extends Error {
  readonly status: Status;

  constructor(status: Status) {
    super(`The command ended with ${status.code}.`);
    this.status = status;
  }
}

export const onceCommand = defineCommand({
  usage: "[options] --keep TIME ID -- COMMAND [argument ...]",
  description: `Runs a command unless it has succeeded for this ID within the last TIME. While another process runs it, waits.

Only the exit code 0 is remembered: after a failure, a lost lock or a crash, the next caller runs the command again. The
environment has HOLDFAST_LOCK_ID, HOLDFAST_FENCE and HOLDFAST_ATTEMPT, which is 1 for the first attempt.

Exit codes: 0 it has succeeded, now or before; otherwise as holdfast run.`,
  options: {
    keep: {
      type: "string",
      value: "TIME",
      help: "how long success is remembered: 90, 30m, 24h, 7d, or forever",
    },
    ...waitOptions,
    ...childOptions,
  },
  operands: { min: 1, max: 1 },
  takesChildCommand: true,
  examples: [
    "holdfast once --keep 24h report-2026-11-30 -- node report.js",
    "holdfast once --keep forever schema-17 -- ./migrate.sh 17",
  ],
  run({ values, operands: [id = ""], childCommand, output }) {
    const keepMs = keepOf(values.keep);
    const { waitMs, conflictCode } = waitingOf(values);
    const times = childTimes(values);
    const of = { name: "once", id, command: childCommand, output, conflictCode, ...times };
    return supervise(of, (supervisor) =>
      withStore(values, (store) =>
        attempt(store.once(id, { keepMs, waitMs, leaseMs: times.leaseMs }), supervisor),
      ),
    );
  },
});

async function attempt(once: Once, supervisor: Supervisor): Promise<Ended> {
  let own: Status | undefined;
  try {
    const done = await once.run<Done>(
      async (held) => {
        const status = await supervisor.run(held, { HOLDFAST_ATTEMPT: String(held.attempt) });
        if (status.code !== 0) throw new Failed(status);
        own = status;
        return { doneAt: new Date().toISOString() };
      },
      { signal: supervisor.signals.stop },
    );
    return own ?? alreadyDone(done, supervisor);
  } catch (error) {
    if (error instanceof Failed) return error.status;
    throw error;
  }
}

/** A program may have remembered something else for the same key. */
function alreadyDone(done: unknown, { report }: Supervisor): number {
  const at = (done as Partial<Done> | null | undefined)?.doneAt;
  const doneAt = typeof at === "string" ? at : undefined;
  const when = doneAt === undefined ? "" : ` at ${doneAt}`;
  return report.end({ event: "already-done", doneAt }, exitCodes.done, `Already done${when}.`);
}

function keepOf(text: string | undefined): number {
  if (text === undefined) {
    throw new UsageError("--keep is needed: how long success is remembered, such as 24h, or forever.");
  }
  if (text === "forever") return Infinity;
  const keepMs = Math.ceil(durationMs(text, "--keep"));
  if (keepMs > 0) return keepMs;
  throw new UsageError("--keep must be more than 0.");
}
