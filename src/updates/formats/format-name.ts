/**
 * The name of a stored format: that of the serializer, and behind it the version of the value, unless that is 1. So data
 * that was stored without a version has version 1, and so has a handle without one: `json`, `json@2`.
 */
import { CorruptStateError, quoted, shownId, type HoldfastError } from "../../errors.ts";
import { VersionError } from "../../value-errors.ts";

/** What a stored format says. */
export interface Format {
  /** The name of the serializer. */
  readonly serializer: string;
  readonly version: number;
}

/** In a name it has six digits at most. */
export const maxVersion = 999_999;

export function formatName({ serializer, version }: Format): string {
  return version === 1 ? serializer : `${serializer}@${version}`;
}

/** What is no name of ours stands for a serializer of that name, which no handle has. */
export function parseFormat(name: string): Format {
  const [, serializer, version] = /^([\w.-]+)@([2-9]|[1-9]\d{1,5})$/.exec(name) ?? [];
  return serializer === undefined
    ? { serializer: name, version: 1 }
    : { serializer, version: Number(version) };
}

/** What a handle reads and writes. */
export interface Known {
  readonly id: string;
  /** What it writes. */
  readonly format: Format;
  /** The oldest version that it reads. */
  readonly oldest: number;
  /** The names of the other serializers that it reads. */
  readonly previous: readonly string[];
}

/** The error for a stored format that the handle does not read. */
export function cannotRead(known: Known, name: string): HoldfastError {
  const { id, format, previous } = known;
  const { serializer, version } = parseFormat(name);
  if (serializer === format.serializer || previous.includes(serializer)) return otherVersion(known, version);
  return new CorruptStateError(
    `The state ${quoted(id)} cannot be read and was left as it is: it was written by the serializer "${serializer}", and ` +
      `this handle uses "${format.serializer}". Use that serializer here, or name it in previousSerializers of store.state().`,
    { id: shownId(id) },
  );
}

function otherVersion({ id, format: { version }, oldest }: Known, stored: number): VersionError {
  const details = { id, storedVersion: stored, version };
  const state = `The state ${quoted(id)} was left as it is`;
  if (stored > version) {
    return new VersionError(
      `${state}: it was written by a newer release (version ${stored}; this one knows up to ${version}). Deploy the newer ` +
        `release here, too: see node_modules/holdfast/docs/schemas.md.`,
      details,
    );
  }
  const last = oldest - 1 === stored ? "" : ` to migrate[${oldest - 1}]`;
  return new VersionError(
    `${state}: it has version ${stored}, and this handle, which has version ${version}, reads versions from ${oldest}. Add ` +
      `migrate[${stored}]${last}, which earlier releases had, or delete the state.`,
    details,
  );
}
