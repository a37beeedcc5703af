// What one process does in the test of readers and writers: callers that share a lock to read its state, and some that change it.
//
// It tells of each hold that the server gave it, of the holder behind which each of its tickets for the whole lock began to wait,
// and of each change that was acknowledged. So the order of grants can be put together from what all processes tell, without
// anybody's clock.

import { closeSync, openSync, readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";

import type { AcquireReply, Backend, Granted, ReleaseReply, Wake } from "../../../src/backends/contract.ts";
import { open, type Store } from "../../../src/index.ts";
import type { ArgumentsOf } from "../../../src/backends/forward.ts";
import { FaultyBackend } from "../../../src/testing/index.ts";

export const id = "read and written";

export interface Plan {
  /** Begins the names of its changes. */
  readonly name: string;
  readonly callers: number;
  /** How often each caller reads or writes. */
  readonly calls: number;
  readonly leaseMs: number;
  /** Where those that are inside say so to all processes. */
  readonly folder: string;
  /** Where its process dies, if it does: in the first such function after so many grants. */
  readonly dies?: { readonly inside: Point; readonly after: number };
}

export type Point = "a reader" | "a writer before its save" | "a writer after its save";

export type Told =
  | { readonly hold: string; readonly fence: number; readonly isShared: boolean }
  | { readonly waiting: string; readonly behind: string }
  | { readonly added: string; readonly fence: number };

export type Tell = (line: Told) => void;

/** Tells of the holds and waits of its tickets. */
class ObservedBackend extends FaultyBackend {
  readonly #tell: Tell;
  readonly #shared = new Set<string>();
  readonly #waiting = new Set<string>();

  constructor(backend: Backend, tell: Tell) {
    super(backend);
    this.#tell = tell;
  }

  override async acquireLock(...args: ArgumentsOf<"acquireLock">): Promise<AcquireReply> {
    const [, ticket, { share }] = args;
    if (share !== undefined) this.#shared.add(ticket);
    const reply = await super.acquireLock(...args);
    if (reply.status === "granted") this.#held(ticket, reply);
    if (reply.status === "waiting" && share === undefined && !this.#waiting.has(ticket)) {
      this.#waiting.add(ticket);
      this.#tell({ waiting: ticket, behind: reply.holder.token });
    }
    return reply;
  }

  override async releaseLock(...args: ArgumentsOf<"releaseLock">): Promise<ReleaseReply> {
    const reply = await super.releaseLock(...args);
    if (reply.status === "kept" && reply.fence !== undefined) this.#held(args[1], { fence: reply.fence });
    return reply;
  }

  override onWake(listener: (wake: Wake) => void): void {
    super.onWake((wake) => {
      if (wake.kind === "granted") this.#held(wake.ticket, wake);
      listener(wake);
    });
  }

  #held(ticket: string, { fence }: Pick<Granted, "fence">): void {
    this.#tell({ hold: ticket, fence, isShared: this.#shared.has(ticket) });
  }
}

/** Every tenth call writes. */
const isWrite = (caller: number, call: number): boolean => (caller * 7 + call) % 10 === 0;

/** Runs until all calls are done, or the process dies. */
export async function readAndWrite(backend: Backend, plan: Plan, tell: Tell): Promise<void> {
  const store = open(new ObservedBackend(backend, tell), { leaseMs: plan.leaseMs, waitMs: 120_000 });
  const callers = new Callers(store, plan, tell);
  await Promise.all(Array.from({ length: plan.callers }, (_, caller) => callers.run(caller)));
  await store.close();
}

class Callers {
  readonly #store: Store;
  readonly #plan: Plan;
  readonly #tell: Tell;
  #grants = 0;

  constructor(store: Store, plan: Plan, tell: Tell) {
    this.#store = store;
    this.#plan = plan;
    this.#tell = tell;
  }

  async run(caller: number): Promise<void> {
    for (let call = 0; call < this.#plan.calls; call += 1) {
      const name = `${this.#plan.name}-${String(caller)}-${String(call)}`;
      await (isWrite(caller, call) ? this.#write(name) : this.#read(name));
    }
  }

  /** [L12] Nothing changes while it reads. */
  #read(name: string): Promise<void> {
    const state = this.#store.state<string[]>(id);
    return this.#store.lock(id).run(
      () =>
        this.#inside(`reader.${name}`, "writer", async () => {
          const before = await state.load();
          await this.#reached("a reader");
          const after = await state.load();
          if (before?.length !== after?.length) throw new Error(`the state changed while ${name} read it`);
        }),
      { shared: true },
    );
  }

  #write(name: string): Promise<void> {
    const state = this.#store.state(id, { initial: (): string[] => [] });
    return this.#store.lock(id).run(({ fence }) =>
      this.#inside(`writer.${name}`, "", async () => {
        const list = await state.load();
        await this.#reached("a writer before its save");
        await state.save([...list, name]);
        await this.#reached("a writer after its save");
        this.#tell({ added: name, fence });
      }),
    );
  }

  async #reached(point: Point): Promise<void> {
    const { dies } = this.#plan;
    if (dies?.inside === point && this.#grants > dies.after) await die();
  }

  /** Throws if there is another whose name begins with `excluded`, unless its process has died. */
  async #inside(name: string, excluded: string, fn: () => Promise<void>): Promise<void> {
    const { folder } = this.#plan;
    const own = `${name}.${String(process.pid)}`;
    this.#grants += 1;
    closeSync(openSync(join(folder, own), "wx"));
    try {
      const others = readdirSync(folder).filter((other) => other !== own && other.startsWith(excluded));
      const alive = others.filter((other) => isAlive(Number(other.split(".").at(-1))));
      if (alive.length > 0) throw new Error(`${own} was inside together with ${alive.join(", ")}`);
      await fn();
    } finally {
      unlinkSync(join(folder, own));
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function die(): Promise<never> {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => undefined);
}
