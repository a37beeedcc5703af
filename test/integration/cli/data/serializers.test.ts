// States of texts, of bytes and of sealed values on the command line: shown as what they are, or not at all.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "vitest";

import { open, sealed } from "../../../../src/index.ts";
import { newKey } from "../../sealing/stores.ts";
import { onEachPlace } from "./places.ts";

const serializer = sealed("json", { keys: [newKey("k1")] });

onEachPlace((place) => {
  test("a text is set as it is, and shown as JSON", async () => {
    const state = place.store.state("motd", { serializer: "text" });
    expect(await place.run(["set", "motd", '"5"', "--serializer", "text"])).toMatchObject({ code: 0 });
    expect(await state.load()).toBe('"5"');
    expect((await place.run(["get", "motd"])).stdout).toBe('"\\"5\\""\n');
    await place.run(["set", "motd", "-", "--serializer", "text"], { input: "\uFEFFzwei\nZeilen: ü\n" });
    expect(await state.load()).toBe("\uFEFFzwei\nZeilen: ü\n");
    expect((await place.run(["get", "motd", "--raw"])).stdout).toContain("zwei\nZeilen: ü\n");
  });

  test("bytes come from the standard input, and are shown by --raw only", async () => {
    const input = Uint8Array.of(0, 1, 65, 10);
    expect(await place.run(["set", "picture", "-", "--serializer", "bytes"], { input })).toMatchObject({
      code: 0,
    });
    expect(await place.store.state("picture", { serializer: "bytes" }).load()).toEqual(input);
    expect((await place.run(["get", "picture", "--raw"])).stdout).toBe("\0\x01A\n");
    const shown = await place.run(["get", "picture"]);
    expect(shown).toMatchObject({ code: 1, stdout: "" });
    expect(shown.stderr).toMatch(/"picture" cannot be shown as JSON .*Uint8Array.*--raw/);
  });

  test("what cannot be meant is refused, and nothing is saved", async () => {
    const set = (value: string, name: string, input?: Uint8Array) =>
      place.run(["set", "wrong", value, "--serializer", name], input && { input });
    expect((await set("AAE=", "bytes")).stderr).toContain("write - for VALUE");
    expect((await set("-", "text", Uint8Array.of(255))).stderr).toContain("is not UTF-8");
    expect((await set("{}", "pickle")).stderr).toContain("must be json, text or bytes");
    expect(await place.store.state("wrong").load()).toBeUndefined();
  });

  test("[S6] no form replaces another, and a sealed state is neither shown nor set", async () => {
    const state = place.store.state("secret", { serializer });
    await state.save({ pin: 1234 });
    for (const args of [
      ["get", "secret"],
      ["set", "secret", "{}"],
      ["set", "secret", "x", "--serializer", "text"],
    ]) {
      const { code, stdout, stderr } = await place.run(args);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain("sealed-json");
    }
    expect((await place.run(["get", "secret"])).stderr).toContain("has no keys");
    expect((await place.run(["get", "secret", "--raw"])).stdout).not.toContain("1234");
    expect(await state.load()).toEqual({ pin: 1234 });
  });

  test("texts, bytes and sealed states are exported and imported as they are, without a key", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-sealed-"));
    const url = `sqlite:${join(folder, "copy.db")}`;
    await place.store.state("copy:text", { serializer: "text" }).save("ü");
    await place.store.state("copy:bytes", { serializer: "bytes" }).save(Uint8Array.of(0, 255));
    await place.store.state("copy:sealed", { serializer }).save({ pin: 1234 });
    const { stdout: input } = await place.run(["export", "copy:"]);
    expect(input).not.toContain("1234");
    const imported = await place.run(["import", "-", "--url", url], { input });
    expect(imported, imported.stderr).toMatchObject({ code: 0 });
    const copy = open(url);
    expect(await copy.state("copy:text", { serializer: "text" }).load()).toBe("ü");
    expect(await copy.state("copy:bytes", { serializer: "bytes" }).load()).toEqual(Uint8Array.of(0, 255));
    expect(await copy.state("copy:sealed", { serializer }).load()).toEqual({ pin: 1234 });
    await copy.close();
    rmSync(folder, { recursive: true });
  });
});
