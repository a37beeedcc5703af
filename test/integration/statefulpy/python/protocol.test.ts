// The table of docs/from-statefulpy.md, row by row, against a Python program with the real protocol (protocol.py).

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { RedisBackend, type StateBackend } from "holdfast/statefulpy";

import { startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { serializers } from "../backends.ts";
import { needs, Program, python } from "./python.ts";

const code = (name: string): unknown => expect.objectContaining({ code: name });

/** Expressions of Python, and the repr() of what comes back after our load and save. */
const values: Record<(typeof serializers)[number], readonly string[]> = {
  json: [
    "{'a': 1, 'b': [True, None, 1.5], 'c': {}}",
    "{'int': 12345678901234567890, 'neg': -9007199254740993}",
    "{'float': 1e+16, 'big': 1.5e+300, 'small': 5e-324}",
    "{'é': 'ü😀', 'ctl': '\\x00\\x7f\\n', 'quote': '\"\\\\'}",
    "[1, 2]",
    "'text'",
    "0",
    "False",
    "''",
    "[]",
  ],
  pickle: [
    "{'a': 1, 'b': [True, None, 1.5, 1.0], 'c': {}}",
    "{'int': 12345678901234567890, 'bytes': b'\\x00\\xff', 'tuple': (1, (2,))}",
    "{1: 'one', (1, 2): 'pair'}",
    "{'set': {7}, 'frozen': frozenset({8})}",
    "{'when': datetime.datetime(2026, 1, 31, 12, 0, 0, 5)}",
    "[1, 2]",
    "0",
    "''",
  ],
};

describe.skipIf(python === undefined).each(serializers)(`%s, beside Python ${needs}`, (serializer) => {
  let redis: RedisServer;
  let py: Program;
  let backend: StateBackend;
  beforeAll(async () => {
    redis = await startRedis({ prefixes: ["statefulpy:"] });
    py = Program.python(redis.adminUrl, serializer);
    backend = new RedisBackend({ redisUrl: redis.url, serializer });
  });
  beforeEach(() => redis.command("FLUSHALL"));
  afterAll(async () => {
    await backend.close();
    await py.kill();
    await redis.stop();
  });

  test.each(values[serializer])("load_state / loadState, save_state / saveState: %s", async (value) => {
    await py.call("save", "module.fn", value);
    const loaded = await backend.loadState("module.fn");
    expect(await backend.saveState("module.fn", loaded)).toBe(true);
    expect(await py.call("load", "module.fn")).toBe(value);
    expect(await redis.keys()).toEqual(["statefulpy:state:module.fn"]);
  });

  test("an absent state is None there, and null here", async () => {
    expect(await py.call("load", "x")).toBe("None");
    expect(await backend.loadState("x")).toBeNull();
    await py.call("save", "x", "None");
    await expect(backend.loadState("x")).rejects.toEqual(code("CORRUPT_STATE"));
  });

  test("what Node saves first, Python loads", async () => {
    await backend.saveState("x", { n: 1, list: ["é", null, false, 0.5], big: 2n ** 64n });
    expect(await py.call("load", "x")).toBe(
      "{'n': 1, 'list': ['é', None, False, 0.5], 'big': 18446744073709551616}",
    );
  });

  test("acquire_lock / acquireLock: each excludes the other; 0 tries once here", async () => {
    expect(await py.call("acquire", "x", 5)).toBe(true);
    const token = String(await py.call("token", "x"));
    expect(await redis.command("GET", "statefulpy:lock:x")).toBe(token);
    for (const seconds of [0, 0.3])
      await expect(backend.acquireLock("x", seconds)).rejects.toThrow(`a Python process (token "${token}")`);
    expect(await py.call("release", "x")).toBe(true);
    expect(await backend.acquireLock("x", 0)).toBe(true);
    expect(Number(await redis.command("PTTL", "statefulpy:lock:x"))).toBeGreaterThan(0);
    expect(await py.call("acquire", "x", 0.3)).toBe(false);
    expect(await backend.releaseLock("x")).toBe(true);
    expect(await py.call("acquire", "x", 5)).toBe(true);
    expect(await py.call("release", "x")).toBe(true);
  });

  test("a lock of Python that is not released ends after lock_timeout; one of ours is renewed", async () => {
    const short = Program.python(redis.adminUrl, serializer, 1_000);
    await short.call("acquire", "x", 5);
    const ours = new RedisBackend({ redisUrl: redis.url, serializer, lockTimeout: 1_000 });
    expect(await ours.acquireLock("x", 5)).toBe(true);
    expect(await short.call("acquire", "x", 1.5)).toBe(false);
    // The token that Python lost does not release ours.
    expect(await short.call("release", "x")).toBe(false);
    expect(await ours.releaseLock("x")).toBe(true);
    await Promise.all([short.kill(), ours.close()]);
  });

  test("release_lock / releaseLock: what one holds, the other cannot release", async () => {
    await py.call("acquire", "x", 5);
    await expect(backend.releaseLock("x")).rejects.toThrow(
      /does not hold it: it is held by a Python process/,
    );
    expect(await py.call("release", "x")).toBe(true);
    await expect(backend.releaseLock("x")).rejects.toEqual(code("INVALID_ARGUMENT"));
    expect(await py.call("release", "x")).toBe(false);
  });

  test("a Node process that is killed while it holds: Python gets the lock when its lease ends", async () => {
    const node = Program.node(redis.url, serializer, 1_000);
    await node.call("acquire", "x", 5);
    await node.kill();
    expect(await py.call("acquire", "x", 10)).toBe(true);
    const taker = Program.python(redis.adminUrl, serializer, 1_000);
    expect(await py.call("release", "x")).toBe(true);
    await taker.call("acquire", "x", 5);
    await taker.kill();
    expect(await backend.acquireLock("x", 10)).toBe(true);
    await backend.releaseLock("x");
  });

  test("close releases what is held", async () => {
    const other = new RedisBackend({ redisUrl: redis.url, serializer });
    await other.acquireLock("x");
    await other.close();
    expect(await redis.keys()).toEqual([]);
    expect(await py.call("acquire", "x", 1)).toBe(true);
    await py.call("release", "x");
  });

  test("list and healthcheck, beside states of Python", async () => {
    for (const id of ["a.one", "a.two", "b"]) await py.call("save", id, "{}");
    const ids: string[] = [];
    for await (const { id } of backend.list({ idPrefix: "a." })) ids.push(id);
    expect(ids.sort()).toEqual(["a.one", "a.two"]);
    expect(await backend.healthcheck()).toBe(true);
    expect(await redis.keys()).toHaveLength(3);
  });
});
