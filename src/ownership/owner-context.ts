/**
 * Which grants the running async context holds: the lookup behind re-entry [L4] and behind writes that find their
 * grant by themselves.
 *
 * A context that outlives its grant still sees it here, as one that has ended. What a context inherits is bounded: a loop
 * that schedules its next round from inside its own lock would else hang each round on all those before.
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import { context as shared } from "./async-context.ts";
import type { HeldGrant } from "./grant.ts";

/** One link of the chain, innermost first. `store` is the opened one, so that equal ids of two stores differ. */
export interface Held {
  readonly store: object;
  readonly grant: HeldGrant;
  /** The context is a function that changes the state of this id (update, run). */
  readonly draft: boolean;
  readonly up: Held | undefined;
  /** How many links there are, up to this one. */
  readonly length: number;
}

/** A chain this long is searched for links that have ended. */
const longChain = 16;
/** How many of those are kept, the innermost: a write of their ids says that the lock has been lost, instead of waiting for it. */
const maxEnded = 8;

const context = shared as AsyncLocalStorage<Held>;

/** Runs `body` as the owner of `grant`. */
export function runHolding<R>(link: Omit<Held, "up" | "length">, body: () => R): R {
  return context.run(linked(link, shortened(context.getStore())), body);
}

function linked(link: Omit<Held, "up" | "length">, up: Held | undefined): Held {
  const { store, grant, draft } = link;
  return { store, grant, draft, up, length: (up?.length ?? 0) + 1 };
}

/** All that are live, and the innermost of those that have ended and still mean something. */
function shortened(chain: Held | undefined): Held | undefined {
  if (chain === undefined || chain.length < longChain) return chain;
  const kept: Held[] = [];
  let ended = 0;
  for (let held: Held | undefined = chain; held !== undefined; held = held.up) {
    if (held.grant.isLive || (!isOverDraft(held) && ended++ < maxEnded)) kept.push(held);
  }
  return kept.reduceRight<Held | undefined>((up, held) => linked(held, up), undefined);
}

/** A draft function that has returned has no grant left to outlive. */
function isOverDraft({ draft, grant }: Held): boolean {
  return draft && grant.isEnded;
}

/**
 * The innermost grant of this id in the context, live or not; but for draft functions that have returned: what one of
 * them started and did not wait for writes like any other caller.
 */
export function nearestHeld(store: object, id: string): Held | undefined {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (isOverDraft(held)) continue;
    if (held.store === store && held.grant.id === id) return held;
  }
  return undefined;
}

/** The innermost live grant of this id: what an acquire re-enters. */
export function liveGrant(store: object, id: string): HeldGrant | undefined {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (held.store === store && held.grant.id === id && held.grant.isLive) return held.grant;
  }
  return undefined;
}

/** Is this context inside a function that is changing the state of this id? */
export function insideDraft(store: object, id: string): boolean {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (held.draft && held.store === store && held.grant.id === id && held.grant.isLive) return true;
  }
  return false;
}

/** Does this context run inside a body of this store? Then its calls still work while the store drains [P2]. */
export function insideBody(store: object): boolean {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (held.store === store && held.grant.isLive) return true;
  }
  return false;
}
