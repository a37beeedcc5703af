/** The calls about one lock that are sent separately: cancel, forced release, and changes of a semaphore. */
import type {
  AcquireReply,
  CancelReply,
  Forgotten,
  Receipt,
  ReleaseReply,
  SemaphoreChange,
  SemaphoreReply,
  Ticket,
} from "../contract.ts";
import { readAdoption, readCancel, readRelease } from "./protocol/decode.ts";
import { readSemaphoreChange } from "./protocol/decode-holders.ts";
import { adoptionArguments, type AcquireFields } from "./protocol/encode.ts";
import type { Keys } from "./protocol/keys.ts";
import type { ServerFacts } from "./protocol/server-facts.ts";
import { argumentOf } from "./protocol/token-text.ts";
import { scripts } from "./scripts/generated.ts";
import type { SingleCalls } from "./single-calls.ts";

export interface ForcedRelease {
  readonly id: string;
  readonly ticket: Ticket;
  readonly receipt: Receipt;
  readonly ifFence: number | undefined;
}

export class LockCalls {
  readonly #singleCalls: SingleCalls;
  readonly #keys: Keys;
  readonly #facts: ServerFacts;

  constructor(singleCalls: SingleCalls, keys: Keys, facts: ServerFacts) {
    this.#singleCalls = singleCalls;
    this.#keys = keys;
    this.#facts = facts;
  }

  cancel(id: string, ticket: Ticket, receipt: Receipt): Promise<CancelReply> {
    return this.#singleCalls.runRecorded({
      script: scripts.cancel,
      keys: this.#keys.all(id),
      madeKeys: () => this.#keys.ofIndex,
      args: (recording) => [ticket, ...recording, this.#facts.stampFloor],
      receipt,
      read: readCancel,
      id,
    });
  }

  /** An ask with `from`. */
  adopt(asked: AcquireFields): Promise<AcquireReply> {
    const { id, request } = asked;
    return this.#singleCalls.run({
      script: scripts.adopt,
      keys: this.#keys.all(id),
      args: [...adoptionArguments(asked), this.#facts.stampFloor],
      read: (reply) => this.#facts.noteAcquire(id, readAdoption(reply, request)),
      bytes: true,
      id,
    });
  }

  force({ id, ticket, receipt, ifFence }: ForcedRelease): Promise<ReleaseReply> {
    const fence = String(ifFence ?? "");
    return this.#singleCalls.runRecorded({
      script: scripts.force,
      keys: this.#keys.all(id),
      madeKeys: () => this.#keys.ofIndex,
      args: (recording) => [argumentOf(ticket), ...recording, this.#facts.stampFloor, fence],
      receipt,
      read: readRelease,
      id,
    });
  }

  changeSemaphore(
    id: string,
    change: SemaphoreChange,
    receipt: Receipt,
  ): Promise<SemaphoreReply | Forgotten> {
    const [limit, created] = change.kind === "delete" ? [null, null] : [change.limit, change.created];
    return this.#singleCalls.runRecorded({
      script: scripts.semaphore,
      keys: this.#keys.all(id),
      madeKeys: () => this.#keys.ofIndex,
      args: (recording) => [...recording, this.#facts.stampFloor, String(limit ?? ""), String(created ?? "")],
      receipt,
      read: readSemaphoreChange,
      id,
    });
  }
}
