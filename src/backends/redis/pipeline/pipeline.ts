/** The scripts that serve many operations, each with its batcher; their replies are paced together. */
import type { FirstUse } from "../handshake.ts";
import type { Keys } from "../keys.ts";
import type { Observations } from "../observations.ts";
import { scripts, type Script } from "../scripts/generated.ts";
import type { SharedArguments } from "./batch.ts";
import { Batcher } from "./batcher.ts";
import type { Operation } from "./operation.ts";
import { Flow } from "./pacer.ts";
import type { Caller } from "./script-runner.ts";

export interface PipelineOptions {
  readonly firstUse: FirstUse;
  readonly caller: Caller;
  readonly keys: Keys;
  readonly observations: Observations;
}

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #flow = new Flow();
  readonly #acquires: Batcher;
  readonly #renewals: Batcher;
  readonly #releases: Batcher;
  readonly #commits: Batcher;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { keys, observations } = options;
    const life = observations.receipts.life(); // renewals leave no receipts
    this.#acquires = this.#batcher(scripts.acquire, () => this.#shared(false));
    this.#renewals = this.#batcher(scripts.renew, () => ({ keys: [], args: [keys.prefix], life }));
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
    return new Batcher({ caller: this.#options.caller, script, shared }, this.#flow);
  }

  #add<T>(batcher: Batcher, operation: Operation<T>): Promise<T> {
    return this.#options.firstUse.whenConnected(() => batcher.add(operation));
  }

  #shared(withLife: boolean): SharedArguments {
    const { keys, observations } = this.#options;
    const life = observations.receipts.life();
    const args = [keys.prefix, observations.highestStamp, ...(withLife ? life.args : [])];
    return { keys: keys.common, args, life };
  }
}
