// Where warnings go: to the subscribers of the channel, or to the process.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, expect, test, vi } from "vitest";

import { warn } from "../../../src/diagnostics/events.ts";
import { open } from "../../../src/index.ts";

afterEach(() => void vi.restoreAllMocks());

function emitted() {
  return vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
}

test("a warning goes to the subscribers of the channel, and to the process if there are none", () => {
  const toProcess = emitted();
  const heard: unknown[] = [];
  const listen = (event: unknown): void => void heard.push(event);
  subscribe("holdfast:warning", listen);
  warn("test-heard", "one");
  unsubscribe("holdfast:warning", listen);
  warn("test-heard", "two");
  expect(heard).toEqual([{ cause: "test-heard", message: "one" }]);
  expect(toProcess.mock.calls).toEqual([["two", { type: "HoldfastWarning", code: "test-heard" }]]);
});

test("at most ten of one cause go to the process in a minute", () => {
  const toProcess = emitted();
  for (let n = 0; n < 25; n += 1) warn("test-many", String(n));
  warn("test-other", "this one too");
  expect(toProcess).toHaveBeenCalledTimes(11);
});

test("[P3] the tenth store that is open on one target is a warning without a password, once", async () => {
  const toProcess = emitted();
  const target = "redis://user:hunter2secret@nowhere.invalid:1";
  const openNine = () => Array.from({ length: 9 }, () => open(target));
  const closeAll = (stores: ReturnType<typeof openNine>) => Promise.all(stores.map((one) => one.close()));
  await closeAll(openNine());
  const nine = openNine(); // the first nine were closed
  const others = Array.from({ length: 30 }, () => open("memory:"));
  expect(toProcess).not.toHaveBeenCalled();
  const more = openNine();
  expect(toProcess).toHaveBeenCalledTimes(1);
  const [message, options] = toProcess.mock.calls[0] ?? [];
  expect(options).toEqual({ type: "HoldfastWarning", code: "many-stores" });
  expect(message).toContain("10 stores open on redis://nowhere.invalid:1,");
  expect(message).not.toContain("hunter2secret");
  await closeAll([...nine, ...more, ...others]);
});
