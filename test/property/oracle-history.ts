// What was done in a sequence of calls, and what the backends must have recorded of it.

import type { Receipt } from "../../src/backends/contract.ts";
import { recordedStatuses } from "../../src/backends/messages.ts";
import type { ProofOp } from "./oracle-ops.ts";

export interface Entry {
  readonly call: (side: 0 | 1) => Promise<unknown>;
  /** Client, slot and n, where it can be recorded. */
  readonly receipt: {
    readonly client: number;
    readonly slot: number;
    readonly n: number;
    readonly retry: boolean;
  } | null;
  readonly id: string;
  readonly done: (status: string) => void;
}

export class History {
  readonly #entries: Entry[] = [];
  /** By client, slot and n: what was recorded there. */
  readonly #recorded = new Map<string, Entry>();
  readonly #proofs: ({ slot: number; n: number } | undefined)[] = [];

  add(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** `reply`: by the reference. */
  note(entry: Entry, reply: unknown): void {
    const status = (reply as { status?: string } | null)?.status ?? "";
    if (entry.receipt === null) return;
    const { client, slot, n, retry } = entry.receipt;
    const didSomething = recordedStatuses.has(status);
    if (!didSomething && (!retry || status === "forgotten")) return; // the refusal of a retry is recorded as well
    const key = `${client} ${slot} ${n}`;
    if (this.#recorded.has(key)) return;
    this.#recorded.set(key, entry);
    if (didSomething) this.#proofs[client] = { slot, n };
    entry.done(status);
  }

  /** Whatever was done before, unless something else has been recorded under its receipt since. */
  earlier(back: number): Entry | undefined {
    const entry = this.#entries.at(-1 - back);
    if (entry === undefined || entry.receipt === null) return entry;
    const { client, slot, n } = entry.receipt;
    const recorded = this.#recorded.get(`${client} ${slot} ${n}`);
    return recorded === undefined || recorded === entry ? entry : undefined;
  }

  proof(client: number, proof: ProofOp): Receipt["proof"] {
    if (proof === "unknown") return { slot: 999, n: 1 };
    return proof === "known" ? this.#proofs[client] : undefined;
  }
}
