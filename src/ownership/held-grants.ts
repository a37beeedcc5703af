/**
 * Which grants the running async context holds. Re-entry [L4] looks them up here, and so do writes that find their
 * grant automatically.
 *
 * A context that outlives its grant still sees it here, as one that has ended. What a context inherits is bounded: a
 * loop that schedules its next iteration from inside its own lock would otherwise inherit a link from every earlier
 * iteration.
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import { context as shared } from "./async-context.ts";
import type { HeldGrant } from "./grant.ts";

/** One link of the chain, innermost first. `store` is the opened store, so that equal ids in two stores differ. */
export interface Held {
  readonly store: object;
  readonly grant: HeldGrant;
  /** Whether the context is a function that changes the state of this id (update, run). */
  readonly draft: boolean;
  readonly up: Held | undefined;
  /** The number of links up to this one. */
  readonly length: number;
}

/** A chain this long is searched for links that have ended. */
const longChain = 16;
/**
 * How many of those are kept, the innermost: a write of their ids then fails because the lock was lost, instead of
 * waiting for it.
 */
const maxEnded = 8;

const context = shared as AsyncLocalStorage<Held>;

/** Runs `body` as the owner of `grant`. */
export function runHolding<R>(link: Omit<Held, "up" | "length">, body: () => R): R {
  return context.run(linked(link, shortened(context.getStore())), body);
}

/** Runs `body` as the owner of all these grants. `draft`: whether it changes their states. */
export function runHoldingAll<R>(
  { store, draft }: Pick<Held, "store" | "draft">,
  grants: readonly HeldGrant[],
  body: () => R,
): R {
  let chain = shortened(context.getStore());
  for (const grant of grants) chain = linked({ store, grant, draft }, chain);
  return chain === undefined ? body() : context.run(chain, body);
}

function linked(link: Omit<Held, "up" | "length">, up: Held | undefined): Held {
  const { store, grant, draft } = link;
  return { store, grant, draft, up, length: (up?.length ?? 0) + 1 };
}

/**
 * All live links, and the innermost of those that have ended and still matter. The very innermost of them always does:
 * what is outside of it does not wait for this context [L15].
 */
function shortened(chain: Held | undefined): Held | undefined {
  if (chain === undefined || chain.length < longChain) return chain;
  const kept: Held[] = [];
  let ended = 0;
  for (let held: Held | undefined = chain; held !== undefined; held = held.up) {
    const isKept = held.grant.isLive || ended === 0 || (!isOverDraft(held) && ended < maxEnded);
    if (!isKept) continue;
    kept.push(held);
    if (!held.grant.isLive) ended += 1;
  }
  return kept.reduceRight<Held | undefined>((up, held) => linked(held, up), undefined);
}

/** A draft function that has returned has no grant left to outlive. */
function isOverDraft({ draft, grant }: Held): boolean {
  return draft && grant.isEnded;
}

/**
 * The innermost grant of this id in the context, live or not. Draft functions that have returned are skipped: work
 * that they started but did not await writes like any other caller.
 */
export function nearestHeld(store: object, id: string): Held | undefined {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (isOverDraft(held)) continue;
    if (held.store === store && held.grant.id === id) return held;
  }
  return undefined;
}

/** The innermost live grant of this id, which an acquire re-enters. */
export function liveGrant(store: object, id: string): HeldGrant | undefined {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (held.store === store && held.grant.id === id && held.grant.isLive) return held.grant;
  }
  return undefined;
}

/** What the running context holds, for use in another one. */
export function heldHere(): Held | undefined {
  return context.getStore();
}

/**
 * [L15] The links whose functions await what is called in this context. Work that outlives its function is awaited by
 * nothing outside of it.
 */
export function awaitingLinks(chain: Held | undefined): Held[] {
  const links: Held[] = [];
  for (let held = chain; held?.grant.isLive === true; held = held.up) links.push(held);
  return links;
}

/**
 * Of these links, the grants that are certainly held until their functions have ended. Not those that were acquired by
 * hand, which another branch may release, and not permits.
 */
export function grantsHeldBy(links: readonly Held[], store: object): HeldGrant[] {
  const grants = new Set<HeldGrant>();
  const roots = new Set<HeldGrant>();
  for (const { grant, store: of } of links) {
    if (of !== store || grant.hold.share?.kind === "permits") continue;
    grants.add(grant);
    roots.add(rootOf(grant));
  }
  return [...roots].filter((root) => grants.has(root));
}

/** A nested grant is held for as long as the outermost one. */
function rootOf(grant: HeldGrant): HeldGrant {
  let root = grant;
  while (root.parent !== undefined) root = root.parent;
  return root;
}

/** The ids of all live grants in the context, or in this one. */
export function heldIds(store: object, chain = context.getStore()): string[] {
  const ids: string[] = [];
  for (let held = chain; held !== undefined; held = held.up) {
    if (held.store === store && held.grant.isLive) ids.push(held.grant.id);
  }
  return ids;
}

/** Whether this context is inside a function that is changing the state of this id. */
export function insideDraft(store: object, id: string): boolean {
  for (let held = context.getStore(); held !== undefined; held = held.up) {
    if (held.draft && held.store === store && held.grant.id === id && held.grant.isLive) return true;
  }
  return false;
}

/** Whether a context runs inside a body of this store. Then its calls still work while the store drains [P2]. */
export function insideBody(store: object, chain = context.getStore()): boolean {
  for (let held = chain; held !== undefined; held = held.up) {
    if (held.store === store && held.grant.isLive) return true;
  }
  return false;
}
