/**
 * A backend that fails on command: a wrapper around another backend, for tests.
 *
 * It changes nothing by itself. A {@link Fault} is planned for one call, or for all calls of a method.
 * Faults work at the contract, between the core and the backend, so the same ones break every backend alike.
 */
import type { Backend, CommitEntry, Receipt, Wake, WriteEntry } from "../backends/contract.ts";
import { callOf, ForwardingBackend, type BackendMethod } from "../backends/forward.ts";
import { pause } from "./assertions.ts";
import type { Fault } from "./faults.ts";

/** The calls of a backend that can be made to fail. */
export type FaultyMethod = BackendMethod;

/** A call that was made, with what it was made with. */
export interface MadeCall {
  /** The method of the backend. */
  readonly method: FaultyMethod;
  /** Its arguments. */
  readonly args: readonly unknown[];
}

/** A planned fault. */
export interface Plan {
  /** Whether the fault has happened. */
  readonly fired: boolean;
  /** Removes the fault. */
  cancel(): void;
}

interface Planned extends Plan {
  readonly method: FaultyMethod | "any";
  readonly fault: Fault;
  fired: boolean;
  /** The fault fires when this reaches 0, and is then removed, unless it is for all calls. */
  callsToGo: number;
  readonly forAll: boolean;
}

/**
 * @example
 * ```ts
 * const faulty = new FaultyBackend(new MyBackend());
 * const store = open(faulty);
 * faulty.once("releaseLock", loseReply()); // the save takes effect, but its reply is lost
 * await store.state("n", { initial: () => 0 }).update((n) => n + 1);
 * assert.equal(await store.state("n").load(), 1);
 * ```
 */
export class FaultyBackend extends ForwardingBackend {
  /** Every call so far, in order. */
  readonly calls: MadeCall[] = [];
  /** "drop": wakes are lost on the way. A number: they arrive this many milliseconds late. */
  wakes: "deliver" | "drop" | number = "deliver";
  readonly #inner: Backend;
  readonly #plans = new Set<Planned>();
  readonly #answered = new Map<FaultyMethod, (() => void)[]>();
  /** By sequence: the last number that the backend has seen in a receipt. */
  readonly #seen = new Map<number, number>();

  constructor(inner: Backend) {
    super();
    this.#inner = inner;
  }

  /** Plans the fault for the `nth` call of the method from now on. */
  once(method: FaultyMethod | "any", fault: Fault, nth = 1): Plan {
    return this.#plan({ method, fault, callsToGo: nth, forAll: false });
  }

  /** Plans the fault for every call of the method from now on. */
  always(method: FaultyMethod | "any", fault: Fault): Plan {
    return this.#plan({ method, fault, callsToGo: 1, forAll: true });
  }

  /** That of the backend that it wraps. */
  get name(): string {
    return this.#inner.name;
  }

  /** That of the backend that it wraps. */
  get clientId(): string {
    return this.#inner.clientId;
  }

  /** That of the backend that it wraps. */
  get askAgainMs(): number {
    return this.#inner.askAgainMs;
  }

  /** That of the backend that it wraps. */
  get pushes(): boolean {
    return this.#inner.pushes;
  }

  /** That of the backend that it wraps; no fault breaks it. */
  get connect(): Backend["connect"] {
    const { connect } = this.#inner;
    return connect === undefined ? undefined : (id) => this.#inner.connect?.(id);
  }

  override get shardOf(): Backend["shardOf"] {
    const { shardOf } = this.#inner;
    return shardOf === undefined ? undefined : (id) => shardOf(id);
  }

  /** That of the backend that it wraps; faults break it. */
  get awaitReplicas(): Backend["awaitReplicas"] {
    if (this.#inner.awaitReplicas === undefined) return undefined;
    return (...args) => this.forward("awaitReplicas", args);
  }

  /** Passes on the wakes of the backend that it wraps, as `wakes` says. */
  onWake(listener: (wake: Wake) => void): void {
    this.#inner.onWake((wake) => {
      if (this.wakes === "deliver") listener(wake);
      else if (this.wakes !== "drop") void pause(this.wakes).then(() => listener(wake));
    });
  }

  /** Closes the backend that it wraps. */
  close(): Promise<void> {
    return this.#inner.close();
  }

  #plan(plan: Pick<Planned, "method" | "fault" | "callsToGo" | "forAll">): Plan {
    const planned: Planned = { ...plan, fired: false, cancel: () => this.#plans.delete(planned) };
    this.#plans.add(planned);
    return planned;
  }

  /** Makes a call of the backend that it wraps, with the fault that is due. */
  protected async forward(method: BackendMethod, args: readonly unknown[]): Promise<never> {
    const carryOut = (): Promise<never> => {
      this.#isFirst(receiptOf(method, args));
      return callOf(this.#inner, method, args);
    };
    const markSent = (): Promise<void> => this.#markSent(method, args);
    this.calls.push({ method, args });
    // Listeners for the next reply of this method are notified by this call.
    const listeners = this.#answered.get(method) ?? [];
    this.#answered.delete(method);
    try {
      const fault = this.#due(method);
      if (fault === undefined) return await carryOut();
      const nextAnswered = new Promise<void>((resolve) => this.#onNextAnswer(method, resolve));
      return await fault({ method, carryOut, markSent, nextAnswered });
    } finally {
      for (const listener of listeners) listener();
    }
  }

  /**
   * A backend counts an operation as sent once it gets a call with its receipt. So it gets one that does nothing and
   * leaves no record, since it is refused: no lock has that ticket as its holder.
   */
  async #markSent(method: BackendMethod, args: readonly unknown[]): Promise<void> {
    const receipt = receiptOf(method, args);
    if (!this.#isFirst(receipt)) return;
    const [about] = args as [string | readonly (CommitEntry | WriteEntry)[]];
    const id = typeof about === "string" ? about : (about[0]?.id ?? "");
    const unknownTicket = `nobody:0:${this.clientId}:0`;
    await this.#inner.releaseLock(id, unknownTicket, {}, receipt).catch(() => undefined); // then nothing can be sent
  }

  /** Whether there is a receipt that the backend does not know. From now on it does. */
  #isFirst(receipt: Receipt | undefined): receipt is Receipt {
    if (receipt === undefined || receipt.n <= (this.#seen.get(receipt.sequence) ?? 0)) return false;
    this.#seen.set(receipt.sequence, receipt.n);
    return true;
  }

  #onNextAnswer(method: FaultyMethod, tell: () => void): void {
    this.#answered.set(method, [...(this.#answered.get(method) ?? []), tell]);
  }

  #due(method: FaultyMethod): Fault | undefined {
    let due: Fault | undefined;
    for (const plan of this.#plans) {
      if (plan.method !== "any" && plan.method !== method) continue;
      if (!plan.forAll && (plan.callsToGo -= 1) > 0) continue;
      if (due !== undefined) continue; // one fault at a time
      plan.fired = true;
      due = plan.fault;
      if (!plan.forAll) this.#plans.delete(plan);
    }
    return due;
  }
}

/** The receipt of an operation that takes effect once. (An acquire names the receipt of a later operation.) */
function receiptOf(method: BackendMethod, args: readonly unknown[]): Receipt | undefined {
  if (method === "writeState" || method === "releaseLock") return args[3] as Receipt;
  if (method === "commitStates" || method === "writeStates") return args[1] as Receipt;
  const isThird = method === "touchState" || method === "cancelLock" || method === "changeSemaphore";
  return isThird ? (args[2] as Receipt) : undefined;
}
