// A process of its own whose spans are asked for as JSON. It speaks the language of test/support/worker.ts:
//   "update" {id, who, gated}: for each name in `who`, all at once, a request with an update, whose function tells that it
//   runs; if it is gated, it awaits "go"
//   "lock" {id, who}: a request with a run under a lock; "go"; "spans": those that have ended

import { createInterface } from "node:readline";

import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";

import { open } from "../../../src/index.ts";
import { instrument } from "../../../src/opentelemetry/index.ts";

interface Order {
  readonly n: number;
  readonly op: keyof typeof operations;
  readonly id: string;
  readonly who: readonly string[];
  readonly gated?: boolean;
}

/** A span, as the test gets it. */
export interface ToldSpan {
  readonly name: string;
  readonly id: string;
  readonly traceId: string;
  readonly parent: string | undefined;
  readonly links: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
}

const exporter = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
);
const store = open(process.argv[2]);
instrument(); // after the store was opened
let openGate = (): void => undefined;
const gate = new Promise<void>((resolve) => (openGate = resolve));
const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

function request<R>(name: string, body: () => Promise<R>): Promise<R> {
  return trace.getTracer("application").startActiveSpan(name, (span) => body().finally(() => span.end()));
}

function update({ id, gated }: Order, who: string): Promise<number> {
  return request(who, () =>
    store.state(id, { initial: () => 0 }).update((n) => {
      tell({ running: who });
      const inside = (): Promise<number> => request(`${who} inside`, () => Promise.resolve(n + 1));
      return gated === true ? gate.then(inside) : inside();
    }),
  );
}

function lock({ id }: Order, who: string): Promise<string> {
  const inside = (): Promise<string> => request(`${who} inside`, () => Promise.resolve("done"));
  return request(who, () => store.lock(id).run(inside));
}

const operations = {
  update: (order: Order) => Promise.all(order.who.map((who) => update(order, who))),
  lock: (order: Order) => Promise.all(order.who.map((who) => lock(order, who))),
  go: () => {
    openGate();
    return Promise.resolve("gone");
  },
  spans: () =>
    Promise.resolve(
      exporter.getFinishedSpans().map((span): ToldSpan => ({
        name: span.name,
        id: span.spanContext().spanId,
        traceId: span.spanContext().traceId,
        parent: span.parentSpanContext?.spanId,
        links: span.links.map((link) => link.context.spanId),
        attributes: span.attributes,
      })),
    ),
};

for await (const line of createInterface(process.stdin)) {
  const order = JSON.parse(line) as Order;
  operations[order.op](order).then(
    (ok) => tell({ n: order.n, ok }),
    (error: unknown) => tell({ n: order.n, error: { message: String(error) } }),
  );
}
