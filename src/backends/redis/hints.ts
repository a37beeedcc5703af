/**
 * Hints that something about an id has changed, to all clients that watch it: over channels beside the one for wakes, on
 * the same connection. An id shares its channel with others, so that a client that watches one id after another listens
 * on few channels, and never has to leave one.
 */
import { UnavailableError } from "../../errors.ts";
import type { Keys } from "./protocol/keys.ts";
import type { SingleCalls } from "./single-calls.ts";
import type { WakeSubscription } from "./wake-subscription.ts";

export interface HintsOptions {
  readonly singleCalls: SingleCalls;
  readonly keys: Keys;
  readonly wakes: WakeSubscription;
  /** Where clients may listen on channels of both kinds. */
  readonly isCluster: boolean;
}

export class Hints {
  readonly #options: HintsOptions;

  constructor(options: HintsOptions) {
    this.#options = options;
  }

  readonly watch = (id: string): Promise<void> => {
    const { singleCalls, keys, wakes } = this.#options;
    return singleCalls.whenConnected(() => wakes.listen(keys.hints(id)));
  };

  readonly announce = async (id: string): Promise<void> => {
    if (!this.#options.isCluster) return this.#publish("PUBLISH", id);
    const sharded = this.#publish("SPUBLISH", id).catch((error: unknown) => {
      // Redis before 7 has none.
      if (!(error instanceof UnavailableError) || !/unknown command/i.test(error.message)) throw error;
    });
    await Promise.all([this.#publish("PUBLISH", id), sharded]);
  };

  #publish(command: "PUBLISH" | "SPUBLISH", id: string): Promise<void> {
    const { singleCalls, keys } = this.#options;
    return singleCalls.command({
      args: [command, keys.hints(id), `changed ${id}`],
      read: () => undefined,
    });
  }
}
