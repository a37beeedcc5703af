/**
 * The context of one call of a draft function: a view of the lock that it runs under, and what the function decided about
 * its state besides the value. A decision that comes after the function has ended is refused, since it would be lost.
 */
import type { Ttl } from "../../backends/contract.ts";
import { InvalidArgumentError } from "../../errors.ts";
import { chosenLife } from "../../life-options.ts";
import type { HoldContext, UpdateContext } from "../update-context.ts";

/**
 * A view, so that a function finds only the documented members. Not an object literal with a getter: each of those gets
 * a hidden class of its own in the old generation, which retains everything that the call has made until a major
 * collection.
 */
export class DraftContext implements UpdateContext {
  readonly fence: number;
  readonly #of: HoldContext;
  #isOver = false;
  #isDeleted = false;
  #life: Ttl | undefined;

  constructor(of: HoldContext) {
    this.fence = of.fence;
    this.#of = of;
  }

  get signal(): AbortSignal {
    return this.#of.signal;
  }

  get closing(): AbortSignal {
    return this.#of.closing;
  }

  // Made when they are asked for: they may be taken out of the context, which most functions do not use.
  get delete(): UpdateContext["delete"] {
    return () => {
      this.#check("delete()");
      this.#isDeleted = true;
    };
  }

  get setTtl(): UpdateContext["setTtl"] {
    return (ttl) => {
      this.#check("setTtl()");
      this.#life = chosenLife(ttl, "The argument of setTtl()");
    };
  }

  /** The function has ended. Returns what it decided. */
  end(): { readonly isDeleted: boolean; readonly life: Ttl | undefined } {
    this.#isOver = true;
    return { isDeleted: this.#isDeleted, life: this.#life };
  }

  #check(call: string): void {
    if (!this.#isOver) return;
    throw new InvalidArgumentError(
      `context.${call} was called after its function had ended, which changes nothing any more: call it before the function ` +
        `returns, or await what calls it.`,
    );
  }
}
