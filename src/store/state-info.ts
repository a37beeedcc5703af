/** What a listing says of a state. */
import type { Page, StateEntry } from "../backends/contract.ts";
import { parseFormat } from "../updates/formats/format-name.ts";

/** What is known about a stored state without loading it. */
export interface StateInfo extends StateEntry {
  /** The version of its value; 1 if it was saved without one. */
  readonly version: number;
}

export function stateInfo(entry: StateEntry): StateInfo {
  return { ...entry, ...parseFormat(entry.serializer) };
}

export function infoPage(page: Page<StateEntry>): Page<StateInfo> {
  return { ...page, entries: page.entries.map(stateInfo) };
}
