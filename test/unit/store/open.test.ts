// What a target may be, what the default is, and that no password is ever shown [P3].

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open } from "../../../src/index.ts";
import { freePort } from "../../support/redis-server.ts";

/** What it refuses with. */
function refusal(target: unknown, options?: object): Error {
  try {
    open(target as string, options);
  } catch (error) {
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
    return error as Error;
  }
  throw new Error("should have been refused");
}

/** Everything that a logger might print of it. */
const printed = (error: unknown): string => `${inspect(error, { depth: 10 })} ${JSON.stringify(error)}`;

const gone = (): never => {
  throw Object.assign(new Error("ENOENT: no such file or directory, uv_cwd"), { code: "ENOENT" });
};

// It is not said in the output of the tests where the default store is.
Object.defineProperty(globalThis, Symbol.for("holdfast.announced.1"), { value: { has: () => true } });

describe("the default", () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-open-")));
    vi.stubEnv("HOLDFAST_URL", undefined);
    vi.stubEnv("NODE_ENV", "test");
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });
  const at = (path: string): void => {
    mkdirSync(join(folder, path), { recursive: true });
    vi.spyOn(process, "cwd").mockReturnValue(join(folder, path));
  };

  const firstUse = async (): Promise<unknown> => {
    const store = open();
    const error = await store.ready().catch((thrown: unknown) => thrown);
    await store.close();
    return error;
  };

  test("is a SQLite file beside the nearest package.json, with a .gitignore of its own", async () => {
    writeFileSync(join(folder, "package.json"), "{}");
    at("src/deep");
    const store = open();
    await store.state("x").save(1);
    expect(existsSync(join(folder, ".holdfast/store.db"))).toBe(true);
    expect(readFileSync(join(folder, ".holdfast/.gitignore"), "utf8")).toBe("*\n");
    await store.close();
    const again = open();
    expect(await again.state("x").load()).toBe(1);
    await again.close();
  });

  test("leaves a .gitignore that is there alone", async () => {
    writeFileSync(join(folder, "package.json"), "{}");
    mkdirSync(join(folder, ".holdfast"));
    writeFileSync(join(folder, ".holdfast/.gitignore"), "mine");
    at(".");
    const store = open();
    await store.ready();
    await store.close();
    expect(readFileSync(join(folder, ".holdfast/.gitignore"), "utf8")).toBe("mine");
  });

  test("HOLDFAST_URL beats it, an empty one does not; what is passed beats both", async () => {
    writeFileSync(join(folder, "package.json"), "{}");
    at(".");
    vi.stubEnv("HOLDFAST_URL", "memory:");
    const named = open();
    expect(named.name).toBe("memory:");
    await named.close();
    expect(existsSync(join(folder, ".holdfast"))).toBe(false);
    vi.stubEnv("HOLDFAST_URL", "redis://nowhere.invalid");
    const passed = open("memory:");
    await passed.ready();
    await passed.close();
    vi.stubEnv("HOLDFAST_URL", "");
    const store = open();
    expect(existsSync(join(folder, ".holdfast"))).toBe(false); // nothing is made before the first use
    await store.ready();
    await store.close();
    expect(existsSync(join(folder, ".holdfast"))).toBe(true);
  });

  test("a folder whose name means something in a URL is a folder", async () => {
    mkdirSync(join(folder, "a?b#c%20"));
    writeFileSync(join(folder, "a?b#c%20/package.json"), "{}");
    at("a?b#c%20");
    const store = open();
    await store.state("x").save(1);
    expect(existsSync(join(folder, "a?b#c%20/.holdfast/store.db"))).toBe(true);
    await store.close();
  });

  test.each([
    ["EEXIST", () => writeFileSync(join(folder, ".holdfast"), ""), "ACCESS_DENIED"],
    ["ENOENT", () => vi.spyOn(process, "cwd").mockImplementation(gone), "ACCESS_DENIED"],
  ])(
    "that cannot be made (%s) is an error of ours, at the first use, that says what to set",
    async (cause, spoil, code) => {
      at(".");
      spoil();
      const error = await firstUse();
      expect(error).toMatchObject({ name: "UnavailableError", code, outcome: "none", lasting: true });
      expect((error as Error).message).toMatch(new RegExp(`${cause}.*HOLDFAST_URL.*open\\(target\\)`));
    },
  );

  test("in a folder that may not be written: an error of ours that says what to set", async () => {
    at(".");
    const isRoot = process.geteuid?.() === 0;
    chmodSync(folder, 0o555);
    if (isRoot) process.seteuid?.(65_534); // root may do everything, so be nobody for a moment
    try {
      expect(await firstUse()).toMatchObject({
        code: "ACCESS_DENIED",
        message: expect.stringMatching(/EACCES.*HOLDFAST_URL/) as string,
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(folder, 0o700);
    }
  });

  test("in production there is none: the first use, and not open(), says what to set", async () => {
    writeFileSync(join(folder, "package.json"), "{}");
    at(".");
    vi.stubEnv("NODE_ENV", "production");
    const store = open(); // a build imports modules that open stores
    const calls = [
      store.ready(),
      store.state("x").load(),
      store.lock("x").run(() => 1),
      store.state("x").save(1),
    ];
    for (const call of calls) {
      await expect(call).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        outcome: "none",
        message: expect.stringMatching(/NODE_ENV=production.*HOLDFAST_URL.*open\(target\)/) as string,
      });
    }
    vi.stubEnv("HOLDFAST_URL", "memory:");
    await expect(store.ready()).rejects.toThrow(/HOLDFAST_URL was set after open\(\) was called/);
    await store.close();
    expect(existsSync(join(folder, ".holdfast"))).toBe(false);
    expect(open().name).toBe("memory:");
  });
});

describe("targets", () => {
  test("what is no target is refused, and the message says what is", () => {
    const bad: unknown[] = [
      5,
      true,
      {},
      null,
      "",
      "localhost:6379",
      "http://localhost",
      "mysql://x",
      "redis",
      () => 1,
    ];
    for (const target of bad) expect(refusal(target).message).toContain("redis://host:port");
    for (const target of [
      "sqlite:",
      "sqlite:a\0b",
      "sqlite::memory:",
      "sqlite://host/x.db",
      "memory:name",
      "memory://",
    ]) {
      refusal(target);
    }
  });

  test("the scheme may be in capitals, and the target a URL", async () => {
    for (const target of ["MEMORY:", new URL("memory:")]) {
      const store = open(target);
      await store.state("x").save(1);
      await store.close();
    }
  });

  test("each open of memory: is separate", async () => {
    const [one, two] = [open("memory:"), open("memory:")];
    await one.state("x").save(1);
    expect(await two.state("x").load()).toBeUndefined();
    await Promise.all([one.close(), two.close()]);
  });

  test("a backend of one's own serves one store, and has no prefix", async () => {
    const backend = new MemoryBackend();
    expect(refusal(backend, { prefix: "x" }).message).toMatch(/prefix/);
    const store = open(backend);
    await store.state("x").save(1);
    expect(refusal(backend).message).toMatch(/already belongs to a store/);
    await store.close();
    await expect(backend.ready()).rejects.toMatchObject({ code: "UNREACHABLE" }); // closed with it
  });

  test("nothing is connected or made before the first use", async () => {
    const path = join(tmpdir(), `holdfast-never-${String(process.pid)}.db`);
    await open(`sqlite:${path}`).close();
    await open("redis://nowhere.invalid:1").close();
    expect(existsSync(path)).toBe(false);
  });

  test("sqlite: a path, relative or not, or a file URL", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-open-"));
    for (const target of [`sqlite:${folder}/a.db`, `sqlite://${folder}/a.db`]) {
      const store = open(target);
      const n = await store.state("n", { initial: () => 0 }).update((before) => before + 1);
      expect(n).toBe(target.includes("//") ? 2 : 1);
      await store.close();
    }
    rmSync(folder, { recursive: true });
  });
});

describe("[P3] a password is never shown", () => {
  const secret = "hunter2secret";

  test("[P3] in what is wrong with a URL", () => {
    for (const target of [
      `redis://user:${secret}@host:notaport`,
      `redis://user:${secret}@`,
      `redis://:${secret}@[::1`,
      `http://user:${secret}@host`,
      `user:${secret}@host`,
      `rediss://:${secret}@host:99999`,
    ]) {
      expect(printed(refusal(target))).not.toContain(secret);
    }
  });

  test("[P3] in names and in the errors of a server that cannot be reached", async () => {
    const port = await freePort();
    const store = open(`redis://user:${secret}@127.0.0.1:${String(port)}/3`, { operationMs: 200 });
    expect(store.name).toBe(`redis://127.0.0.1:${String(port)}/3`);
    const errors = await Promise.all(
      [store.ready(), store.state("x").load(), store.state("x").save(1), store.lock("x").acquire()].map(
        (call) =>
          call.then(
            () => "connected?",
            (error: unknown) => error,
          ),
      ),
    );
    for (const error of errors) {
      expect(error).toMatchObject({ code: "UNREACHABLE" });
      expect((error as Error).message).toContain(`127.0.0.1:${String(port)}`); // where, so that it can be mended
      expect(printed(error)).not.toContain(secret);
    }
    expect(inspect(store, { depth: 10, showHidden: true })).not.toContain(secret);
    await store.close();
  });
});
