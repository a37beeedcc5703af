// The model: the protocol keeps its promises in every order of steps, and each planted fault is found.

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const temporary = join(root, "temp/model");
const minutes = 60_000;

interface Fault {
  readonly name: string;
  /** The text is in the file once. */
  readonly plant: { readonly file: string; readonly find: string; readonly replace: string };
  readonly program: string;
  /** The rule that finds it. */
  readonly finds: string;
}

const faults: readonly Fault[] = [
  {
    name: "a reader overtakes a writer that waits",
    plant: {
      file: "decide.ts",
      find: "if ((next !== undefined && next.ticket !== ticket) || !fits(item, weight))",
      replace: "if (!fits(item, weight))",
    },
    program: "two readers and a writer",
    finds: "[L2] order",
  },
  {
    name: "a late ask of a ticket that was released is granted",
    plant: {
      file: "decide.ts",
      find: 'if (isSettled(pending, receipt)) return { status: "settled" };',
      replace: "",
    },
    program: "reader and writer",
    finds: "[L7] settled",
  },
  {
    name: "permits in use are not counted",
    plant: { file: "locks.ts", find: " - lock.used", replace: "" },
    program: "permits",
    finds: "[L13] limit",
  },
  {
    name: "a writer that gives up leaves the readers behind it waiting",
    plant: {
      file: "decide.ts",
      find: "if (item.lock()?.ticket === null) serveQueue(item);",
      replace: "",
    },
    program: "two readers and a writer",
    finds: "[L2] served",
  },
  {
    name: "the dead are not looked for before the last lease ends",
    plant: {
      file: "shares.ts",
      find: "Math.min(endsAt, shares.firstEndsAt)",
      replace: "Math.max(endsAt, shares.firstEndsAt)",
    },
    program: "two readers and a writer",
    finds: "[L12] sum",
  },
  {
    name: "a reader's release ends the shares of all",
    plant: {
      file: "shares.ts",
      find: "if (shares.holders === 1) item.setLock(null);",
      replace: "if (shares.holders >= 1) item.setLock(null);",
    },
    program: "two readers and a writer",
    finds: "[L6] others",
  },
  {
    name: "fences do not rise within a tick",
    plant: { file: "pending-changes.ts", find: "this.rows.stamp()) + 1", replace: "this.rows.stamp()) + 0" },
    program: "two writers",
    finds: "[L3] fences",
  },
  {
    name: "a write under a share is accepted",
    plant: {
      file: "decide.ts",
      find: "} else if (held === undefined || isShare(held)) {",
      replace: "} else if (held === undefined) {",
    },
    program: "reader and writer",
    finds: "[S4] writes",
  },
  {
    name: "a ticket that waits is refused for the limit that it names",
    plant: {
      file: "semaphores.ts",
      find: "(isKnown || presentWaiters(item).some((one) => one.ticket === ticket))",
      replace: "isKnown",
    },
    program: "permits that are resized twice",
    finds: "[L2] peek",
  },
  {
    name: "a smaller limit leaves heavy asks in the queue",
    plant: {
      file: "semaphores.ts",
      find: "if ((waiter.weight ?? 0) <= limit) return waiter;",
      replace: "if (limit > 0) return waiter;",
    },
    program: "permits that are resized",
    finds: "[L2] peek", // one that is only told where it stands would never learn that it asks in vain
  },
  {
    name: "a commit looks at its first ticket only",
    plant: {
      file: "commit.ts",
      find: "if (held === undefined || isShare(held)) return",
      replace:
        "if (index > 0 && held === undefined) continue;\nif (held === undefined || isShare(held)) return",
    },
    program: "a commit beside a writer",
    finds: "[S4] commit",
  },
  {
    name: "a commit writes before all of it is checked",
    plant: {
      file: "commit.ts",
      find: "locks.set(entry, held);",
      replace: "locks.set(entry, held);\nif (entry.write !== undefined) changeState(item, entry.write);",
    },
    program: "a commit beside a writer",
    finds: "[S9] all or nothing",
  },
  {
    name: "a commit does not settle the tickets that it releases",
    plant: {
      file: "commit.ts",
      find: "pending.record(release,",
      replace: "if (index < 0) pending.record(release,",
    },
    program: "a commit beside a writer",
    finds: "[L7] settled",
  },
  {
    name: "a commit frees its locks, and leaves others waiting",
    plant: { file: "commit.ts", find: "else pass(item, held);", replace: "else item.setLock(null);" },
    program: "a commit beside a reader and a writer",
    finds: "[L2] served",
  },
];

function explore(...args: string[]): Promise<{ readonly code: number; readonly text: string }> {
  return new Promise((resolve) => {
    const main = join(import.meta.dirname, "main.ts");
    const child = execFile(process.execPath, [main, "--ci", ...args], (_error, text, problems) =>
      resolve({ code: child.exitCode ?? -1, text: `${text}${problems}` }),
    );
  });
}

/** A copy of the sources with the fault. */
function withFault({ name, plant }: Fault): string {
  const folder = join(temporary, name.replaceAll(" ", "-"));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "src"), folder, { recursive: true });
  const path = join(folder, "backends/rows", plant.file);
  const parts = readFileSync(path, "utf8").split(plant.find);
  if (parts.length !== 2)
    throw new Error(`${plant.file} has the text of "${name}" ${parts.length - 1} times: look where it went`);
  writeFileSync(path, parts.join(plant.replace));
  return folder;
}

afterAll(() => rmSync(temporary, { recursive: true, force: true }));

test(
  "[L1] [L2] [L3] [L6] [L7] [L9] [L12] [L13] [S4] [S9] every order of steps keeps the promises",
  { timeout: 10 * minutes },
  async () => {
    const { code, text } = await explore();
    expect(text).toContain("found: violations: 0");
    expect(code).toBe(0);
  },
);

test.each(faults)("the model finds it when $name", { timeout: 5 * minutes }, async (fault) => {
  const { code, text } = await explore("--core", withFault(fault), "--program", fault.program);
  expect(text).toContain(`  ${fault.finds}: `);
  expect(code).toBe(1);
});
