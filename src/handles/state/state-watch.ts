/**
 * `state.watch()`: yields the value of a state, then each change of it that is seen [E2].
 *
 * A change is a new revision, or that the state is absent; a new time to live alone is none. While the backend does not
 * answer, it goes on asking.
 */
import type { StoredState } from "../../backends/contract.ts";
import { isFromCaller } from "../../caller-stacks.ts";
import { warn } from "../../diagnostics/events.ts";
import { quoted, UnavailableError } from "../../errors.ts";
import * as parse from "../../options.ts";
import type { Session } from "../../session.ts";
import { changesOf } from "../changes.ts";
import type { Snapshot, WatchStateOptions } from "./state.ts";

/** The parts of a handle that watching needs. */
export interface WatchedState<T> {
  readonly session: Session;
  readonly id: string;
  /** With its remaining time to live; `null`: absent. */
  readonly load: () => Promise<StoredState | null>;
  readonly snapshotOf: (stored: StoredState) => Snapshot<T>;
}

export function watchState<T>(
  { session, id, load, snapshotOf }: WatchedState<T>,
  options: WatchStateOptions | undefined,
): AsyncIterable<Snapshot<T> | undefined> {
  const { signal, intervalMs } = parse.parseOptions<WatchStateOptions>("watch()", options, {
    signal: parse.signal,
    intervalMs: parse.intervalMs,
  });
  const outage = new Outage(id);
  const look = async () => {
    const stored = await load();
    outage.isOver();
    const value = (): Snapshot<T> | undefined => (stored === null ? undefined : snapshotOf(stored));
    return { version: stored?.revision ?? null, value, endsInMs: stored?.expiresInMs ?? null };
  };
  return changesOf({ session, id, look, intervalMs, signal, outlasts: (error) => outage.began(error) });
}

/** Warns once while the backend does not answer. */
class Outage {
  readonly #id: string;
  #isOn = false;

  constructor(id: string) {
    this.#id = id;
  }

  isOver(): void {
    this.#isOn = false;
  }

  /** Returns whether the error is one of an outage, which may pass. */
  began(error: unknown): boolean {
    if (!(error instanceof UnavailableError) || error.lasting || isFromCaller(error)) return false;
    if (!this.#isOn)
      warn(
        "watch-unanswered",
        `Watching ${quoted(this.#id)} goes on, but the backend fails: ${error.message}`,
      );
    this.#isOn = true;
    return true;
  }
}
