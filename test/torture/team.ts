// The processes of the history check: one per place, each with its file of the history. A process that was killed is followed
// by another in its place.

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import type { OpenOptions } from "../../src/index.ts";
import { continueProcess, stopProcess } from "../support/faults/processes.ts";
import type { Recorder } from "./recorder.ts";
import type { Job, Order } from "./worker.ts";

const torture = join(import.meta.dirname, "worker.ts");

export interface TeamSettings {
  readonly places: number;
  readonly seed: string;
  readonly epoch: bigint;
  readonly folder: string;
  readonly options: OpenOptions;
  readonly targetOf: (place: number) => string | string[];
  readonly recorder: Recorder;
  /** The program of the processes; default: that of the history check. */
  readonly script?: string;
  readonly callers?: number;
  readonly onMessage?: (message: unknown) => void;
}

interface Place {
  lives: number;
  life: string;
  child: ChildProcess;
  ended: Promise<void>;
  /** By us. */
  killed: boolean;
  errors: string;
}

export class Team {
  /** By place: the files of its lives, one after the other. */
  readonly files: string[][] = [];
  readonly #settings: TeamSettings;
  readonly #places: Place[] = [];
  /** For processes that share a machine's clock. */
  clockOffsetMs = 0;

  constructor(settings: TeamSettings) {
    this.#settings = settings;
    for (let place = 0; place < settings.places; place += 1) this.#places.push(this.#start(place, 1));
  }

  life(place: number): string {
    return this.#at(place).life;
  }

  get size(): number {
    return this.#places.length;
  }

  async kill(place: number): Promise<void> {
    const current = this.#at(place);
    current.killed = true;
    current.child.kill("SIGKILL");
    await current.ended;
  }

  /** The next life in that place. */
  revive(place: number): void {
    this.#places[place] = this.#start(place, this.#at(place).lives + 1);
  }

  async stop(place: number): Promise<void> {
    await stopProcess(this.#at(place).child.pid ?? 0);
  }

  async continue(place: number): Promise<void> {
    await continueProcess(this.#at(place).child.pid ?? 0);
  }

  /** Resolves when the process says that it has done it. */
  async order(place: number, order: Order): Promise<void> {
    const { child, ended } = this.#at(place);
    if (!child.connected) return;
    const done = new Promise<void>((resolve) => {
      const listen = (message: unknown): void => {
        if ((message as { done?: string }).done !== order.do) return;
        child.off("message", listen);
        resolve();
      };
      child.on("message", listen);
    });
    child.send(order, () => undefined); // one that was killed meanwhile needs no order; `ended` tells
    await Promise.race([done, ended]);
  }

  /** All close their stores and end by themselves; whoever does not within `ms` is told as such. */
  async finish(ms: number): Promise<void> {
    await Promise.all(this.#places.map((_, place) => this.order(place, { do: "finish" })));
    await Promise.all(this.#places.map((place) => this.#within(place, ms)));
  }

  /** For the end of the program, whatever state it is in. */
  endAll(): void {
    for (const { child } of this.#places) child.kill("SIGKILL");
  }

  async #within({ ended, child, life }: Place, ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => (timer = setTimeout(() => resolve("late"), ms)));
    const first = await Promise.race([ended, late]);
    clearTimeout(timer);
    if (first !== "late") return;
    this.#settings.recorder.wrong(`process ${life} did not end within ${ms} ms after it was told to finish`);
    child.kill("SIGKILL");
    await ended;
  }

  #at(place: number): Place {
    const found = this.#places[place];
    if (found === undefined) throw new Error(`there is no place ${place}`);
    return found;
  }

  #start(number: number, lives: number): Place {
    const { seed, epoch, folder, options, targetOf, recorder } = this.#settings;
    const { script = torture, callers = 8, onMessage } = this.#settings;
    const life = `${number + 1}.${lives}`;
    const file = join(folder, `${life}.jsonl`);
    (this.files[number] ??= []).push(file);
    const job: Job = {
      target: targetOf(number),
      life,
      seed,
      epoch: String(epoch),
      file,
      callers,
      lists: 5,
      options,
      clockOffsetMs: this.clockOffsetMs,
    };
    const execArgv = ["--disable-warning=ExperimentalWarning"];
    const child = fork(script, [JSON.stringify(job)], {
      execArgv,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const place: Place = {
      lives,
      life,
      child,
      killed: false,
      errors: "",
      ended: Promise.resolve(),
    };
    if (onMessage !== undefined) child.on("message", onMessage);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (place.errors += text));
    place.ended = once(child, "close").then(([code, signal]) => {
      const how = place.killed
        ? "killed"
        : code === 0
          ? "closed"
          : `${String(code ?? signal)} ${place.errors}`;
      recorder.write("died", { life, how });
    });
    return place;
  }
}
