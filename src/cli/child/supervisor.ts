/**
 * Runs a command under something that is held (a lock, permits, an attempt, a term), and turns what came of it into the exit
 * code and a message. `run`, `once` and `leader` differ only in what they hold.
 */
import { HoldfastError, LockLostError, LockTimeoutError, sentence } from "../../errors.ts";
import type { Output } from "../output.ts";
import { exitCodeOf, exitCodes } from "../exit-codes.ts";
import { ChildCommand, type Held } from "./child-command.ts";
import type { ChildTimes } from "./child-options.ts";
import { Report } from "./report.ts";
import { Signals } from "./signals.ts";
import { codeOf, NotStarted, StoppedWaiting, type Status } from "./status.ts";

export interface SupervisorOptions extends ChildTimes {
  /** The name of the command of `holdfast`. */
  readonly name: string;
  readonly id: string;
  readonly command: readonly string[];
  readonly output: Output;
  /** The exit code if the lock is held by another. */
  readonly conflictCode?: number;
}

/** How the body of a supervisor ended: with the command's status, or with an exit code that it has reported. */
export type Ended = Status | number;

export class Supervisor {
  readonly signals: Signals;
  readonly report: Report;
  readonly #of: SupervisorOptions;
  /** How the command ended by itself. */
  #status: Status | undefined;

  constructor(of: SupervisorOptions, signals: Signals) {
    this.#of = of;
    this.signals = signals;
    this.report = new Report(of);
  }

  /**
   * Runs the command once, to its end.
   *
   * @throws StoppedWaiting if a signal came before it was started; NotStarted; the reason of `held.signal` if it was lost:
   * then the command and its group have been ended.
   */
  async run(held: Held, env: Readonly<Record<string, string>> = {}): Promise<Status> {
    const { id, command, leaseMs, killAfterMs } = this.#of;
    this.signals.stop.throwIfAborted();
    held.signal.throwIfAborted();
    this.#status = undefined;
    const child = new ChildCommand({
      command,
      env: { ...env, HOLDFAST_LOCK_ID: id, HOLDFAST_FENCE: String(held.fence) },
      held,
      killAfterMs,
      guardMs: Math.min(killAfterMs, leaseMs / 3), // renewals leave two thirds of the lease
      onLost: (reason) => this.report.say({ event: "lost" }, `${whyLost(reason)} Ending the command.`),
    });
    return (this.#status = await this.signals.during(child, child.ended()));
  }

  /** Calls the body, which waits and calls `run`, and returns the exit code. */
  async end(body: () => Promise<Ended>): Promise<number> {
    try {
      const ended = await body();
      if (typeof ended === "number") return ended;
      return this.report.end({ event: "exited", signal: ended.signal }, ended.code);
    } catch (error) {
      return this.#codeOf(error);
    }
  }

  #codeOf(error: unknown): number {
    const { conflictCode = exitCodes.no } = this.#of;
    if (error instanceof NotStarted)
      return this.report.end({ event: "not-started" }, error.code, error.message);
    if (error instanceof StoppedWaiting) {
      const { signal, message } = error;
      return this.report.end({ event: "stopped", signal }, codeOf(signal), message);
    }
    if (error instanceof LockTimeoutError)
      return this.report.end({ event: "busy" }, conflictCode, error.message);
    if (!(error instanceof LockLostError)) return this.#failed(error);
    const status = this.#status;
    const text = status && `${whyLost(error)} The command had ended by itself, with ${status.code}.`;
    return status === undefined ? exitCodes.lost : this.report.end({ event: "lost" }, exitCodes.lost, text);
  }

  /** The store could not be used. Programs are told here, and people by the caller, as by every command. */
  #failed(error: unknown): number {
    if (!this.#of.output.isJson || !(error instanceof HoldfastError)) throw error;
    const event = { event: "failed", error: error.code } as const;
    return this.report.end(event, exitCodeOf(error), sentence(error.message));
  }
}

/** Opens what only the supervised part needs, and has the signals from before it waits until after it has released. */
export async function supervise(
  of: SupervisorOptions,
  body: (supervisor: Supervisor) => Promise<Ended>,
): Promise<number> {
  const signals = new Signals();
  try {
    const supervisor = new Supervisor(of, signals);
    return await supervisor.end(() => body(supervisor));
  } finally {
    signals[Symbol.dispose]();
  }
}

/** The message of the library also advises programmers. */
function whyLost(reason: unknown): string {
  const text = reason instanceof Error ? reason.message : String(reason);
  return text.replace(/ Nothing more can be saved under this grant\..*$/s, "");
}
