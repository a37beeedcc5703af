/** What a listing says of a state. */
import type { StateEntry } from "../backends/contract.ts";
import { parseFormat } from "../updates/formats/format-name.ts";

/** What is known about a stored state without loading it. */
export interface StateInfo {
  /** The id of the state. */
  readonly id: string;
  /** Its revision. */
  readonly revision: number;
  /** The size of its value as stored. */
  readonly bytes: number;
  /** The name of the serializer that wrote it. */
  readonly serializer: string;
  /** The version of its value; 1 if it was saved without one. */
  readonly version: number;
  /** Its remaining time to live in milliseconds, `null` if it never expires. */
  readonly expiresInMs: number | null;
}

export function stateInfo(entry: StateEntry): StateInfo {
  return { ...entry, ...parseFormat(entry.serializer) };
}
