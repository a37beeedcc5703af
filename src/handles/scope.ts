/**
 * Which ids a store or a view of it means: those of a view stand under a prefix.
 *
 * Two names of one thing. Its *id* is what its user gave, and gets back from handles, grants and listings. Its *key* is
 * the id with the prefix of the view, under which the store keeps it: locks, states, errors, events and traces know
 * only keys. Every id of a user becomes a key here, and nowhere else.
 */
import { InvalidArgumentError } from "../errors.ts";
import * as names from "../names.ts";
import { show, type Parser } from "../parse-options.ts";
import type { Session } from "../session.ts";

/** Leaves at least 64 bytes for the ids of a view: enough for a hashed one. */
const maxPrefixBytes = names.maxIdBytes - 64;

export class Scope {
  readonly session: Session;
  /** Empty for the store itself. */
  readonly prefix: string;

  constructor(session: Session, prefix = "") {
    this.session = session;
    this.prefix = prefix;
  }

  /** How many bytes an id may have here. */
  get maxIdBytes(): number {
    return names.maxIdBytes - Buffer.byteLength(this.prefix);
  }

  /** The key of a user's id, which is checked. `what` names it in errors: "A lock's id". */
  key(id: unknown, what: string): string {
    if (this.prefix === "" || typeof id !== "string" || id === "") return names.parseId(id, what);
    return names.parseId(this.prefix + id, `${what}, with the prefix ${show(this.prefix)} of its view,`);
  }

  /** Whether a key is one of this view. */
  has(key: string): boolean {
    return key.startsWith(this.prefix);
  }

  /** The id of a key of this view. */
  idOf(key: string): string {
    return key.slice(this.prefix.length);
  }

  /** Parses the option `idPrefix` of a listing: returns the prefix of the keys. */
  readonly idPrefix: Parser<string> = (value, name) => (value === "" ? this.prefix : this.key(value, name));

  /** A view under a further prefix. */
  within(prefix: unknown): Scope {
    if (prefix === "") {
      throw new InvalidArgumentError(
        'within() takes a prefix of ids that is not empty, as in within("cache:"); without one, use the store itself.',
      );
    }
    const whole = this.key(prefix, "The prefix of a view");
    if (Buffer.byteLength(whole) <= maxPrefixBytes) return new Scope(this.session, whole);
    throw new InvalidArgumentError(
      `The prefix of a view must be at most ${maxPrefixBytes} bytes of UTF-8, with those of the views that it is in; got ` +
        `${show(whole)}, ${Buffer.byteLength(whole)} bytes. Shorten it, for example with id(…).`,
    );
  }
}
