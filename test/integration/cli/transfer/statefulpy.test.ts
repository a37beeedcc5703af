// holdfast import --from statefulpy: states of the Python library, from Redis and from its SQLite file, become ours. The
// bytes were written by CPython 3.11; where there is a python3, it writes the file as well.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

import { open, type Serializer } from "../../../../src/index.ts";
import { pickle, PyTuple } from "../../../../src/pickle.ts";
import { runCli, type CliResult } from "../../../support/cli.ts";
import { contents, dumpOfRedis, dumpOfSqlite, startStores, type Stores } from "./stores.ts";

/** `{"count": 3, "ratio": 1.5, "name": "Zoë"}` by `pickle.dumps`, in the protocols 0 to 5. */
const protocols = [
  "KGRwMApWY291bnQKcDEKSTMKc1ZyYXRpbwpwMgpGMS41CnNWbmFtZQpwMwpWWm/rCnA0CnMu",
  "fXEAKFgFAAAAY291bnRxAUsDWAUAAAByYXRpb3ECRz/4AAAAAAAAWAQAAABuYW1lcQNYBAAAAFpvw6txBHUu",
  "gAJ9cQAoWAUAAABjb3VudHEBSwNYBQAAAHJhdGlvcQJHP/gAAAAAAABYBAAAAG5hbWVxA1gEAAAAWm/Dq3EEdS4=",
  "gAN9cQAoWAUAAABjb3VudHEBSwNYBQAAAHJhdGlvcQJHP/gAAAAAAABYBAAAAG5hbWVxA1gEAAAAWm/Dq3EEdS4=",
  "gASVLgAAAAAAAAB9lCiMBWNvdW50lEsDjAVyYXRpb5RHP/gAAAAAAACMBG5hbWWUjARab8OrlHUu",
  "gAWVLgAAAAAAAAB9lCiMBWNvdW50lEsDjAVyYXRpb5RHP/gAAAAAAACMBG5hbWWUjARab8OrlHUu",
];
const value = { count: 3, ratio: 1.5, name: "Zoë" };
/** With a tuple, bytes, a set, 1.0 and a datetime. */
const rich =
  "gASVfgAAAAAAAAB9lCiMBWNvdW50lEsDjAVyYXRpb5RHP/AAAAAAAACMA3dob5SMAWGUQwEAlIaUjAR0YWdzlI+UKEsBSwKQjANiaWeUigkAAAAAAAAA" +
  "AECMAmF0lIwIZGF0ZXRpbWWUjAhkYXRldGltZZSTlEMKB+QBAgMEBQAAAJSFlFKUdS4=";
/** `os.system`, asked for by a pickle. */
const hostile = "Y29zCnN5c3RlbQooUyd0cnVlJwp0Ui4=";

vi.setConfig({ testTimeout: 60_000 }); // processes, each of which starts and ends

let stores: Stores;
let source: string;
let files = 0;
let target: string;

beforeAll(async () => {
  stores = await startStores();
  source = stores.server.adminUrl;
});
beforeEach(async () => {
  await stores.server.command("FLUSHALL");
  target = stores.sqlite(`${String((files += 1))}.db`);
});
afterAll(() => stores.end());

const set = (id: string, bytes: string | Buffer): Promise<unknown> =>
  stores.server.command("SET", `statefulpy:state:${id}`, bytes as string);

const importFrom = (from: string, ...args: string[]): Promise<CliResult> =>
  runCli(["import", "--from", "statefulpy", "--source", from, "--url", target, ...args]);

async function load(id: string, serializer: "json" | Serializer = pickle): Promise<unknown> {
  await using store = open(target);
  return await store.state(id, { serializer }).load();
}

/** A file as the Python library makes it. */
function pythonFile(rows: Readonly<Record<string, Buffer | string>>): string {
  const path = join(stores.folder, `python-${String((files += 1))}.db`);
  const db = new DatabaseSync(path);
  db.exec(
    "CREATE TABLE stateful_state (fn_id TEXT PRIMARY KEY, state BLOB, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);" +
      "CREATE TABLE stateful_locks (fn_id TEXT PRIMARY KEY, locked_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)",
  );
  const insert = db.prepare("INSERT INTO stateful_state (fn_id, state) VALUES (?, ?)");
  for (const [id, state] of Object.entries(rows)) insert.run(id, state);
  db.close();
  return path;
}

describe("from Redis", () => {
  test("pickles keep their bytes, and their keys are only read; again, all are equal", async () => {
    for (const [protocol, text] of protocols.entries())
      await set(`m.f${String(protocol)}`, Buffer.from(text, "base64"));
    await set("rich", Buffer.from(rich, "base64"));
    await stores.server.command("SET", "statefulpy:lock:m.f1", "1700000000.1");
    const dump = await dumpOfRedis(stores.server);
    const first = await importFrom(source, "--serializer", "pickle");
    expect(first).toMatchObject({ code: 0, stdout: "7 written.\n", stderr: "" });
    expect(await dumpOfRedis(stores.server)).toBe(dump);
    for (const [protocol, text] of protocols.entries()) {
      expect(await load(`m.f${String(protocol)}`)).toEqual(value);
      expect((await contents(target))[`m.f${String(protocol)}`]).toBe(`pickle false ${text}`);
    }
    const { who, big } = (await load("rich")) as { who: unknown; big: unknown };
    expect([who instanceof PyTuple, big]).toEqual([true, 2n ** 70n]);
    expect(await importFrom(source, "--serializer", "pickle", "--json")).toMatchObject({
      code: 0,
      stdout: '{"written":0,"overwritten":0,"equal":7,"expired":0,"failed":0}\n',
    });
  });

  test("as JSON, what is plain is stored as its value, and what is not is named", async () => {
    await set("plain", Buffer.from(protocols[4] ?? "", "base64"));
    await set("float", Buffer.from("gARHP/AAAAAAAAAu", "base64")); // 1.0
    await set("rich", Buffer.from(rich, "base64"));
    const { code, stdout, stderr } = await importFrom(
      source,
      "--serializer",
      "pickle",
      "--to-serializer",
      "json",
    );
    expect([code, stdout]).toEqual([1, "2 written, 1 failed.\n"]);
    expect(stderr).toMatch(/^"rich": JSON cannot keep this value: \$\.who /m);
    expect([await load("plain", "json"), await load("float", "json")]).toEqual([value, 1]);
  });

  test("Python's JSON: what ours cannot keep is named; NaN is read into a pickle only", async () => {
    await set("plain", '{"a": [1, 2.5, null], "b": "\\u00eb"}');
    await set("big", '{"n": 123456789012345678901234567890}');
    await set("nan", '{"x": NaN, "y": -Infinity}');
    const asJson = await importFrom(source, "--serializer", "json");
    expect([asJson.code, asJson.stdout]).toEqual([1, "1 written, 2 failed.\n"]);
    expect(asJson.stderr).toMatch(/^"big": JSON cannot keep this value: \$\.n /m);
    expect(asJson.stderr).toMatch(/^"nan": .*NaN.* To read it, use --to-serializer pickle --allow-nan\.$/m);
    expect(await load("plain", "json")).toEqual({ a: [1, 2.5, null], b: "ë" });
    target = stores.sqlite("nan.db");
    const asPickle = await importFrom(
      source,
      "--serializer",
      "json",
      "--to-serializer",
      "pickle",
      "--allow-nan",
    );
    expect(asPickle).toMatchObject({ code: 0, stdout: "3 written.\n", stderr: "" });
    expect(await load("nan")).toEqual({ x: NaN, y: -Infinity });
    expect(await load("big")).toEqual({ n: 123456789012345678901234567890n });
  });

  test("each record that cannot be read or stored is named, and none runs code", async () => {
    await set("good", Buffer.from(protocols[2] ?? "", "base64"));
    await set("hostile", Buffer.from(hostile, "base64"));
    await set("cut", Buffer.from(rich, "base64").subarray(0, 40));
    await set("not-pickled", '{"a": 1}');
    await set("with\u0007bell", Buffer.from(protocols[2] ?? "", "base64"));
    await set("x".repeat(513), Buffer.from(protocols[2] ?? "", "base64"));
    await set("}", Buffer.from(protocols[2] ?? "", "base64"));
    await stores.server.command("LPUSH", "statefulpy:state:list", "a");
    const { code, stdout, stderr } = await importFrom(source, "--serializer", "pickle");
    expect([code, stdout]).toEqual([1, "1 written, 7 failed.\n"]);
    expect(stderr).toMatch(/^"hostile": .*os\.system/m);
    expect(stderr).toMatch(/^"cut": /m);
    expect(stderr).toMatch(/^"not-pickled": .*; it begins like JSON: then use --serializer json\.$/m);
    expect(stderr).toContain(String.raw`"with\u0007bell": The id must not contain control characters`);
    expect(stderr).toContain("The id must be at most 512 bytes");
    expect(stderr).toContain('"}": The id must not begin with "}"');
    expect(stderr).toMatch(/^"list": .*list/m);
    expect(stderr.trimEnd().split("\n")).toHaveLength(7);
    expect(Object.keys(await contents(target))).toEqual(["good"]);
  });

  test("a key that is the name of no id is named, too", async () => {
    await set("", "1");
    const script = "return redis.call('SET', 'statefulpy:state:a' .. string.char(255), '1')";
    await stores.server.command("EVAL", script, "0");
    const { code, stdout, stderr } = await importFrom(source, "--serializer", "json");
    expect([code, stdout]).toEqual([1, "0 written, 2 failed.\n"]);
    expect(stderr).toMatch(/^the key "statefulpy:state:": it has no id/m);
    expect(stderr).toMatch(/^the key "statefulpy:state:a\u00ff": it has no id/m);
  });

  test("another prefix; what is there is kept without --overwrite; a dry run writes nothing", async () => {
    await stores.server.command("SET", "mine:state:a", "1");
    await stores.server.command("SET", "mine:state:b", "2");
    const args = ["--source-prefix", "mine:", "--serializer", "json"];
    expect(await importFrom(source, ...args, "--dry-run")).toMatchObject({ code: 0 });
    expect(existsSync(target.slice("sqlite:".length))).toBe(false);
    const store = open(target);
    await store.state("a").save("another");
    await store.close();
    const dump = dumpOfSqlite(target);
    const dry = await importFrom(source, ...args, "--dry-run");
    expect([dry.code, dry.stdout]).toEqual([1, '"b" would be written\nDry run: 1 written, 1 failed.\n']);
    expect(dumpOfSqlite(target)).toBe(dump);
    const kept = await importFrom(source, ...args);
    expect([kept.code, kept.stdout]).toEqual([1, "1 written, 1 failed.\n"]);
    expect(kept.stderr).toContain('"a": another value is there; --overwrite replaces it.');
    expect(await importFrom(source, ...args, "--overwrite")).toMatchObject({
      code: 0,
      stdout: "0 written, 1 overwritten, 1 equal.\n",
    });
    expect(await load("a", "json")).toBe(1);
  });

  test("a state of 8 MiB", async () => {
    await set("large", JSON.stringify("x".repeat(8 * 1024 * 1024 - 2)));
    expect(await importFrom(source, "--serializer", "json")).toMatchObject({
      code: 0,
      stdout: "1 written.\n",
    });
    expect(((await load("large", "json")) as string).length).toBe(8 * 1024 * 1024 - 2);
  });

  test("a larger state is imported, with a remark; get shows it, and programs raise maxStateBytes", async () => {
    const text = "x".repeat(8 * 1024 * 1024 - 1);
    await set("larger", JSON.stringify(text));
    const { code, stdout, stderr } = await importFrom(source, "--serializer", "json");
    expect([code, stdout]).toEqual([0, "1 written.\n"]);
    expect(stderr).toMatch(/^"larger": it takes more than 8388608 bytes: .* greater maxStateBytes\.\n$/);
    await expect(load("larger", "json")).rejects.toThrow("more than maxStateBytes");
    const shown = await runCli(["get", "larger", "--url", target]);
    expect([shown.code, shown.stdout.length, shown.stderr]).toEqual([0, text.length + 3, ""]);
  });
});

describe("from a SQLite file", () => {
  test("which is not changed, nor is anything put beside it", async () => {
    const path = pythonFile({
      "m.f": Buffer.from(protocols[4] ?? "", "base64"),
      "m.g": Buffer.from("not a pickle"),
    });
    const bytes = readFileSync(path);
    const beside = (): string[] => readdirSync(stores.folder).filter((name) => name.startsWith("python-"));
    const before = beside();
    const { code, stdout, stderr } = await importFrom(`sqlite:${path}`, "--serializer", "pickle");
    expect([code, stdout]).toEqual([1, "1 written, 1 failed.\n"]);
    expect(stderr).toMatch(/^"m\.g": /m);
    expect(await load("m.f")).toEqual(value);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(beside()).toEqual(before);
  });

  test("a row without an id is named, too", async () => {
    const path = pythonFile({ "m.f": "1", "": "2" });
    const db = new DatabaseSync(path);
    db.exec("INSERT INTO stateful_state (fn_id, state) VALUES (NULL, '3'), (x'00ff', '4')");
    db.close();
    const { code, stdout, stderr } = await importFrom(`sqlite:${path}`, "--serializer", "json");
    expect([code, stdout]).toEqual([1, "1 written, 3 failed.\n"]);
    for (const name of ["''", "NULL", "X'00FF'"])
      expect(stderr).toContain(`the row with the fn_id ${name}: it has no id`);
  });

  const python = spawnSync("python3", ["-c", "import sqlite3, pickle"]).status === 0;
  test.skipIf(!python)("that Python wrote (skipped: there is no python3 with sqlite3)", async () => {
    const path = join(stores.folder, "by-python.db");
    const program = join(stores.folder, "write.py");
    writeFileSync(program, pythonProgram);
    const { status, stderr } = spawnSync("python3", [program, path], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    expect(
      await importFrom(`sqlite:${path}`, "--serializer", "pickle", "--to-serializer", "json"),
    ).toMatchObject({
      code: 0,
      stdout: "100 written.\n",
      stderr: "",
    });
    expect(await load("module.function_7", "json")).toEqual({ n: 7, items: ["7", null, true], half: 3.5 });
  });
});

const pythonProgram = `
import pickle, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE stateful_state (fn_id TEXT PRIMARY KEY, state BLOB, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)")
for n in range(100):
    state = pickle.dumps({"n": n, "items": [str(n), None, True], "half": n / 2})
    db.execute("INSERT INTO stateful_state (fn_id, state) VALUES (?, ?)", (f"module.function_{n}", state))
db.commit()
`;

test("a file of Holdfast, and one of neither, are no files of statefulpy", async () => {
  const store = open(stores.sqlite("holdfast.db"));
  await store.state("a").save(1);
  await store.close();
  writeFileSync(
    join(stores.folder, "text.db"),
    "this is no database, but a text that is long enough for one\n".repeat(99),
  );
  const [holdfast, text] = [stores.sqlite("holdfast.db"), stores.sqlite("text.db")];
  const asJson = ["--serializer", "json"];
  const refused = [await importFrom(holdfast, ...asJson), await importFrom(text, ...asJson)];
  expect(refused).toMatchObject([
    { code: 2, stdout: "", stderr: expect.stringContaining("no table stateful_state") as string },
    { code: 1, stdout: "", stderr: expect.stringContaining("file is not a database") as string },
  ]);
});
