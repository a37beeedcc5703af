// A process of its own that opens the store named in its arguments and does what it is told, one JSON line at a time:
//   {"n": 1, "op": "acquire", "id": "x", "as": "mine"}  →  {"n": 1, "ok": {"fence": 17}}  or  {"n": 1, "error": {"code": …}}
// `contend` and `updates` also tell of each step as it happens. With a second argument it lives one of the short lives
// below instead, and listens to nobody.

import { closeSync, openSync, unlinkSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { open, type Grant, type HoldfastError, type Store } from "../../src/index.ts";

/** What a worker can be told. */
export interface Order {
  readonly n: number;
  readonly op: keyof typeof operations;
  readonly [detail: string]: unknown;
}

interface Log {
  count: number;
  ids: string[];
}

const [url = "", life = ""] = process.argv.slice(2);
const stores = new Map<string, Store>();
const grants = new Map<string, Grant>();

/** Synchronous on pipes, so that what was told is told even if SIGKILL comes next. */
function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const nameOf = (order: Order): string => (typeof order["store"] === "string" ? order["store"] : "main");

function store(order: Order): Store {
  let opened = stores.get(nameOf(order));
  if (opened === undefined) stores.set(nameOf(order), (opened = open(url, order["options"] as object)));
  return opened;
}

const codeOf = (error: unknown): string => (error as HoldfastError).code;
const text = (order: Order, key: string): string => String(order[key]);
const grantOf = (order: Order): Grant => {
  const grant = grants.get(text(order, "as"));
  if (grant === undefined) throw new Error(`no grant ${text(order, "as")}`);
  return grant;
};

const operations = {
  open: async (order: Order) => {
    await store(order).ready();
  },
  acquire: async (order: Order) => {
    const grant = await store(order)
      .lock(text(order, "id"))
      .acquire(order["how"] as object);
    grants.set(text(order, "as"), grant);
    grant.signal.addEventListener("abort", () => tell({ aborted: text(order, "as") }));
    return { fence: grant.fence };
  },
  release: (order: Order) => grantOf(order).release(),
  /** As the holder sees it by now. */
  signal: async (order: Order) => {
    const { signal } = grantOf(order);
    return { aborted: signal.aborted, code: signal.aborted ? codeOf(signal.reason) : null };
  },
  save: (order: Order) => {
    const how = order["as"] === undefined ? {} : { grant: grantOf(order) };
    return store(order).state(text(order, "id")).save(order["value"], how);
  },
  /** Tells when it is inside; its function never returns. */
  updateForever: (order: Order) => {
    const id = text(order, "id");
    const inside = (): Promise<undefined> => {
      tell({ inside: id });
      return new Promise(() => undefined);
    };
    return store(order).state(id).update(inside);
  },
  load: (order: Order) => store(order).state(text(order, "id")).load(),
  inspect: (order: Order) => store(order).lock(text(order, "id")).inspect(),
  /** The event loop stands still, as in a long computation. */
  block: async (order: Order) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(order["ms"]));
  },
  updates,
  contend,
  lockAll,
  nested,
  holdAll: async (order: Order) => {
    const { fences } = await store(order)
      .lockAll(order["ids"] as string[])
      .acquire(order["how"] as object);
    return { fences };
  },
  close: async (order: Order) => {
    await store(order).close();
    stores.delete(nameOf(order));
  },
};

/** Adds `count` ids to the state, in so many lanes at once, and tells of each that was acknowledged. */
async function updates(order: Order): Promise<void> {
  const state = store(order).state(text(order, "id"), { initial: (): Log => ({ count: 0, ids: [] }) });
  const lanes = Number(order["lanes"]);
  let left = Number(order["count"]);
  const lane = async (name: string): Promise<void> => {
    for (let n = 0; left > 0; n += 1) {
      left -= 1;
      const id = `${name}:${String(n)}`;
      await state.update((log) => {
        log.count += 1;
        log.ids.push(id);
      });
      tell({ added: id });
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, l) => lane(`${text(order, "name")}.${String(l)}`)));
}

/** So many callers enter the lock again and again; whoever is inside holds a file that only one can create. */
async function contend(order: Order): Promise<{ counts: number[]; entries: object[] }> {
  const lock = store(order).lock(text(order, "id"), { waitMs: 60_000 });
  const counts = Array.from({ length: Number(order["callers"]) }, () => 0);
  const entries: object[] = [];
  const endsAt = performance.now() + Number(order["forMs"]);
  let calls = 0;
  const call = async (caller: number): Promise<void> => {
    while (performance.now() < endsAt) {
      const number = (calls += 1);
      await lock.run(async ({ fence }) => {
        closeSync(openSync(text(order, "inside"), "wx")); // throws EEXIST when somebody is inside
        await Promise.resolve();
        entries.push({ call: number, fence, at: performance.timeOrigin + performance.now() });
        unlinkSync(text(order, "inside"));
      });
      counts[caller] = (counts[caller] ?? 0) + 1;
    }
  };
  await Promise.all(counts.map((_, caller) => call(caller)));
  return { counts, entries };
}

/** Holds several locks at once, again and again, and adds one to the state of each under them. */
async function lockAll(order: Order): Promise<void> {
  const ids = order["ids"] as string[];
  const several = store(order).lockAll(ids);
  for (let round = 0; round < Number(order["rounds"]); round += 1) {
    await several.run(async () => {
      for (const id of ids) {
        const state = store(order).state(id, { initial: () => 0 });
        await state.save((await state.load()) + 1); // lost, unless no other process is between load and save
      }
    });
  }
}

/**
 * Takes two locks, one inside the other, again and again. In the first round, all hold the outer one before they ask for
 * the inner one. Whoever is told of a deadlock begins that round again. Returns how often that was.
 */
async function nested(order: Order): Promise<object> {
  const [outer = "", inner = ""] = order["ids"] as string[];
  const opened = store(order);
  const holders = opened.state("holders", { initial: (): string[] => [] });
  const messages: string[] = [];
  for (let round = 0; round < Number(order["rounds"]);) {
    try {
      await opened.lock(outer).run(async () => {
        if (round === 0 && messages.length === 0) {
          await holders.update((all) => [...all, outer]);
          while ((await holders.load()).length < Number(order["holders"])) await sleep(2);
        }
        await opened.lock(inner).run(() => opened.state(inner, { initial: () => 0 }).update((n) => n + 1));
      });
      round += 1;
    } catch (error) {
      if (codeOf(error) !== "DEADLOCK") throw error;
      messages.push((error as Error).message);
    }
  }
  return { messages };
}

/** Each shows what keeps a process alive, or does not [P1]. */
const lives: Readonly<Record<string, () => Promise<void>>> = {
  /** Used, never closed, a lock never released. */
  async idle() {
    const idle = open(url);
    await idle.state("idle", { initial: () => 0 }).update((n) => n + 1);
    const grant = await idle.lock("held by an idle process").acquire({ leaseMs: 1_000 });
    tell({ idle: grant.fence });
  },
  /** Nothing but a call that waits. */
  async pending() {
    const waiting = open(url).lock("held").acquire({ waitMs: 1_000 });
    tell({ waiting: true });
    await waiting.catch((error: unknown) => tell({ code: codeOf(error) }));
  },
  /** Nothing but a body, which waits for something that keeps nothing alive. */
  async body() {
    const result = await open(url)
      .lock("body")
      .run(() => new Promise((resolve) => setTimeout(() => resolve("ran"), 1_000).unref()));
    tell({ result });
  },
  /** As `body`, in an update. */
  async draft() {
    const result = await open(url)
      .state("draft", { initial: () => ({ n: 0 }) })
      .run((draft) => {
        draft.n += 1;
        return new Promise((resolve) => setTimeout(() => resolve("ran"), 1_000).unref());
      });
    tell({ result });
  },
  /** Closes while it holds a lock that somebody waits for, and a body goes on. */
  async closing() {
    const closing = open(url);
    await closing.lock("closing").acquire();
    const body = closing
      .lock("closing body")
      .run(async ({ signal }) => {
        tell({ running: true });
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        tell({ aborted: codeOf(signal.reason) });
      })
      .catch((error: unknown) => codeOf(error));
    const waiting = open(url)
      .lock("closing")
      .acquire()
      .then((grant) => grant.release());
    await new Promise((resolve) => setTimeout(resolve, 200));
    await closing.close({ drainMs: 100 });
    tell({ body: await body, waiter: await waiting });
  },
  async exit() {
    const exiting = open(url);
    await exiting.lock("exit").acquire({ leaseMs: 1_000 });
    void exiting.lock("exit").acquire();
    void exiting.state("exit").save(1);
    process.exit(7);
  },
};

async function obey(order: Order): Promise<void> {
  try {
    tell({ n: order.n, ok: (await operations[order.op](order)) ?? null });
  } catch (error) {
    const { code, outcome } = error as Partial<HoldfastError>;
    tell({ n: order.n, error: { code, outcome, message: String(error) } });
  }
}

if (life !== "") await lives[life]?.();
else createInterface(process.stdin).on("line", (line) => void obey(JSON.parse(line) as Order));
