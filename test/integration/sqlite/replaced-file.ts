// What the tests of a file that was replaced, moved or deleted share: states to fill it with, and the errors to expect.

import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { expect } from "vitest";

import { save, type ContractClient } from "../../../src/testing/contract-client.ts";
import type { SqliteFolder } from "./sqlite-folder.ts";

export const script = join(import.meta.dirname, "sqlite-writer.ts");
export const gone = {
  name: "UnavailableError",
  code: "UNREACHABLE",
  lasting: true,
  message: expect.stringMatching(
    /was replaced or deleted while it was open.*Restart every process/,
  ) as string,
};
export const foreignLog = {
  code: "UNREACHABLE",
  outcome: "none",
  message: expect.stringMatching(
    /-wal or -shm beside it may belong to another file.*copied or restored together, the -wal holds acknowledged changes.*without the -shm/,
  ) as string,
};

export async function fill(client: ContractClient, value: string): Promise<void> {
  const ids = Array.from({ length: 300 }, (_, n) => `s${String(n)}`);
  await Promise.all(ids.map((id) => client.saved(id, save(value.repeat(300)))));
}

/** A backup of now; then the original goes on. */
export function backUp(folder: SqliteFolder): string {
  const path = `${folder.path}.backup`;
  const db = new DatabaseSync(folder.path);
  db.exec(`VACUUM INTO '${path}'`);
  db.close();
  return path;
}

/** As another program sees the file: sound, with all the states, each of this value. */
export function expectIntact(path: string, value: string): void {
  const db = new DatabaseSync(path);
  expect(db.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  const rows = db.prepare("SELECT bytes FROM states WHERE id LIKE 's%'").all();
  expect(rows).toHaveLength(300);
  expect(new Set(rows.map(({ bytes }) => Buffer.from(bytes as Uint8Array).toString()))).toEqual(
    new Set([value.repeat(300)]),
  );
  db.close();
}
