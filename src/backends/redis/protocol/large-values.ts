/**
 * Large values, which bypass Lua: it copies and hashes every byte of every string, 1.2 ns each time, so that 20 KiB would
 * take the server 100 µs and more in a script, and 5 µs without.
 *
 * A large value is sent before its script, in the same pipeline, to a key of its own, which the script renames into
 * place; that key expires within a minute, even if the script fails. A state that was large when last seen is
 * fetched by a GET behind the script that acquires its lock.
 */
import type { Ticket } from "../../contract.ts";
import type { AheadCommand } from "./script-runner.ts";
import { stagedHead } from "./envelope.ts";

/** From this size on, a command of its own costs less than the copies in a script. */
const largeBytes = 2_048;
const stagedMs = "60000";
/** How many ids are remembered. */
const maxIds = 10_000;

export function isLarge(bytes: number): boolean {
  return bytes >= largeBytes;
}

/** Sends a value ahead of the script that renames it into place. */
export function stage(key: string, serializer: string, bytes: Buffer): AheadCommand {
  return { args: ["SET", key, Buffer.concat([stagedHead(serializer), bytes]), "PX", stagedMs] };
}

/** Which states were large when last seen. A wrong guess costs one round trip at most. */
export class LargeValues {
  /** By id, with the ticket that asked last. */
  readonly #tickets = new Map<string, Ticket>();

  /** Whether to fetch it with this ask: only with a ticket's first one, since most later replies are "waiting". */
  shouldFetch(id: string, ticket: Ticket): boolean {
    const last = this.#tickets.get(id);
    if (last === undefined || last === ticket) return false;
    this.#tickets.set(id, ticket);
    return true;
  }

  has(id: string): boolean {
    return this.#tickets.has(id);
  }

  noteSize(id: string, bytes: number): void {
    if (!isLarge(bytes)) {
      if (this.#tickets.size > 0) this.#tickets.delete(id);
      return;
    }
    if (this.#tickets.has(id)) return;
    if (this.#tickets.size === maxIds) this.#tickets.clear();
    this.#tickets.set(id, "");
  }
}
