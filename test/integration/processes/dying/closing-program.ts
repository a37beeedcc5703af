// A process whose stores close at SIGTERM and SIGINT, and that never ends by itself. Arguments: URL, and how it lives.

import { open, type Store } from "../../../../src/index.ts";

const [url = "", life = ""] = process.argv.slice(2);
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
const stores = [1, 2].map(() => open(url, { closeOn: ["SIGTERM", "SIGINT"] })) as [Store, Store];
setInterval(() => undefined, 60_000);

const lives: Readonly<Record<string, () => void>> = {
  /** Its functions obey `closing`. */
  orderly: () => undefined,
  /** They do not. */
  stubborn: () => undefined,
  "with a handler": () => {
    process.once("SIGTERM", () => {
      tell({ handled: true });
      for (const { closing } of stores) if (!closing.aborted) process.exit(1);
      void Promise.all(stores.map((store) => store.close())).then(() => process.exit(7));
    });
  },
  /** A package listens that ends the process only if it is the only one: as signal-exit 4 does. */
  "beside signal-exit": () => {
    const emitter = { count: 1 };
    Object.assign(globalThis, { [Symbol.for("signal-exit emitter")]: emitter });
    const listener = (): void => {
      if (process.listeners("SIGTERM").length !== emitter.count) return;
      tell({ exits: true });
      process.removeListener("SIGTERM", listener);
      process.kill(process.pid, "SIGTERM");
    };
    process.on("SIGTERM", listener);
  },
  /** Its own listener opens the next store. */
  "opens another": () => {
    process.on("SIGTERM", () => {
      const next = open(url, { closeOn: ["SIGTERM"] });
      next.closing.addEventListener("abort", () => process.exit(7));
      void Promise.all(stores.map((store) => store.close())).then(() => tell({ opened: true }));
    });
  },
  /** Told only when the listeners are gone: Node loses a signal that comes at the very moment when the last one goes. */
  "closed before": () =>
    void Promise.all(stores.map((store) => store.close())).then(function look(): void {
      if (process.listenerCount("SIGTERM") === 0) tell({ closed: true });
      else setImmediate(look);
    }),
  "closed just now": () =>
    void Promise.all(stores.map((store) => store.close())).then(() => process.kill(process.pid, "SIGTERM")),
};

async function body(name: string, { closing }: { readonly closing: AbortSignal }): Promise<void> {
  await new Promise((resolve) => {
    if (life !== "stubborn") closing.addEventListener("abort", resolve);
  });
  tell({ ended: name });
}

let inside = 0;
for (const [n, store] of stores.entries()) {
  await store.lock(`idle ${String(n)}`).acquire();
  const enter = (name: string) => (context: { readonly closing: AbortSignal }) => {
    inside += 1;
    if (inside === 4) tell({ ready: true });
    return body(`${name} ${String(n)}`, context);
  };
  void store
    .lock(`body ${String(n)}`)
    .run(enter("body"))
    .catch(() => undefined);
  const update = enter("update");
  const state = store.state(`update ${String(n)}`);
  void state
    .update(async (_, context) => {
      await update(context);
      return "saved";
    })
    .catch(() => undefined);
}
const waiting = stores[1].lock("idle 0").acquire({ waitMs: Infinity });
waiting.catch((error: unknown) => tell({ waiter: (error as { code?: unknown }).code }));
lives[life]?.();
