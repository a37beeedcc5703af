/** Ids and prefixes: what they may contain, so that every name of a key can be told apart. */
import { InvalidArgumentError, internalMark } from "./errors.ts";
import { defaults, show, type Parser } from "./options.ts";

export const maxIdBytes = 512;

/**
 * Ids: 1–512 bytes of UTF-8, no control characters, no lone surrogates, no leading `}` (it would end the hash tag of
 * the key early).
 */
export function parseId(id: unknown, what: string): string {
  if (typeof id !== "string") throw new InvalidArgumentError(`${what} must be a string; got ${show(id)}.`);
  if (id === "") throw new InvalidArgumentError(`${what} must not be empty.`);
  if (id.length > maxIdBytes || Buffer.byteLength(id) > maxIdBytes) {
    throw new InvalidArgumentError(`${what} must be at most ${maxIdBytes} bytes of UTF-8; got ${show(id)}.`);
  }
  if (id.startsWith("}")) throw new InvalidArgumentError(`${what} must not begin with "}"; got ${show(id)}.`);
  checkText(id, what);
  return id;
}

/** What is kept under ids that no user can have, since theirs contain no control characters. */
export type InternalKind = "once" | "leader" | "semaphore" | "stamp";

/**
 * The id of the lock, and the state, that a once, a leader or a semaphore consists of. A stored format. Its tag decides the shard, as
 * in every id.
 */
export function internalId(kind: InternalKind, id: string): string {
  return `${internalMark}${kind}:${id}`;
}

/** The parts of an internal id; `undefined` if it is not one. */
export function partsOfInternal(id: string): { readonly kind: string; readonly id: string } | undefined {
  const colon = id.indexOf(":");
  if (!isInternal(id) || colon < 0) return undefined;
  return { kind: id.slice(internalMark.length, colon), id: id.slice(colon + 1) };
}

/** An id as its caller knows it. */
export function userId(id: string): string {
  return partsOfInternal(id)?.id ?? id;
}

/** Whether Holdfast made the id for itself: listings leave it out. */
export function isInternal(id: string): boolean {
  return id.startsWith(internalMark);
}

/** In the order of ids, after all internal ones and before all others: a listing may begin here. */
export const afterInternal = "\u0002";

/** A prefix: like an id, but it may be empty, and have one hash tag, which puts all keys into one slot of a cluster. */
export const prefix: Parser<string> = (value, name) => {
  if (typeof value !== "string" || Buffer.byteLength(value) > maxIdBytes) {
    throw new InvalidArgumentError(`${name} must be a string of at most 512 bytes; got ${show(value)}.`);
  }
  const withoutTag = value.replace(hashTag, "");
  if (/[{}]/.test(withoutTag) || value.includes("lock:{")) {
    throw new InvalidArgumentError(
      `${name} must have no braces, or one hash tag, as in "{shop}:", that does not follow "lock:"; got ${show(value)}.`,
    );
  }
  checkText(value, name);
  return value;
};

/** A prefix on a cluster, where only keys with the same hash tag are certain to be on the same node. */
export function clusterPrefix(prefix: string | undefined): string {
  if (prefix === undefined) return defaults.clusterPrefix;
  if (hashTag.test(prefix)) return prefix;
  const instead = prefix === "" ? defaults.clusterPrefix : `{${prefix.replace(/:$/, "")}}:`;
  throw new InvalidArgumentError(
    `On a Redis Cluster, prefix must have a hash tag, so that all keys of the store are in one slot: write ` +
      `${show(instead)} instead of ${show(prefix)}.`,
  );
}

const hashTag = /\{[^{}]+\}/;

/** What the ids that are meant begin with; in a view, `Scope.idPrefix` is used instead. */
export const idPrefix: Parser<string> = (value, name) => {
  if (typeof value !== "string")
    throw new InvalidArgumentError(`${name} must be a string; got ${show(value)}.`);
  if (value !== "") parseId(value, name);
  return value;
};

function checkText(text: string, what: string): void {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text)) {
    throw new InvalidArgumentError(`${what} must not contain control characters; got ${show(text)}.`);
  }
  if (!text.isWellFormed()) {
    throw new InvalidArgumentError(
      `${what} must be well-formed Unicode; it has a lone surrogate: ${show(text)}.`,
    );
  }
}
