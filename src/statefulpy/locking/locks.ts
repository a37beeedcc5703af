/**
 * The locks of one backend: who holds what, nested calls, waiting, releasing, and what a lost lock means.
 *
 * A token is never used twice, so an answer that comes late can be taken for no other ask's.
 */
import { randomBytes } from "node:crypto";
import { type ClosedError, HoldfastError, LockLostError, quoted, UnavailableError } from "../../errors.ts";
import { fromCaller } from "../../caller-stacks.ts";
import { usablePart } from "../../leases/lease.ts";
import { TicketMaker } from "../../leases/ticket.ts";
import { Watchdog } from "../../leases/watchdog.ts";
import { now, pause } from "../../timers.ts";
import { PlainHold } from "./hold.ts";
import { Line, type Asked } from "./line.ts";
import { nameOf, notHeld, timeoutError } from "./messages.ts";
import { lostError, type OwnerScope } from "./owner.ts";
import type { StoreCalls } from "../store-calls.ts";
import type { Wait } from "./waiter.ts";

/** Between two attempts of giving back, each of which lasts for some seconds if the server is away. */
const giveBackPauseMs = 100;

export class Locks {
  readonly #calls: StoreCalls;
  readonly #leaseMs: number;
  readonly #clientId = randomBytes(12).toString("hex");
  readonly #tokens = new TicketMaker(this.#clientId, false);
  readonly #watchdog: Watchdog;
  readonly #lines = new Map<string, Line>();
  /** Asks and releases that no caller waits for any more. */
  readonly #leftOver = new Set<Promise<unknown>>();

  constructor(calls: StoreCalls, leaseMs: number) {
    this.#calls = calls;
    this.#leaseMs = leaseMs;
    this.#watchdog = new Watchdog(calls);
  }

  /** Resolves once the owner holds it. Nested calls of a scope are counted. */
  async acquire(wait: Wait): Promise<void> {
    const { id, owner, signal } = wait;
    this.#calls.refuseClosed();
    if (signal?.aborted === true) throw fromCaller(signal.reason as unknown);
    const held = owner.isAnonymous ? undefined : owner.holds.get(id);
    if (held?.isLive === false) throw lostError(held);
    if (held !== undefined) held.enter();
    else await this.#calls.keepingAlive(() => this.#line(id).join(wait));
  }

  /** @throws InvalidArgumentError if the owner does not hold it; LockLostError if it was lost meanwhile. */
  async release(id: string, owner: OwnerScope): Promise<void> {
    const hold = owner.holds.get(id);
    if (hold === undefined) throw notHeld(id, await this.#holderOf(id));
    const isLive = hold.isLive;
    const isLast = hold.leave();
    if (isLast) owner.holds.delete(id);
    if (isLive) return isLast ? this.#release(hold) : undefined;
    if (isLast) this.#endLost(hold);
    throw lostError(hold);
  }

  /** All that the owner holds, however often it is nested, and all that it still waits for. Throws a loss rather than another failure. */
  async releaseAll(owner: OwnerScope): Promise<void> {
    for (const line of this.#lines.values()) line.rejectOf(owner);
    const holds = [...owner.holds.values()];
    owner.holds.clear();
    const results = await Promise.allSettled(
      holds.map(async (hold) => {
        if (hold.isLive) return this.#release(hold);
        this.#endLost(hold);
        throw lostError(hold);
      }),
    );
    const failures = results.flatMap((one) => (one.status === "rejected" ? [one.reason as Error] : []));
    const failure = failures.find((reason) => reason instanceof LockLostError) ?? failures[0];
    if (failure !== undefined) throw failure;
  }

  /** The token under which a save of this owner is done; `undefined`: it is a plain one. */
  tokenFor(id: string, owner: OwnerScope): string | undefined {
    const hold = owner.holds.get(id);
    if (hold === undefined) return undefined;
    if (hold.isLive) return hold.ticket;
    throw lostError(hold);
  }

  /** The store refused a save under this token. `mayBeSaved`: an earlier attempt may have been carried out. */
  refused(id: string, token: string, mayBeSaved: boolean): LockLostError {
    const hold = this.#lines.get(id)?.hold;
    const reason = "the server says that it is no longer the holder";
    if (hold?.ticket === token) hold.lose(reason);
    const effect = mayBeSaved
      ? "An earlier attempt, whose reply was lost, may have saved the state"
      : "The state was not saved";
    return new LockLostError(`The lock ${quoted(id)} was lost: ${reason}. ${effect}.`, {
      outcome: mayBeSaved ? "unknown" : "none",
    });
  }

  /** Waiters are rejected, and all locks are given back. Never throws. */
  async close(error: ClosedError): Promise<void> {
    for (const line of this.#lines.values()) line.rejectAll(error);
    for (const { hold } of [...this.#lines.values()]) if (hold !== undefined) this.#giveUp(hold);
    await this.leftOver();
  }

  /** Resolves when all asks and releases have ended. They may leave more behind: an ask that is granted is given back. */
  async leftOver(): Promise<void> {
    while (this.#leftOver.size > 0) await Promise.allSettled(this.#leftOver);
  }

  /** The loss is settled: its owner's calls are not refused for it any more. */
  #endLost(hold: PlainHold): void {
    hold.end();
    this.#lines.get(hold.id)?.unblocked();
  }

  #giveUp(hold: PlainHold): void {
    if (hold.isLive) {
      hold.lose("its backend was closed");
      this.#giveBack(hold.id, hold.ticket);
    }
  }

  #line(id: string): Line {
    const known = this.#lines.get(id);
    if (known !== undefined) return known;
    const line = new Line(id, {
      deadlines: this.#calls.deadlines,
      ask: (of) => this.#tracked(this.#ask(of)),
      isLive: ({ sentAt }) => now() < sentAt + this.#leaseMs * usablePart,
      hold: (asked, owner) => this.#hold(asked, owner),
      giveBack: (of, token) => this.#giveBack(of, token),
      timeout: (wait, of) => timeoutError(wait, of, this.#clientId),
      onEmpty: () => this.#lines.delete(id),
    });
    this.#lines.set(id, line);
    return line;
  }

  async #ask(id: string): Promise<Asked> {
    const token = this.#tokens.make(0);
    let sentAt = now();
    const leaseMs = this.#leaseMs;
    try {
      const answer = await this.#calls.run({ doing: "acquiring the lock", id }, (store) => {
        sentAt = now();
        return store.acquire(id, { token, leaseMs });
      });
      return { id, token, sentAt, answer };
    } catch (error) {
      // [L7] It may have been granted.
      if (error instanceof HoldfastError && error.outcome === "unknown") this.#giveBack(id, token);
      throw error;
    }
  }

  #hold({ id, token, sentAt }: Asked, owner: OwnerScope): PlainHold {
    const onLost = (lost: PlainHold): void => {
      this.#watchdog.unwatch(lost); // a renewal that is still answered must not keep it
      this.#lines.get(id)?.freed(lost);
      owner.lost(lost);
    };
    const hold = new PlainHold({ id, token, leaseMs: this.#leaseMs, sentAt, owner, onLost });
    owner.holds.set(id, hold);
    this.#watchdog.watch(hold, sentAt);
    return hold;
  }

  /** Not renewed from here on: if no answer comes, its lease ends by itself. */
  async #release(hold: PlainHold): Promise<void> {
    const { id, ticket } = hold;
    this.#watchdog.unwatch(hold);
    hold.markReleasing();
    try {
      const subject = { doing: "releasing the lock", id };
      const isReleased = await this.#tracked(
        this.#calls.run(subject, async (store, isRetry) => (await store.release(id, ticket)) || isRetry),
      );
      if (!isReleased)
        throw new LockLostError(
          `The lock ${quoted(id)} was lost before it was released: the server had another holder.`,
        );
    } catch (error) {
      if (error instanceof UnavailableError) void this.#tracked(this.#giveBackLater(id, ticket));
      throw error;
    } finally {
      hold.end();
      this.#lines.get(id)?.freed(hold);
    }
  }

  #giveBack(id: string, token: string): void {
    const subject = { doing: "releasing the lock", id };
    const giving = this.#calls
      .run(subject, (store) => store.release(id, token))
      .then(
        () => undefined,
        () => this.#giveBackLater(id, token),
      );
    void this.#tracked(giving);
  }

  /** Once the server answers again; until its lease has ended by itself. Never rejects. */
  async #giveBackLater(id: string, token: string): Promise<void> {
    const subject = { doing: "releasing the lock", id };
    for (const until = now() + this.#leaseMs; !this.#calls.isClosed && now() < until;) {
      try {
        await this.#calls.runInBackground(subject, (store) => store.release(id, token));
        return;
      } catch (error) {
        if (!(error instanceof UnavailableError) || error.lasting) return;
      }
      await pause(giveBackPauseMs);
    }
  }

  #tracked<R>(call: Promise<R>): Promise<R> {
    this.#leftOver.add(call);
    const over = (): void => void this.#leftOver.delete(call);
    call.then(over, over);
    return call;
  }

  async #holderOf(id: string): Promise<string | undefined> {
    const hold = this.#lines.get(id)?.hold;
    if (hold !== undefined)
      return hold.owner.isAnonymous
        ? "a call of this process outside of a scope"
        : "another owner in this process";
    const subject = { doing: "reading the lock", id };
    const token = await this.#calls.run(subject, (store) => store.holder(id));
    return token === null ? undefined : nameOf(token, this.#clientId);
  }
}
