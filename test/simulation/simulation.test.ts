// The simulation itself: a seed repeats its runs, the present core passes, and what had been mended is found again where the
// mend is undone. Each run is a process of its own, since it replaces the timers of its process.

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

import { readOptions } from "./options.ts";

const root = join(import.meta.dirname, "../..");
const temporary = join(root, "temp/simulation");
const minutes = 60_000;

interface Run {
  readonly code: number;
  readonly text: string;
}

function simulate(...args: string[]): Promise<Run> {
  const main = join(import.meta.dirname, "main.ts");
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (_error, text, problems) =>
      resolve({ code: child.exitCode ?? -1, text: `${text}${problems}` }),
    );
  });
}

/** A mend, and how it is undone: by replacing a text that stands in its file once. */
interface Mend {
  readonly name: string;
  readonly undo: { readonly file: string; readonly find: string; readonly replace: string };
  /** The rule that finds it. */
  readonly finds: string;
}

const mends: readonly Mend[] = [
  {
    name: "kept-lock-after-its-lease",
    undo: {
      file: "calls/backend-calls.ts",
      find: "return carryOut(receipt, firstSentAt);",
      replace: "return carryOut(receipt, sentAt);",
    },
    finds: "held-past-lease",
  },
  {
    name: "await-earlier-update",
    undo: {
      file: "updates/batch-run.ts",
      find: "if ((batch.isEmpty && onSlow === undefined) || (await isOverSoon(over))) return undefined;",
      replace: "if (over !== undefined) return undefined;",
    },
    finds: "not-settled",
  },
  {
    name: "answer-from-unsaved-change",
    undo: {
      file: "updates/batch.ts",
      find: "change.fail(failure === undefined || onUnsaved ? error : failure.error);",
      replace: "change.fail(failure === undefined ? error : failure.error);",
    },
    finds: "dirty-read",
  },
  {
    name: "unreadable-after-save",
    undo: {
      file: "updates/changes/draft-change.ts",
      find: "this.#result = after === undefined ? undefined : codec.readBack(after);",
      replace: `this.settle = () => {
        try { this.resolve(after === undefined ? undefined : codec.decode(after)); } catch (error) { this.fail(error); }
      };`,
    },
    finds: "failed-present",
  },
  {
    name: "two-late-renewals",
    undo: {
      file: "leases/watchdog.ts",
      find: 'valid: ["valid", "renewing"],',
      replace: 'valid: ["renewing"],',
    },
    finds: "unhandled",
  },
];

/** A copy of the sources without the mend. */
function undone({ name, undo }: Mend): string {
  const folder = join(temporary, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "src"), folder, { recursive: true });
  const path = join(folder, undo.file);
  const parts = readFileSync(path, "utf8").split(undo.find);
  if (parts.length !== 2)
    throw new Error(
      `${undo.file} has ${parts.length - 1} times the text that undoes ${name}: look where it went`,
    );
  writeFileSync(path, parts.join(undo.replace));
  return folder;
}

afterAll(() => rmSync(temporary, { recursive: true, force: true }));

test(
  "the core keeps its promises in some hundred worlds, and a seed repeats them",
  { timeout: 10 * minutes },
  async () => {
    const args = ["--seed", "fixed", "--calls", "6000"];
    const [once, again] = await Promise.all([simulate(...args), simulate(...args)]);
    expect(once.text).toContain("found: violations: 0");
    expect(once.code).toBe(0);
    const digest = (text: string): string | undefined => /^digest (\w{40})$/m.exec(text)?.[1];
    expect(digest(once.text)).toBeDefined();
    expect(digest(again.text)).toBe(digest(once.text));
  },
);

test("another seed is another history", { timeout: 5 * minutes }, async () => {
  const [a, b] = await Promise.all(["a", "b"].map((seed) => simulate("--seed", seed, "--world", "0")));
  expect(a?.text).toMatch(/^digest /m);
  expect(a?.text.split("digest ")[1]).not.toBe(b?.text.split("digest ")[1]);
});

test("a job may fail on what a later job of its batch deletes, so that neither was ever stored", async () => {
  const { code, text } = await simulate("--seed", "jhyuzj7i", "--world", "2620");
  expect(text).toMatch(/^ +save .*CONFLICT /m);
  expect(text).toContain("found: violations: 0");
  expect(code).toBe(0);
});

test.each(mends)("without its mend, $name is found as $finds", { timeout: 20 * minutes }, async (mend) => {
  const { code, text } = await simulate(
    "--core",
    undone(mend),
    "--seed",
    "undone",
    "--first",
    "--calls",
    "1000000",
  );
  expect(text).toMatch(new RegExp(`^  world \\d+: ${mend.finds}: `, "m"));
  expect(text).toMatch(/^see the first: npm run simulate -- --seed undone --world \d+ --trace$/m);
  expect(code).toBe(1);
});

test("options: 20 000 calls and a seed of its own, unless they are given", () => {
  expect(readOptions([])).toMatchObject({ calls: 20_000, seconds: Infinity, world: undefined, first: false });
  expect(readOptions(["--seconds", "60"])).toMatchObject({ calls: Infinity, seconds: 60 });
  expect(readOptions([]).seed).not.toBe(readOptions([]).seed);
  expect(
    readOptions("--seed x --calls 7 --world 3 --trace --first --core elsewhere".split(" ")),
  ).toMatchObject({
    ...{ seed: "x", calls: 7, world: 3, trace: true, first: true, core: "elsewhere" },
  });
});

test.each([
  ["--calls none", /--calls takes a whole number from 1 to 1000000000; got "none"/],
  ["--seconds 0", /--seconds takes a whole number from 1 to 86400/],
  ["--colour", /--colour/],
])("%s is refused", (args, message) => {
  expect(() => readOptions(args.split(" "))).toThrow(message);
});
