/**
 * Large states, which go past Lua: it copies and hashes every byte of every string, 1.2 ns each time, so that 20 KiB would
 * take the server 100 microseconds and more in a script, and 5 without.
 *
 * A large value is sent ahead, in the same pipeline, to a key of its own, from where the script renames it into place;
 * and a state that was large when it was last seen is fetched by a GET behind the script that takes its lock. Whatever
 * became of the script, such a key is gone after a minute.
 */
import type { Life, StateWrite, Ticket } from "../contract.ts";
import type { Ahead } from "./pipeline/script-runner.ts";
import type { RedisArgument } from "./client/port.ts";
import { stagedHead } from "./envelope.ts";

/** From here on a command of its own costs less than the script's copies. */
const largeBytes = 2_048;
const stagedMs = "60000";
/** So many ids are remembered. */
const maxIds = 10_000;

/** A write as the scripts take it. */
export interface Change {
  /** kind serializer ttl */
  readonly terms: readonly string[];
  readonly ifRevision: string;
  readonly bytes: Buffer | undefined;
  readonly staged: string;
  readonly ahead: Ahead | undefined;
  /** How many bytes it brings, here or ahead. */
  readonly weight: number;
}

const nothing: Change = {
  terms: ["none", "", ""],
  ifRevision: "",
  bytes: undefined,
  staged: "",
  ahead: undefined,
  weight: 0,
};

/** `key`: where the value is sent ahead to, if it is large. */
export function changeOf(write: StateWrite | undefined, key: () => string): Change {
  if (write === undefined) return nothing;
  const ifRevision = String(write.ifRevision ?? "");
  if (write.kind === "delete") return { ...nothing, terms: ["delete", "", ""], ifRevision };
  const { bytes, serializer, ttlMs } = write;
  const terms = ["save", serializer, termOf(ttlMs)];
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const weight = bytes.byteLength;
  if (weight < largeBytes) return { ...nothing, terms, ifRevision, bytes: buffer, weight };
  const staged = key();
  const args = ["SET", staged, Buffer.concat([stagedHead(serializer), buffer]), "PX", stagedMs];
  return { terms, ifRevision, bytes: undefined, staged, ahead: { args }, weight };
}

/** For write.lua. */
export function argsOf({ terms, ifRevision, bytes, staged }: Change): readonly RedisArgument[] {
  return [...terms, ifRevision, bytes ?? "", staged];
}

/** As change.lua reads it. */
function termOf(life: Life): string {
  if (typeof life === "number") return millis(life);
  return typeof life === "string" ? life : `new:${millis(life.whenNew)}`;
}

/** Redis takes whole milliseconds, and no zero. */
export function millis(ms: number): string {
  return String(Math.max(1, Math.round(ms)));
}

/** Which states were large when they were last seen: a guess that costs a round trip at most when it is wrong. */
export class LargeStates {
  /** With the ticket that asked last. */
  readonly #tickets = new Map<string, Ticket>();

  /** Is it to be fetched with this ask? Only with a ticket's first one: later ones are mostly answered "waiting". */
  isFetched(id: string, ticket: Ticket): boolean {
    const last = this.#tickets.get(id);
    if (last === undefined || last === ticket) return false;
    this.#tickets.set(id, ticket);
    return true;
  }

  has(id: string): boolean {
    return this.#tickets.has(id);
  }

  see(id: string, bytes: number): void {
    if (bytes < largeBytes) {
      if (this.#tickets.size > 0) this.#tickets.delete(id);
      return;
    }
    if (this.#tickets.has(id)) return;
    if (this.#tickets.size === maxIds) this.#tickets.clear();
    this.#tickets.set(id, "");
  }
}
