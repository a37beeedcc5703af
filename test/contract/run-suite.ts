// One suite of holdfast/testing on one backend, on a storage of its own.

import { afterAll, beforeAll, describe, test } from "vitest";

import type { SuiteHooks, SuiteOptions } from "../../src/testing/index.ts";
import { backends, suites, type BackendUnderTest, type Storage } from "./backends.ts";

/** Each on a storage of its own. */
export function runOnEveryBackend(suiteName: string): void {
  runOnEach(suiteName, backends);
}

/** The same on these. `place`: what their names begin with in titles. */
export function runOnEach(
  suiteName: string,
  each: Readonly<Record<string, BackendUnderTest>>,
  place = "",
): void {
  const suite = suites[suiteName];
  if (suite === undefined) throw new Error(`there is no suite ${suiteName}`);
  for (const [name, backend] of Object.entries(each))
    runSuite(`${suiteName} on ${place}${name}`, suite, backend);
}

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
      test: (title, fn) => test(title, fn, 60_000),
      skip: (title, reason) => test.skip(`${title} (${reason})`),
      createBackend: () => storage.createBackend(),
      pushes: backend.pushes,
      hooks: hooksOf(backend, () => storage),
    });
  });
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
