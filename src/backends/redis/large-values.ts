/**
 * Large states, which go past Lua: it copies and hashes every byte of every string, 1.2 ns each time, so that 20 KiB would
 * take the server 100 microseconds and more in a script, and 5 without.
 *
 * A large value is sent ahead, in the same pipeline, to a key of its own, from where the script renames it into place;
 * and a state that was large when it was last seen is fetched by a GET behind the script that takes its lock. Whatever
 * became of the script, such a key is gone after a minute.
 */
import type { Ticket } from "../contract.ts";
import type { AheadCommand } from "./pipeline/script-runner.ts";
import { stagedHead } from "./envelope.ts";

/** From here on a command of its own costs less than the script's copies. */
const largeBytes = 2_048;
const stagedMs = "60000";
/** So many ids are remembered. */
const maxIds = 10_000;

export function isLarge(bytes: number): boolean {
  return bytes >= largeBytes;
}

/** Sends a value ahead of the script that renames it into place. */
export function stage(key: string, serializer: string, bytes: Buffer): AheadCommand {
  return { args: ["SET", key, Buffer.concat([stagedHead(serializer), bytes]), "PX", stagedMs] };
}

/** Which states were large when they were last seen: a guess that costs a round trip at most when it is wrong. */
export class LargeValues {
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
    if (!isLarge(bytes)) {
      if (this.#tickets.size > 0) this.#tickets.delete(id);
      return;
    }
    if (this.#tickets.has(id)) return;
    if (this.#tickets.size === maxIds) this.#tickets.clear();
    this.#tickets.set(id, "");
  }
}
