/**
 * The scripts that carry out many operations. In the mode "paced", each has a batcher, and one pacer spreads them all.
 * In the mode "none", each operation is sent at once, in a script of its own.
 */
import type { Keys } from "../protocol/keys.ts";
import type { ServerFacts } from "../protocol/server-facts.ts";
import { scripts, type Script } from "../scripts/generated.ts";
import type { SharedArguments } from "./script-batch.ts";
import { Batcher } from "./batcher.ts";
import { UnbatchedSender } from "./unbatched-sender.ts";
import type { Operation } from "../protocol/operation.ts";
import { Pacer } from "./pacer.ts";
import type { ScriptRunner } from "../protocol/script-runner.ts";

export type PipelineMode = "paced" | "none";

interface OperationSender {
  add<T>(operation: Operation<T>): Promise<T>;
}

export interface PipelineOptions {
  readonly mode: PipelineMode;
  /** Sends once connected: in this tick if there is a connection. */
  readonly whenConnected: <T>(send: () => Promise<T>) => Promise<T>;
  readonly runner: ScriptRunner;
  readonly keys: Keys;
  readonly facts: ServerFacts;
}

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #pacer = new Pacer();
  readonly #acquires: OperationSender;
  readonly #shares: OperationSender;
  readonly #renewals: OperationSender;
  readonly #releases: OperationSender;
  readonly #commits: OperationSender;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { keys, facts } = options;
    const expiry = facts.receipts.expiry(); // renewals leave no receipts
    this.#acquires = this.#sender(scripts.acquire, () => this.#shared(false));
    this.#shares = this.#sender(scripts.acquireShare, () => this.#shared(false));
    this.#renewals = this.#sender(scripts.renew, () => ({ keys: [], args: [keys.prefix], expiry }));
    this.#releases = this.#sender(scripts.release, () => this.#shared(true));
    this.#commits = this.#sender(scripts.commit, () => this.#shared(true));
  }

  acquire<T>(operation: Operation<T>): Promise<T> {
    return this.#add(this.#acquires, operation);
  }

  acquireShare<T>(operation: Operation<T>): Promise<T> {
    return this.#add(this.#shares, operation);
  }

  renew<T>(operation: Operation<T>): Promise<T> {
    return this.#add(this.#renewals, operation);
  }

  release<T>(operation: Operation<T>): Promise<T> {
    return this.#add(this.#releases, operation);
  }

  commit<T>(operation: Operation<T>): Promise<T> {
    return this.#add(this.#commits, operation);
  }

  #sender(script: Script, shared: () => SharedArguments): OperationSender {
    const { runner, mode, keys } = this.#options;
    const madeKeys = script === scripts.commit ? keys.changing : keys.made;
    const target = { runner, script, madeKeys, shared };
    return mode === "none" ? new UnbatchedSender(target) : new Batcher(target, this.#pacer);
  }

  #add<T>(sender: OperationSender, operation: Operation<T>): Promise<T> {
    return this.#options.whenConnected(() => sender.add(operation));
  }

  #shared(withExpiry: boolean): SharedArguments {
    const { keys, facts } = this.#options;
    const expiry = facts.receipts.expiry();
    const args = [keys.prefix, facts.stampFloor, ...(withExpiry ? expiry.args : [])];
    return { keys: keys.common, args, expiry };
  }
}
