// What holdfast import is given may be anything: each line that is wrong is named, the others are imported, and nothing
// is written before the first line shows that it is an export.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";

import type { Command } from "../../../../src/cli/command.ts";
import { exportCommand } from "../../../../src/cli/transfer/export.ts";
import { importCommand } from "../../../../src/cli/transfer/import.ts";
import { migrateCommand } from "../../../../src/cli/transfer/migrate.ts";
import { failureOf, runCli, type CliResult } from "../../../support/cli.ts";
import { contents } from "./stores.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-hostile-"));
afterAll(() => rmSync(folder, { recursive: true }));

const header = '{"holdfast":"export","version":1,"exportedAt":"2026-11-30T00:00:00.000Z","store":"sqlite:a"}';
const end = (states: number): string => JSON.stringify({ end: true, states, unreadable: 0 });

let files = 0;
async function imported(input: string | Uint8Array): Promise<CliResult & { url: string }> {
  const url = `sqlite:${join(folder, `${String((files += 1))}.db`)}`;
  return { url, ...(await runCli(["import", "--url", url, "--json"], { input })) };
}

test("a line that is wrong is named, and the others are imported", async () => {
  const later = String(Date.now() + 3_600_000);
  const lines: readonly [string, RegExp | undefined][] = [
    ['{"id":"good","serializer":"json","value":1}', undefined],
    ['{"id":"cut', /is not JSON/],
    ["[]", /is not a JSON object/],
    ["null", /is not a JSON object/],
    ['{"id":"x","serializer":"raw","bytes":"AAA"}', /bytes that are not base64/],
    ['{"id":"x","serializer":"raw","bytes":"A A="}', /bytes that are not base64/],
    ['{"id":"x","serializer":"raw"}', /It has no value/],
    ['{"id":"x","serializer":"raw","value":1}', /Only a record of the serializer "json" has a value/],
    [
      '{"id":"x","serializer":"json","value":1,"bytes":"AA=="}',
      /Only a record of the serializer "json" has a value/,
    ],
    ['{"id":"x","serializer":"no such\\nname","bytes":"AA=="}', /serializer must be 1 to 32/],
    ['{"id":"x","value":1}', /serializer must be 1 to 32/],
    [`{"id":"${"x".repeat(513)}","serializer":"json","value":1}`, /The id must be at most 512 bytes/],
    ['{"id":"","serializer":"json","value":1}', /The id must not be empty/],
    ['{"id":7,"serializer":"json","value":1}', /The id must be a string/],
    ['{"id":"}shard","serializer":"json","value":1}', /must not begin with "}"/],
    ['{"id":"\\u0001once:a","serializer":"json","value":1}', /must not contain control characters/],
    ['{"kind":"leader","id":"x","serializer":"json","value":1}', /The kind must be "once"/],
    ['{"id":"x","serializer":"json","value":-0}', /is not JSON, or not such/],
    ['{"id":"x","serializer":"json","value":{"__proto__":1}}', /is not JSON, or not such/],
    ['{"id":"x","serializer":"json","value":1,"ttl":5}', /unknown member "ttl"/],
    ['{"id":"x","serializer":"json","value":1,"expiresAt":"soon"}', /expiresAt must be a number/],
    ['{"id":"x","serializer":"json","value":1,"expiresAt":1e300}', /must be a whole number of milliseconds/],
    [
      '{"id":"x","serializer":"json","value":1,"revision":4099999999999000}',
      /revision must be a whole number/,
    ],
    ['{"id":"x","serializer":"json","value":1,"revision":-1}', /revision must be a whole number/],
    ['{"id":"good","serializer":"json","value":2}', /"good" was on line 2 already/],
    [`{"id":"expired","serializer":"json","value":1,"expiresAt":1000}`, undefined],
    [`{"id":"later","serializer":"json","value":1,"expiresAt":${later}}`, undefined],
    ['{"kind":"once","id":"good","serializer":"json","value":{"attempt":1}}', undefined],
    ["", undefined],
    ["\r", undefined],
  ];
  const count = lines.filter(([line]) => line.trim() !== "").length;
  const { code, stdout, stderr, url } = await imported(
    `${header}\r\n${lines.map(([line]) => line).join("\n")}\n${end(count)}`,
  );
  const wrong = lines.flatMap(([, reason], index) =>
    reason === undefined ? [] : { line: `line ${String(index + 2)}: `, reason },
  );
  const shown = stderr.trimEnd().split("\n");
  expect(shown).toHaveLength(wrong.length);
  for (const [index, { line, reason }] of wrong.entries()) {
    expect(shown[index]).toMatch(new RegExp(`^${line}`));
    expect(shown[index]).toMatch(reason);
  }
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    written: 3,
    overwritten: 0,
    equal: 0,
    expired: 1,
    failed: wrong.length,
  });
  expect(await contents(url)).toEqual({
    good: "json false MQ==",
    later: "json true MQ==",
    "\u0001once:good": "json false eyJhdHRlbXB0IjoxfQ==",
  });
});

test("bytes that are not UTF-8, and a missing line feed at the end", async () => {
  const input = Buffer.concat([
    Buffer.from(`${header}\n{"id":"x`),
    Buffer.from([0xff, 0xfe]),
    Buffer.from(`","serializer":"json","value":1}\n{"id":"ok","serializer":"json","value":1}\n${end(2)}`),
  ]);
  const { code, stderr, url } = await imported(input);
  expect([code, stderr.split("\n").length]).toEqual([1, 2]);
  expect(Object.keys(await contents(url))).toEqual(["ok"]);
});

describe("an export that is not complete", () => {
  const record = '{"id":"x","serializer":"json","value":1}';
  test.each([
    ["cut off after a line", `${header}\n${record}\n`, /^the end: the last line is missing/m],
    ["cut off within a line", `${header}\n${record}\n{"id":"y"`, /^line 3: It is not JSON/m],
    [
      "without one of its lines",
      `${header}\n${record}\n${end(2)}\n`,
      /2 states were exported, but there are 1 lines/,
    ],
    [
      "with another one behind it",
      `${header}\n${record}\n${end(1)}\n${header}\n`,
      /^line 4: it comes after the last line/m,
    ],
  ])("%s is told, and what is there is imported", async (_, input, message) => {
    const { code, stderr, url } = await imported(input);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(Object.keys(await contents(url))).toEqual(["x"]);
  });
});

test.each([
  ["", "its first line is not"],
  ['{"id":"x","serializer":"json","value":1}\n', "its first line is not"],
  ["\u0000\u0001binary", "its first line is not"],
  [
    '{"holdfast":"export","version":2}\n{"id":"x","serializer":"json","value":1}\n',
    "has the version 2 of the format",
  ],
  ['{"holdfast":"export","version":"\\u001b[2J"}\n', String.raw`version "\u001b[2J" of the format`],
])("%j is no export: nothing is written", async (input, message) => {
  const { code, stdout, stderr, url } = await imported(input);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(message);
  expect(await contents(url)).toEqual({});
});

test.each([
  [["absent.jsonl"], '"absent.jsonl" cannot be read: ENOENT'],
  [[folder], "it is a folder"],
  [["a", "b"], "Unexpected argument"],
  [["a", "--wait", "long"], "--wait must be a number of seconds"],
  [["a", "--shards", "0"], "shards must be a whole number"],
])("import %j is wrong usage", async (args, message) => {
  const { code, text } = await failureOf(importCommand, [
    "--url",
    `sqlite:${join(folder, "none.db")}`,
    ...args,
  ]);
  expect([code, text]).toEqual([2, expect.stringContaining(message)]);
});

test("a password is shown nowhere, and a server that does not answer has an exit code of its own", async () => {
  const url = "redis://user:s3cret@127.0.0.1:1/";
  const file = join(folder, "empty.jsonl");
  writeFileSync(file, `${header}\n${end(0)}\n`);
  const other = `sqlite:${join(folder, "other.db")}`;
  await runCli(["init", "--url", other]);
  const calls: [Command, string[]][] = [
    [importCommand, [file, "--url", url]],
    [importCommand, [file, "--dry-run", "--url", url]],
    [exportCommand, ["--url", url]],
    [migrateCommand, ["--from", url, "--to", other]],
    [migrateCommand, ["--from", other, "--to", url]],
  ];
  for (const [command, args] of calls) {
    const { code, text } = await failureOf(command, args);
    expect([code, text]).toEqual([3, expect.stringContaining("127.0.0.1:1")]);
    expect(text).not.toContain("s3cret");
  }
});
