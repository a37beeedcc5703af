/**
 * Owners of locks: the scopes that `backend.owner(fn)` opens, those that `createOwner()` makes, and nobody's calls.
 *
 * A method that only answers `true` cannot mark its caller's async context as an owner. So a scope is opened by a function
 * that runs inside it; tasks that are started in it belong to it. Calls outside of any scope share one anonymous owner,
 * which never re-enters.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { InvalidArgumentError, LockLostError, quoted } from "../../errors.ts";
import { show } from "../../options.ts";
import type { PlainHold } from "./hold.ts";

/** Whose a lock is: made by `backend.owner(fn)` and `backend.createOwner()`. */
export interface Owner {
  /** Aborts with a LockLostError when a lock that this owner holds is lost, and stays aborted. */
  readonly signal: AbortSignal;
}

/** One link of the chain of scopes around a call, innermost first; scopes of all backends are in it. */
interface Link {
  readonly scope: OwnerScope;
  readonly up: Link | undefined;
}

const scopes = new AsyncLocalStorage<Link>();

export class OwnerScope implements Owner {
  /** The backend that made it. */
  readonly backend: object;
  readonly isAnonymous: boolean;
  /** What it holds, and what it has lost and not released yet. */
  readonly holds = new Map<string, PlainHold>();
  readonly #aborter = new AbortController();
  /** What its function left behind, or `undefined` while it runs. */
  #endedWith: ReadonlySet<string> | undefined;
  #afterwards: OwnerScope | undefined;

  constructor(backend: object, isAnonymous = false) {
    this.backend = backend;
    this.isAnonymous = isAnonymous;
  }

  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  get isOver(): boolean {
    return this.#endedWith !== undefined;
  }

  /**
   * Whose calls those of tasks are that it started and that outlive its function. They never re-enter, like calls outside
   * of scopes, but are not taken for theirs: a task that does not know of the end must not save or release under their lock.
   */
  get afterwards(): OwnerScope {
    return (this.#afterwards ??= new OwnerScope(this.backend, true));
  }

  /** Whether its lock of this id was released when its function ended, and not by its own code. */
  wasLeft(id: string): boolean {
    return this.#endedWith?.has(id) === true;
  }

  /** Runs `fn` inside this scope. */
  run<R>(fn: () => R): R {
    return scopes.run({ scope: this, up: live(scopes.getStore()) }, fn);
  }

  /** Its function has ended. `left`: the ids of the locks that it held then. */
  end(left: readonly string[]): void {
    this.#endedWith = new Set(left);
  }

  lost(hold: PlainHold): void {
    if (!this.isAnonymous) this.#aborter.abort(lostError(hold));
  }
}

export function lostError(hold: PlainHold, details: { readonly result?: unknown } = {}): LockLostError {
  return new LockLostError(`The lock ${quoted(hold.id)} was lost: ${hold.lostFor}.`, details);
}

/** The innermost scope of this backend around the running code, ended or not. */
export function scopeAround(backend: object): OwnerScope | undefined {
  for (let link = scopes.getStore(); link !== undefined; link = link.up)
    if (link.scope.backend === backend) return link.scope;
  return undefined;
}

/** Tells which scopes are around the running code, also later and elsewhere. */
export function scopesHere(): (scope: object) => boolean {
  const innermost = scopes.getStore();
  return (scope) => {
    for (let link = innermost; link !== undefined; link = link.up) if (link.scope === scope) return true;
    return false;
  };
}

/** An owner that was passed in. */
export function ownerOf(backend: object, given: unknown): OwnerScope {
  if (!(given instanceof OwnerScope) || given.isAnonymous)
    throw new InvalidArgumentError(
      `owner must come from backend.owner(fn) or backend.createOwner(); got ${show(given)}.`,
    );
  if (given.backend !== backend)
    throw new InvalidArgumentError("This owner belongs to another backend: each backend has its own owners.");
  if (given.isOver)
    throw new InvalidArgumentError(
      "The function of this owner has ended, and its locks were released: await what uses it, or call createOwner().",
    );
  return given;
}

/** Without the scopes that have ended: a loop that starts its next turn from inside its scope must not keep them all. */
function live(link: Link | undefined): Link | undefined {
  let found = link;
  while (found?.scope.isOver === true) found = found.up;
  return found;
}
