/**
 * The subscription to this client's wakes, and the check that wakes arrive.
 *
 * A subscription alone does not prove that. The connection for wakes may lead to a different server from the one for
 * commands (a load balancer, an address that moved). A message does not prove it either, since replicas pass on what
 * their primary publishes. So the server that runs the commands is asked, once per subscription and with every ask that
 * waits.
 */
import { randomBytes } from "node:crypto";
import { isError, UnavailableError, type HoldfastError } from "../../errors.ts";
import { Deadlines } from "../../timers.ts";
import type { Wake } from "../contract.ts";
import type { ScriptRunner } from "./protocol/script-runner.ts";
import type { RedisClient, Subscription } from "./client/client-port.ts";
import { readNumsub, readWake } from "./protocol/decode.ts";

/** How often a waiter asks without a wake: rarely if wakes are pushed [L8], often if they are not. */
const pushedAskAgainMs = 5_000;
const polledAskAgainMs = 250;
/** Failures in a row. */
const failuresBeforeWarning = 3;
/**
 * How long a published message may take to arrive here; generous, since the two connections may take different routes.
 */
const echoMs = 5_000;
/**
 * Pauses before the connections are replaced: none at first, then long ones, since replacing them does not help if a
 * load balancer always routes subscribers elsewhere.
 */
const reconnectPausesMs = [0, 0, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000];
/**
 * The connection for commands may be the wrong one, so it is replaced too if a new connection for wakes did not help.
 */
const reconnectOfBoth = 1;
/** Pauses before the next test after a test without a reply: short, since the server may be busy, then longer. */
const untestedPausesMs = [500, 1_000, 2_000, 5_000, 10_000, 30_000];

export interface WakeSubscriptionOptions {
  readonly client: RedisClient;
  readonly runner: ScriptRunner;
  readonly channel: string;
  readonly onWake: (wake: Wake) => void;
  readonly warn: (cause: string, message: string) => void;
}

/**
 *   down       not subscribed; → testing
 *   testing    subscribed; → listening, when the server for commands counts this subscription and a message published
 *              there is received here; else → misrouted
 *   listening  a wake that is sent now is received; → misrouted, when the reply to an ask reports no subscriber
 *   misrouted  the connections are about to be replaced
 *   all        → down, when the subscription ends
 *
 * Except in "listening", no ask relies on wakes, waiters ask often, and a grant that is received only makes them ask
 * [L1] [L8] [L9].
 */
type State = "down" | "testing" | "listening" | "misrouted";

export class WakeSubscription {
  readonly #options: WakeSubscriptionOptions;
  readonly #deadlines = new Deadlines();
  #subscription: Subscription | undefined;
  #state: State = "down";
  /** Rises with each change of the state: replies to earlier questions are outdated. */
  #epoch = 0;
  /** Whether waiters have been woken to ask often. */
  #polling = false;
  #isClosed = false;
  #failures = 0;
  #reconnects = 0;
  /** The number of tests of this subscription without a reply. */
  #failedTests = 0;
  /** The channels beside the first one; a promise if this connection is subscribed to it, or about to be. */
  readonly #added = new Map<string, Promise<void> | undefined>();
  #expected: { readonly word: Buffer; readonly heard: () => void } | undefined;

  constructor(options: WakeSubscriptionOptions) {
    this.#options = options;
  }

  /** What an ask sent now relies on, for {@link subscribersCounted}; `undefined` if it must not rely on wakes. */
  get reliedOn(): number | undefined {
    return this.#state === "listening" ? this.#epoch : undefined;
  }

  get pushes(): boolean {
    return this.#state === "listening";
  }

  get askAgainMs(): number {
    return this.pushes ? pushedAskAgainMs : polledAskAgainMs;
  }

  /** Subscribes, once. From then on the client maintains the subscription. */
  start(): void {
    if (this.#subscription !== undefined || this.#isClosed) return;
    const { client, channel } = this.#options;
    this.#subscription = client.subscribe(channel, {
      message: (bytes) => this.#heard(bytes),
      up: () => this.#up(),
      down: (error) => this.#down(error),
    });
    this.#pollAfterBreak();
  }

  /**
   * Listens on another channel, too, from now on. Resolves once its messages arrive; if they do not, rejects, and may be
   * called again.
   */
  async listen(channel: string): Promise<void> {
    await (this.#added.get(channel) ?? this.#add(channel));
    if (!this.pushes) throw new UnavailableError("Wakes do not arrive now.", { outcome: "none" });
  }

  /**
   * The reply to an ask that relied on the subscription: the number of subscribers to this client's channel (-1:
   * unknown).
   */
  subscribersCounted(reliedOn: number, subscribers: number): void {
    if (subscribers < 1 && reliedOn === this.reliedOn) this.#reroute();
  }

  close(): void {
    this.#isClosed = true;
    this.#enter("down");
    this.#deadlines.clearAll();
  }

  #enter(state: State): void {
    this.#state = state;
    this.#epoch += 1;
  }

  #heard(bytes: Buffer): void {
    if (this.#expected?.word.equals(bytes) === true) return this.#expected.heard();
    const wake = readWake(bytes);
    if (wake === null) return;
    const isGood = wake.kind !== "granted" || this.#state === "listening";
    this.#options.onWake(isGood ? wake : { kind: "again" });
  }

  #add(channel: string): Promise<void> {
    const adding = this.#subscription?.add(channel) ?? Promise.reject(new Error("not subscribed yet"));
    this.#added.set(channel, adding);
    adding.catch(() => {
      if (this.#added.get(channel) === adding) this.#added.set(channel, undefined);
    });
    return adding;
  }

  #up(): void {
    this.#enter("testing");
    this.#failedTests = 0;
    for (const channel of this.#added.keys()) void this.#add(channel);
    void this.#test();
  }

  #down(error: HoldfastError): void {
    const was = this.#state;
    this.#enter("down");
    if (was === "listening") this.#pollAfterBreak();
    // A lasting failure is retried rarely, so it is reported at once.
    const isLasting = error instanceof UnavailableError && error.lasting;
    if (was === "misrouted") return;
    this.#failed(`the subscription to ${this.#options.channel} fails (${error.message})`, isLasting);
  }

  async #test(): Promise<void> {
    const epoch = this.#epoch;
    const reached = await this.#isRoutedHere().catch((error: unknown) => error);
    if (epoch !== this.#epoch) return;
    if (reached === true) this.#startListening();
    else if (reached === false) this.#reroute();
    else this.#testFailed(reached);
  }

  /** Whether the server for commands counts this subscription, and a message published there is received here. */
  async #isRoutedHere(): Promise<boolean> {
    const { client, runner, channel } = this.#options;
    await client.connect();
    const word = Buffer.from(`test ${randomBytes(12).toString("hex")}`);
    const heard = new Promise<true>((resolve) => (this.#expected = { word, heard: () => resolve(true) }));
    const [count, publish] =
      this.#subscription?.isSharded === true ? ["SHARDNUMSUB", "SPUBLISH"] : ["NUMSUB", "PUBLISH"];
    for (const adding of this.#added.values()) await adding?.catch(() => undefined); // it may be refused alone
    const [subscribers] = await Promise.all([
      runner.command({ args: ["PUBSUB", count, channel], read: readNumsub }),
      runner.command({ args: [publish, channel, word], read: () => undefined }),
    ]);
    return subscribers > 0 && (await Promise.race([heard, this.#tooLate()]));
  }

  #tooLate(): Promise<false> {
    return new Promise((resolve) => this.#deadlines.set(echoMs, () => resolve(false)));
  }

  #startListening(): void {
    this.#expected = undefined;
    this.#enter("listening");
    this.#polling = false;
    this.#failures = this.#reconnects = 0;
    this.#options.onWake({ kind: "again" });
  }

  #reroute(): void {
    this.#enter("misrouted");
    this.#poll();
    this.#failed(
      `the server that runs the commands does not see the subscription to ${this.#options.channel}: the connection ` +
        `for wakes reaches a different server. Make sure that every connection to this address reaches the same server`,
    );
    const nth = this.#reconnects++;
    this.#schedule(nthOf(reconnectPausesMs, nth), () =>
      this.#subscription?.reconnect(nth === reconnectOfBoth),
    );
  }

  /** A test without a reply says nothing about the subscription. */
  #testFailed(error: unknown): void {
    const isLasting = error instanceof UnavailableError && error.lasting;
    const nth = isLasting ? untestedPausesMs.length : this.#failedTests++;
    if (nth >= failuresBeforeWarning)
      this.#warn(`whether wakes arrive cannot be tested: ${messageOf(error)}`);
    this.#schedule(nthOf(untestedPausesMs, nth), () => void this.#test());
  }

  #failed(why: string, isLasting = false): void {
    const before = this.#failures;
    this.#failures = isLasting ? Math.max(failuresBeforeWarning, before + 1) : before + 1;
    if (before >= failuresBeforeWarning || this.#failures < failuresBeforeWarning) return;
    this.#poll();
    this.#warn(why);
  }

  #warn(why: string): void {
    const instead = `Waiting for locks still works, by polling every ${String(polledAskAgainMs)} ms.`;
    const sentence = why.endsWith(".") ? why : `${why}.`;
    this.#options.warn("redis-no-wakes", `${this.#options.client.name}: ${sentence} ${instead}`);
  }

  /** Most interruptions are over before waiters need to know about them. */
  #pollAfterBreak(): void {
    this.#deadlines.set(polledAskAgainMs, () => {
      if (this.#state !== "listening") this.#poll();
    });
  }

  /** Waiters set the timer of their next ask when wakes were expected, so they ask now. */
  #poll(): void {
    if (this.#polling) return;
    this.#polling = true;
    this.#options.onWake({ kind: "again" });
  }

  /** Runs `work` after `ms`, unless the state changes first. */
  #schedule(ms: number, work: () => void): void {
    const epoch = this.#epoch;
    this.#deadlines.set(ms, () => {
      if (epoch === this.#epoch) work();
    });
  }
}

/** The nth pause; after the end of the list, the last one. */
function nthOf(pausesMs: readonly number[], nth: number): number {
  return pausesMs[Math.min(nth, pausesMs.length - 1)] ?? 0;
}

function messageOf(error: unknown): string {
  return isError(error) ? error.message : String(error);
}
