/**
 * Large values, which bypass Lua: Lua copies and hashes every byte of every string, 1.2 ns each time, so that 20 KiB
 * would take the server 100 µs or more in a script, and take 5 µs without one.
 *
 * A large value is sent before its script, in the same pipeline, to a key of its own, which the script renames into
 * place. That key expires within a minute, even if the script fails. A state that was large when last seen is fetched
 * by a GET after the script that acquires its lock.
 */
import type { Ticket } from "../../contract.ts";
import type { AheadCommand } from "./script-runner.ts";
import { stagedHead } from "./envelope.ts";

/** From this size on, a separate command costs less than the copies in a script. */
const largeBytes = 2_048;
const stagedMs = "60000";
/** The number of ids that are remembered. */
const maxIds = 10_000;

export function isLarge(bytes: number): boolean {
  return bytes >= largeBytes;
}

/** Sends a value ahead of the script that renames it into place. */
export function stage(key: string, serializer: string, bytes: Buffer): AheadCommand {
  return { key, args: ["SET", key, Buffer.concat([stagedHead(serializer), bytes]), "PX", stagedMs] };
}

/** Remembers which states were large when last seen. A wrong guess costs at most one round trip. */
export class LargeValues {
  /** By id, with the last ticket that asked. */
  readonly #tickets = new Map<string, Ticket>();

  /**
   * Whether to fetch the state with this ask: only with a ticket's first ask, since most later replies are "waiting".
   */
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
