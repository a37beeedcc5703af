/**
 * The format of an export: JSON, one object on a line. A stored format: version 1.
 *
 * | line | members |
 * |---|---|
 * | the first | `holdfast: "export"`, `version`, `exportedAt`, `store` |
 * | a state | `kind` (`"once"`; none for a state of users), `id`, `revision`, `serializer`, `version` (none for 1), `value` (of the serializer `json`) or `bytes` (base64), `expiresAt` (milliseconds since 1970, `null` for never) |
 * | the last | `end: true`, `states`, `unreadable` |
 *
 * Exact: a value whose JSON would not give the same bytes again is written as `bytes`.
 */
import type { StoredState } from "../../backends/contract.ts";
import { CorruptStateError, InvalidArgumentError } from "../../errors.ts";
import { ttlMs as parseTtl } from "../../options.ts";
import { json } from "../../serializers/json.ts";
import { formatName, maxVersion, parseFormat } from "../../updates/formats/format-name.ts";
import { jsonLine } from "../printable.ts";
import { namedId, storedId } from "./ids.ts";
import { wantedOf, type ToPut } from "./put-state.ts";

const version = 1;
/** A revision is a time in microseconds, unless a clock was wrong. With a greater one, later ones could not rise. */
const mostAheadMicros = 366 * 86_400_000_000;

/** The last line. */
export interface End {
  readonly states: number;
  readonly unreadable: number;
}

export function headerLine(store: string): string {
  return `${jsonLine({ holdfast: "export", version, exportedAt: new Date().toISOString(), store })}\n`;
}

export function endLine({ states, unreadable }: End): string {
  return `${jsonLine({ end: true, states, unreadable })}\n`;
}

export function recordLine(id: string, state: StoredState): string {
  const { bytes, revision } = state;
  const { serializer, version } = parseFormat(state.serializer);
  const { expiresAt } = wantedOf(state);
  const value = serializer === json.name ? exactValue(bytes) : undefined;
  const content = value ?? { bytes: bufferOf(bytes).toString("base64") };
  const { kind, id: own } = namedId(id) ?? { kind: undefined, id };
  const head = {
    ...(kind === undefined ? {} : { kind }),
    id: own,
    revision,
    serializer,
    ...(version === 1 ? {} : { version }),
  };
  const expiry = expiresAt === null ? null : Math.round(expiresAt);
  return `${jsonLine({ ...head, ...content, expiresAt: expiry })}\n`;
}

/** Throws CorruptStateError if it is not the first line of an export that this version can read. */
export function checkHeader(line: Buffer): void {
  const header = headerOf(line);
  if (header?.["holdfast"] !== "export")
    throw new CorruptStateError('The input is no export: its first line is not {"holdfast":"export", …}.');
  if (header["version"] === version) return;
  throw new CorruptStateError(
    `The export has the version ${JSON.stringify(header["version"])} of the format, and this holdfast reads version ` +
      `${String(version)}: use the version of holdfast that made it, or a later one.`,
  );
}

/** Throws a HoldfastError that says what is wrong. */
export function readRecord(line: Buffer): ToPut | End {
  const record = objectOf(line);
  if (Object.hasOwn(record, "end")) return readEnd(record);
  const { kind, id, revision = 0, serializer, version: ofValue = 1, ...content } = record;
  const { value, bytes, expiresAt = null, ...others } = content;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new InvalidArgumentError(`It has the unknown member ${JSON.stringify(unknown)}.`);
  if (typeof serializer !== "string" || !/^[\w.-]{1,32}$/.test(serializer))
    throw new InvalidArgumentError("serializer must be 1 to 32 of the characters a-z A-Z 0-9 . _ -.");
  return {
    id: storedId({ kind, id }),
    wanted: {
      bytes: bytesOf(serializer, Object.hasOwn(record, "value") ? { value } : undefined, bytes),
      serializer: formatName({ serializer, version: readVersion(ofValue) }),
      expiresAt: readExpiry(expiresAt),
      above: readRevision(revision),
    },
  };
}

/** As the member `value`, if it is written as the same bytes again, one level deeper. */
function exactValue(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    const content = { value: json.deserialize(bytes) };
    const again = bufferOf(json.serialize(content)).subarray('{"value":'.length, -1);
    return again.equals(bytes) ? content : undefined;
  } catch {
    return undefined; // other JSON, or none
  }
}

function bytesOf(
  serializer: string,
  content: { readonly value: unknown } | undefined,
  bytes: unknown,
): Uint8Array {
  if (content !== undefined) {
    if (bytes !== undefined || serializer !== json.name)
      throw new InvalidArgumentError(
        'Only a record of the serializer "json" has a value, and then no bytes.',
      );
    return json.serialize(content.value);
  }
  const decoded = typeof bytes === "string" ? Buffer.from(bytes, "base64") : undefined;
  if (decoded !== undefined && decoded.toString("base64") === bytes) return decoded;
  throw new InvalidArgumentError(
    "It has no value, and bytes that are not base64 (with padding, on one line).",
  );
}

function readExpiry(expiresAt: unknown): number | null {
  if (expiresAt === null) return null;
  if (typeof expiresAt !== "number" || expiresAt < 0)
    throw new InvalidArgumentError("expiresAt must be a number of milliseconds since 1970, or null.");
  if (expiresAt > Date.now()) parseTtl(Math.ceil(expiresAt - Date.now()), "The rest of its time to live");
  return expiresAt;
}

function readVersion(version: unknown): number {
  if (Number.isInteger(version) && Number(version) >= 1 && Number(version) <= maxVersion)
    return Number(version);
  throw new InvalidArgumentError(`version must be a whole number from 1 to ${String(maxVersion)}.`);
}

function readRevision(revision: unknown): number {
  const most = Date.now() * 1_000 + mostAheadMicros;
  if (typeof revision === "number" && Number.isSafeInteger(revision) && revision >= 0 && revision <= most)
    return revision;
  throw new InvalidArgumentError("revision must be a whole number that Holdfast has given to a state.");
}

function readEnd({ states, unreadable, ...others }: Readonly<Record<string, unknown>>): End {
  if (Object.keys(others).length === 1 && typeof states === "number" && typeof unreadable === "number")
    return { states, unreadable };
  throw new InvalidArgumentError("The last line must be as it was exported.");
}

function headerOf(line: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    return objectOf(line);
  } catch {
    return undefined;
  }
}

function objectOf(line: Buffer): Readonly<Record<string, unknown>> {
  const value = parse(line);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw new CorruptStateError("It is not a JSON object.");
}

/** As values are read, so that nothing passes that could not be saved. */
function parse(line: Buffer): unknown {
  try {
    return json.deserialize(line);
  } catch (cause) {
    throw new CorruptStateError("It is not JSON, or not such as the serializer of Holdfast writes.", {
      cause,
    });
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
