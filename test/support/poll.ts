// expect.poll with patience: what must come may take long on a busy machine, and is looked for often.

import { expect } from "vitest";

export function poll<T>(look: () => T | Promise<T>): ReturnType<typeof expect.poll<T>> {
  return expect.poll(look, { timeout: 15_000, interval: 10 });
}
