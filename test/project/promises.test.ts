// That nothing is left out: every backend goes through every suite, and every promise is cited where it must be.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import * as testing from "../../src/testing/index.ts";
import { backends, suites } from "../contract/backends.ts";
import { clients } from "../contract/clients.ts";

const numbered = (letter: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${letter}${String(n + 1)}`);
const promises = [...numbered("S", 9), ...numbered("L", 15), ...numbered("P", 3), "O1", "E1", "E2"];
/** Those that are the core's alone: re-entry, drafts, deadlines and the life of a process are not the backend's business. */
const notOfBackends = ["L4", "L5", "L14", "P1", "P2", "O1", "E1"];

/** Promises that a backend does not keep, or that do not apply to it: SQLite cannot push, and only Redis has foreign clients. */
const notKept: Readonly<Record<string, readonly string[]>> = {
  memory: ["L11"],
  SQLite: ["L8", "L11"],
  Redis: [],
};

/** The end of a process, and every text that it writes: a single process cannot see them. */
const notOfSuites = ["P1", "P3"];

const root = join(import.meta.dirname, "../..");

function sources(folder: string): { path: string; text: string }[] {
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return paths
    .filter((path) => /\.(ts|lua)$/.test(path))
    .map((path) => ({
      path: join(folder, path).replaceAll("\\", "/"),
      text: readFileSync(join(root, folder, path), "utf8"),
    }));
}

const inSrc = sources("src");
const inTest = sources("test");

/** Strings that begin with promises, as names of tests do: `"[S4] [L4] …`. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/["'`]((?:\[[SLPOE]\d+\] ?)+)[^\n]*/g)].map(([name]) => name);
}

function cited(text: string): Set<string> {
  return new Set([...text.matchAll(/\[([SLPOE]\d+)\]/g)].map(([, promise = ""]) => promise));
}

/** The titles of the cases that run on a backend; those that it skips, with the reason. */
function casesOf(name: string): { ran: Set<string>; skipped: Map<string, string> } {
  const { pushes, hooks } = backends[name]!;
  const [ran, skipped] = [new Set<string>(), new Map<string, string>()];
  const none = (): never => {
    throw new Error("nothing runs here");
  };
  for (const suite of Object.values(suites)) {
    suite({
      test: (title) => ran.add(title),
      skip: (title, reason) => skipped.set(title, reason),
      createBackend: none,
      pushes,
      hooks: Object.fromEntries(hooks.map((hook) => [hook, none])),
    });
  }
  return { ran, skipped };
}

describe("pairs", () => {
  test("every backend of src/ is among those that the suites run on", () => {
    const implementing = inSrc
      .filter(
        ({ path, text }) =>
          /^src\/backends\/\w+\//.test(path) && /implements (contract\.)?Backend\b/.test(text),
      )
      .map(({ path }) => path.slice("src/".length));
    expect(implementing.length).toBeGreaterThan(0);
    expect(
      Object.values(backends)
        .map(({ file }) => file)
        .sort(),
    ).toEqual(implementing.sort());
  });

  test("every suite that is exported is among those that run", () => {
    const exported = Object.keys(testing).filter((name) => name.endsWith("Suite"));
    expect([...Object.keys(suites), "clientSuite"].sort()).toEqual(exported.sort());
    for (const [name, suite] of Object.entries(suites)) expect(suite).toBe(testing[name as "stateSuite"]);
  });

  test("the client suite runs on every adapter of src/, and on both majors of each package", () => {
    const adapters = inSrc
      .filter(({ path, text }) => path.startsWith("src/backends/") && /implements RedisClient\b/.test(text))
      .map(({ path }) => path.slice("src/".length));
    expect(adapters.length).toBeGreaterThan(2);
    const run = Object.entries(clients);
    expect([...new Set(run.map(([, { file }]) => file))].sort()).toEqual(adapters.sort());
    expect(run.map(([name]) => name)).toEqual(
      expect.arrayContaining(["@redis/client 5", "@redis/client 6", "ioredis 5", "ioredis 6"]),
    );
    const { text } = inTest.find(({ path }) => path === "test/contract/clients.test.ts") ?? { text: "" };
    expect(text).toContain("of Object.entries(clients)");
    expect(text).not.toMatch(/\b(skipIf|runIf|todo|only|continue|return;)\b/);
  });

  test("every suite runs on every backend, and cannot leave one out", () => {
    const textOf = (path: string): string => inTest.find((file) => file.path === path)?.text ?? "";
    expect(textOf("test/contract/run-suite.ts")).toContain("runOnEach(suiteName, backends)");
    for (const name of Object.keys(suites)) {
      const text = textOf(`test/contract/${name.replace("Suite", "-suite")}.test.ts`);
      expect(text).toContain(`\nrunOnEveryBackend("${name}");\n`);
      expect(text).not.toMatch(/\b(skipIf|runIf|todo|only|continue|return;|if)\b/);
    }
  });

  test.each(Object.keys(backends))("the suites of %s say what they skip, and why", (name) => {
    const { ran, skipped } = casesOf(name);
    for (const reason of skipped.values()) {
      expect(reason).toMatch(/pushes no wakes|brings no hook \w+\(\)/);
    }
    // Redis can do everything; nobody skips more than the few cases that need what it cannot.
    expect(skipped.size).toBeLessThan(name === "Redis" ? 1 : ran.size / 8);
    for (const title of [...ran, ...skipped.keys()]) expect(title).toMatch(/^(\[[SLPOE]\d+\] )+\S/);
  });

  test.each(Object.keys(backends))("a case that runs on %s proves each promise", (name) => {
    const proved = cited([...casesOf(name).ran].join("\n"));
    const missing = promises.filter((promise) => !proved.has(promise));
    expect(missing).toEqual([...notKept[name]!, ...notOfSuites]);
  });

  test("without skip(), a case that cannot run is named in the output with its reason", async () => {
    const named: string[] = [];
    const run = (title: string, fn: () => Promise<void>): void => {
      if (title.includes("(skipped: ")) {
        named.push(title);
        void fn();
      }
    };
    testing.lockSuite({ test: run, createBackend: () => ({}) as never, pushes: false });
    expect(named).toContainEqual(expect.stringMatching(/skipped: the backend pushes no wakes\)$/));
    expect(named).toContainEqual(
      expect.stringMatching(/skipped: the backend brings no hook deleteLock\(\)\)$/),
    );
  });
});

describe("citations", () => {
  const ofSuites = inSrc.filter(({ path }) => path.startsWith("src/testing/"));
  const suiteNames = ofSuites.flatMap(({ text }) => namesIn(text));
  const testNames = inTest.flatMap(({ text }) => namesIn(text));

  test.each(promises)("[%s] is the beginning of a test's name", (promise) => {
    expect(cited([...suiteNames, ...testNames].join("\n"))).toContain(promise);
  });

  test("the exported suites for backends prove every promise that a single process can see", () => {
    const ofBackends = ofSuites.filter(({ path }) => !path.startsWith("src/testing/client-suite"));
    const proved = cited(ofBackends.flatMap(({ text }) => namesIn(text)).join("\n"));
    expect(promises.filter((promise) => !proved.has(promise))).toEqual(notOfSuites);
  });

  test("the contract cites every promise that a backend must keep", () => {
    const contract = inSrc.filter(({ path }) =>
      /^src\/backends\/(contract|contract-listing|contract-shares|contract-types|contract-waits)\.ts$/.test(
        path,
      ),
    );
    const cites = cited(contract.map(({ text }) => text).join("\n"));
    const missing = promises.filter((promise) => !notOfBackends.includes(promise) && !cites.has(promise));
    expect(missing).toEqual([]);
  });

  test("the code cites every promise outside of its tests", () => {
    const code = inSrc.filter(({ path }) => !path.startsWith("src/testing/"));
    const cites = cited(code.map(({ text }) => text).join("\n"));
    expect(promises.filter((promise) => !cites.has(promise))).toEqual([]);
  });

  test("nobody cites a promise that does not exist", () => {
    const known = new Set(promises);
    const wrong = [...inSrc, ...inTest].flatMap(({ path, text }) =>
      [...cited(text)].filter((promise) => !known.has(promise)).map((promise) => `${path}: ${promise}`),
    );
    expect(wrong).toEqual([]);
  });
});
