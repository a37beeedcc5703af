/**
 * A grant as text: `1.` and, in base64url, a JSON array of what is needed to take the lock over from its holder: which
 * store, id, ticket, fence. It proves by itself that its bearer may do so, and therefore stands in no message.
 */
import type { TakenFrom } from "../backends/contract.ts";
import { InvalidArgumentError, quoted } from "../errors.ts";

/** What a token says. */
export interface GrantToken extends TakenFrom {
  /** Of the store, as far as it is known: see {@link StoreOfTickets.place}. */
  readonly place: StorePlace;
  readonly id: string;
}

/** What two processes that open the same store call by the same name. Empty text: not known. */
export interface StorePlace {
  /** Such as "redis" or "sqlite". */
  readonly kind: string;
  readonly prefix: string;
}

export const unknownPlace: StorePlace = { kind: "", prefix: "" };

/** Of a backend with this name. The default prefix is not known: it depends on what the server is. */
export function placeOf(name: string, prefix = ""): StorePlace {
  const [, kind = ""] = /^(redis|sqlite|memory)[a-z+]*:/.exec(name.replace(/^rediss/, "redis")) ?? [];
  return { kind, prefix };
}

const version = "1";
/** Far more than the longest id and ticket need. */
const maxLength = 8_192;
const advice = "Pass the string that grant.token() returned, unchanged";

export function writeToken({ place, id, ticket, fence }: GrantToken): string {
  const parts = [place.kind, place.prefix, id, ticket, fence];
  return `${version}.${Buffer.from(JSON.stringify(parts)).toString("base64url")}`;
}

/** Throws InvalidArgumentError if it is no token, or one of another lock or of another store. */
export function readToken(
  text: unknown,
  of: { readonly id: string; readonly place: StorePlace },
): GrantToken {
  const token = parse(text);
  if (differs(token.place.kind, of.place.kind) || differs(token.place.prefix, of.place.prefix)) {
    throw new InvalidArgumentError(
      `This token was made by another store${nameOf(token.place)}, and this one is${nameOf(of.place)}. ` +
        `Adopt it with a store that is opened in the same way.`,
    );
  }
  if (token.id !== of.id) {
    throw new InvalidArgumentError(
      `This token is one of the lock ${quoted(token.id)}, not of ${quoted(of.id)}. Adopt it by store.lock() of its id.`,
    );
  }
  return token;
}

function parse(text: unknown): GrantToken {
  if (typeof text !== "string" || text.length > maxLength) throw noToken();
  const [, made = "", body = ""] = /^(\d{1,6})\.([A-Za-z0-9_-]+)$/.exec(text) ?? [];
  if (Number(made) > Number(version)) {
    throw new InvalidArgumentError(
      `This token was made by a newer version of Holdfast: update Holdfast here as well.`,
    );
  }
  const parts = made === version ? partsOf(body) : undefined;
  if (parts === undefined) throw noToken();
  const [kind, prefix, id, ticket, fence] = parts;
  const isText = [kind, prefix, id].every((part) => typeof part === "string");
  if (!isText || typeof ticket !== "string" || !/^[^\s:]+:\d+:[0-9a-f]+:\d+$/.test(ticket)) throw noToken();
  if (!Number.isSafeInteger(fence) || Number(fence) < 1) throw noToken();
  const place = { kind: String(kind), prefix: String(prefix) };
  return { place, id: String(id), ticket, fence: Number(fence) };
}

function partsOf(body: string): readonly unknown[] | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(body, "base64url").toString());
    return Array.isArray(parts) && parts.length === 5 ? parts : undefined;
  } catch {
    return undefined;
  }
}

function noToken(): InvalidArgumentError {
  return new InvalidArgumentError(`adopt() takes the token of a grant; what it got is none. ${advice}.`);
}

function differs(one: string, other: string): boolean {
  return one !== "" && other !== "" && one !== other;
}

function nameOf({ kind, prefix }: StorePlace): string {
  return `${kind === "" ? "" : ` on ${kind}`}${prefix === "" ? "" : ` with the prefix ${quoted(prefix)}`}`;
}
