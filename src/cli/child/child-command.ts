/**
 * A command that runs as a child of this process, with the same standard input and outputs, and without a shell.
 *
 * It gets a process group of its own, so that signals reach what it has started, too. On a terminal it stays in the group
 * of this process: another group would be stopped when it reads from there, or could not open /dev/tty.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { Guard } from "./guard.ts";
import { NotStarted, statusOf, type Status } from "./status.ts";

/** What a command runs under. */
export interface Held {
  readonly fence: number;
  /** Aborts when it is lost. */
  readonly signal: AbortSignal;
}

export interface ChildCommandOptions {
  readonly command: readonly string[];
  /** Added to the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly held: Held;
  /** From TERM to KILL when the lock is lost. */
  readonly killAfterMs: number;
  /** The same if this process dies. */
  readonly guardMs: number;
  /** Called when the lock is lost, before the command is ended. */
  readonly onLost: (reason: unknown) => void;
}

/** How often it is looked whether a group has ended, of which the kernel tells nothing. */
const lookMs = 20;

export class ChildCommand {
  readonly isOnTerminal = isatty(0);
  readonly #of: ChildCommandOptions;
  readonly #child: ChildProcess;
  readonly #guard: Guard;
  /** The process, or its group with a minus sign; `undefined`: it has not been started. */
  readonly #target: number | undefined;
  readonly #exited: Promise<Status>;

  constructor(of: ChildCommandOptions) {
    this.#of = of;
    const [file = "", ...args] = of.command;
    this.#guard = new Guard(of.guardMs);
    try {
      this.#child = spawn(file, args, {
        stdio: "inherit",
        detached: !this.isOnTerminal,
        env: { ...process.env, ...of.env },
      });
    } catch (error) {
      this.#guard.dismiss();
      throw new NotStarted(file, error as NodeJS.ErrnoException);
    }
    const { pid } = this.#child;
    this.#target = pid === undefined || this.isOnTerminal ? pid : -pid;
    if (this.#target !== undefined) this.#guard.watch(this.#target);
    this.#exited = this.#exit(file);
  }

  /** Returns how it ended by itself. If the lock is lost before, ends it, and throws the reason. */
  async ended(): Promise<Status> {
    const { signal } = this.#of.held;
    try {
      const lost = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      const status = await Promise.race([this.#exited, lost]);
      if (status !== undefined) return status;
      this.#of.onLost(signal.reason);
      await this.#end();
      throw signal.reason;
    } finally {
      this.#guard.dismiss();
    }
  }

  send(signal: NodeJS.Signals | 0): boolean {
    try {
      return this.#target !== undefined && process.kill(this.#target, signal);
    } catch {
      return false; // it has ended; or it became another user, whom this one may not signal
    }
  }

  /** After this process was stopped: the lease may have ended meanwhile, and then the command does not go on. */
  resume(): void {
    if (!this.#of.held.signal.aborted) this.send("SIGCONT");
  }

  async #exit(file: string): Promise<Status> {
    try {
      const [code, signal] = (await once(this.#child, "exit")) as [number | null, NodeJS.Signals | null];
      return statusOf(code, signal);
    } catch (error) {
      throw new NotStarted(file, error as NodeJS.ErrnoException);
    }
  }

  /** Ends the whole group: TERM, and KILL for what is left of it when the time is over. */
  async #end(): Promise<void> {
    this.send("SIGTERM");
    this.send("SIGCONT"); // a stopped process would not notice
    for (const until = performance.now() + this.#of.killAfterMs; performance.now() < until;) {
      if (!this.send(0)) break;
      await sleep(Math.min(lookMs, Math.max(until - performance.now(), 1)));
    }
    this.send("SIGKILL");
    await this.#exited.catch(() => undefined);
  }
}
