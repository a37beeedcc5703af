/**
 * Which stored formats a save may replace [S6]. A format is the name of a serializer, with the version of its values behind
 * it unless that is 1: `json`, `json@2`. It is stored with the bytes, as `serializer`.
 *
 * The server compares names, and knows nothing of versions.
 */

/** What every save says of formats. */
export interface Replacing {
  /** The format of the bytes. A state of this format may be replaced. */
  readonly serializer: string;
  /** Other formats that may be replaced, decided in the same step. */
  readonly replaces?: readonly string[] | undefined;
}

/** Whether the save may replace a state of this format. */
export function mayReplace({ serializer, replaces }: Replacing, stored: string): boolean {
  return stored === serializer || replaces?.includes(stored) === true;
}

/** The text of an {@link Unreadable} reply to a save that may not replace what is stored. */
export function otherFormat(stored: string): string {
  return `a state of the serializer "${stored}"`;
}

/** The format that such a text names; `undefined`: it is another text. */
export function formatIn(unreadable: string): string | undefined {
  return /^a state of the serializer "([^"]+)"$/.exec(unreadable)?.[1];
}
