/** Parses `{ grant }` options: a grant of a lock, or one of several locks, that has the id in question. */
import { InvalidArgumentError, quoted } from "../errors.ts";
import { HeldGrant } from "./grant.ts";
import { HeldSet } from "./grant-set.ts";
import { GrantSetView, GrantView } from "./views/grant-views.ts";

/** It must be a grant of this store and this id, since a grant fences only its own id. */
export function parseGrant(value: unknown, store: object, id: string): HeldGrant {
  const grants = parseGrants(value, store);
  const grant = grants.find((one) => one.id === id);
  if (grant !== undefined) return grant;
  const ids = grants.map((one) => quoted(one.id));
  throw new InvalidArgumentError(
    `grant belongs to the lock${ids.length === 1 ? "" : "s"} ${ids.join(", ")} and cannot be used for ` +
      `${quoted(id)}. Acquire the lock ${quoted(id)}.`,
  );
}

/** The grants of each id that it has, of which `call` must be about at least one. */
export function parseGrantsFor(
  value: unknown,
  {
    store,
    isOne,
    call,
  }: { readonly store: object; readonly isOne: (id: string) => boolean; readonly call: string },
): readonly HeldGrant[] {
  const grants = parseGrants(value, store);
  if (grants.some(({ id }) => isOne(id))) return grants;
  const own = grants.map(({ id }) => quoted(id)).join(", ");
  throw new InvalidArgumentError(`grant belongs to ${own}, which is none of the ids of this ${call}.`);
}

/** The grants of each id that it has. */
function parseGrants(given: unknown, store: object): readonly HeldGrant[] {
  const value = given instanceof GrantView || given instanceof GrantSetView ? given.behind : given;
  const grants = value instanceof HeldSet ? value.grants : value instanceof HeldGrant ? [value] : [];
  if (grants.length === 0) {
    if (value instanceof Promise)
      throw new InvalidArgumentError(
        "grant must be a grant; got a Promise. Await it: const grant = await lock.acquire().",
      );
    throw new InvalidArgumentError(
      "grant must come from lock.acquire() or lock.run(fn) of this store, or from those of lockAll().",
    );
  }
  if (grants.some(({ hold }) => hold.store !== store))
    throw new InvalidArgumentError("grant belongs to another store; use one of this store.");
  return grants;
}
