/**
 * Writes that are made under a lock, on top of a state that was loaded. Each change has accepted the format that it was
 * applied to, and the write names the revision, so it may replace the format that was loaded, and needs no other.
 */
import type { StateWrite, StoredState, UnreadableState } from "../../backends/contract.ts";

/** The write, if this is still stored. */
export function onTopOf(stored: StoredState | UnreadableState, write: StateWrite): StateWrite {
  if ("unreadable" in stored) return { ...write, ifRevision: undefined };
  const { revision, serializer } = stored;
  if (write.kind !== "save" || write.serializer === serializer) return { ...write, ifRevision: revision };
  return { ...write, replaces: [serializer], ifRevision: revision };
}
