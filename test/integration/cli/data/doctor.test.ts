// holdfast doctor: what it finds on servers and files that are fit, and on such that are not; it leaves nothing behind.

import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { open } from "../../../../src/index.ts";
import { appLine, appUser } from "../../../support/acl.ts";
import { poll } from "../../../support/poll.ts";
import { startProxy } from "../../../support/proxy.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { jsonLines, runSafely } from "./places.ts";

interface Report {
  readonly store: string;
  readonly fit: boolean;
  readonly checks: readonly { name: string; status: string; found: string; advice: string | null }[];
}

/** The report, and the exit code. */
async function examine(
  url: string,
): Promise<{ code: number | null; report: Report; of: (name: string) => unknown }> {
  const result = await runSafely(["doctor", "--json", "--url", url]);
  const [report] = jsonLines(result) as Report[];
  if (report === undefined) throw new Error(result.stderr);
  return { code: result.code, report, of: (name) => report.checks.find((check) => check.name === name) };
}

describe("on Redis", () => {
  let server: RedisServer;
  beforeAll(async () => {
    const withoutSome = appLine(["holdfast:"], ["-hset", "-publish", "-info", "-scan"]).replace(
      `user ${appUser.name} `,
      "user little ",
    );
    server = await startRedis({ appendonly: true, acl: [withoutSome] });
  });
  afterAll(() => server.stop());
  afterEach(async () => {
    await server.command("CONFIG", "SET", "maxmemory", "0");
    await server.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
    await server.command("FLUSHALL");
  });
  const keys = async (): Promise<unknown> => ((await server.command("KEYS", "*")) as string[]).sort();

  test("a fit server passes with the rights of docs/redis.md, and nothing is left behind", async () => {
    const store = open(server.url);
    await store.state("a").save(1);
    await store.state("b").save(2);
    const held = await store.lock("a").acquire();
    const other = open(server.url);
    const waiting = other.lock("a").acquire();
    await poll(async () => (await store.lock("a").inspect())?.waiters).toBe(1);
    const before = await keys();
    const { code, report, of } = await examine(server.url);
    expect(await keys()).toEqual(before);
    expect(code).toBe(0);
    expect(report.fit).toBe(true);
    expect(report.checks.filter(({ status }) => status !== "ok")).toEqual([]);
    expect(of("server")).toMatchObject({ found: expect.stringMatching(/^(Redis|Valkey) \d/) as string });
    expect(of("wakes")).toMatchObject({ status: "ok" });
    expect(of("contents")).toMatchObject({ found: "2 states, 1 lock held, 1 waiter" });
    await held.release();
    await (await waiting).release();
    await Promise.all([store.close(), other.close()]);
  });

  test("eviction fails while there is a limit, and is a warning without one", async () => {
    await server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    const warned = await examine(server.url);
    expect(warned).toMatchObject({ code: 0, report: { fit: true } });
    expect(warned.of("eviction")).toMatchObject({ status: "warning" });
    await server.command("CONFIG", "SET", "maxmemory", "100mb");
    const failed = await examine(server.url);
    expect(failed).toMatchObject({ code: 1, report: { fit: false } });
    expect(failed.of("eviction")).toMatchObject({
      status: "fail",
      advice: expect.stringContaining("noeviction") as string,
    });
  });

  test("each missing right is named; what may not be asked is unknown", async () => {
    const { code, of } = await examine(server.url.replace(`${appUser.name}:`, "little:"));
    expect(code).toBe(1);
    expect(of("rights")).toMatchObject({
      status: "fail",
      found: expect.stringMatching(/: HSET, PUBLISH$/) as string,
    });
    expect(of("wakes")).toMatchObject({ status: "fail" });
    for (const name of ["server", "eviction", "persistence", "contents"])
      expect(of(name)).toMatchObject({ status: "unknown", advice: null });
    expect(await keys()).toEqual([]);
  });

  test("keys of others under the prefix are a warning", async () => {
    await server.command("SET", "holdfast:session-42", "x");
    const { code, of } = await examine(server.url);
    expect(code).toBe(0);
    expect(of("contents")).toMatchObject({
      status: "warning",
      found: expect.stringContaining('"holdfast:session-42"') as string,
    });
  });

  test("a subscription that reaches another server fails; a proxy shows by its port", async () => {
    const other = await startRedis();
    const proxy = await startProxy(server);
    try {
      expect((await examine(proxy.url)).of("route")).toMatchObject({
        status: "ok",
        found: expect.stringContaining("there is a proxy") as string,
      });
      proxy.subscribersTo = other;
      const { code, of } = await examine(proxy.url);
      expect(code).toBe(1);
      expect(of("wakes")).toMatchObject({ status: "fail" });
    } finally {
      await proxy.close();
      await other.stop();
    }
  });

  test("a replica is not fit, and says which server is its primary", async () => {
    const replica = await startRedis({ replicaOf: server });
    const { code, of } = await examine(replica.url);
    expect(code).toBe(1);
    expect(of("replicas")).toMatchObject({
      status: "fail",
      found: expect.stringContaining(String(server.port)) as string,
    });
    await replica.stop();
  });

  test("a server that is not there, or refuses the password, is exit code 3", async () => {
    const gone = await startRedis();
    await gone.stop();
    expect(await runSafely(["doctor", "--url", gone.url])).toMatchObject({ code: 3, stdout: "" });
    const wrong = server.url.replace(appUser.password, "wrong");
    expect(await runSafely(["doctor", "--url", wrong, "--json"])).toMatchObject({ code: 3, stdout: "" });
  });
});

describe("on SQLite", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "holdfast-doctor-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);

  test("a fit file passes, and not a byte of it changes", async () => {
    const store = open(`sqlite:${path("fit.db")}`);
    await store.state("a").save(1);
    await store.close();
    const before = [readFileSync(path("fit.db")), readdirSync(folder)];
    const { code, of } = await examine(`sqlite:${path("fit.db")}`);
    expect(code).toBe(0);
    expect([readFileSync(path("fit.db")), readdirSync(folder)]).toEqual(before);
    expect(of("journal")).toMatchObject({ status: "ok" });
    expect(of("contents")).toMatchObject({ found: "1 state, 0 locks, 0 waiters" });
    const plain = await runSafely(["doctor", "--url", `sqlite:${path("fit.db")}`]);
    expect(plain.stdout).toMatch(/^ok +journal +write-ahead log$/m);
  });

  test("a file that everybody may write is a warning", async () => {
    await open(`sqlite:${path("open.db")}`)
      .ready()
      .then((store) => store.close());
    chmodSync(path("open.db"), 0o666);
    const { code, of } = await examine(`sqlite:${path("open.db")}`);
    expect(code).toBe(0);
    expect(of("permissions")).toMatchObject({ status: "warning" });
  });

  test("a file that is missing is not created, and another program's is left alone", async () => {
    const missing = await examine(`sqlite:${path("missing.db")}`);
    expect(missing.code).toBe(1);
    expect(missing.of("file")).toMatchObject({
      status: "fail",
      advice: expect.stringContaining("holdfast init") as string,
    });
    expect(existsSync(path("missing.db"))).toBe(false);
    writeFileSync(path("text.db"), "no database at all, but a text that is long enough to look at");
    const foreign = await examine(`sqlite:${path("text.db")}`);
    expect(foreign.code).toBe(1);
    expect(readFileSync(path("text.db"), "utf8")).toContain("no database at all");
  });

  test("a damaged file fails", async () => {
    const store = open(`sqlite:${path("damaged.db")}`);
    for (let n = 0; n < 50; n += 1) await store.state(`s${String(n)}`).save("x".repeat(2_000));
    await store.close();
    const bytes = readFileSync(path("damaged.db"));
    bytes.fill(0x5a, bytes.length - 3 * 4_096);
    writeFileSync(path("damaged.db"), bytes);
    const { code, report } = await examine(`sqlite:${path("damaged.db")}`);
    expect(code).toBe(1);
    expect(report.checks.some(({ status }) => status === "fail")).toBe(true);
  });
});
