// One suite of holdfast/testing on one backend, on a storage of its own.

import { afterAll, beforeAll, describe, test } from "vitest";

import type { SuiteHooks, SuiteOptions } from "../../src/testing/index.ts";
import { permitCases } from "../../src/testing/lock-suite/contract-permits.ts";
import { sharedCases } from "../../src/testing/lock-suite/contract-shared.ts";
import type { BackendUnderTest, Storage } from "./backends.ts";

/** Backends whose shared locks and semaphores are still to come: their cases are listed as "todo". */
const withoutShares = ["backends/redis/backend.ts"];

export function runSuite(
  title: string,
  suite: (options: SuiteOptions) => void,
  backend: BackendUnderTest,
): void {
  describe(title, () => {
    let storage: Storage;
    beforeAll(async () => {
      storage = await backend.create();
    });
    afterAll(() => storage.end());
    suite({
      test: (title, fn) => (isToCome(title, backend) ? test.todo(title) : test(title, fn, 60_000)),
      skip: (title, reason) => test.skip(`${title} (${reason})`),
      createBackend: () => storage.createBackend(),
      pushes: backend.pushes,
      hooks: hooksOf(backend, () => storage),
    });
  });
}

function isToCome(title: string, { file }: BackendUnderTest): boolean {
  return withoutShares.includes(file) && sharedCases.concat(permitCases).some(({ name }) => name === title);
}

/** The hooks that the storage will bring once it is there. */
function hooksOf({ hooks }: BackendUnderTest, storage: () => Storage): SuiteHooks {
  const later = hooks.map((name) => {
    const hook = (...args: never[]): unknown =>
      (storage().hooks[name] as (...args: never[]) => unknown)(...args);
    return [name, hook];
  });
  return Object.fromEntries(later) as SuiteHooks;
}
