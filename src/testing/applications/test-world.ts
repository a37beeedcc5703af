/**
 * A world for the tests of an application: several processes on one store in memory, and time that the test moves.
 *
 * It runs the real core and the memory backend: leases, queues, fences and refusals are those of production. While a world
 * is open, its time is the time of every store in this process, so there is one at a time.
 */
import { strict as assert } from "node:assert";

import { Memory, MemoryBackend } from "../../backends/memory/backend.ts";
import { InvalidArgumentError } from "../../errors.ts";
import { open } from "../../open.ts";
import * as parse from "../../options.ts";
import type { OpenOptions } from "../../options.ts";
import { parseOptions, show, type Parser } from "../../parse-options.ts";
import type { Store } from "../../store/store.ts";
import type { TimeSource } from "../../time/time-source.ts";
import { useTimeSource } from "../../timers.ts";
import { FakeTimersTime } from "./global-time.ts";
import { fencesOf, ticketsOf, type Held } from "./held.ts";
import { ProcessBackend } from "./process-backend.ts";
import type {
  Outage,
  OutageOptions,
  TestProcess,
  TestWorld,
  TestWorldOptions,
  UntilOptions,
} from "./types.ts";
import { VirtualTime, type MovedTime } from "./virtual-time.ts";

const firstProcess = "main";
/** How long `until()` moves the time at most. */
const defaultWithinMs = 600_000;

/** The world that is open, and so moves the time of this process. */
let present: World | undefined;

/**
 * Opens a world: a store in memory, whose time stands still until the test moves it, and other processes on the same
 * store. There is one world at a time; close it, or let `await using` do so. Stores that are opened outside of it while it is
 * open run on its time as well.
 *
 * @param options `open`: options of the first store. `advanceTimers(ms)`: with fake timers, the function that moves them,
 * such as `vi.advanceTimersByTimeAsync`; then the timers of the application and those of the world are one line.
 * @throws InvalidArgumentError if a world is open already (`cause`: where it was created), or if `advanceTimers` is given and the timers are not fake.
 * @example
 * ```ts
 * await using world = createTestWorld();
 * const other = world.process("worker-2");
 * await other.store.lock("report").acquire();
 * assert.equal(await world.store.lock("report").tryAcquire(), null); // another process holds it
 * other.crash();
 * await world.advance(30_000); // its lease ends
 * assert.ok(await world.store.lock("report").tryAcquire());
 * ```
 */
export function createTestWorld(options?: TestWorldOptions): TestWorld {
  const parsed = parseOptions<TestWorldOptions>("createTestWorld()", options, {
    open: (value) => value as OpenOptions, // open() checks it
    advanceTimers: fn,
  });
  if (present !== undefined) {
    throw new InvalidArgumentError(
      "A test world is open already, and there is one at a time: close it first. `await using world = createTestWorld()` " +
        "closes it even if the test fails. Where it was created, the cause says.",
      { cause: present.createdAt },
    );
  }
  const { advanceTimers } = parsed;
  const time = advanceTimers === undefined ? new VirtualTime() : new FakeTimersTime(advanceTimers);
  present = new World(time, parsed.open);
  return present;
}

class World implements TestWorld {
  readonly createdAt = new Error("The world that is open was created here.");
  readonly store: Store;
  readonly #time: MovedTime;
  readonly #beganAt: number;
  readonly #memory = new Memory();
  readonly #processes = new Map<string, WorldProcess>();
  readonly #previous: TimeSource;
  #operations = 0;
  #closed: Promise<void> | undefined;
  #operator: MemoryBackend | undefined;

  constructor(time: MovedTime, options: OpenOptions | undefined) {
    this.#time = time;
    this.#beganAt = time.source.now();
    this.#previous = useTimeSource(time.source);
    try {
      this.store = this.process(firstProcess, options).store;
    } catch (error) {
      useTimeSource(this.#previous);
      throw error;
    }
  }

  get now(): number {
    return this.#time.source.now() - this.#beganAt;
  }

  process(name: string, options?: OpenOptions): TestProcess {
    this.#check();
    if (typeof name !== "string" || name === "")
      throw new InvalidArgumentError(`A process needs a name, such as "worker-2"; got ${show(name)}.`);
    const known = this.#processes.get(name);
    if (known?.isDead === false) {
      if (options === undefined) return known;
      throw new InvalidArgumentError(
        `The process ${show(name)} runs already: give options only when it starts.`,
      );
    }
    const started = new WorldProcess(name, { memory: this.#memory, time: this.#time.source, options });
    this.#processes.set(name, started);
    return started;
  }

  async advance(ms: number): Promise<void> {
    this.#check();
    await this.#time.advance(milliseconds(ms, "advance()"));
  }

  async settle(): Promise<void> {
    this.#check();
    await this.#time.settle();
  }

  async until<T>(promise: PromiseLike<T>, options?: UntilOptions): Promise<T> {
    this.#check();
    const { withinMs = defaultWithinMs } = parseOptions<UntilOptions>("until()", options, {
      withinMs: (value, name) => milliseconds(value as number, name),
    });
    if (typeof (promise as { then?: unknown } | null | undefined)?.then !== "function")
      throw new InvalidArgumentError(`until() takes a promise, which it waits for; got ${show(promise)}.`);
    let isSettled = false;
    const settled = (): void => void (isSettled = true);
    promise.then(settled, settled);
    if (!(await this.#time.advanceUntil(() => isSettled, withinMs)))
      assert.fail(
        `The promise has not settled within ${String(withinMs)} ms of the world's time. Does it wait for something ` +
          "outside of the world, such as a real timer, a file or a crashed process?",
      );
    return promise;
  }

  sleep(ms: number): Promise<void> {
    this.#check();
    const sleepMs = milliseconds(ms, "sleep()");
    return new Promise((resolve) => this.#time.source.later(sleepMs, resolve));
  }

  async lose(held: Held): Promise<void> {
    this.#check();
    const tickets = ticketsOf(this.#memory, fencesOf(held));
    if (tickets.length === 0)
      throw new InvalidArgumentError(
        "lose() got what is not held in this world any more: it was released, lost, or acquired elsewhere.",
      );
    this.#operator ??= new MemoryBackend({ memory: this.#memory });
    for (const { id, ticket } of tickets) {
      this.#operations += 1;
      const receipt = { sequence: 0, n: this.#operations, keepMs: 60_000 };
      await this.#operator.cancelLock(id, ticket, receipt);
      for (const one of this.#processes.values()) if (one.owns(ticket)) one.tellForced(id, ticket);
    }
    await this.#time.settle();
  }

  outage(options?: OutageOptions): Outage {
    this.#check();
    const outages = [...this.#processes.values()].map((one) => one.outage(options));
    const end = (): void => {
      for (const outage of outages) outage.end();
    };
    return { end, [Symbol.dispose]: end };
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    const closing = Promise.all([...this.#processes.values()].map((one) => one.close()));
    try {
      await this.#time.advanceUntil(() => false, 0);
      let isClosed = false;
      void closing.then(() => (isClosed = true));
      await this.#time.advanceUntil(() => isClosed, defaultWithinMs);
    } finally {
      useTimeSource(this.#previous);
      present = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #check(): void {
    if (this.#closed !== undefined)
      throw new InvalidArgumentError("This test world is closed: create a new one.");
  }
}

/** One life of a process: its store, and what can happen to it. */
class WorldProcess implements TestProcess {
  readonly name: string;
  readonly store: Store;
  readonly #backend: ProcessBackend;
  readonly #time: TimeSource;
  readonly #outages = new Set<Outage>();

  constructor(name: string, of: { memory: Memory; time: TimeSource; options: OpenOptions | undefined }) {
    this.name = name;
    this.#time = of.time;
    this.#backend = new ProcessBackend(new MemoryBackend({ memory: of.memory }));
    this.store = this.#open(of.options);
  }

  get isDead(): boolean {
    return this.#backend.isDead;
  }

  crash(): void {
    this.#backend.die();
  }

  outage(options?: OutageOptions): Outage {
    const { forMs } = parseOptions<OutageOptions>("outage()", options, { forMs: parse.operationMs });
    let hasEnded = false;
    const end = (): void => {
      if (hasEnded) return;
      hasEnded = true;
      this.#outages.delete(outage);
      this.#backend.endOutage();
    };
    const outage = { end, [Symbol.dispose]: end };
    this.#backend.beginOutage();
    this.#outages.add(outage);
    if (forMs !== undefined) this.#time.later(forMs, end);
    return outage;
  }

  owns(ticket: string): boolean {
    return ticket.split(":").at(-2) === this.#backend.clientId;
  }

  tellForced(id: string, ticket: string): void {
    this.#backend.tellForced(id, ticket);
  }

  async close(): Promise<void> {
    for (const outage of this.#outages) outage.end();
    if (!this.isDead) await this.store.close({ drainMs: 0 });
  }

  /** A store keeps the source of its deadlines: those of a dead process are never due. */
  #open(options: OpenOptions | undefined): Store {
    const later: TimeSource["later"] = (ms, fire) =>
      this.#time.later(ms, () => {
        if (!this.isDead) fire();
      });
    const previous = useTimeSource({ ...this.#time, later });
    try {
      return open(this.#backend, options);
    } finally {
      useTimeSource(previous);
    }
  }
}

const fn: Parser<(ms: number) => unknown> = (value, name) => {
  if (typeof value === "function") return value as (ms: number) => unknown;
  throw new InvalidArgumentError(
    `${name} must be the function that moves the fake timers by a number of milliseconds; got ${show(value)}.`,
  );
};

function milliseconds(ms: number, name: string): number {
  if (typeof ms === "number" && ms >= 0 && ms < Infinity) return ms;
  throw new InvalidArgumentError(`${name} takes a number of milliseconds, 0 or more; got ${show(ms)}.`);
}
