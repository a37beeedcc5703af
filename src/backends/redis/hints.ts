/**
 * Hints that the state of an id has changed, to all clients that watch it: over channels beside the one for wakes, on the
 * same connection. An id shares its channel with others, so that a client that watches one id after another listens on
 * few channels, and never has to leave one.
 *
 * The scripts that change states publish the hints, for the ids that are watched. That is noted in a key for each of them,
 * with a life: every client that watches an id sets it, and again at an interval. Nothing removes it, since other clients
 * may watch the same id: it expires [E2].
 */
import { Deadlines } from "../../timers.ts";
import type { Wake } from "../contract.ts";
import type { Keys } from "./protocol/keys.ts";
import type { SingleCalls } from "./single-calls.ts";
import type { WakeSubscription } from "./wake-subscription.ts";

/** How long an id counts as watched, and how often that is renewed: twice in vain without harm. */
const watchMs = 60_000;
const renewEveryMs = 20_000;

export interface HintsOptions {
  readonly singleCalls: SingleCalls;
  readonly keys: Keys;
  readonly wakes: WakeSubscription;
  /** Where clients may listen on channels of both kinds. */
  readonly isCluster: boolean;
  readonly onWake: (wake: Wake) => void;
}

export class Hints {
  readonly #options: HintsOptions;
  readonly #watched = new Set<string>();
  readonly #deadlines = new Deadlines();
  /** Whether the next renewal is planned. */
  #renews = false;

  constructor(options: HintsOptions) {
    this.#options = options;
  }

  readonly watch = async (id: string): Promise<void> => {
    const { singleCalls, keys, wakes } = this.#options;
    this.#watched.add(id);
    this.#planRenewal();
    await singleCalls.whenConnected(() => wakes.listen(keys.hints(id)));
    await this.#note(id);
  };

  readonly unwatch = (id: string): Promise<void> => {
    this.#watched.delete(id);
    return Promise.resolve();
  };

  /** False: a hint about an id that nobody watches here, which shares its channel with one that somebody watches. */
  concerns(wake: Wake): boolean {
    return wake.kind !== "changed" || this.#watched.has(wake.id);
  }

  /** Wakes arrive again, maybe from another server: changes until now may not have been published. */
  async noteAgain(): Promise<void> {
    const ids = [...this.#watched];
    await this.#noteAll(ids);
    for (const id of ids) this.#options.onWake({ kind: "changed", id });
  }

  close(): void {
    this.#watched.clear();
    this.#deadlines.clearAll();
  }

  #planRenewal(): void {
    if (this.#renews) return;
    this.#renews = true;
    this.#deadlines.set(renewEveryMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    this.#renews = false;
    if (this.#watched.size === 0) return;
    this.#planRenewal();
    await this.#noteAll([...this.#watched]);
  }

  /** In one go. What fails is tried again with the next renewal; until then, those who watch see changes by asking. */
  async #noteAll(ids: readonly string[]): Promise<void> {
    await Promise.allSettled(ids.map((id) => this.#note(id)));
  }

  #note(id: string): Promise<void> {
    const { singleCalls, keys, isCluster } = this.#options;
    const value = `${String(keys.hintsNumber(id))}${isCluster ? "s" : ""}`;
    return singleCalls.command({
      args: ["SET", keys.watch(id), value, "PX", String(watchMs)],
      read: () => undefined,
      id,
    });
  }
}
