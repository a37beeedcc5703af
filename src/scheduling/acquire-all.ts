/**
 * Acquires several locks, all or none, so that no two such calls wait for each other [L14].
 *
 * First all are tried in one tick, without queueing; on Redis, that is one script. What is known here not to be free ends
 * that tick, since those after it would only be given back. If one is not free, those before it in the order of ids are
 * kept and those after it are given back. From there on, the call waits for one after another in that order: a caller only
 * ever waits for an id that is greater than all those it has got.
 *
 * Locks that the caller holds already are entered again. If one of them is greater than an id that is not free, the call
 * does not wait, since that could be a deadlock.
 */
import { isFromCaller } from "../caller-stacks.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { LockTimeoutError } from "../errors.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import { acquireNested } from "../ownership/nested-acquire.ts";
import { warnOfUnanswered } from "../ownership/unanswered-release.ts";
import type { WaitOptions } from "../ownership/wait-options.ts";
import { now } from "../timers.ts";
import { compareIds } from "../ids/id-order.ts";
import type { LockManager } from "./lock-manager.ts";
import { GrantRequest } from "./request.ts";

/** One of the locks. */
export interface WantedLock {
  readonly id: string;
  /** The caller's grant of it, which is entered again. */
  readonly outer: HeldGrant | undefined;
}

export interface Setting {
  readonly calls: BackendCalls;
  readonly locks: LockManager;
  /** Throws if the store is closed. */
  readonly admit: () => void;
  /** The greatest id that the caller holds. */
  readonly greatestHeld: string | undefined;
}

/** `wanted`: in the order of ids. Returns a grant of each, in the same order. */
export function acquireAll(
  setting: Setting,
  wanted: readonly WantedLock[],
  how: WaitOptions,
): Promise<readonly HeldGrant[]> {
  return new Acquisitions(setting, wanted, how).acquire();
}

class Acquisitions {
  readonly #setting: Setting;
  readonly #wanted: readonly WantedLock[];
  readonly #how: WaitOptions;
  readonly #beganAt = now();
  /** What has been granted, in order. */
  #granted: HeldGrant[] = [];
  /** Aborts when one of those is lost while others are waited for, or when what is given back gets no reply. */
  readonly #failed = new AbortController();
  /** What is given back while others are waited for already. */
  #givingBack: Promise<void> | undefined;

  constructor(setting: Setting, wanted: readonly WantedLock[], how: WaitOptions) {
    this.#setting = setting;
    this.#wanted = wanted;
    this.#how = how;
  }

  async acquire(): Promise<readonly HeldGrant[]> {
    try {
      const busy = await this.#tryAll();
      if (busy !== undefined) await this.#waitForRest(busy);
      for (const { hold } of this.#granted) if (hold.isUnsure) await hold.lease.whenSure();
      for (const { lossError } of this.#granted) if (lossError !== undefined) throw lossError;
      return this.#granted;
    } catch (error) {
      const lost = this.#granted.find(({ lossError }) => lossError !== undefined)?.lossError;
      await this.#givingBack?.catch(() => undefined); // what failed there was a warning
      // The caller learns this error: a failure of these releases is at most a warning.
      await giveBack(this.#granted, (grant, failure) => warnOfUnanswered(grant.title, failure));
      throw lost ?? error;
    }
  }

  /** Returns why the first that is not free could not be had; `undefined`: all are granted. */
  async #tryAll(): Promise<LockTimeoutError | undefined> {
    const tries = await Promise.allSettled(this.#tries());
    const granted = tries.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    this.#granted = granted;
    const errors = tries.flatMap((one) => (one.status === "rejected" ? [one.reason as Error] : []));
    const failure = errors.find((error) => !isTimeout(error));
    if (failure !== undefined) throw failure;
    const [busy] = errors;
    if (!isTimeout(busy)) return undefined;
    const first = tries.findIndex(({ status }) => status === "rejected");
    this.#granted = granted.slice(0, first);
    if (first < granted.length) this.#giveBackMeanwhile(granted.slice(first));
    return busy;
  }

  /** Sent at once. They are waited for only after what is not free, so nobody waits for them in the meantime. */
  #giveBackMeanwhile(grants: readonly HeldGrant[]): void {
    this.#givingBack = giveBack(grants, (grant, failure) => {
      warnOfUnanswered(grant.title, failure);
      throw failure;
    });
    this.#givingBack.catch((failure: unknown) => this.#failed.abort(failure));
  }

  /** In one tick. */
  *#tries(): Iterable<Promise<HeldGrant>> {
    for (const lock of this.#wanted) {
      const request = this.#request(0);
      yield this.#ask(lock, request);
      if (request.failure !== undefined) return;
    }
  }

  /** `busy`: why the next one could not be had. */
  async #waitForRest(busy: LockTimeoutError): Promise<void> {
    let tried: LockTimeoutError | undefined = busy;
    for (const grant of this.#granted) this.#watch(grant);
    for (const lock of this.#wanted.slice(this.#granted.length)) {
      const grant = await this.#waitFor(lock, tried);
      this.#granted.push(grant);
      this.#watch(grant);
      tried = undefined;
    }
  }

  /** If it is lost, the others need not be waited for. */
  #watch(grant: HeldGrant): void {
    const stop = (): void => this.#failed.abort(grant.lossError);
    if (grant.isLive) grant.whenOver(stop);
    else stop();
  }

  async #waitFor(lock: WantedLock, tried: LockTimeoutError | undefined): Promise<HeldGrant> {
    const { waitMs } = this.#how;
    if (waitMs === 0 && tried !== undefined) throw tried;
    const greater = this.#greaterHeld(lock);
    if (greater === undefined) return this.#ask(lock, this.#request(waitMs));
    if (tried !== undefined) throw mustNotWait(tried, greater);
    return this.#ask(lock, this.#request(0)).catch((error: unknown) => {
      throw isTimeout(error) ? mustNotWait(error, greater) : error;
    });
  }

  /** The id because of which this lock must not be waited for. Other branches of the same owner may be waited for. */
  #greaterHeld({ id, outer }: WantedLock): string | undefined {
    const { greatestHeld } = this.#setting;
    if (outer !== undefined || greatestHeld === undefined) return undefined;
    return compareIds(greatestHeld, id) > 0 ? greatestHeld : undefined;
  }

  /** Before anything is granted, the caller's alone. */
  get #signal(): AbortSignal | undefined {
    const { signal } = this.#how;
    if (this.#granted.length === 0 && this.#givingBack === undefined) return signal;
    return signal === undefined ? this.#failed.signal : AbortSignal.any([signal, this.#failed.signal]);
  }

  #request(waitMs: number): GrantRequest {
    const how = { ...this.#how, signal: this.#signal, waitMs, acquired: this.#granted };
    return new GrantRequest(how, this.#beganAt);
  }

  async #ask({ id, outer }: WantedLock, request: GrantRequest): Promise<HeldGrant> {
    const { calls, locks, admit } = this.#setting;
    admit();
    if (outer !== undefined) {
      const leftMs = Math.max(Math.ceil(this.#beganAt + request.waitMs - now()), 0);
      return acquireNested(calls, outer, { ...this.#how, signal: this.#signal, waitMs: leftMs });
    }
    locks.addGrant(id, request);
    return request.granted;
  }
}

/** All in one tick. `onFailure`: a release got no reply. */
async function giveBack(
  grants: readonly HeldGrant[],
  onFailure: (grant: HeldGrant, failure: Error) => void,
): Promise<void> {
  const ends = await Promise.allSettled(grants.map((grant) => grant.end()));
  grants.forEach((grant, index) => {
    const end = ends[index];
    if (end?.status === "rejected") onFailure(grant, end.reason as Error);
  });
}

/** A lock is not free, or was not within `waitMs`. */
function isTimeout(error: unknown): error is LockTimeoutError {
  return error instanceof LockTimeoutError && !isFromCaller(error);
}

function mustNotWait(tried: LockTimeoutError, greater: string): LockTimeoutError {
  const { message, id, holder, heldForMs, waiters, holding } = tried;
  return new LockTimeoutError(
    `${message} This call did not wait for it, since its caller holds the lock ${JSON.stringify(greater)}, which comes ` +
      `after it in the order of ids: two such callers could wait for each other. Acquire all of them with one lockAll().`,
    { id, holder, heldForMs, waiters, holding },
  );
}
