/**
 * The subscription to this client's wakes: whether it is up, what it says, and how often to ask where it is not.
 */
import { UnavailableError, type HoldfastError } from "../../errors.ts";
import type { Wake } from "../backend.ts";
import type { RedisClient } from "./client.ts";
import { readWake } from "./reply.ts";

/** Without a wake: seldom where wakes are pushed [L8], often where they cannot be. */
const pushedAskAgainMs = 5_000;
const polledAskAgainMs = 250;
/** A subscription that fails so often in a row is not expected soon. */
const patience = 3;

export interface WakesOptions {
  readonly client: RedisClient;
  readonly channel: string;
  readonly onWake: (wake: Wake) => void;
  readonly warn: (cause: string, message: string) => void;
}

export class Wakes {
  readonly #options: WakesOptions;
  #started = false;
  #listening = false;
  #failures = 0;

  constructor(options: WakesOptions) {
    this.#options = options;
  }

  /** Whether a wake that is sent now would be heard. */
  get listening(): boolean {
    return this.#listening;
  }

  get askAgainMs(): number {
    return this.#listening || this.#failures < patience ? pushedAskAgainMs : polledAskAgainMs;
  }

  /** Subscribes, once; from then on the client keeps the subscription up. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#options.client.subscribe(this.#options.channel, {
      message: (bytes) => this.#heard(bytes),
      up: () => this.#up(),
      down: (error) => this.#down(error),
    });
  }

  #heard(bytes: Buffer): void {
    const wake = readWake(bytes);
    if (wake !== null) this.#options.onWake(wake);
  }

  #up(): void {
    this.#listening = true;
    this.#failures = 0;
    this.#options.onWake({ kind: "again" });
  }

  #down(error: HoldfastError): void {
    this.#listening = false;
    const wasPatient = this.#failures < patience;
    // What cannot pass by itself is tried again seldom: there is nothing to be patient for.
    const isLasting = error instanceof UnavailableError && error.lasting;
    this.#failures = isLasting ? Math.max(patience, this.#failures + 1) : this.#failures + 1;
    if (!wasPatient || this.#failures < patience) return;
    const { client, channel, warn } = this.#options;
    const instead = `Waiting for locks works, by asking every ${String(polledAskAgainMs)} ms.`;
    warn(
      "redis-no-wakes",
      `${client.name}: the subscription to ${channel} fails (${error.message}). ${instead}`,
    );
  }
}
