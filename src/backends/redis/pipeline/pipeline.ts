/** The scripts that serve many operations, each with its batcher; their replies are paced together. */
import type { Handshake } from "../handshake.ts";
import type { Keys } from "../keys.ts";
import type { Observations } from "../observations.ts";
import { scripts, type Script } from "../scripts/generated.ts";
import type { SharedArguments } from "./batch.ts";
import { Batcher } from "./batcher.ts";
import type { Operation } from "./operation.ts";
import { Pacer } from "./pacer.ts";
import type { ScriptRunner } from "./script-runner.ts";

export interface PipelineOptions {
  readonly handshake: Handshake;
  readonly runner: ScriptRunner;
  readonly keys: Keys;
  readonly observations: Observations;
}

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #pacer = new Pacer();
  readonly #acquires: Batcher;
  readonly #renewals: Batcher;
  readonly #releases: Batcher;
  readonly #commits: Batcher;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { keys, observations } = options;
    const expiry = observations.receipts.expiry(); // renewals leave no receipts
    this.#acquires = this.#batcher(scripts.acquire, () => this.#shared(false));
    this.#renewals = this.#batcher(scripts.renew, () => ({ keys: [], args: [keys.prefix], expiry }));
    this.#releases = this.#batcher(scripts.release, () => this.#shared(true));
    this.#commits = this.#batcher(scripts.commit, () => this.#shared(true));
  }

  acquire<T>(operation: Operation<T>): Promise<T> {
    return this.#add(this.#acquires, operation);
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

  #batcher(script: Script, shared: () => SharedArguments): Batcher {
    return new Batcher({ runner: this.#options.runner, script, shared }, this.#pacer);
  }

  #add<T>(batcher: Batcher, operation: Operation<T>): Promise<T> {
    return this.#options.handshake.whenConnected(() => batcher.add(operation));
  }

  #shared(withExpiry: boolean): SharedArguments {
    const { keys, observations } = this.#options;
    const expiry = observations.receipts.expiry();
    const args = [keys.prefix, observations.highestStamp, ...(withExpiry ? expiry.args : [])];
    return { keys: keys.common, args, expiry };
  }
}
