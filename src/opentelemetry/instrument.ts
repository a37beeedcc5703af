/**
 * Subscribes to the tracing channels, and has spans and metrics made of their events. One instrumentation at a time in a
 * process, also if the package is loaded twice, since two would count everything twice.
 */
import type { TracingChannel } from "node:diagnostics_channel";
import type { Attributes, Context, MeterProvider, TracerProvider } from "@opentelemetry/api";
import { traces, type SaveTrace } from "../diagnostics/traces.ts";
import { InvalidArgumentError } from "../errors.ts";
import { parseOptions, show, type Parser } from "../parse-options.ts";
import { ActiveContext } from "./active-context.ts";
import { attributesOf, type AnyTrace, type GroupOf } from "./attributes.ts";
import { Metrics } from "./metrics.ts";
import { Spans } from "./spans.ts";

/** Options of `instrument()`. */
export interface InstrumentOptions {
  /** Makes the spans. Default: the global one of `@opentelemetry/api`. */
  tracerProvider?: TracerProvider | undefined;
  /** Makes the metrics. Default: the global one. */
  meterProvider?: MeterProvider | undefined;
  /**
   * Makes a group of an id, such as `invoice` of `invoice:7`: the attribute `holdfast.group` of spans and metrics.
   * `undefined`: none. Keep the groups few, since a metric has a series for each. Default: no groups. Ids are in no
   * attribute.
   */
  groupOf?: ((id: string) => string | undefined) | undefined;
}

/** What `instrument()` returns. */
export interface Instrumentation extends Disposable {
  /** Ends all spans that have not ended, and makes no more spans and metrics. May be repeated. */
  disable(): void;
}

const key = Symbol.for("holdfast.opentelemetry.1");
const process: { [key]?: Instrumentation | undefined } = globalThis as object;

/**
 * Makes spans and metrics of what all stores of this process do from now on, those that are open already included. If it
 * is called again, that replaces the earlier call.
 *
 * @param options the providers, and how ids are grouped.
 * @returns what ends it.
 * @throws InvalidArgumentError if an option is wrong.
 * @example
 * ```ts
 * import { instrument } from "holdfast/opentelemetry";
 *
 * instrument({ groupOf: (id) => id.split(":")[0] });
 * ```
 */
export function instrument(options: InstrumentOptions = {}): Instrumentation {
  const { tracerProvider, meterProvider, groupOf } = parseOptions<InstrumentOptions>(
    "instrument()",
    options,
    { tracerProvider: provider("getTracer"), meterProvider: provider("getMeter"), groupOf: grouping },
  );
  process[key]?.disable();
  const running = new Running(new Spans(tracerProvider), new Metrics(meterProvider), groupOf);
  process[key] = running;
  return running;
}

class Running implements Instrumentation {
  readonly #spans: Spans;
  readonly #metrics: Metrics;
  readonly #groupOf: GroupOf | undefined;
  readonly #context = new ActiveContext();
  readonly #stops: (() => void)[] = [];

  constructor(spans: Spans, metrics: Metrics, groupOf: GroupOf | undefined) {
    this.#spans = spans;
    this.#metrics = metrics;
    this.#groupOf = groupOf;
    this.#follow(traces.acquire, {
      began: (trace, attributes) => {
        metrics.acquireBegan(trace, attributes);
        return spans.begin("holdfast acquire", trace, attributes);
      },
      ended: (trace) => metrics.acquireEnded(trace),
    });
    this.#follow(traces.hold, {
      began: (trace, attributes) => {
        metrics.holdBegan(trace, attributes);
        return spans.begin("holdfast hold", trace, attributes);
      },
      ended: (trace) => metrics.holdEnded(trace),
    });
    this.#follow(traces.update, {
      began: (trace, attributes) => {
        metrics.updateBegan(trace, attributes);
        return spans.begin("holdfast update", trace, attributes);
      },
      ended: (trace) => metrics.updateEnded(trace),
    });
    this.#follow<SaveTrace>(traces.save, {
      began: (trace, attributes) => spans.beginSave("holdfast save", trace, attributes),
      ended: (trace) => metrics.saved(trace, attributesOf(trace, groupOf)),
    });
  }

  disable(): void {
    for (const stop of this.#stops.splice(0)) stop();
    this.#spans.close();
    this.#metrics.close();
    if (process[key] === this) process[key] = undefined;
  }

  [Symbol.dispose](): void {
    this.disable();
  }

  #follow<T extends AnyTrace>(
    channel: TracingChannel<unknown, T>,
    on: { began: (trace: T, attributes: Attributes) => Context; ended: (trace: T) => void },
  ): void {
    const start = channel.start as unknown as StoresOf<T>;
    const ended = (message: unknown): void => {
      on.ended(message as T);
      this.#spans.end(message as T);
    };
    start.bindStore(this.#context, (trace) => on.began(trace, attributesOf(trace, this.#groupOf)));
    channel.asyncEnd.subscribe(ended);
    this.#stops.push(
      () => start.unbindStore(this.#context),
      () => channel.asyncEnd.unsubscribe(ended),
    );
  }
}

interface StoresOf<T> {
  bindStore(store: ActiveContext, transform: (trace: T) => Context): void;
  unbindStore(store: ActiveContext): void;
}

function provider(method: "getTracer" | "getMeter"): Parser<never> {
  return (value, name) => {
    const given = value as Record<string, unknown> | null | undefined;
    if (typeof given?.[method] === "function") return value as never;
    throw new InvalidArgumentError(`${name} must have a method ${method}(); got ${show(value)}.`);
  };
}

const grouping: Parser<GroupOf> = (value, name) => {
  if (typeof value === "function") return value as GroupOf;
  throw new InvalidArgumentError(`${name} must be a function from an id to its group; got ${show(value)}.`);
};
