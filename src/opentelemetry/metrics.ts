/** The metrics: how long callers wait, hold and update, how many do, and what is lost. */
import { metrics, type Attributes, type MeterProvider } from "@opentelemetry/api";
import type { SaveTrace } from "../diagnostics/traces.ts";
import { now } from "../timers.ts";
import { endAttributesOf, type AnyTrace } from "./attributes.ts";

/** From half a millisecond, a round trip to a server nearby, to minutes, the wait for a job. */
const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];

interface Running {
  readonly beganAt: number;
  readonly attributes: Attributes;
}

export class Metrics {
  readonly #provider: MeterProvider | undefined;
  #made: ReturnType<typeof makeInstruments> | undefined;
  readonly #waiting = new Map<AnyTrace, Running>();
  readonly #held = new Map<AnyTrace, Running>();
  readonly #updating = new Map<AnyTrace, Running>();

  constructor(provider: MeterProvider | undefined) {
    this.#provider = provider;
  }

  acquireBegan(trace: AnyTrace, attributes: Attributes): void {
    this.#waiting.set(trace, { beganAt: now(), attributes });
    this.#all.waiting.add(1, attributes);
  }

  acquireEnded(trace: AnyTrace): void {
    const running = take(this.#waiting, trace);
    if (running === undefined) return;
    this.#all.waiting.add(-1, running.attributes);
    if ("nested" in trace && trace.nested) return; // it had the lock already
    this.#all.wait.record(secondsOf(running), { ...running.attributes, ...endAttributesOf(trace) });
  }

  holdBegan(trace: AnyTrace, attributes: Attributes): void {
    this.#held.set(trace, { beganAt: now(), attributes });
    this.#all.held.add(1, attributes);
  }

  holdEnded(trace: AnyTrace): void {
    const running = take(this.#held, trace);
    if (running === undefined) return;
    this.#all.held.add(-1, running.attributes);
    if (trace.outcome === "lost") this.#all.lost.add(1, running.attributes);
    this.#all.hold.record(secondsOf(running), { ...running.attributes, ...endAttributesOf(trace) });
  }

  updateBegan(trace: AnyTrace, attributes: Attributes): void {
    this.#updating.set(trace, { beganAt: now(), attributes });
  }

  updateEnded(trace: AnyTrace): void {
    const running = take(this.#updating, trace);
    if (running === undefined) return;
    this.#all.update.record(secondsOf(running), { ...running.attributes, ...endAttributesOf(trace) });
  }

  saved(trace: SaveTrace, attributes: Attributes): void {
    if (trace.outcome === "saved") this.#all.batchSize.record(trace.size, attributes);
  }

  /** What goes on is not counted any more. */
  close(): void {
    for (const { attributes } of this.#waiting.values()) this.#all.waiting.add(-1, attributes);
    for (const { attributes } of this.#held.values()) this.#all.held.add(-1, attributes);
    for (const running of [this.#waiting, this.#held, this.#updating]) running.clear();
  }

  /** Made at the first event: by then, the application has set its provider. */
  get #all() {
    return (this.#made ??= makeInstruments(this.#provider));
  }
}

function makeInstruments(provider: MeterProvider | undefined) {
  const meter = (provider ?? metrics).getMeter("holdfast");
  const duration = (name: string, description: string) =>
    meter.createHistogram(name, { description, unit: "s", advice: { explicitBucketBoundaries: seconds } });
  return {
    wait: duration("holdfast.lock.wait.duration", "How long callers waited for a lock"),
    hold: duration("holdfast.lock.hold.duration", "How long callers held a lock"),
    update: duration("holdfast.update.duration", "How long changes of states took, including their wait"),
    lost: meter.createCounter("holdfast.lock.lost", {
      description: "Locks that were lost while they were held",
      unit: "{lock}",
    }),
    held: meter.createUpDownCounter("holdfast.lock.held", {
      description: "Locks that callers hold now",
      unit: "{lock}",
    }),
    waiting: meter.createUpDownCounter("holdfast.lock.waiting", {
      description: "Callers that wait for a lock now",
      unit: "{caller}",
    }),
    batchSize: meter.createHistogram("holdfast.update.batch_size", {
      description: "How many calls a save has answered",
      unit: "{call}",
      advice: { explicitBucketBoundaries: sizes },
    }),
  };
}

function take(running: Map<AnyTrace, Running>, trace: AnyTrace): Running | undefined {
  const found = running.get(trace);
  running.delete(trace);
  return found;
}

function secondsOf({ beganAt }: Running): number {
  return (now() - beganAt) / 1_000;
}
