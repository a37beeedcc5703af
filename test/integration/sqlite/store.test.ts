// Whole stores on a file that cannot be used: told at once where trying again does not help, in sentences.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

import { open, type OpenOptions } from "../../../src/index.ts";
import { failure } from "./sqlite-folder.ts";

/** So long that a test which waits for it fails. */
const patient: OpenOptions = { operationMs: 3_600_000 };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "holdfast-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** In a process of its own that is not root: root may do everything. */
function asUser(source: string): unknown {
  const code = `
    if (process.geteuid() === 0) { process.setegid(65534); process.seteuid(65534); }
    const { open } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/index.ts"))});
    const told = (call) => call.then(() => "done", ({ code, outcome, lasting, message }) => ({ code, outcome, lasting, message }));
    ${source}`;
  // It blocks this process, and with it the time limit of the test: hence a limit of its own.
  const how = { encoding: "utf8", timeout: 15_000 } as const;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", code], how));
}

test("[S5] a read-only file: loads work, and a write fails at once with the advice", async () => {
  const home = folder();
  const path = join(home, "store.db");
  const writer = open(`sqlite:${path}`);
  await writer.state("x").save("there");
  chmodSync(home, 0o777);
  for (const end of ["", "-wal", "-shm"]) chmodSync(path + end, end === "" ? 0o444 : 0o666);
  const said = asUser(`
    const store = open(${JSON.stringify(`sqlite:${path}`)}, ${JSON.stringify(patient)});
    const loaded = await store.state("x").load();
    const errors = [await told(store.state("x").save("no")), await told(store.lock("x").acquire())];
    await store.close();
    console.log(JSON.stringify({ loaded, errors }));`);
  await writer.close();
  const error = {
    code: "READ_ONLY",
    outcome: "none",
    lasting: true,
    message: expect.stringMatching(/can only be read.*HOLDFAST_URL[^.]*\.$/) as string,
  };
  expect(said).toEqual({ loaded: "there", errors: [error, error] });
});

test("[S5] a folder that cannot be made is told at once, with the advice", async () => {
  const home = folder();
  writeFileSync(join(home, "file"), "");
  const store = open(`sqlite:${join(home, "file/store.db")}`, patient);
  const error = await failure(store.state("x").save(1));
  expect(error).toMatchObject({ code: "ACCESS_DENIED", outcome: "none", lasting: true });
  expect((error as Error).message).toMatch(/(EEXIST|ENOTDIR).*open\(target\) or HOLDFAST_URL\.$/);
  await store.close();
});

test("an error that quotes its cause ends in one full stop", async () => {
  const path = join(folder(), "store.db");
  const store = open(`sqlite:${path}`, { operationMs: 200 });
  await store.ready();
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  const { message } = (await failure(store.state("x").save(1))) as Error;
  other.close();
  expect(message).toMatch(/another process is writing\.$/);
  await store.close();
});
