/** A function with a memory: its first argument is kept in a state. */
import { InvalidArgumentError } from "../../errors.ts";
import { show } from "../../options.ts";
import type { State } from "./state.ts";

/** Returns a function of `fn`'s other arguments; its first argument is kept in `state`. */
export function stateful<S extends object, A extends unknown[], R>(
  state: State<S, S>,
  fn: (state: S, ...args: A) => R,
): (...args: A) => Promise<Awaited<R>> {
  if (typeof fn !== "function") {
    throw new InvalidArgumentError(
      `stateful() takes a function of the state and its arguments; got ${show(fn)}.`,
    );
  }
  return (...args) => state.run((draft: S) => fn(draft, ...args));
}
