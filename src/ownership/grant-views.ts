/**
 * Grants as the user of a view sees them: with the ids of the view. All else is the grant's own.
 *
 * They are accepted as the option `grant` everywhere in the store, in other views too, since what counts there is the
 * grant behind them.
 */
import type { HeldGrant } from "./grant.ts";
import type { GrantSet, HeldSet } from "./grant-set.ts";
import type { Grant } from "./public-grant.ts";

abstract class Shown<Held extends HeldGrant | HeldSet> {
  readonly held: Held;

  constructor(held: Held) {
    this.held = held;
  }

  get signal(): AbortSignal {
    return this.held.signal;
  }

  get closing(): AbortSignal {
    return this.held.closing;
  }

  release(): Promise<boolean> {
    return this.held.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

export class GrantView extends Shown<HeldGrant> implements Grant {
  readonly id: string;

  constructor(id: string, grant: HeldGrant) {
    super(grant);
    this.id = id;
  }

  get fence(): number {
    return this.held.fence;
  }
}

export class GrantSetView<Id extends string> extends Shown<HeldSet> implements GrantSet<Id> {
  readonly ids: readonly Id[];
  readonly fences: Readonly<Record<Id, number>>;

  constructor(ids: readonly Id[], set: HeldSet) {
    super(set);
    this.ids = ids;
    this.fences = fencesById(set, (_, index) => ids[index]);
  }
}

/** The fences of a set under other names than the keys. */
export function fencesById(
  { grants }: HeldSet,
  idOf: (key: string, index: number) => string | undefined,
): Readonly<Record<string, number>> {
  const fences = Object.create(null) as Record<string, number>; // an id may be any text, such as "__proto__"
  for (const [index, { id, fence }] of grants.entries()) fences[idOf(id, index) ?? id] = fence;
  return fences;
}
