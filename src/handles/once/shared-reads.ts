/** Reads of states for which many callers ask at once: those of one tick share a call of the backend. */
import type { LoadedState } from "../../backends/contract.ts";
import type { Session } from "../../session.ts";
import { soon } from "../../timers.ts";

export class SharedReads {
  readonly #session: Session;
  /** Reads that have not been sent: one that had might not see what was stored before its caller asked. */
  readonly #unsent = new Map<string, Promise<LoadedState>>();

  constructor(session: Session) {
    this.#session = session;
  }

  load(id: string): Promise<LoadedState> {
    let read = this.#unsent.get(id);
    if (read === undefined) this.#unsent.set(id, (read = this.#load(id)));
    return read;
  }

  async #load(id: string): Promise<LoadedState> {
    await new Promise<void>((resolve) => soon(resolve));
    this.#unsent.delete(id);
    const { calls } = this.#session;
    return calls.read({ doing: "Loading the state", id }, () =>
      calls.backend.loadState(id, { expiry: false }),
    );
  }
}
