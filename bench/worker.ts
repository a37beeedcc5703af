/**
 * One process of one contender: `worker.ts <contender> <url>`. It connects, then does the tasks that it is told by IPC.
 * It ends with the process that started it.
 */
import { contender } from "./contenders.ts";
import type { Peer } from "./peers/peer.ts";
import { atOnce } from "./tasks/at-once.ts";
import * as contend from "./tasks/contend.ts";
import * as handOver from "./tasks/hand-over.ts";
import * as many from "./tasks/many.ts";
import { usePermits } from "./tasks/permits.ts";
import { readWrite } from "./tasks/read-write.ts";
import { queueOfTickets } from "./tasks/tickets.ts";
import { transfer } from "./tasks/transfers.ts";
import { work } from "./tasks/work.ts";
import type { Closed } from "./tasks/loop.ts";

export interface Request {
  readonly n: number;
  readonly task: string;
  readonly args: object;
}

/** "closed" comes before the result, from tasks that have a window. */
export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "closed"; readonly n: number; readonly closed: Closed }
  | { readonly kind: "result"; readonly n: number; readonly result: unknown; readonly stray: Errors }
  | { readonly kind: "failed"; readonly n: number; readonly message: string };

type Errors = Record<string, number>;
type Task = (peer: Peer, args: never, tell: (closed: Closed) => void) => unknown;

const tasks: Readonly<Record<string, Task>> = {
  atOnce,
  ...contend,
  ...handOver,
  ...many,
  readWrite,
  work,
  queueOfTickets,
  usePermits,
  transfer,
};

/** A rejection that nobody handles is a contender's error like any other. */
let stray: Errors = {};
process.on("unhandledRejection", (reason) => {
  const message = `unhandled: ${String(reason).replaceAll(/[\d"].*/gs, "…")}`;
  stray[message] = (stray[message] ?? 0) + 1;
});
process.on("disconnect", () => process.exit());

const [name = "", url = ""] = process.argv.slice(2);
const peer = await contender(name).open(url);
process.on("message", (request: Request) => void answer(request));
report({ kind: "ready" });

async function answer({ n, task, args }: Request): Promise<void> {
  try {
    const run = tasks[task];
    if (run === undefined) throw new Error(`no task is called ${task}`);
    const result = await run(peer, args as never, (closed) => report({ kind: "closed", n, closed }));
    report({ kind: "result", n, result, stray });
    stray = {};
  } catch (error) {
    report({ kind: "failed", n, message: error instanceof Error ? (error.stack ?? "") : String(error) });
  }
}

function report(message: Report): void {
  process.send?.(message);
}
