// One process of a world: a copy of the library on an event loop of its own, its store, and its callers.

import type { OpenOptions, Serializer, Store } from "../../src/index.ts";
import type { Random } from "../torture/random.ts";
import { Recorder, type Log } from "../torture/recorder.ts";
import { Loop, type Timeline } from "./clock.ts";
import type { Copy } from "./core.ts";
import { Wire } from "./server/network.ts";
import type { Weather } from "./server/weather.ts";
import { Caller } from "./callers/caller.ts";
import { Turns } from "./callers/turns.ts";
import type { Server } from "./server/server.ts";
import type { Setting } from "./setting.ts";

/** Its clock is wrong by this part at most; leases have a margin of a sixty-fourth. */
const drift = 0.004;

/** What such a serializer says of bytes that it wrote itself [S5]. */
const possible: ReadonlySet<string> = new Set(["CORRUPT_STATE", "SERIALIZATION"]);

export interface ProcessOptions {
  /** "2.1": the first in place 2. */
  readonly life: string;
  readonly copy: Copy;
  readonly timeline: Timeline;
  readonly server: Server;
  readonly log: Log;
  readonly random: Random;
  readonly setting: Setting;
  readonly weather: () => Weather;
  readonly trace: (what: string, fields: object) => void;
  /** Its callers have done all that they wanted, or its store is closed. */
  readonly onNews: () => void;
}

export class Process {
  readonly life: string;
  readonly clientId: string;
  readonly loop: Loop;
  readonly recorder: Recorder;
  readonly store: Store;
  readonly #wire: Wire;
  readonly #of: ProcessOptions;
  #working = 0;
  #closing: "no" | "under way" | "done" = "no";

  constructor(options: ProcessOptions) {
    const { life, copy, timeline, random, setting, log } = options;
    this.#of = options;
    this.life = life;
    this.clientId = Buffer.from(life.padStart(12, "0")).toString("hex");
    this.loop = copy.loop = new Loop({
      timeline,
      offsetMs: random.whole(0, 1_000_000),
      rate: 1 + (random.next() * 2 - 1) * drift,
      lateness: () => random.next() - 0.3,
    });
    this.recorder = new Recorder(log, life, setting.isBrittle ? possible : undefined);
    this.loop.onContinue = (from) => this.recorder.write("stall", { from: Math.round(from * 1e6) });
    const { server, weather, trace } = options;
    const { pushes, askAgainMs, hasReplicas } = setting;
    this.#wire = new Wire({
      ...{ copy, loop: this.loop, server, clientId: this.clientId, random, weather },
      ...{ pushes, askAgainMs, hasReplicas, trace: (what, fields) => trace(what, { life, ...fields }) },
    });
    this.store = copy.library.open(this.#wire, this.#openOptions());
  }

  /** Its callers begin. */
  begin(): void {
    this.recorder.write("life", {});
    const { random, setting } = this.#of;
    const turns = new Turns(this.recorder);
    this.#working = setting.callers;
    for (let number = 0; number < setting.callers; number += 1) {
      const { store, loop, recorder } = this;
      const caller = new Caller({ store, loop, recorder, number, random, setting, turns });
      this.loop.post(() => void caller.work().finally(() => this.#worked()));
    }
  }

  get isIdle(): boolean {
    return this.#working === 0 || this.loop.isDead;
  }

  get isOpen(): boolean {
    return this.#closing === "no" && !this.loop.isDead;
  }

  get isClosed(): boolean {
    return this.#closing === "done" || this.loop.isDead;
  }

  stop(ms: number): void {
    this.loop.stop(ms);
  }

  cut(ms: number): void {
    this.#wire.cut(ms);
  }

  kill(): void {
    this.recorder.write("died", { how: "killed" });
    this.loop.kill();
    this.#of.onNews();
  }

  close(drainMs: number): void {
    if (this.#closing !== "no") return;
    this.#closing = "under way";
    this.loop.post(() => void this.#close(drainMs));
  }

  async #close(drainMs: number): Promise<void> {
    await this.recorder.call({ caller: -1, op: "close", id: "" }, async () => {
      await this.store.close({ drainMs });
      return {};
    });
    this.#closing = "done";
    this.recorder.write("closed");
    this.#of.onNews();
  }

  #worked(): void {
    this.#working -= 1;
    if (this.#working === 0) this.#of.onNews();
  }

  #openOptions(): OpenOptions {
    const { setting, copy, random } = this.#of;
    const { json } = copy.library;
    const brittle: Serializer = {
      name: json.name,
      serialize: (value) => json.serialize(value),
      deserialize: (bytes) => {
        if (random.chance(0.02)) throw new Error("cannot read what it wrote");
        return json.deserialize(bytes);
      },
    };
    return { ...setting.options, ...(setting.isBrittle && { serializer: brittle }) };
  }
}
