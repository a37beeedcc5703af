/**
 * The line of one cohort: jobs, first come first served [L2], each with its own patience.
 *
 * Each knows who stands before and after it, so that anybody can leave from the middle. Whoever leaves the line leaves
 * no timer and no listener behind [L7]. The line knows nothing of turns and backends.
 */
import type { Conversations } from "../calls/backend-calls.ts";
import { StateJob, type Job } from "./request.ts";

/** Fences are reserved for the jobs that wait now, and never more than this. */
const maxFences = 64;

/** Whose line it is. */
export interface LineOwner {
  /** The error of whoever waited too long. */
  timeout(job: Job): Error;
  /** The last one gave up. */
  onEmpty(): void;
}

export class Line {
  #first: Job | undefined;
  #last: Job | undefined;
  #size = 0;
  /** How many of them have no time left. */
  #impatient = 0;
  readonly #conversations: Conversations;
  readonly #owner: LineOwner;
  #blocked = false;
  #engaged: Job | undefined;
  #wouldEnd: { readonly error: unknown } | undefined;

  constructor(conversations: Conversations, owner: LineOwner) {
    this.#conversations = conversations;
    this.#owner = owner;
  }

  get size(): number {
    return this.#size;
  }

  get head(): Job | undefined {
    return this.#first;
  }

  /** Does anybody want to wait for the lock, and not just to try? */
  get patient(): boolean {
    return this.#size > this.#impatient;
  }

  add(job: Job): void {
    const { deadlines, keepAlive } = this.#conversations;
    keepAlive.hold(); // [P1] until it leaves the line
    this.#append(job);
    if (!job.impatient) job.deadline = deadlines.set(job.waitMs, () => this.#tire(job), job.arrivedAt);
    job.listen((reason) => this.reject(job, reason));
    if (job.impatient) this.#tire(job);
  }

  /** To be served, or settled; false when it has left before. */
  leave(job: Job): boolean {
    if (!job.inLine) return false;
    this.#unlink(job);
    this.#conversations.deadlines.clear(job.deadline);
    job.unlisten();
    if (job === this.#engaged) this.#engaged = this.#wouldEnd = undefined; // an idle line holds on to nobody
    this.#conversations.keepAlive.drop();
    return true;
  }

  /** Its write is under way: it no longer waits, so what would end its waiting is put off until the answer [S5]. */
  engage(job: Job): void {
    this.#engaged = job;
    this.#wouldEnd = undefined;
  }

  /** The answer was that it must wait: now it can be given up again, or has been. */
  disengage(): void {
    const [job, end] = [this.#engaged, this.#wouldEnd];
    this.#engaged = undefined;
    if (job !== undefined && end !== undefined) this.reject(job, end.error);
  }

  /** Fails the job; nothing when it is being served already. */
  reject(job: Job, error: unknown): void {
    if (job === this.#engaged) {
      this.#wouldEnd ??= { error };
      return;
    }
    if (!this.leave(job)) return;
    job.fail(error);
    if (this.#size === 0) this.#owner.onEmpty();
  }

  /** Fails those that `which` picks, in order. */
  rejectAll(error: unknown, which: (job: Job) => boolean = () => true): void {
    for (const job of this.#all()) if (which(job)) this.reject(job, error);
  }

  /** Takes out of the line those that `which` picks, in order; they are the caller's to settle. */
  take(which: (job: Job) => boolean): readonly Job[] {
    return this.#all().filter((job) => which(job) && this.leave(job));
  }

  /** Somebody holds the lock, another ticket or one of us: nobody impatient can be served, now or while this lasts. */
  block(): void {
    this.#blocked = true;
    if (this.#impatient === 0) return;
    for (const job of this.#all()) if (job.impatient) this.#tire(job);
  }

  /** Those who stand in line may be served yet; only newcomers see that the lock is held. */
  blockNewcomers(): void {
    this.#blocked = true;
  }

  unblock(): void {
    this.#blocked = false;
  }

  /** [L3] One fence for each grant job that waits now, and one for each run of state jobs between them. */
  get fencesWanted(): number {
    let fences = 0;
    let inRun = false;
    for (let job = this.#first; job !== undefined; job = job.after) {
      const isState = job instanceof StateJob;
      if (!isState || !inRun) fences += 1;
      inRun = isState;
      if (fences === maxFences) break;
    }
    return Math.max(fences, 1);
  }

  /** Its time is over: it fails, unless the first answer of the backend is still to come and may serve it. */
  #tire(job: Job): void {
    if (!job.impatient && job.inLine) this.#impatient += 1;
    job.impatient = true;
    if (this.#blocked) this.reject(job, this.#owner.timeout(job));
  }

  /** As it stands now; those who fail leave it meanwhile. */
  #all(): readonly Job[] {
    const jobs: Job[] = [];
    for (let job = this.#first; job !== undefined; job = job.after) jobs.push(job);
    return jobs;
  }

  #append(job: Job): void {
    job.inLine = true;
    job.before = this.#last;
    if (this.#last === undefined) this.#first = job;
    else this.#last.after = job;
    this.#last = job;
    this.#size += 1;
    if (job.impatient) this.#impatient += 1;
  }

  #unlink(job: Job): void {
    const { before, after } = job;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    job.before = job.after = undefined;
    job.inLine = false;
    this.#size -= 1;
    if (job.impatient) this.#impatient -= 1;
  }
}
