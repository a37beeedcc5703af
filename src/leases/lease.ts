/**
 * How long a hold lasts, as far as this process knows: until when, by the monotonic clock [L5], and how long it is kept
 * by each renewal.
 *
 * A request that got no answer may still be carried out, after a later one that asks for more. So a later one is relied
 * on only for as long as all those that may come late ask for.
 */
import { now } from "../timers.ts";
import { Unsure } from "./unsure.ts";

/** The lease is used up to a little before its end [L5]: timers run late, and no two clocks run equally fast. */
export const usablePart = 63 / 64;

export class Lease {
  #ms: number;
  #grantedMs: number;
  #until: number;
  /** The shortest time of those requests that may come late. */
  #lateMs = Infinity;
  #unsure: Unsure | undefined;

  /** `ms`: the full lease. `grantedMs`: the first one, which may be a short one; it counts from `from`. */
  constructor(ms: number, grantedMs: number, from: number) {
    this.#ms = ms;
    this.#grantedMs = grantedMs;
    this.#until = from + grantedMs * usablePart;
  }

  /** What each renewal asks for. */
  get ms(): number {
    return this.#ms;
  }

  /** The length of the last lease: the full one, or the short one of a hand-over. */
  get grantedMs(): number {
    return this.#grantedMs;
  }

  get until(): number {
    return this.#until;
  }

  /** What is left of it, in whole milliseconds. */
  get leftMs(): number {
    return Math.max(0, Math.floor(this.#until - now()));
  }

  /** A request that was sent at `sentAt` and asked for `ms` succeeded. */
  renewed(sentAt: number, ms: number): void {
    this.#until = sentAt + Math.min(ms, this.#lateMs) * usablePart;
    this.#grantedMs = ms;
    this.#becomeSure(sentAt);
  }

  /** A reply to a request that was sent at `sentAt` says that this much was left. */
  seen(sentAt: number, leftMs: number): void {
    this.#until = Math.min(this.#until, sentAt + leftMs * usablePart);
    this.#becomeSure(sentAt);
  }

  /** Renewals ask for `ms` from now on. The first one is being sent: a shorter lease may begin at any time. */
  change(sentAt: number, ms: number): void {
    this.#ms = ms;
    this.#until = Math.min(this.#until, sentAt + ms * usablePart);
  }

  /** A request that asks for `ms` may still be carried out. */
  mayComeLate(ms: number): void {
    this.#lateMs = Math.min(this.#lateMs, ms);
  }

  /** The machine has slept: by the server's clock, the lease may have ended. */
  becomeUnsure(at: number): void {
    (this.#unsure ??= new Unsure()).since = at;
  }

  get isUnsure(): boolean {
    return this.#unsure !== undefined;
  }

  async whenSure(): Promise<void> {
    await this.#unsure?.over;
  }

  endUnsure(): void {
    this.#unsure?.end();
    this.#unsure = undefined;
  }

  /** A reply to what was sent before the machine slept proves nothing. */
  #becomeSure(sentAt: number): void {
    if (this.#unsure !== undefined && sentAt >= this.#unsure.since) this.endUnsure();
  }
}
