/**
 * `closeOn`: closes stores at a signal of the process, and then lets the process end as it would have.
 *
 * All stores of the process share one listener per signal, also if this module is loaded twice. It does not keep stores:
 * one that no code can use any more may be collected (see open-stores.ts), and then only what it holds is released at
 * the signal. When its stores are closed, the listener is removed and the signal is raised again, unless the program
 * listens to it as well: then how the process ends is up to the program. A second signal does not wait for the stores any
 * more. A signal that Node has received when the last store has just been closed is not lost.
 */
import { constants } from "node:os";
import { isMainThread } from "node:worker_threads";
import { ClosedError, InvalidArgumentError } from "../errors.ts";
import { defaults, show, type CloseSignal, type Parser } from "../options.ts";
import { onePerProcess } from "../process/one-per-process.ts";
import { releaseMs, type Session } from "../session.ts";
import { nextTurn, pause } from "../timers.ts";

const allowed: readonly string[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGBREAK", "SIGUSR2"];

/** A store that is closed at a signal, as long as there is one. */
interface Closable {
  readonly session: WeakRef<Session>;
  readonly tickets: Session["tickets"];
}

/** The stores that close at one signal. */
interface Entry {
  readonly stores: Set<Closable>;
  readonly listener: () => void;
  /** The signal has come: the stores are being closed. */
  isEnding: boolean;
}

/** Each system has some of them. */
const numbers: Partial<Record<string, number>> = constants.signals;

const entries = onePerProcess("closeOn", 1, () => new Map<CloseSignal, Entry>());

export const closeOn: Parser<readonly CloseSignal[]> = (value, name) => {
  const isWrong = (one: unknown): boolean => !allowed.includes(one as string);
  if (!Array.isArray(value) || value.some(isWrong)) {
    const got = Array.isArray(value) ? `${show(value.find(isWrong))} in it` : show(value);
    throw new InvalidArgumentError(`${name} must be an array of ${allowed.join(", ")}; got ${got}.`);
  }
  if (isMainThread) return value as readonly CloseSignal[];
  throw new InvalidArgumentError(
    `${name} works in the main thread only, since worker threads get no signals: close the store when the main thread tells you to.`,
  );
};

interface Collected {
  readonly signals: readonly CloseSignal[];
  readonly closable: Closable;
}

const collected = new FinalizationRegistry<Collected>(({ signals, closable }) => {
  void closable.tickets.settled().then(() => remove(signals, closable));
});

/** Closes the store at each of these signals, until it is closed. */
export function closeOnSignals(signals: readonly CloseSignal[], session: Session): void {
  const closable = { session: new WeakRef(session), tickets: session.tickets };
  for (const signal of new Set(signals)) entryOf(signal).stores.add(closable);
  collected.register(session, { signals, closable });
  session.ending.addEventListener(
    "abort",
    () => void closed(closable).then(() => remove(signals, closable)),
    {
      once: true,
    },
  );
}

/** Not at once: its `close()` has only just been called. */
async function closed({ session }: Closable): Promise<void> {
  await Promise.resolve();
  await session.deref()?.close(defaults.drainMs);
}

function close({ session, tickets }: Closable): Promise<void> {
  const open = session.deref();
  if (open !== undefined) return open.close(defaults.drainMs);
  tickets.closeIdle(new ClosedError("The process ends: what was acquired by hand has been released."));
  return Promise.race([tickets.settled(), pause(releaseMs)]);
}

function entryOf(signal: CloseSignal): Entry {
  const known = entries.get(signal);
  if (known !== undefined) return known;
  const entry: Entry = { stores: new Set(), listener: () => void onSignal(signal, entry), isEnding: false };
  entries.set(signal, entry);
  // First, so that it still finds listeners that are called once.
  process.prependListener(signal, entry.listener);
  return entry;
}

function remove(signals: readonly CloseSignal[], store: Closable): void {
  for (const signal of signals) {
    const entry = entries.get(signal);
    if (entry?.stores.delete(store) !== true) continue;
    const stopIfUnused = (): void => {
      if (entry.stores.size === 0 && !entry.isEnding && entries.get(signal) === entry)
        stopListening(signal, entry);
    };
    // Node forgets a signal that it has received but not yet told of when the last listener goes. It tells of it when it
    // reads its sockets the next time, which is between these two.
    nextTurn(() => nextTurn(stopIfUnused));
  }
}

function stopListening(signal: CloseSignal, { listener }: Entry): void {
  process.removeListener(signal, listener);
  entries.delete(signal);
}

async function onSignal(signal: CloseSignal, entry: Entry): Promise<void> {
  const isOurs = isLeftToUs(signal, entry);
  // The second signal may be another one, as Ctrl-C after a SIGTERM.
  if (isOurs && [...entries.values()].some(({ isEnding }) => isEnding)) {
    endProcess(signal, entry);
    return;
  }
  entry.isEnding = true;
  const stores = [...entry.stores];
  await Promise.allSettled(stores.map(close));
  if (isOurs) {
    endProcess(signal, entry);
    return;
  }
  entry.isEnding = false;
  for (const store of stores) entry.stores.delete(store);
  // The program may have opened others, in its own listener.
  if (entry.stores.size === 0 && entries.get(signal) === entry) stopListening(signal, entry);
}

/** Whether no other listener decides how the process ends. */
function isLeftToUs(signal: CloseSignal, { listener }: Entry): boolean {
  const others = process.listeners(signal).filter((one) => one !== listener).length;
  return others === 0 || (signal !== "SIGBREAK" && others === listenersOfSignalExit());
}

/**
 * The package signal-exit, which many others load, listens to all these signals except SIGBREAK. It ends the process only
 * if nothing else listens, which it finds out with these counts of its listeners. So it waits for this listener to go.
 */
function listenersOfSignalExit(): number {
  const versions: unknown[] = [
    (process as { readonly __signal_exit_emitter__?: unknown }).__signal_exit_emitter__, // up to 3
    (globalThis as Readonly<Record<symbol, unknown>>)[Symbol.for("signal-exit emitter")], // 4
  ];
  const counts = versions.map((emitter) => Number((emitter as { count?: unknown } | undefined)?.count ?? 0));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Ends the process as if nothing had listened to the signal. */
function endProcess(signal: CloseSignal, entry: Entry): void {
  stopListening(signal, entry);
  // The kernel does not let a signal without a listener end the first process of a container.
  if (process.pid === 1) process.exit(128 + (numbers[signal] ?? 0));
  process.kill(process.pid, signal);
}
