/** For what imports states: their ids, and their bytes as they are stored. Not a part of the public API. */
import type { PlainEntry } from "../backends/contract-plain.ts";
import { coreOf } from "./core.ts";
import type { StateBackend } from "./state-backend.ts";

export interface RawStates {
  /** As `backend.list()`. */
  list(idPrefix?: string): AsyncIterable<PlainEntry>;
  /** `null`: absent, and only that. */
  loadBytes(id: string): Promise<Uint8Array | null>;
}

/** The states of a backend, unread. Ids are not checked. */
export function rawStates(backend: StateBackend): RawStates {
  const core = coreOf(backend);
  return { list: (idPrefix = "") => core.list(idPrefix), loadBytes: (id) => core.loadBytes(id) };
}
