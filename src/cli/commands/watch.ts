/**
 * `holdfast watch`: prints a line each time a state, or the holder of its lock, has changed. The backend gives a hint when
 * the state changes; locks have none, so it also asks again and again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { defineCommand } from "../command.ts";
import { lockOf, stateOf, type StateView } from "../data/everything.ts";
import { tokenOf, type LockView } from "../data/holders.ts";
import { stateId } from "../data/stored.ts";
import { durationMs } from "../durations.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import { storeOptions, wholeNumber, withBackend, type Opened } from "../store-options.ts";
import { lockText, stateText } from "./inspect.ts";

const shortestMs = 10;
const longestMs = 86_400_000;

export const watchCommand = defineCommand({
  usage: "ID [options]",
  description: `Prints what is under an id now, and then a line each time the revision of the state or the holder of the lock has changed.
A change of the state is printed at once. It looks at the lock at an interval, so several changes in between count as one,
and reads the whole state each time. The exit code is 0 when it is interrupted (SIGINT or SIGTERM), and 3 when the store
does not answer.
As JSON: {"at","id","changed","state","lock"}; "changed" is a list of "state" and "lock", empty in the first line.`,
  options: {
    interval: {
      type: "string",
      value: "DURATION",
      help: "how long to wait before asking again, from 10ms. Default: 1s",
    },
    count: { type: "string", value: "N", help: "end after so many changes" },
    ...storeOptions,
  },
  operands: { min: 1, max: 1 },
  examples: ["holdfast watch report", "holdfast watch report --interval 100ms --count 1 --json"],
  async run({ values, operands: [operand = ""], output }) {
    const id = stateId(operand);
    const intervalMs = durationMs(values.interval ?? "1s", "--interval");
    if (intervalMs < shortestMs || intervalMs > longestMs)
      throw new UsageError("--interval must be 10ms to 24h.");
    const count = values.count === undefined ? Infinity : wholeNumber(values.count, "--count");
    if (count === 0) throw new UsageError("--count must be at least 1.");
    const interrupted = interruption();
    await withBackend(values, (opened) => watch({ opened, output, id, intervalMs, count }, interrupted));
    return exitCodes.done;
  },
});

/** Aborts at the first signal; a second one ends the process as usual. */
function interruption(): AbortSignal {
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());
  return interrupted.signal;
}

interface Watching {
  readonly opened: Opened;
  readonly output: Output;
  readonly id: string;
  readonly intervalMs: number;
  readonly count: number;
}

interface Seen {
  readonly state: StateView | null;
  readonly lock: LockView | null;
}

async function watch(watching: Watching, interrupted: AbortSignal): Promise<void> {
  const { output, id, intervalMs, count } = watching;
  let before = await look(watching);
  await print(output, id, { ...before, changed: [] });
  const hints = new Hints(watching);
  let changes = 0;
  while (changes < count) {
    await hints.wait(intervalMs, interrupted);
    if (interrupted.aborted) return;
    const seen = await look(watching);
    const changed = [
      ...(stateMark(seen) === stateMark(before) ? [] : ["state"]),
      ...(lockMark(seen) === lockMark(before) ? [] : ["lock"]),
    ];
    before = seen;
    if (changed.length === 0) continue;
    changes += 1;
    await print(output, id, { ...seen, changed });
  }
}

/** What the backend says about the state. It may say nothing: then only the interval counts. */
class Hints {
  readonly #watching: Watching;
  #isSubscribed = false;
  #isHinted = false;
  #sleeping: AbortController | undefined;

  /** In the place of the store, which listens for its locks and watchers, and has none here. */
  constructor(watching: Watching) {
    this.#watching = watching;
    watching.opened.backend.onWake((wake) => {
      if (wake.kind === "again" || (wake.kind === "changed" && wake.id === watching.id)) this.#hint();
    });
  }

  /** Until there is a hint, the time has passed, or it is interrupted. */
  async wait(ms: number, interrupted: AbortSignal): Promise<void> {
    if (!this.#isSubscribed) await this.#subscribe();
    this.#sleeping = new AbortController();
    const signal = AbortSignal.any([interrupted, this.#sleeping.signal]);
    if (!this.#isHinted) await sleep(ms, undefined, { signal }).catch(() => undefined);
    this.#sleeping = undefined;
    this.#isHinted = false; // what is hinted from here on may be later than the next look
  }

  #hint(): void {
    this.#isHinted = true;
    this.#sleeping?.abort();
  }

  /** Once: where it fails, for want of a right, the interval is all that there is. */
  async #subscribe(): Promise<void> {
    const { backend, calls } = this.#watching.opened;
    const { id } = this.#watching;
    this.#isSubscribed = true;
    const subscribe = async (): Promise<void> => backend.watch?.(id);
    await calls.read({ doing: "Watching the state", id }, subscribe).catch(() => undefined);
    this.#hint(); // for changes since the last look
  }
}

async function look({ opened, id }: Watching): Promise<Seen> {
  const [state, lock] = await Promise.all([stateOf(opened, id), lockOf(opened, id)]);
  return { state, lock };
}

function stateMark({ state }: Seen): string {
  return state === null ? "absent" : "unreadable" in state ? state.unreadable : String(state.revision);
}

function lockMark({ lock }: Seen): string {
  return lock === null
    ? "free"
    : lock.holders
        .map(({ holder }) => tokenOf(holder))
        .sort()
        .join(" ");
}

async function print(
  output: Output,
  id: string,
  seen: Seen & { readonly changed: readonly string[] },
): Promise<void> {
  const at = new Date().toISOString();
  const { state, lock, changed } = seen;
  const parts = [
    ...(changed.length === 0 || changed.includes("state")
      ? [`state ${state === null ? "absent" : stateText(state)}`]
      : []),
    ...(changed.length === 0 || changed.includes("lock")
      ? [`lock ${lock === null ? "free" : lockText(lock)}`]
      : []),
  ];
  await output.result({ at, id, changed, state, lock }, parts.map((part) => `${at}  ${part}`).join("\n"));
}
