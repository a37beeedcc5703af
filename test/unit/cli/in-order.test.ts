// Several items in progress, within bounds, and results in order.

import { expect, test } from "vitest";

import { inOrder } from "../../../src/cli/transfer/in-order.ts";

async function* numbers(count: number): AsyncGenerator<number> {
  for (let n = 0; n < count; n += 1) yield await Promise.resolve(n);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Returns the results, and how many were in progress at most. */
async function work(
  count: number,
  bytes: number,
  failsAt = -1,
): Promise<{ results: number[]; most: number }> {
  let [running, most] = [0, 0];
  const results: number[] = [];
  const double = async (n: number): Promise<number> => {
    running += 1;
    most = Math.max(most, running);
    for (let turns = 0; turns < 1 + ((n * 7) % 5); turns += 1) await turn();
    running -= 1;
    if (n === failsAt) throw new Error(`failed at ${String(n)}`);
    return n * 2;
  };
  try {
    for await (const result of inOrder(numbers(count), () => bytes, double)) results.push(result);
  } finally {
    expect(running).toBe(0); // also after a failure, nothing goes on
  }
  return { results, most };
}

test("results come in the order of the items, 16 at a time", async () => {
  const { results, most } = await work(100, 1);
  expect(results).toEqual(Array.from({ length: 100 }, (_, n) => n * 2));
  expect(most).toBe(16);
});

test("large items are worked on alone, or a few at a time", async () => {
  expect((await work(10, 8 * 1024 * 1024)).most).toBe(4);
  expect((await work(10, 100 * 1024 * 1024)).most).toBe(1);
});

test("a failure is thrown once the others have ended", async () => {
  await expect(work(100, 1, 40)).rejects.toThrow("failed at 40");
});
