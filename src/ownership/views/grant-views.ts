/**
 * Grants as the user of a view sees them: with the ids of the view. All else is the grant's own.
 *
 * They are accepted as the option `grant` everywhere in the store, in other views too, since what counts there is the
 * grant behind them.
 */
import type { HeldGrant } from "../grant.ts";
import type { GrantSet, HeldSet } from "../grant-set.ts";
import type { Grant } from "../public-grant.ts";

abstract class Shown<Held extends HeldGrant | HeldSet> {
  readonly behind: Held;

  constructor(held: Held) {
    this.behind = held;
  }

  get signal(): AbortSignal {
    return this.behind.signal;
  }

  get closing(): AbortSignal {
    return this.behind.closing;
  }

  release(): Promise<boolean> {
    return this.behind.release();
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
    return this.behind.fence;
  }

  get expiresInMs(): number {
    return this.behind.expiresInMs;
  }

  get wanted(): AbortSignal {
    return this.behind.wanted;
  }

  get held(): boolean {
    return this.behind.held;
  }

  extend(ms: number): Promise<void> {
    return this.behind.extend(ms);
  }

  token(): string {
    return this.behind.token();
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
