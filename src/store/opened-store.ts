/** An opened store, with its life: it connects, and it closes. All else it has in common with its views. */
import { withCallersStack } from "../caller-stacks.ts";
import { Scope } from "../handles/scope.ts";
import * as parse from "../options.ts";
import { defaults, type CloseOptions } from "../options.ts";
import type { Session } from "../session.ts";
import { StoreHandle } from "./store-handle.ts";
import type { Store } from "./store.ts";

export class OpenedStore extends StoreHandle implements Store {
  readonly #session: Session;

  constructor(session: Session) {
    super(new Scope(session));
    this.#session = session;
  }

  ready(): Promise<this> {
    return withCallersStack(async () => {
      this.#session.admit();
      const { calls, backend } = this.#session;
      await calls.read(`Connecting to ${backend.name}`, () => backend.ready());
      return this;
    });
  }

  close(options?: CloseOptions): Promise<void> {
    return withCallersStack(() => {
      const { drainMs } = parse.parseOptions<CloseOptions>("close()", options, { drainMs: parse.drainMs });
      return this.#session.close(drainMs ?? defaults.drainMs);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
