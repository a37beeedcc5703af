/** The keys of sealed values: parsed once, and kept as KeyObjects, which no log shows. No message shows a key. */
import { createSecretKey, KeyObject } from "node:crypto";
import { types } from "node:util";

import { InvalidArgumentError } from "../../errors.ts";
import { parseOptions, show, type Parser } from "../../parse-options.ts";

/** One key of {@link sealed}. */
export interface SealKey {
  /**
   * 1–32 characters of `A-Z a-z 0-9 . _ -`. Stored in clear with every value that the key seals, so give a new key a new
   * id, such as the month in which it was made.
   */
  id: string;
  /**
   * 32 random bytes: a Uint8Array, a text of 64 hexadecimal digits (`openssl rand -hex 32`) or of 44 base64 characters
   * (`openssl rand -base64 32`), or a secret KeyObject of `node:crypto`. Not a password: nothing is derived from it.
   */
  key: Uint8Array | string | KeyObject;
}

export interface ParsedKey {
  readonly id: string;
  readonly key: KeyObject;
}

/** AES-256. */
const keyBytes = 32;
/** Each read looks its key up by id; more than this is a mistake. */
const mostKeys = 100;

export function parseKeys(value: unknown): readonly [ParsedKey, ...ParsedKey[]] {
  if (!Array.isArray(value))
    throw new InvalidArgumentError(`keys must be a list of { id, key }; got ${shownKind(value)}.`);
  const [first, ...others] = value.map((entry: unknown, index) => parseKey(entry, `keys[${index}]`));
  if (first === undefined || others.length >= mostKeys)
    throw new InvalidArgumentError(
      `keys must be a list of 1 to ${mostKeys} keys; got ${value.length}. The first one seals, and each one opens what it sealed.`,
    );
  refuseDuplicates([first, ...others]);
  return [first, ...others];
}

function parseKey(entry: unknown, name: string): ParsedKey {
  if (typeof entry !== "object" || entry === null)
    throw new InvalidArgumentError(`${name} must be { id, key }; got ${shownKind(entry)}.`);
  const { id, key } = parseOptions<{ id?: string; key?: KeyObject }>(name, entry, {
    id: (given) => keyId(given, `${name}.id`),
    key: (given) => secretKey(given, `${name}.key`),
  });
  if (id !== undefined && key !== undefined) return { id, key };
  throw new InvalidArgumentError(`${name} must have both an id and a key.`);
}

const keyId: Parser<string> = (value, name) => {
  if (typeof value === "string" && /^[A-Za-z0-9._-]{1,32}$/.test(value)) return value;
  // A key in the place of the id must not be shown, so a text is not.
  throw new InvalidArgumentError(
    `${name} must be 1 to 32 characters of A-Z a-z 0-9 . _ -; got ${shownKind(value)}.`,
  );
};

const secretKey: Parser<KeyObject> = (value, name) => {
  const key = keyOf(value);
  if (key?.symmetricKeySize === keyBytes) return key;
  throw new InvalidArgumentError(
    `${name} must be ${keyBytes} bytes: a Uint8Array, 64 hexadecimal digits, 44 characters of base64, or a secret KeyObject; ` +
      `got ${shownKind(value)}. Make one with "openssl rand -hex ${keyBytes}".`,
  );
};

/** `undefined`: it is no key. The two texts have different lengths, so neither can be taken for the other. */
function keyOf(value: unknown): KeyObject | undefined {
  if (value instanceof KeyObject) return value.type === "secret" ? value : undefined;
  if (types.isUint8Array(value)) return createSecretKey(Uint8Array.from(value));
  if (typeof value !== "string") return undefined;
  if (/^[0-9a-fA-F]{64}$/.test(value)) return createSecretKey(Buffer.from(value, "hex"));
  const decoded = /^[A-Za-z0-9+/]{43}=$/.test(value) ? Buffer.from(value, "base64") : undefined;
  return decoded?.toString("base64") === value ? createSecretKey(decoded) : undefined;
}

function refuseDuplicates(keys: readonly ParsedKey[]): void {
  const ids = keys.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice === undefined) return;
  throw new InvalidArgumentError(
    `keys has the id ${show(twice)} twice. Each key needs an id of its own, which says what a value was sealed with.`,
  );
}

/** What was given, without a text, which may be a key. */
function shownKind(value: unknown): string {
  if (typeof value === "string") return `a text of ${value.length} characters`;
  if (types.isUint8Array(value)) return `${value.byteLength} bytes`;
  if (value instanceof KeyObject) return `a ${value.type} KeyObject`;
  return typeof value === "number" || typeof value === "bigint" ? `a ${typeof value}` : show(value);
}
