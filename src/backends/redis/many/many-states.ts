/**
 * Many states in one call: a plain MGET, and a script that writes each by itself.
 *
 * Large values are sent ahead of the script, as those of single writes are.
 */
import type { Backend, LoadedState, WriteStatesReply } from "../../contract.ts";
import { readState } from "../protocol/envelope.ts";
import type { Keys } from "../protocol/keys.ts";
import { bytesOf, integer, list } from "../protocol/reply-values.ts";
import type { ServerFacts } from "../protocol/server-facts.ts";
import { scripts } from "../scripts/generated.ts";
import type { SingleCalls } from "../single-calls.ts";
import { runWithAhead } from "../state-calls.ts";
import { encodeWriteStates, readWriteStates } from "./write-states.ts";

export interface ManyStatesOptions {
  readonly singleCalls: SingleCalls;
  readonly keys: Keys;
  readonly facts: ServerFacts;
  /** Loads a single one: it says what GET refuses. */
  readonly load: (id: string) => Promise<LoadedState>;
}

export class ManyStates {
  readonly #options: ManyStatesOptions;

  constructor(options: ManyStatesOptions) {
    this.#options = options;
  }

  async load(ids: readonly string[]): Promise<readonly LoadedState[]> {
    const { singleCalls, keys, facts } = this.#options;
    const args = ["MGET", ...ids.map(keys.state)];
    const values = await singleCalls.command({ args, read: list, id: ids[0] });
    const states = ids.map((id, index) => facts.noteState(id, readState(bytesOf(values[index]))));
    const missing = [...ids.keys()].filter((index) => states[index] === null);
    if (missing.length > 0) await this.#loadOthers(states, missing, ids);
    return states;
  }

  write(...args: Parameters<Backend["writeStates"]>): Promise<WriteStatesReply> {
    const [entries, receipt] = args;
    const { singleCalls, keys, facts } = this.#options;
    for (const { id, write } of entries)
      if (write.kind === "save") facts.largeValues.noteSize(id, write.bytes.byteLength);
    const { operations, payload, ahead } = encodeWriteStates(entries, (id) => keys.staged(id, receipt));
    return runWithAhead(singleCalls, {
      script: scripts.writeStates,
      ahead,
      keys: keys.common,
      madeKeys: () => entries.flatMap(({ id }) => keys.changing(id)),
      args: (recording) => [keys.prefix, facts.stampFloor, ...recording, operations, payload],
      receipt,
      read: (reply) => readWriteStates(reply, entries.length),
      id: entries[0]?.id,
    });
  }

  /** MGET finds nothing where GET finds the wrong type: such a key is not absent [S1] [S6]. */
  async #loadOthers(
    states: LoadedState[],
    missing: readonly number[],
    ids: readonly string[],
  ): Promise<void> {
    const { singleCalls, keys, load } = this.#options;
    const idOf = (index: number): string => ids[index] ?? "";
    const args = ["EXISTS", ...missing.map((index) => keys.state(idOf(index)))];
    const others = await singleCalls.command({ args, read: integer, id: ids[0] });
    if (others === 0) return;
    const loaded = await Promise.all(missing.map((index) => load(idOf(index))));
    missing.forEach((index, nth) => (states[index] = loaded[nth] ?? null));
  }
}
