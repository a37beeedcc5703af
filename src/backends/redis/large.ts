/**
 * Large states, which go past Lua: it copies and hashes every byte of its strings, some 4 ns each, so that 20 KiB would
 * take the server 100 microseconds in a script and 5 without.
 *
 * A large value is sent ahead, in the same pipeline, to a key of its own, from where the script renames it into place;
 * and a state that was large when it was last seen is fetched by a GET behind the script that takes its lock. Whatever
 * became of the script, such a key is gone after a minute.
 */
import type { StateWrite } from "../backend.ts";
import type { RedisArgument } from "./client.ts";
import { stagedHead } from "./envelope.ts";

/** From here on a command of its own costs less than the script's copies. */
const largeBytes = 2_048;
const stagedMs = "60000";
/** So many ids are remembered. */
const maxIds = 10_000;

/** A write as the scripts take it. */
export interface Change {
  /** kind serializer ttl ifRevision */
  readonly fields: readonly string[];
  readonly bytes: Buffer | undefined;
  readonly staged: string;
  readonly ahead: readonly RedisArgument[] | undefined;
}

const nothing: Change = { fields: ["none", "", "", ""], bytes: undefined, staged: "", ahead: undefined };

/** `key`: where the value is sent ahead to, if it is large. */
export function changeOf(write: StateWrite | undefined, key: () => string): Change {
  if (write === undefined) return nothing;
  const ifRevision = String(write.ifRevision ?? "");
  if (write.kind === "delete") return { ...nothing, fields: ["delete", "", "", ifRevision] };
  const { bytes, serializer, ttlMs } = write;
  const fields = ["save", serializer, typeof ttlMs === "number" ? millis(ttlMs) : ttlMs, ifRevision];
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < largeBytes) return { ...nothing, fields, bytes: buffer };
  const staged = key();
  const ahead = ["SET", staged, Buffer.concat([stagedHead(serializer), buffer]), "PX", stagedMs];
  return { fields, bytes: undefined, staged, ahead };
}

/** Redis takes whole milliseconds, and no zero. */
export function millis(ms: number): string {
  return String(Math.max(1, Math.round(ms)));
}

/** Which states were large when they were last seen: a guess that costs a round trip at most when it is wrong. */
export class LargeStates {
  readonly #ids = new Set<string>();

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  see(id: string, bytes: number): void {
    if (bytes < largeBytes) {
      if (this.#ids.size > 0) this.#ids.delete(id);
      return;
    }
    if (this.#ids.size === maxIds) this.#ids.clear();
    this.#ids.add(id);
  }
}
