// One run: a small world from its seed, through faults to calm and to its end, and all that it wrote down.
//
// Faults come until all is calm; callers then finish, stores are closed, and what they left on the server runs out.

import type { Line } from "../torture/checker/history.ts";
import { Random } from "../torture/random.ts";
import type { Log } from "../torture/recorder.ts";
import { Loop, Timeline } from "./clock.ts";
import { seeded, type Copy } from "./core.ts";
import { Ledger } from "./server/ledger.ts";
import { calm } from "./server/weather.ts";
import { Process } from "./process.ts";
import { Server } from "./server/server.ts";
import { blows, randomSetting, type Blow, type Setting } from "./setting.ts";

/** Whoever has not finished so long after the last fault, and a wait, hangs: longer than all leases and deadlines together. */
const patienceMs = 30_000;
/** [L7] So long after that nothing is left of whoever stopped waiting: a cancel is repeated once per `operationMs`. */
const tidiedMs = 6_000;
/** Until then leases and places in queues of killed processes have run out. */
const clearedMs = 30_000;
const drainMs = 2_000;

/** The copies of the library that worlds take turns with: one for the server, the others for processes. */
export interface Copies {
  readonly server: Copy;
  readonly processes: readonly Copy[];
}

/** What is left of a world: enough to judge it. */
export interface Remains {
  readonly setting: Setting;
  readonly lines: readonly Line[];
  readonly ledger: Ledger;
  /** What was seen to be wrong on the way. */
  readonly seen: readonly { readonly rule: string; readonly text: string }[];
  /** One line of text for each thing that happened; empty unless it was asked for. */
  readonly trace: readonly string[];
}

export async function runWorld(copies: Copies, seed: string, withTrace: boolean): Promise<Remains> {
  const random = new Random(seed);
  const world = new World({ copies, random, seed, withTrace });
  const onRejection = (reason: unknown): void => world.violate("unhandled", String(reason));
  process.on("unhandledRejection", onRejection);
  try {
    await seeded(
      random,
      () => world.timeline.now,
      () => world.run(),
    );
  } finally {
    process.off("unhandledRejection", onRejection);
  }
  return world;
}

class World implements Remains, Log {
  readonly timeline = new Timeline();
  readonly setting: Setting;
  readonly ledger: Ledger;
  readonly lines: Line[] = [];
  readonly seen: { rule: string; text: string }[] = [];
  readonly trace: string[] = [];
  readonly #copies: Copies;
  readonly #random: Random;
  readonly #seed: string;
  readonly #withTrace: boolean;
  readonly #server: Server;
  readonly #processes: Process[] = [];
  #isCalm = false;

  constructor(of: { copies: Copies; random: Random; seed: string; withTrace: boolean }) {
    this.#copies = of.copies;
    this.#random = of.random;
    this.#seed = of.seed;
    this.#withTrace = of.withTrace;
    this.setting = randomSetting(of.random);
    this.ledger = new Ledger(
      () => this.timeline.now,
      (rule, text) => this.violate(rule, text),
    );
    const copy = of.copies.server;
    copy.loop = new Loop({ timeline: this.timeline });
    this.#server = new Server({ copy, ledger: this.ledger, limits: this.setting.limits });
    this.timeline.onError = (error) =>
      this.violate("uncaught", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  now(): number {
    return Math.round(this.timeline.now * 1e6);
  }

  add(line: Line): void {
    this.lines.push(line);
    if (this.#withTrace) this.#note(line.ev, line);
  }

  violate(rule: string, text: string): void {
    this.seen.push({ rule, text: `${text} (at ${this.timeline.now.toFixed(1)} ms)` });
    this.#note("violation", { rule, text });
  }

  async run(): Promise<void> {
    this.#write("run", { backend: "redis", seed: this.#seed, latenessMs: 3 });
    for (let place = 1; place <= this.setting.processes; place += 1) this.#start(`${place}.1`);
    this.#planBlows();
    this.timeline.at(this.setting.calmAtMs, () => this.#calmDown());
    await this.#until(() => this.#processes.every(({ isIdle }) => isIdle));
    this.#calmDown();
    await this.timeline.run(this.timeline.now + tidiedMs);
    this.#look(this.#processes.filter(({ isOpen }) => isOpen));
    for (const one of this.#processes) one.close(drainMs);
    await this.#until(() => this.#processes.every(({ isClosed }) => isClosed));
    await this.timeline.run(this.timeline.now + clearedMs);
    this.#look(this.#processes);
    this.#writeFinals();
  }

  /** Runs until it is so, or nothing will change any more. */
  async #until(isSo: () => boolean): Promise<void> {
    if (isSo()) return;
    this.#onNews = () => {
      if (isSo()) this.timeline.stop();
    };
    const { calmAtMs, options } = this.setting;
    await this.timeline.run(Math.max(this.timeline.now, calmAtMs) + options.waitMs + patienceMs);
    this.#onNews = () => undefined;
  }

  #onNews: () => void = () => undefined;

  #start(life: string): void {
    const place = Number(life.split(".")[0]);
    const copy = this.#copies.processes[place - 1];
    if (copy === undefined) throw new Error(`no copy for place ${place}`);
    const one = new Process({
      ...{ life, copy, timeline: this.timeline, server: this.#server, log: this },
      ...{ random: this.#random, setting: this.setting },
      weather: () => (this.#isCalm ? calm : this.setting.weather),
      trace: (what, fields) => this.#note(what, fields),
      onNews: () => this.#onNews(),
    });
    this.#processes.push(one);
    one.begin();
  }

  #planBlows(): void {
    for (let n = 0; n < this.setting.blows; n += 1) {
      const at = this.#random.whole(0, Math.min(this.setting.calmAtMs, 2_000));
      this.timeline.at(at, () => this.#strike(this.#random.weighted(blows)));
    }
  }

  #strike(blow: Blow): void {
    const alive = this.#processes.filter(({ loop }) => !loop.isDead);
    if (this.#isCalm || alive.length === 0) return;
    const one = this.#random.pick(alive);
    this.#note("blow", { blow, life: one.life });
    if (blow === "stop")
      one.stop(this.#random.chance(0.5) ? this.#random.whole(1, 200) : this.#random.whole(200, 4_000));
    else if (blow === "cut") one.cut(this.#random.whole(0, 1_500));
    else if (blow === "close") one.close(this.#random.whole(0, drainMs));
    else if (blow === "kill") this.#kill(one);
    else this.#delete(blow);
  }

  #kill(one: Process): void {
    const onNews = this.#onNews;
    this.#onNews = () => undefined; // all are idle for a moment, if it was the only one
    one.kill();
    const [place, life] = one.life.split(".");
    if (this.#random.chance(0.7)) this.#start(`${place ?? ""}.${Number(life) + 1}`);
    this.#onNews = onNews;
    onNews();
  }

  #delete(what: "deleteLock" | "deleteState"): void {
    if (what === "deleteState") return this.#server.deleteState("scratch:0");
    const id = this.#random.pick(["list:0", "scratch:0", "gate:0"]);
    this.#server.deleteLock(id);
    for (const phase of ["begin", "end"]) this.#write("fault", { name: "lock-deleted", on: id, phase });
  }

  #calmDown(): void {
    if (this.#isCalm) return;
    this.#isCalm = true;
    this.#write("calm", {});
  }

  /** [L7] None of these has anything on the server any more. */
  #look(processes: readonly Process[]): void {
    for (const { what, id, client } of this.#server.leftovers()) {
      const life = processes.find(({ clientId }) => clientId === client)?.life;
      if (life !== undefined) this.#write("behind", { what, key: id, life });
    }
  }

  #writeFinals(): void {
    for (const id of this.ledger.ids) {
      const { revision, ids } = this.ledger.versions(id).at(-1) ?? { revision: 0, ids: [] };
      if (id.startsWith("list")) this.#write("final", { id, revision, value: { count: ids.length, ids } });
    }
  }

  #write(ev: string, fields: object): void {
    this.add({ ev, at: this.now(), ...fields });
  }

  #note(what: string, fields: object): void {
    if (this.#withTrace) this.trace.push(`${this.timeline.now.toFixed(3)} ${what} ${textOf(fields)}`);
  }
}

/** Bytes as what they say. */
function textOf(fields: object): string {
  return JSON.stringify(fields, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString() : value,
  );
}
