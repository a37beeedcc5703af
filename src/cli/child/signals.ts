/**
 * The signals that this process gets while it waits for a lock and while its command runs.
 *
 * | signal | while waiting | while the command runs |
 * |---|---|---|
 * | TERM, INT, HUP, QUIT | ends the waiting | passed on |
 * | USR1, USR2, WINCH | ignored | passed on |
 * | TSTP | stops this process | stops the command, then this process, which renews the lease |
 * | CONT | – | checks the lock, then continues the command |
 *
 * A terminal sends INT, QUIT, TSTP and WINCH to the command itself, so there they are not passed on.
 */
import type { ChildCommand } from "./child-command.ts";
import { StoppedWaiting } from "./status.ts";

const ending = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const;
const passedOn = [...ending, "SIGUSR1", "SIGUSR2", "SIGWINCH"] as const;
const fromTerminal: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGQUIT", "SIGTSTP", "SIGWINCH"]);

export class Signals {
  readonly #stop = new AbortController();
  readonly #received = new Set<NodeJS.Signals>();
  readonly #listeners = new Map<NodeJS.Signals, () => void>();
  #child: ChildCommand | undefined;

  constructor() {
    for (const signal of passedOn) this.#on(signal, () => this.#passOn(signal));
    this.#on("SIGTSTP", () => this.#suspend());
    this.#on("SIGCONT", () => this.#child?.resume());
  }

  /** Aborts with StoppedWaiting when a signal comes while no command runs. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** The signals are the command's until it has ended. */
  async during<T>(child: ChildCommand, ended: Promise<T>): Promise<T> {
    this.#child = child;
    try {
      return await ended;
    } finally {
      this.#child = undefined;
    }
  }

  /** A signal after which the command is not started again; not HUP, which often means "read the configuration". */
  get wantsEnd(): NodeJS.Signals | undefined {
    return [...this.#received].find((signal) => signal !== "SIGHUP" && isEnding(signal));
  }

  has(signal: NodeJS.Signals): boolean {
    return this.#received.has(signal);
  }

  /** From now on they do what they do by default. */
  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  #on(signal: NodeJS.Signals, listener: () => void): void {
    this.#listeners.set(signal, listener);
    process.on(signal, listener);
  }

  #passOn(signal: (typeof passedOn)[number]): void {
    this.#received.add(signal);
    const child = this.#child;
    if (child === undefined) {
      if (isEnding(signal)) this.#stop.abort(new StoppedWaiting(signal));
    } else if (!(child.isOnTerminal && fromTerminal.has(signal))) child.send(signal);
  }

  #suspend(): void {
    const child = this.#child;
    // Not TSTP: the kernel drops that for a group without a shell above it.
    if (child?.isOnTerminal === false) child.send("SIGSTOP");
    process.kill(process.pid, "SIGSTOP");
  }
}

function isEnding(signal: NodeJS.Signals): boolean {
  return ending.some((one) => one === signal);
}
