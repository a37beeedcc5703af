/** `holdfast leader`: runs a command in one process at a time, as long as it leads. */
import { setTimeout as sleep } from "node:timers/promises";
import { LockLostError } from "../../errors.ts";
import { defineCommand } from "../command.ts";
import { withStore } from "../store-options.ts";
import type { Held } from "./child-command.ts";
import { childOptions, childTimes } from "./child-options.ts";
import { StoppedWaiting, type Status } from "./status.ts";
import { supervise, type Supervisor } from "./supervisor.ts";

const restartMs = 1_000;

export const leaderCommand = defineCommand({
  usage: "[options] ID -- COMMAND [argument ...]",
  description: `Waits until this process leads, and runs a command while it does. One process leads at a time.

If the term is lost, the command is ended, and run again when this process leads again. If the command ends by itself,
this process resigns and exits with its exit code; with --restart, it goes on leading and runs the command again after a
second. The environment has HOLDFAST_LOCK_ID and HOLDFAST_FENCE, which rises with each term.

Exit codes: the command's own; 128 + n if signal n ended it, or the waiting; 127 not found; 126 not executable; 2 wrong
usage; 3 the store is unusable.`,
  options: {
    restart: { type: "boolean", help: "run the command again, a second after it has ended" },
    ...childOptions,
  },
  operands: { min: 1, max: 1 },
  takesChildCommand: true,
  examples: ["holdfast leader scheduler -- node scheduler.js"],
  run({ values, operands: [id = ""], childCommand, output }) {
    const times = childTimes(values);
    const of = { name: "leader", id, command: childCommand, output, ...times };
    return supervise(of, (supervisor) =>
      withStore(values, (store) =>
        store
          .leader(id, { leaseMs: times.leaseMs })
          .run((term) => lead(supervisor, term, values.restart === true), {
            signal: supervisor.signals.stop,
          }),
      ),
    );
  },
});

/** Returns how the command ended; throws the reason of the term's signal if the term was lost. */
async function lead(supervisor: Supervisor, term: Held, restarts: boolean): Promise<Status> {
  const { signals } = supervisor;
  for (;;) {
    const status = await runInTerm(supervisor, term);
    const wasHungUp = status.signal === "SIGHUP" && signals.has("SIGHUP");
    if (!restarts || wasHungUp || signals.wantsEnd !== undefined) return status;
    const signal = AbortSignal.any([term.signal, signals.stop]);
    await sleep(restartMs, undefined, { signal }).catch(() => undefined);
  }
}

/** If the term is lost after this process was told to end, it does not campaign again. */
async function runInTerm(supervisor: Supervisor, term: Held): Promise<Status> {
  try {
    return await supervisor.run(term);
  } catch (error) {
    const { wantsEnd } = supervisor.signals;
    throw wantsEnd !== undefined && error instanceof LockLostError ? new StoppedWaiting(wantsEnd) : error;
  }
}
