/**
 * The subscription to this client's wakes, and whether wakes reach us.
 *
 * A wake is a hint. To be subscribed is not enough for it: the connection for wakes may lead to another server than the
 * one for commands (a balancer, an address that has moved), which counts us where nobody asks. A message proves nothing
 * either, since replicas pass on what their primary publishes. So the server that runs the commands is asked, once for
 * each subscription and with every ask that waits:
 *
 *   down       not subscribed; → testing
 *   testing    subscribed; → listening, when that server counts our subscription and what is published there is heard
 *              here; else → astray
 *   listening  a wake that is sent now is heard; → astray, when an ask is answered that nobody is subscribed
 *   astray     the links are about to be made anew
 *   all        → down, when the subscription ends
 *
 * Unless it is listening, no ask relies on wakes, those who wait ask often, and a grant that is heard only makes them
 * ask [L1] [L8] [L9].
 */
import { randomBytes } from "node:crypto";
import { UnavailableError, type HoldfastError } from "../../errors.ts";
import { Deadlines } from "../../timers.ts";
import type { Wake } from "../contract.ts";
import type { ScriptRunner } from "./pipeline/script-runner.ts";
import type { RedisClient, Subscription } from "./client/port.ts";
import { readNumsub, readWake } from "./pipeline/decode.ts";

/** Without a wake: seldom where wakes are pushed [L8], often where they cannot be. */
const pushedAskAgainMs = 5_000;
const polledAskAgainMs = 250;
/** So many failures in a row are worth a warning. */
const patience = 3;
/** How long what was published may take to arrive here; patient, since the two ways may differ. */
const echoMs = 5_000;
/**
 * Pauses before the links are made anew: at once, at first, then seldom, since a balancer that always leads subscribers
 * elsewhere makes it vain.
 */
const remakePausesMs = [0, 0, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000];
/** The connection for wakes may well be right. Only when a new one was not either, the one for commands is made anew. */
const remakeOfBoth = 1;
/** Pauses before the next test where there was no answer: soon, since the server may be busy, then seldom. */
const untestedPausesMs = [500, 1_000, 2_000, 5_000, 10_000, 30_000];

export interface WakeSubscriptionOptions {
  readonly client: RedisClient;
  readonly runner: ScriptRunner;
  readonly channel: string;
  readonly onWake: (wake: Wake) => void;
  readonly warn: (cause: string, message: string) => void;
}

type State = "down" | "testing" | "listening" | "astray";

export class WakeSubscription {
  readonly #options: WakeSubscriptionOptions;
  readonly #deadlines = new Deadlines();
  #subscription: Subscription | undefined;
  #state: State = "down";
  /** Rises with each change of the state: what was asked before is history then. */
  #epoch = 0;
  /** Have those who wait been told to ask often? */
  #polling = false;
  #failures = 0;
  #remakes = 0;
  /** Tests of this subscription without an answer. */
  #untests = 0;
  #expected: { readonly word: Buffer; readonly heard: () => void } | undefined;

  constructor(options: WakeSubscriptionOptions) {
    this.#options = options;
  }

  /** What an ask that is sent now relies on, for {@link counted}; `undefined` where it must not rely on wakes. */
  get relied(): number | undefined {
    return this.#state === "listening" ? this.#epoch : undefined;
  }

  get askAgainMs(): number {
    return this.#state === "listening" ? pushedAskAgainMs : polledAskAgainMs;
  }

  /** Subscribes, once; from then on the client keeps the subscription up. */
  start(): void {
    if (this.#subscription !== undefined) return;
    const { client, channel } = this.#options;
    this.#subscription = client.subscribe(channel, {
      message: (bytes) => this.#heard(bytes),
      up: () => this.#up(),
      down: (error) => this.#down(error),
    });
    this.#pollSoon();
  }

  /** An ask that relied on the subscription was answered that so many are subscribed to our channel (-1: unknown). */
  counted(relied: number, subscribers: number): void {
    if (subscribers < 1 && relied === this.relied) this.#goAstray();
  }

  close(): void {
    this.#become("down");
    this.#deadlines.clearAll();
  }

  #become(state: State): void {
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

  #up(): void {
    this.#become("testing");
    this.#untests = 0;
    void this.#test();
  }

  #down(error: HoldfastError): void {
    const was = this.#state;
    this.#become("down");
    if (was === "listening") this.#pollSoon();
    // What cannot pass by itself is tried again seldom: there is nothing to be patient for.
    const isLasting = error instanceof UnavailableError && error.lasting;
    if (was === "astray") return;
    this.#failed(`the subscription to ${this.#options.channel} fails (${error.message})`, isLasting);
  }

  async #test(): Promise<void> {
    const epoch = this.#epoch;
    const reached = await this.#reaches().catch((error: unknown) => error);
    if (epoch !== this.#epoch) return;
    if (reached === true) this.#listen();
    else if (reached === false) this.#goAstray();
    else this.#untested(reached);
  }

  /** Does the server that runs the commands count our subscription, and is what is published there heard here? */
  async #reaches(): Promise<boolean> {
    const { client, runner, channel } = this.#options;
    await client.connect();
    const word = Buffer.from(`test ${randomBytes(12).toString("hex")}`);
    const heard = new Promise<true>((resolve) => (this.#expected = { word, heard: () => resolve(true) }));
    const [subscribers] = await Promise.all([
      runner.command({ args: ["PUBSUB", "NUMSUB", channel], read: readNumsub }),
      runner.command({ args: ["PUBLISH", channel, word], read: () => undefined }),
    ]);
    return subscribers > 0 && (await Promise.race([heard, this.#tooLate()]));
  }

  #tooLate(): Promise<false> {
    return new Promise((resolve) => this.#deadlines.set(echoMs, () => resolve(false)));
  }

  #listen(): void {
    this.#expected = undefined;
    this.#become("listening");
    this.#polling = false;
    this.#failures = this.#remakes = 0;
    this.#options.onWake({ kind: "again" });
  }

  #goAstray(): void {
    this.#become("astray");
    this.#poll();
    this.#failed(
      `the server that runs the commands does not see the subscription to ${this.#options.channel}: the connection ` +
        `for wakes leads to another server. Let all connections to this address lead to one server`,
    );
    const nth = this.#remakes++;
    this.#later(nthOf(remakePausesMs, nth), () => this.#subscription?.remake(nth === remakeOfBoth));
  }

  /** That there was no answer says nothing of the subscription. */
  #untested(error: unknown): void {
    const isLasting = error instanceof UnavailableError && error.lasting;
    const nth = isLasting ? untestedPausesMs.length : this.#untests++;
    if (nth >= patience) this.#warn(`whether wakes arrive cannot be tested: ${messageOf(error)}`);
    this.#later(nthOf(untestedPausesMs, nth), () => void this.#test());
  }

  #failed(why: string, isLasting = false): void {
    const before = this.#failures;
    this.#failures = isLasting ? Math.max(patience, before + 1) : before + 1;
    if (before >= patience || this.#failures < patience) return;
    this.#poll();
    this.#warn(why);
  }

  #warn(why: string): void {
    const instead = `Waiting for locks works, by asking every ${String(polledAskAgainMs)} ms.`;
    const sentence = why.endsWith(".") ? why : `${why}.`;
    this.#options.warn("redis-no-wakes", `${this.#options.client.name}: ${sentence} ${instead}`);
  }

  /** Most breaks are over before anybody need know of them. */
  #pollSoon(): void {
    this.#deadlines.set(polledAskAgainMs, () => {
      if (this.#state !== "listening") this.#poll();
    });
  }

  /** Those who wait have set their timers for the next ask by what they believed then: they ask now. */
  #poll(): void {
    if (this.#polling) return;
    this.#polling = true;
    this.#options.onWake({ kind: "again" });
  }

  /** Unless the state changes before. */
  #later(ms: number, work: () => void): void {
    const epoch = this.#epoch;
    this.#deadlines.set(ms, () => {
      if (epoch === this.#epoch) work();
    });
  }
}

/** From then on, the last. */
function nthOf(pausesMs: readonly number[], nth: number): number {
  return pausesMs[Math.min(nth, pausesMs.length - 1)] ?? 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
