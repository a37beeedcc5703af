/**
 * The stores of this process that are open: what has been left open is noticed here.
 *
 * The usual mistake is `open()` in a function that runs for each request, or in a module that a hot reload evaluates
 * again and again: each store has connections of its own. Two things help. A store that no code can use any more is
 * closed after the garbage collector has found it, once its last grant has ended. And the tenth store that is open on
 * one target is a warning.
 *
 * Sessions are what is watched: a store, its handles and all calls that are not over refer to theirs, while nothing
 * below a session refers to it. Own backends are not watched, since other code may use them.
 */
import { isUserClient } from "../backends/redis/client/user/recognize.ts";
import { warn } from "../diagnostics/events.ts";
import type { Session } from "../session.ts";
import { onePerProcess } from "../process/one-per-process.ts";

/** A program with a reason for several stores has one per tenant or per test, and closes some; ten are a mistake. */
const manyStores = 10;

/** What is left of a session that no code can use any more. */
interface Remains extends Pick<Session, "calls" | "tickets" | "locks"> {
  readonly closed: () => void;
}

interface Counts {
  /** By the user's client, or the name of the target. */
  readonly open: Map<unknown, number>;
  /** Those that were warned of: once per process. */
  readonly warned: Set<string>;
}

const leftOpen = new FinalizationRegistry<Remains>((remains) => void closeWhenOver(remains));

/** Watches a session whose backend Holdfast made for this target, until it is closed. */
export function watchOpen(session: Session, target: unknown): void {
  const { calls, tickets, locks } = session;
  const closed = counted(target, session.backend.name); // not a closure of this function, which would keep the session
  const token = {}; // the tickets keep the listener, which must not keep the session
  leftOpen.register(session, { calls, tickets, locks, closed }, token);
  session.ending.addEventListener("abort", () => {
    leftOpen.unregister(token);
    closed();
  });
}

/** Counts one more store of this target. Returns a function that takes it back. */
function counted(target: unknown, name: string): () => void {
  if (name === "memory:") return nothing; // no connections, and each is a store of its own
  const { open, warned } = onePerProcess("openStores", 1, newCounts);
  const key = isUserClient(target) ? target : name; // all clients have one name
  const count = (open.get(key) ?? 0) + 1;
  open.set(key, count);
  if (count >= manyStores && !warned.has(name)) {
    warned.add(name);
    warnOfMany(name);
  }
  return () => {
    const left = (open.get(key) ?? 1) - 1;
    if (left > 0) open.set(key, left);
    else open.delete(key);
  };
}

const newCounts = (): Counts => ({ open: new Map(), warned: new Set() });

const nothing = (): void => undefined;

function warnOfMany(name: string): void {
  warn(
    "many-stores",
    `This process has ${String(manyStores)} stores open on ${name}, and each has connections of its own. Call open() once, ` +
      `in a module that the others import, not for each request; if a hot reload evaluates that module again, keep the ` +
      `store on globalThis. Close stores that are no longer used.`,
  );
}

/** No new calls can come. What is in progress, or held, goes on until it ends. */
async function closeWhenOver({ calls, tickets, locks, closed }: Remains): Promise<void> {
  closed();
  await locks.served();
  await tickets.settled();
  await calls.over();
  await calls.backend.close().catch(() => undefined); // no caller is waiting for it
  calls.close();
}
