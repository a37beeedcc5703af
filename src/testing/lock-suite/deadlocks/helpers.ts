/** What the cases of deadlocks use. */
import { strict as assert } from "node:assert";
import type { BlockedHolder, Deadlock, WaitNote } from "../../../backends/contract.ts";
import type { ContractClient, ContractTicket } from "../../contract-client.ts";
import { eventually, pause } from "../../assertions.ts";
import type { FaultyBackend } from "../../faulty-backend.ts";
import type { Fixture } from "../../fixture.ts";

/** Three new ids, which belong to one shard where there are several. */
export function idsTogether(fixture: Fixture): [a: string, b: string, c: string] {
  const id = fixture.id();
  return [`{${id}}:a`, `{${id}}:b`, `{${id}}:c`];
}

/** What the core would note of one client, call by call. */
export class Notes {
  readonly #client: ContractClient;
  #n = 0;

  constructor(client: ContractClient) {
    this.#client = client;
  }

  /** The function under `hold` waits for these asks, and for nothing else. */
  async waits(hold: ContractTicket, ...asks: readonly ContractTicket[]): Promise<Deadlock | null> {
    return (await this.all([noteOf(hold, ...asks)]))[0] ?? null;
  }

  /** `n`: instead of the next one. */
  all(notes: readonly WaitNote[], n = (this.#n += 1)): Promise<readonly (Deadlock | null)[]> {
    return this.#client.backend.noteWaits(notes, { n, keepMs: 60_000 });
  }
}

export function noteOf({ id, ticket }: ContractTicket, ...asks: readonly ContractTicket[]): WaitNote {
  return { id, ticket, asks: asks.map((ask) => ({ id: ask.id, ticket: ask.ticket })) };
}

/** One step of a cycle. */
export function blocked({ id, ticket }: ContractTicket, ask: ContractTicket): BlockedHolder {
  return { id, ticket, ask: { id: ask.id, ticket: ask.ticket } };
}

/** How many calls have noted something. */
export function notesIn({ calls }: FaultyBackend): number {
  return calls.filter(({ method }) => method === "noteWaits").length;
}

/** Waits until so many notes were sent, and answered. */
export async function noted(faults: FaultyBackend, count: number): Promise<void> {
  await eventually(() => assert.ok(notesIn(faults) >= count));
  await pause(5); // they are answered in their order
}
