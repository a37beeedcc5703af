/**
 * Which grants the running async context holds: the lookup behind re-entry [L4] and behind writes that find their
 * grant by themselves.
 *
 * A context that outlives its grant still sees it here, as one that has ended.
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import { context as shared } from "./context.ts";
import type { HeldGrant } from "./grant.ts";

/** One link of the chain, innermost first. `owner` is the opened store, so that equal ids of two stores differ. */
export interface Held {
  readonly owner: object;
  readonly grant: HeldGrant;
  /** The context is a function that changes the state of this id (update, run). */
  readonly draft: boolean;
  readonly up: Held | undefined;
}

const context = shared as AsyncLocalStorage<Held>;

/** Runs `body` as the owner of `grant`. */
export function runHolding<R>(link: Omit<Held, "up">, body: () => R): R {
  return context.run({ ...link, up: context.getStore() }, body);
}

/**
 * The innermost grant of this id in the context, live or not. A draft function that has returned has no grant left to
 * outlive: what it started and did not wait for writes like anybody else.
 */
export function nearestHeld(owner: object, id: string): Held | undefined {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (held.draft && held.grant.ended) continue;
    if (held.owner === owner && held.grant.id === id) return held;
  }
  return undefined;
}

/** The innermost live grant of this id: what an acquire re-enters. */
export function liveGrant(owner: object, id: string): HeldGrant | undefined {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (held.owner === owner && held.grant.id === id && held.grant.live) return held.grant;
  }
  return undefined;
}

/** Is this context inside a function that is changing the state of this id? */
export function insideDraft(owner: object, id: string): boolean {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (held.draft && held.owner === owner && held.grant.id === id && held.grant.live) return true;
  }
  return false;
}

/** Does this context run inside a body of this store? Then its calls still work while the store drains [P2]. */
export function insideBody(owner: object): boolean {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (held.owner === owner && held.grant.live) return true;
  }
  return false;
}
