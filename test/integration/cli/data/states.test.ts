// The commands about states: ls, get, set, rm. Each of them on SQLite and on Redis.

import { expect, test } from "vitest";

import type { Serializer } from "../../../../src/index.ts";
import { jsonLines, onEachPlace } from "./places.ts";

const upper: Serializer = {
  name: "upper",
  serialize: (value) => Buffer.from(String(value).toUpperCase()),
  deserialize: (bytes) => Buffer.from(bytes).toString(),
};
/** What clears a terminal, and what turns the direction of text. */
const hostile = "\u001b[2J\u009b\u202e\u2028";

onEachPlace((place) => {
  test("set saves a value, and get prints it", async () => {
    const saved = await place.run(["set", "book", '{"title":"Emma","pages":[1,2.5,null]}', "--json"]);
    const found = await place.store.state("book").read();
    expect(found?.value).toEqual({ title: "Emma", pages: [1, 2.5, null] });
    expect(jsonLines(saved)).toEqual([{ id: "book", revision: found?.revision }]);

    const plain = await place.run(["get", "book"]);
    expect(plain).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(plain.stdout)).toEqual(found?.value);
    const { value, revision } = found ?? {};
    expect(jsonLines(await place.run(["get", "book", "--json"]))).toEqual([
      { id: "book", revision, version: 1, value, expiresInMs: null },
    ]);
    expect((await place.run(["get", "book", "--raw"])).stdout).toBe('{"title":"Emma","pages":[1,2.5,null]}');
  });

  test("a value comes from the standard input, and may begin with a minus", async () => {
    expect(await place.run(["set", "piped", "-"], { input: '["ü"]\n' })).toMatchObject({ code: 0 });
    expect(await place.store.state("piped").load()).toEqual(["ü"]);
    expect(await place.run(["set", "debt", "--", "-5"])).toMatchObject({ code: 0 });
    expect(await place.store.state("debt").load()).toBe(-5);
  });

  test("an absent state is not there, and says so", async () => {
    for (const flags of [[], ["--json"], ["--raw"]]) {
      const { code, stdout, stderr } = await place.run(["get", "nothing", ...flags]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain('"nothing" is absent');
    }
  });

  test("a save that is refused changes nothing", async () => {
    const state = place.store.state("guarded");
    const revision = await state.save("first");
    const save = (...flags: string[]) => place.run(["set", "guarded", '"second"', ...flags]);
    expect(await save("--if-revision", "absent")).toMatchObject({ code: 1, stdout: "" });
    expect(await save("--if-revision", String(revision - 1))).toMatchObject({ code: 1, stdout: "" });
    expect(await state.load()).toBe("first");
    expect(await save("--if-revision", String(revision))).toMatchObject({ code: 0 });
    expect(await state.load()).toBe("second");
    await using held = await place.store.lock("guarded").acquire();
    const late = await place.run(["set", "guarded", "3", "--wait", "0"]);
    expect(late).toMatchObject({ code: 1, stdout: "" });
    expect(late.stderr).toContain(String(process.pid));
    await held.release();
  });

  test("a time to live is set, kept and removed", async () => {
    const state = place.store.state("short");
    const expiry = async () => (await state.read())?.expiresInMs;
    await place.run(["set", "short", "1", "--ttl", "10m"]);
    expect(await expiry()).toBeGreaterThan(9 * 60_000);
    await place.run(["set", "short", "2"]);
    expect(await expiry()).toBeGreaterThan(9 * 60_000);
    await place.run(["set", "short", "3", "--ttl", "none"]);
    expect(await expiry()).toBeNull();
  });

  test("[S6] what another serializer wrote is not read, not replaced, and its bytes can be had", async () => {
    await place.store.state("shout", { serializer: upper }).save("hey");
    const { code, stdout, stderr } = await place.run(["get", "shout"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/serializer "upper".*--raw/);
    expect(await place.run(["get", "shout", "--raw"])).toMatchObject({ code: 0, stdout: "HEY" });
    expect(await place.run(["set", "shout", '"x"'])).toMatchObject({ code: 1, stdout: "" });
    expect(await place.store.state("shout", { serializer: upper }).load()).toBe("HEY");
  });

  test("[S6] versions are shown, and set replaces only the one that it is told", async () => {
    const state = place.store.state("versioned", { version: 2 });
    await state.save({ first: "Ada" });
    const { stdout } = await place.run(["get", "versioned", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ version: 2, value: { first: "Ada" } });
    expect((await place.run(["ls", "versioned"])).stdout).toMatch(/^versioned +\d{16} +15 +json +2 +never$/m);
    expect((await place.run(["inspect", "versioned"])).stdout).toContain(
      "15 bytes of json, version 2, never",
    );
    const refused = await place.run(["set", "versioned", "1"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("version 2; this one knows up to 1");
    expect(await place.run(["set", "versioned", "1", "--value-version", "x"])).toMatchObject({ code: 2 });
    expect(await place.run(["set", "versioned", "1", "--value-version", "2"])).toMatchObject({ code: 0 });
    expect(await state.load()).toBe(1);
  });

  test("a pickle is shown if JSON can say what it is", async () => {
    const state = place.store.state("pickled", { serializer: "pickle" });
    await state.save({ title: "Emma", pages: [1, 2] });
    const shown = await place.run(["get", "pickled"]);
    expect(JSON.parse(shown.stdout)).toEqual({ title: "Emma", pages: [1, 2] });
    await state.save(2n ** 70n);
    const { code, stdout, stderr } = await place.run(["get", "pickled"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("--raw");
  });

  test("ls lists states, all or those with a prefix, as a table and as JSON", async () => {
    await place.store.state("list:a", { ttlMs: 600_000 }).save([1]);
    await place.store.state("list:b").save("é");
    const { stdout } = await place.run(["ls", "list:"]);
    expect(stdout).toMatch(/^ID +REVISION +BYTES +SERIALIZER +VERSION +EXPIRES\n/);
    expect(stdout).toMatch(/^list:a +\d{16} +3 +json +1 +9 m \d+ s$/m);
    expect(stdout).toMatch(/^list:b +\d{16} +4 +json +1 +never$/m);
    const entries = jsonLines(await place.run(["ls", "list:", "--json"])) as { id: string }[];
    expect(entries.sort((a, b) => (a.id < b.id ? -1 : 1))).toMatchObject([
      { id: "list:a", bytes: 3, serializer: "json", expiresInMs: expect.any(Number) as number },
      { id: "list:b", bytes: 4, serializer: "json", expiresInMs: null },
    ]);
    expect(await place.run(["ls", "none:"])).toMatchObject({ code: 0, stdout: "" });
    expect(await place.run(["ls", "none:", "--json"])).toMatchObject({ code: 0, stdout: "", stderr: "" });
  });

  test("rm deletes what is there, and says what is not", async () => {
    await place.store.state("gone").save(1);
    const { code, stderr, stdout } = await place.run(["rm", "gone", "never-there"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "1 state deleted.\n" });
    expect(stderr).toContain('"never-there" is absent');
    expect(await place.store.state("gone").load()).toBeUndefined();

    const revision = await place.store.state("gone").save(2);
    const remove = (n: number) => place.run(["rm", "gone", "--json", "--if-revision", String(n)]);
    expect(await remove(revision - 1)).toMatchObject({ code: 1 });
    expect(await place.store.state("gone").load()).toBe(2);
    expect(jsonLines(await remove(revision))).toEqual([{ id: "gone", removed: true }]);
  });

  test("rm by prefix needs --yes without a terminal, and deletes just those", async () => {
    for (const id of ["many:1", "many:2", "many"]) await place.store.state(id).save(id);
    const refused = await place.run(["rm", "--id-prefix", "many:"]);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain("--yes");
    expect(await place.store.state("many:1").load()).toBe("many:1");
    expect(await place.run(["rm", "--id-prefix", "many:", "--yes"])).toMatchObject({
      code: 0,
      stdout: "2 states deleted.\n",
    });
    expect(await place.store.state("many:1").load()).toBeUndefined();
    expect(await place.store.state("many").load()).toBe("many");
    expect(await place.run(["rm", "--id-prefix", "many:", "--yes", "--json"])).toMatchObject({
      code: 0,
      stdout: "",
    });
  });

  test("what is stored cannot break the terminal", async () => {
    await place.store.state("turned\u202eid").save({ [hostile]: hostile });
    for (const args of [
      ["ls", "turned"],
      ["get", "turned\u202eid"],
      ["inspect", "turned\u202eid"],
    ]) {
      for (const flags of [[], ["--json"]]) {
        const { stdout, stderr } = await place.run([...args, ...flags]);
        expect(stdout).not.toBe("");
        expect(stdout + stderr).not.toMatch(/(?!\n)\p{Cc}|\u2028|\u202e/u);
      }
    }
    const [entry] = jsonLines(await place.run(["get", "turned\u202eid", "--json"])) as { value: unknown }[];
    expect(entry?.value).toEqual({ [hostile]: hostile });
  });
});
