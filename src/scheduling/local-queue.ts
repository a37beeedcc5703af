/**
 * The callers of one process that want the same lock, first come, first served [L2], each with its own deadline and
 * signal.
 *
 * What is known about the lock decides what happens to a request whose `waitMs` is over, or was 0 from the start:
 *
 * | lock | reported by the acquirer | reported by the dispatcher | a request that expires now | requests that expired before |
 * |---|---|---|---|---|
 * | unknown | before it asks | when the lock was released or lost, or replicas are waited for | stays: a reply that may serve it is still to come | stay |
 * | ours | – | while changes are applied under it | fails | stay, unless a change's function does not end at once: they came in time, and may still be served |
 * | taken | when another ticket has it | when it is lent to a caller of this process | fails | fail |
 *
 * A request that leaves the queue leaves no timer and no listener behind [L7]. The queue knows no tickets and no
 * backends.
 */
import type { BackendCalls } from "../calls/backend-calls.ts";
import { LinkedList } from "../linked-list.ts";
import { PlainChange } from "../updates/change.ts";
import { wantedBounds } from "./hold-bounds.ts";
import { ChangeRequest, type Request } from "./request.ts";

/** Fences are reserved for the requests that wait now, up to this number. */
export const maxFences = 64;

/** Where others want the lock as well, as many as one hold may serve: more requests may come before it is granted. */
const contendedFences = wantedBounds.requests;
/** So many requests are looked through for those whose callers hold other locks. */
const maxLooked = 256;
const none: readonly Request[] = [];

export type LockKnowledge = "unknown" | "ours" | "taken";

export interface QueueCallbacks {
  /** The error for a request that waited too long, or a promise of it, which resolves. */
  timeoutError(request: Request): Error | Promise<Error>;
  /** A request gave up, or has failed. */
  onFail(): void;
  /** A request has come whose caller holds other locks; it may be rejected at once. */
  onJoined?(request: Request): void;
  /** Such a request has left. */
  onLeft?(request: Request): void;
}

export class LocalQueue {
  /** Whether the last ticket had to wait for others. */
  isContended = false;
  readonly #calls: Pick<BackendCalls, "deadlines" | "keepAlive">;
  readonly #callbacks: QueueCallbacks;
  readonly #requests = new LinkedList<Request>();
  #size = 0;
  #expired = 0;
  #underLocks = 0;
  #lock: LockKnowledge = "unknown";
  /** Who waits for a write in this queue, unless it is delayed. */
  readonly #untilDelayed = new Set<() => void>();

  constructor(calls: Pick<BackendCalls, "deadlines" | "keepAlive">, callbacks: QueueCallbacks) {
    this.#calls = calls;
    this.#callbacks = callbacks;
  }

  get size(): number {
    return this.#size;
  }

  get head(): Request | undefined {
    return this.#requests.first;
  }

  /** The request after this one. */
  next(request: Request): Request | undefined {
    return this.#requests.next(request);
  }

  /** Whether any request wants to wait for the lock, and not only to try. */
  get hasPatience(): boolean {
    return this.#size > this.#expired;
  }

  /** Whether any request is past its waiting time. */
  get hasExpired(): boolean {
    return this.#expired > 0;
  }

  /** Appends the request. */
  add(request: Request): void {
    this.#requests.append(request);
    this.#admit(request);
  }

  /**
   * Puts a request that could not be served back at the head. If its wait has been ended since it was removed, it fails
   * now.
   */
  putBack(request: Request): void {
    if (request.isDue) request.expire();
    this.#requests.prepend(request);
    this.#admit(request);
  }

  /** Removes the request, to serve or settle it. Returns false if it had already left. */
  remove(request: Request): boolean {
    if (!request.isLinked) return false;
    const { deadlines, keepAlive } = this.#calls;
    request.unlink();
    request.stopWaiting(deadlines);
    this.#size -= 1;
    if (request.isExpired) this.#expired -= 1;
    keepAlive.unref();
    if (isMadeUnderLocks(request)) {
      this.#underLocks -= 1;
      this.#callbacks.onLeft?.(request);
    }
    return true;
  }

  /** Removes the requests that `which` selects, in order. The caller must settle them. */
  take(which: (request: Request) => boolean): readonly Request[] {
    return this.#all().filter((request) => which(request) && this.remove(request));
  }

  /** Fails the request; does nothing if it has already left. */
  reject(request: Request, error: unknown): void {
    if (!this.remove(request)) return;
    request.fail(error);
    this.#callbacks.onFail();
  }

  /** Fails the requests that `which` selects, in order. */
  rejectAll(error: unknown, which: (request: Request) => boolean = () => true): void {
    for (const request of this.#all()) if (which(request)) this.reject(request, error);
  }

  /** Whether a request waits whose caller holds other locks. */
  get hasUnderLocks(): boolean {
    return this.#underLocks > 0;
  }

  /** The first requests whose callers hold other locks: at most `max`, of those near the head. */
  underLocks(max: number): readonly Request[] {
    if (this.#underLocks === 0) return none;
    const found: Request[] = [];
    let looked = 0;
    for (let request = this.head; request !== undefined; request = this.#requests.next(request)) {
      if (isMadeUnderLocks(request)) found.push(request);
      if (found.length === Math.min(max, this.#underLocks) || ++looked === maxLooked) break;
    }
    return found;
  }

  /** Sets what is known about the lock. */
  lockIs(known: LockKnowledge): void {
    this.#lock = known;
    if (known !== "unknown" && this.#untilDelayed.size > 0 && !this.#isNextPlain) this.#delayed();
    if (known === "taken") this.timeOut();
  }

  /**
   * Resolves when this write, which is in the queue, is settled or delayed: it has to wait for others, or for the function
   * of a change. `undefined`: it is delayed now.
   */
  settledOrDelayed({ promise }: PlainChange): Promise<void> | undefined {
    if (this.#lock !== "unknown") return undefined;
    return new Promise((resolve) => {
      const settled = (): void => {
        this.#untilDelayed.delete(resolve);
        resolve();
      };
      this.#untilDelayed.add(resolve);
      promise.then(settled, settled);
    });
  }

  /** Whether the lock is ours, and the next request is a write that is ready. */
  get #isNextPlain(): boolean {
    return (
      this.#lock === "ours" && this.head instanceof ChangeRequest && this.head.change instanceof PlainChange
    );
  }

  #delayed(): void {
    for (const resolve of this.#untilDelayed) resolve();
    this.#untilDelayed.clear();
  }

  /** Fails the requests that have expired, or those of them that `which` selects: they cannot be served now. */
  timeOut(which?: (request: Request) => boolean): void {
    if (this.#expired === 0) return;
    for (const request of this.#all())
      if (request.isExpired && which?.(request) !== false) this.#timeOut(request);
  }

  /** [L3] One fence for each grant that is waited for now, and one for each run of changes between them. */
  get fencesWanted(): number {
    let fences = 0;
    let inRun = false;
    let hasGrants = false;
    for (let request = this.head; request !== undefined; request = this.#requests.next(request)) {
      const isChange = request instanceof ChangeRequest;
      if (!isChange || !inRun) fences += 1;
      inRun = isChange;
      hasGrants ||= !isChange;
      if (fences === maxFences) break;
    }
    return Math.max(fences, hasGrants && this.isContended ? contendedFences : 1);
  }

  #admit(request: Request): void {
    const { deadlines, keepAlive } = this.#calls;
    keepAlive.ref(); // [P1] until it leaves the queue
    this.#size += 1;
    if (request.isExpired) this.#expired += 1;
    if (isMadeUnderLocks(request)) this.#underLocks += 1;
    try {
      request.startWaiting(deadlines, {
        onExpire: () => this.#expire(request),
        onAbort: (reason) => this.reject(request, reason),
      });
    } catch (reason) {
      this.reject(request, reason);
      return;
    }
    if (request.isExpired) {
      if (this.#lock !== "unknown") this.#timeOut(request);
    } else if (isMadeUnderLocks(request)) this.#callbacks.onJoined?.(request);
  }

  #expire(request: Request): void {
    if (!request.isLinked) return;
    this.#expired += 1;
    request.expire();
    if (this.#lock !== "unknown") this.#timeOut(request);
  }

  /** It leaves now, and cannot be served any more, even if its error is still being made. */
  #timeOut(request: Request): void {
    const error = this.#callbacks.timeoutError(request);
    if (error instanceof Error) return this.reject(request, error);
    if (!this.remove(request)) return;
    void error.then((made) => request.fail(made));
    this.#callbacks.onFail();
  }

  /** A copy of the queue, since requests that fail leave it. */
  #all(): readonly Request[] {
    const all: Request[] = [];
    for (let request = this.head; request !== undefined; request = this.#requests.next(request))
      all.push(request);
    return all;
  }
}

function isMadeUnderLocks({ context, acquired }: Request): boolean {
  return context !== undefined || (acquired !== undefined && acquired.length > 0);
}
