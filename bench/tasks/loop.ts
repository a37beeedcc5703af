/**
 * Callers that do one operation after the other, for a window of time.
 *
 * Its first part is to get going, and does not count for speed. When the window ends its figures are told at once, so that the
 * server's counters can be read at the same moment; then the callers finish what they do, as long as `drainMs` allows. Whoever still waits when the window ends is counted with the time
 * that it has waited so far: otherwise the longest waits would be the ones that nobody sees.
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface LoopArgs {
  /** By process.hrtime, which all processes of a machine share. */
  readonly startAt: bigint;
  readonly ms: number;
  readonly drainMs: number;
  readonly callers: number;
}

export interface Closed {
  /** Since callers got going; so are the next ones. */
  readonly ops: number;
  readonly elapsedMs: number;
  readonly perCaller: readonly number[];
  readonly waitsMs: Float64Array;
  /** All there were, from the beginning on, and what they cost. */
  readonly allOps: number;
  readonly cpuUs: number;
}

export interface Drained {
  /** Operations that ended after the window. */
  readonly late: number;
  /** From the beginning of the window on. */
  readonly cpuUs: number;
  /** Callers that had not ended when draining was given up. */
  readonly left: number;
  readonly errors: Record<string, number>;
}

export type Tell = (closed: Closed) => void;

/** One operation of a caller; answers when its waiting was over, or 0 if that is when it is done. */
export type Operation = (caller: number, n: number) => Promise<number>;

export async function loop(args: LoopArgs, operation: Operation, tell: Tell): Promise<Drained> {
  await begin(args.startAt);
  const window = new Window(args, operation, tell);
  const callers = Array.from({ length: args.callers }, (_, caller) => window.call(caller));
  const settled = setTimeout(() => window.settle(), args.ms * settling);
  const timer = setTimeout(() => window.close(), args.ms);
  const finished = Promise.all(callers).then(() => window.close());
  await Promise.race([finished, sleep(args.ms + args.drainMs, undefined, { ref: false })]);
  clearTimeout(settled);
  clearTimeout(timer);
  return window.drained();
}

/** The share of a window in which callers get going. */
const settling = 0.15;

class Window {
  readonly #operation: Operation;
  readonly #tell: Tell;
  readonly #cpu = process.cpuUsage();
  readonly #until: number;
  #begun = performance.now();
  #waits: number[] = [];
  #perCaller: number[];
  /** When the operation began that each caller is at; 0: none. */
  readonly #since: number[];
  readonly #errors: Record<string, number> = {};
  #ops = 0;
  #allOps = 0;
  #late = 0;
  #left: number;
  #open = true;

  constructor(args: LoopArgs, operation: Operation, tell: Tell) {
    this.#operation = operation;
    this.#tell = tell;
    this.#until = this.#begun + args.ms;
    this.#perCaller = Array.from({ length: args.callers }, () => 0);
    this.#since = Array.from({ length: args.callers }, () => 0);
    this.#left = args.callers;
  }

  async call(caller: number): Promise<void> {
    for (let n = 0; this.#open; n++) {
      const since = performance.now();
      // A contender that never leaves its microtasks would never let the timer through.
      if (since > this.#until) break;
      this.#since[caller] = since;
      try {
        this.#done(caller, await this.#operation(caller, n));
      } catch (error) {
        this.#failed(error);
        await sleep(1);
      }
      this.#since[caller] = 0;
    }
    this.#left -= 1;
  }

  /** From here on it counts. */
  settle(): void {
    if (!this.#open) return;
    this.#begun = performance.now();
    this.#ops = 0;
    this.#waits = [];
    this.#perCaller = this.#perCaller.map(() => 0);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const at = performance.now();
    for (const since of this.#since) if (since > 0) this.#waits.push(at - since);
    this.#tell({
      ops: this.#ops,
      elapsedMs: at - this.#begun,
      perCaller: this.#perCaller,
      waitsMs: Float64Array.from(this.#waits),
      allOps: this.#allOps,
      cpuUs: this.#cpuUs(),
    });
  }

  drained(): Drained {
    this.close();
    return { late: this.#late, cpuUs: this.#cpuUs(), left: this.#left, errors: this.#errors };
  }

  #cpuUs(): number {
    const { user, system } = process.cpuUsage(this.#cpu);
    return user + system;
  }

  #done(caller: number, entered: number): void {
    if (!this.#open) {
      this.#late += 1;
      return;
    }
    this.#ops += 1;
    this.#allOps += 1;
    this.#perCaller[caller] = (this.#perCaller[caller] ?? 0) + 1;
    this.#waits.push((entered || performance.now()) - (this.#since[caller] ?? 0));
  }

  #failed(error: unknown): void {
    const message = String(error).replaceAll(/[\d"].*/gs, "…");
    this.#errors[message] = (this.#errors[message] ?? 0) + 1;
  }
}

async function begin(startAt: bigint): Promise<void> {
  const ms = Number(startAt - process.hrtime.bigint()) / 1e6;
  if (ms > 0) await sleep(ms);
}
