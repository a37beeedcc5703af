/**
 * The backend of one process of a test world: a memory that it shares with the others, which it may lose sight of for a
 * while (an outage), or forever (a crash).
 */
import type { Wake } from "../../backends/contract.ts";
import type { BackendMethod } from "../../backends/forward.ts";
import { UnavailableError } from "../../errors.ts";
import { FaultyBackend } from "../faulty-backend.ts";

export class ProcessBackend extends FaultyBackend {
  #isDead = false;
  #outages = 0;
  #listener: ((wake: Wake) => void) | undefined;

  get isDead(): boolean {
    return this.#isDead;
  }

  /** From now on nothing is sent, and nothing is answered. */
  die(): void {
    this.#isDead = true;
    this.wakes = "drop";
  }

  /** Calls fail, and wakes are lost, until each outage has ended. */
  beginOutage(): void {
    this.#outages += 1;
    this.wakes = "drop";
  }

  endOutage(): void {
    this.#outages -= 1;
    if (this.#outages > 0 || this.#isDead) return;
    this.wakes = "deliver";
    this.#listener?.({ kind: "again" }); // as a backend does that has connected again
  }

  override onWake(listener: (wake: Wake) => void): void {
    this.#listener = listener;
    super.onWake(listener);
  }

  /** Tells this process that its ticket was released by force. */
  tellForced(id: string, ticket: string): void {
    if (this.wakes === "deliver") this.#listener?.({ kind: "forced", id, ticket });
  }

  protected override async forward(method: BackendMethod, args: readonly unknown[]): Promise<never> {
    if (this.#isDead) return forever();
    if (this.#outages > 0)
      throw new UnavailableError(`There is an outage in the test world: ${method} was not sent`, {
        outcome: "none",
      });
    const reply = await super.forward(method, args);
    return this.isDead ? forever() : reply;
  }
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}
