// The spans that `holdfast/opentelemetry` makes, by the real SDK with an exporter that keeps them.

import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { InvalidArgumentError, open, type Store } from "../../../src/index.ts";
import { instrument } from "../../../src/opentelemetry/index.ts";
import { poll } from "../../support/poll.ts";

const exporter = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = tracerProvider.getTracer("application");
let store: Store;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => context.disable());
beforeEach(() => {
  exporter.reset();
  store = open("memory:");
});
afterEach(async () => {
  instrument({ tracerProvider }).disable();
  await store.close({ drainMs: 0 });
});

function request<R>(name: string, body: () => Promise<R>): Promise<R> {
  return tracer.startActiveSpan(name, (span) => body().finally(() => span.end()));
}

const spans = (name: string): ReadableSpan[] =>
  exporter.getFinishedSpans().filter((span) => span.name === name);
const only = (name: string): ReadableSpan => {
  const [first, ...others] = spans(name);
  if (first === undefined || others.length > 0)
    throw new Error(`${String(others.length + 1)} spans: ${name}`);
  return first;
};
const idOf = (span: ReadableSpan): string => span.spanContext().spanId;
const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId;

test("acquire and hold are children of the request, and the body's spans are children of the hold", async () => {
  instrument({ tracerProvider });
  let fence = 0;
  await request("GET /", async () => {
    await store.lock("x").run(async (grant) => {
      ({ fence } = grant);
      await request("inside", () => Promise.resolve());
    });
    await request("after", () => Promise.resolve());
  });
  const root = only("GET /");
  expect(parentOf(only("holdfast acquire"))).toBe(idOf(root));
  expect(parentOf(only("holdfast hold"))).toBe(idOf(root));
  expect(parentOf(only("inside"))).toBe(idOf(only("holdfast hold")));
  expect(parentOf(only("after"))).toBe(idOf(root));
  expect(only("holdfast acquire").attributes).toEqual({
    "holdfast.lock.kind": "lock",
    "holdfast.outcome": "granted",
    "holdfast.fence": fence,
    "holdfast.wait.duration": expect.any(Number) as number,
  });
  expect(only("holdfast hold").attributes).toEqual({
    "holdfast.lock.kind": "lock",
    "holdfast.outcome": "released",
    "holdfast.fence": fence,
  });
  expect(JSON.stringify(exporter.getFinishedSpans().map(({ attributes }) => attributes))).not.toContain(
    '"x"',
  );
});

test("an update's function runs under its span; a save is linked to the updates that it answers", async () => {
  instrument({ tracerProvider });
  const counter = store.state("n", { initial: () => 0 });
  const update = (who: string): Promise<number> =>
    request(who, () =>
      counter.update(async (n) => {
        await request(`${who} inside`, () => Promise.resolve());
        return n + 1;
      }),
    );
  await Promise.all([update("a"), update("b"), update("c")]);
  const save = only("holdfast save");
  const updates = spans("holdfast update");
  expect(updates).toHaveLength(3);
  for (const who of ["a", "b", "c"]) {
    const own = updates.find((span) => parentOf(span) === idOf(only(who)));
    expect(own).toBeDefined();
    expect(parentOf(only(`${who} inside`))).toBe(own && idOf(own));
    expect(own?.links.map((link) => link.context.spanId)).toEqual([idOf(save)]);
    expect(own?.attributes).toMatchObject({
      "holdfast.update.kind": "update",
      "holdfast.outcome": "saved",
      "holdfast.update.batch_size": 3,
      "holdfast.fence": expect.any(Number) as number,
      "holdfast.wait.duration": expect.any(Number) as number,
    });
  }
  expect(save.links.map((link) => link.context.spanId)).toEqual(updates.map((span) => idOf(span)));
  expect(parentOf(save)).toBe(idOf(updates[0]!));
  expect(save.attributes).toEqual({
    "holdfast.outcome": "saved",
    "holdfast.update.batch_size": 3,
    "holdfast.save.bytes": 1,
  });
});

test("each method that changes states is the kind of an update", async () => {
  instrument({ tracerProvider });
  const state = store.state("x", { initial: () => ({ n: 0 }) });
  await state.save({ n: 1 });
  await state.update((draft) => void (draft.n = 2));
  await state.run((draft) => void (draft.n = 3));
  await state.take();
  await state.delete();
  await store.transact([state], ([draft]) => void (draft.n = 4));
  await store.once("x", { keepMs: 60_000 }).run(() => undefined);
  const kinds = ["save", "update", "run", "take", "delete", "transact", "once"];
  expect(spans("holdfast update").map(({ attributes }) => attributes["holdfast.update.kind"])).toEqual(kinds);
  for (const { attributes } of spans("holdfast update")) {
    expect(attributes).not.toHaveProperty(["holdfast.lock.kind"]);
  }
});

test("errors are recorded with the stack of the call; a try that finds the lock busy is no error", async () => {
  instrument({ tracerProvider });
  await store.lock("x").acquire();
  const other = open("memory:");
  await other.close();
  expect(await store.lock("x").tryAcquire()).toBeNull();
  expect(spans("holdfast acquire").at(-1)).toMatchObject({
    attributes: { "holdfast.outcome": "busy" },
    status: { code: SpanStatusCode.UNSET },
    events: [],
  });
  async function theCaller(): Promise<unknown> {
    return await store.lock("x").acquire({ waitMs: 10 });
  }
  await expect(theCaller()).rejects.toThrow("x");
  const failed = spans("holdfast acquire").at(-1)!;
  expect(failed.attributes).toMatchObject({ "holdfast.outcome": "timeout", "error.type": "LOCK_TIMEOUT" });
  expect(failed.status.code).toBe(SpanStatusCode.ERROR);
  expect(failed.events[0]?.attributes?.["exception.stacktrace"]).toContain("theCaller");

  await expect(
    store.state<number>("n").update(() => {
      throw new TypeError("mine");
    }),
  ).rejects.toThrow("mine");
  expect(only("holdfast update")).toMatchObject({
    attributes: { "holdfast.outcome": "failed", "error.type": "TypeError" },
    status: { code: SpanStatusCode.ERROR, message: "mine" },
  });
});

test("a hold that is lost has the loss, where the caller's request is", async () => {
  instrument({ tracerProvider });
  const grant = await request("GET /", () => store.lock("x").acquire());
  await store.lock("x").forceRelease();
  await poll(() => spans("holdfast hold").length).toBe(1);
  expect(only("holdfast hold")).toMatchObject({
    attributes: { "holdfast.outcome": "lost", "error.type": "LOCK_LOST", "holdfast.fence": grant.fence },
  });
  expect(parentOf(only("holdfast hold"))).toBe(idOf(only("GET /")));
});

test("groups are made by the application's function, and its errors stay there", async () => {
  instrument({ tracerProvider, groupOf: (id) => id.split(":")[0] });
  await store.lock("invoice:7").run(() => undefined);
  await store.lockAll(["invoice:7", "invoice:8", "user:1"]).run(() => undefined);
  expect(spans("holdfast hold").map(({ attributes }) => attributes["holdfast.group"])).toEqual([
    "invoice",
    "invoice,user",
  ]);
  exporter.reset();
  instrument({
    tracerProvider,
    groupOf: () => {
      throw new Error("no group");
    },
  });
  expect(await store.lock("invoice:7").run(() => "done")).toBe("done");
  expect(only("holdfast hold").attributes).not.toHaveProperty("holdfast.group");
});

test("a second call replaces the first; disable() ends what goes on, and then nothing more is made", async () => {
  const first = instrument({ tracerProvider });
  const second = instrument({ tracerProvider });
  const held = await store.lock("x").acquire();
  expect(spans("holdfast acquire")).toHaveLength(1);
  first.disable();
  await store.lock("y").run(() => undefined);
  expect(spans("holdfast acquire")).toHaveLength(2);
  second.disable();
  second.disable();
  expect(spans("holdfast hold")).toHaveLength(2); // that of x has ended as well
  exporter.reset();
  await held.release();
  await store.lock("x").run(() => expect(trace.getActiveSpan()).toBeUndefined());
  expect(exporter.getFinishedSpans()).toEqual([]);
});

test("wrong options are refused", () => {
  const wrong: object[] = [{ tracerProvider: {} }, { meterProvider: null }, { groupOf: "x" }, { group: 1 }];
  for (const options of wrong) expect(() => instrument(options)).toThrow(InvalidArgumentError);
});
