// What each part of a target may be: all of it is used, or it is refused with the reason. Nothing is connected here.

import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, onTestFinished, test, vi } from "vitest";

import { open } from "../../../src/index.ts";

/** The name of the store that a target opens. */
const nameOf = (target: string | URL): string => {
  const store = open(target);
  void store.close();
  return store.name;
};

function refusal(target: string | URL): Error {
  try {
    nameOf(target);
  } catch (error) {
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
    return error as Error;
  }
  throw new Error(`should have been refused: ${String(target)}`);
}

describe("sqlite:", () => {
  const here = process.cwd();

  test.each([
    ["sqlite:store.db", join(here, "store.db")],
    ["SQLite:data/store.db", join(here, "data/store.db")],
    ["sqlite:/var/x y/store.db", "/var/x y/store.db"],
    ["sqlite:///var/x%20y/store.db", "/var/x y/store.db"],
    ["sqlite:///var/100%25%3F%23.db", "/var/100%?#.db"],
    ["sqlite:/var/a/../store.db", "/var/store.db"],
  ])("%s is the file %s", (target, path) => {
    expect(nameOf(target)).toBe(`sqlite:${path}`);
  });

  test.each([
    ["sqlite:s.db?mode=rwc", "parameters are not used"],
    ["sqlite:s.db?", "parameters are not used"],
    ["sqlite:s.db#main", "parameters are not used"],
    ["sqlite:///var/s.db?mode=ro", "parameters are not used"],
    ["sqlite:///var/s.db#main", "parameters are not used"],
    ["sqlite:file:s.db", "expected a path, got a URL"],
    ["sqlite:file:///var/s.db", "expected a path, got a URL"],
    ["sqlite:sqlite:s.db", "expected a path, got a URL"],
    ["sqlite:s%20t.db", "only the form with three slashes is percent-encoded"],
    ["sqlite:s.db ", "a leading or trailing space"],
    ["sqlite: s.db", "a leading or trailing space"],
    ["sqlite:s.db\n", "control character"],
    ["sqlite:///var/s.db ", "a leading or trailing space"],
    ["sqlite:///var/s%00.db", "control character"],
    ["sqlite:///var/s%2ft.db", "a file URL must have three slashes, and no host"],
    ["sqlite:///var\\s.db", "no backslashes"],
    ["sqlite://s.db", "a file URL must have three slashes, and no host"],
    ["sqlite://user:pw@localhost/s.db", "a file URL must have three slashes, and no host"],
    ["sqlite:data/", "names no file"],
    ["sqlite:///var/data/", "names no file"],
    ["sqlite:..", "names no file"],
    ["sqlite:", "names no file"],
    ["sqlite::memory:", 'use "memory:"'],
  ])("%j is refused, and says why and what to write", (target, why) => {
    const { message } = refusal(target);
    expect(message).toContain(why);
    if (!target.includes(":memory:")) expect(message).toContain("sqlite:///var/data/store.db");
  });

  test("a URL object is read as its text", () => {
    expect(nameOf(new URL("sqlite:///var/x y.db"))).toBe("sqlite:/var/x y.db");
    refusal(new URL("sqlite:s.db?mode=ro"));
  });

  test("[L1] a relative path is resolved when the store is opened, so that chdir changes nothing", async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-targets-")));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const cwd = vi.spyOn(process, "cwd").mockReturnValue(folder);
    const store = open("sqlite:store.db");
    cwd.mockReturnValue("/");
    const other = open(`sqlite:${join(folder, "store.db")}`);
    cwd.mockRestore();
    await store.state("x").save(1);
    expect(await other.state("x").load()).toBe(1);
    await Promise.all([store.close(), other.close()]);
  });

  test("a relative path where the working directory is gone: an error of ours, with what to do", () => {
    const gone = Object.assign(new Error("ENOENT: no such file or directory, uv_cwd"), { code: "ENOENT" });
    const cwd = vi.spyOn(process, "cwd").mockImplementation(() => {
      throw gone;
    });
    onTestFinished(() => cwd.mockRestore());
    expect(() => open("sqlite:store.db")).toThrow(
      expect.objectContaining({
        code: "ACCESS_DENIED",
        outcome: "none",
        lasting: true,
        message: expect.stringMatching(/uv_cwd.*absolute path/) as string,
      }),
    );
    expect(nameOf("sqlite:/var/store.db")).toBe("sqlite:/var/store.db");
  });
});

describe("redis:", () => {
  test.each([
    ["redis://h", "redis://h:6379"],
    ["REDIS://h:1/", "redis://h:1"],
    ["rediss://[::1]:7000/12", "rediss://[::1]:7000/12"],
    ["redis://user:p%40%2F%23%3F@h/1", "redis://h:6379/1"],
    ["redis+unix:///run/my%20redis.sock?db=3", "redis+unix:///run/my redis.sock?db=3"],
  ])("%s is %s", (target, name) => {
    expect(nameOf(target)).toBe(name);
  });

  test.each([
    ["redis:6379", 'Did you mean "redis://redis:6379"?'],
    ["rediss:6380", 'Did you mean "redis://rediss:6380"?'],
    ["redis:6379/2", 'Did you mean "redis://redis:6379/2"?'],
    ["redis:host", '"redis:" must be followed by two slashes'],
    ["rediss:host:6379", '"rediss:" must be followed by two slashes'],
    ["redis:/host", '"redis:" must be followed by two slashes'],
    ["redis+unix:/run/redis.sock", '"redis+unix:" must be followed by two slashes'],
    ["redis://h:0", "port is 0"],
    ["redis://h/01", "database"],
    ["redis://h/0/1", "database"],
    ["redis://h//1", "database"],
    ["redis://h/0%2F1", "database"],
    ["redis://h/-1", "database"],
    ["redis://h/1 ", "space"],
    ["redis://h\n", "control character"],
    ["redis://h?", 'a "?"'],
    ["redis://h?db=1", 'a "?"'],
    ["redis://h#", 'a "#"'],
    ["redis://alice@h", "a user name needs a password"],
    ["redis+sentinel://h/main?sentinelUser=alice", "a user name needs a password"],
    ["redis://\u00e9.example", "host"],
    ["redis://a%2Fb", "host"],
    ["redis+unix:///run/redis.sock?db=1&db=2", "one db"],
    ["redis+unix:///run/redis.sock?db=", "database"],
    ["redis+unix:///run/redis.sock#x", 'a "#"'],
    ["redis+unix://localhost:1/run/redis.sock", "no port"],
    ["redis+unix:///run/", "the socket path must be absolute"],
  ])("%j is refused, and says why and what to write", (target, why) => {
    const { message } = refusal(target);
    expect(message).toContain(why);
    expect(message).toContain("redis://[user:password@]host[:port][/db]");
  });

  const secret = "hunter2secret";
  test.each(["#", "/", "?", "@", "%", " "])(
    "[P3] %j in a password: the advice is to percent-encode it, and nothing is shown",
    (mark) => {
      for (const target of [
        `redis://user:${secret}${mark}${secret}@host:6379/1`,
        `rediss://:${mark}${secret}@host`,
        `redis+unix://user:${mark}zz${secret}@localhost/run/redis.sock`,
      ]) {
        const error = refusal(target);
        expect(error.message).toContain("percent-encode");
        expect(error.message).toContain("# is %23, / is %2F, ? is %3F, @ is %40");
        expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(secret);
      }
    },
  );
});

describe("memory:", () => {
  test.each(["memory:name", "memory://", "memory:?x", "memory:#x", "memory: ", "memory:\n"])(
    "%j is refused",
    (target) => {
      expect(refusal(target).message).toContain('open("memory:")');
    },
  );
});
