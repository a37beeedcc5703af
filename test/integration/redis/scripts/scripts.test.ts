// The scripts as files: their headers, their generated copy, and the probe that must know all of their commands.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { endOfStamps } from "../../../../src/backends/redis/protocol/stamp-range.ts";

const root = join(import.meta.dirname, "../../../..");
const folder = join(root, "src/backends/redis/scripts");
const files = readdirSync(folder).filter((name) => name.endsWith(".lua"));

const source = (name: string): string => readFileSync(join(folder, name), "utf8");
const included = (text: string): string =>
  text.replaceAll(/^-- @include ([\w-]+)$/gm, (_, name: string) => source(`lib/${name}.lua`));
const code = (text: string): string => text.replaceAll(/^\s*--.*$/gm, "");

/** The names of the fields of an operation (`local ID, NUMBER = 0, 1`), and of its terms, each at its offset. */
function fieldNames(text: string): { at: string[]; terms: string[] } {
  const lists = [...text.matchAll(/^local ([A-Z_]+(?:, [A-Z_]+)*) = (0(?:, \d+)*)$/gm)].map(
    ([, names = "", offsets = ""]) => {
      const list = names.split(", ");
      expect(offsets.split(", ").map(Number)).toEqual([...list.keys()]);
      return list;
    },
  );
  expect(lists.length).toBeLessThanOrEqual(2);
  return { at: lists[0] ?? [], terms: lists[1] ?? [] };
}

function header(text: string): string {
  return /^(--.*\n)+/.exec(text)?.[0] ?? "";
}

/** The words after `-- KEYS:`, `-- ARGV:` or `-- Each operation:`. */
function declared(text: string, list: "KEYS" | "ARGV" | "Each operation"): string[] {
  const line = new RegExp(`^-- ${list}: (.*)$`, "m").exec(header(text))?.[1] ?? "none";
  return line === "none" ? [] : line.split(" ");
}

function used(text: string, list: "KEYS" | "ARGV"): number[] {
  const found = code(included(text)).matchAll(new RegExp(`\\b${list}\\[(\\d+)\\]`, "g"));
  return [...new Set([...found].map((match) => Number(match[1])))].sort((one, two) => one - two);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test("the embedded scripts are those of the .lua files", () => {
  const check = spawnSync(process.execPath, [join(root, "scripts/embed-lua.ts"), "--check"], {
    encoding: "utf8",
  });
  expect(check.stderr).toBe("");
  expect(check.status).toBe(0);
});

test("[S2] [L3] both languages have the same end of stamps", () => {
  expect(/^local LAST = (\d+)$/m.exec(source("lib/bounds.lua"))?.[1]).toBe(String(endOfStamps));
});

describe.each(files)("the header of %s", (name) => {
  const text = source(name);

  test("says what it is, KEYS, ARGV, replies and promises", () => {
    expect(header(text)).toMatch(/^-- [A-Z].*\n/);
    for (const part of ["KEYS", "ARGV", "Replies", "Promises"])
      expect(header(text)).toContain(`\n-- ${part}: `);
  });

  test("declares exactly the KEYS and ARGV that the body uses", () => {
    expect(used(text, "KEYS")).toEqual(upTo(declared(text, "KEYS").length));
    expect(used(text, "ARGV")).toEqual(upTo(declared(text, "ARGV").length));
  });

  test("gives them the names that the body gives them", () => {
    for (const list of ["KEYS", "ARGV"] as const) {
      const names = declared(text, list);
      for (const [index, given] of namesGiven(code(text), list))
        expect(snake(names[index - 1] ?? "")).toBe(given);
    }
  });

  test("declares the fields of an operation, and their terms, as the body takes them apart", () => {
    const whole = /^ *(?:local )?([\w, ]+) = unpack\(operation\)/m.exec(code(text))?.[1];
    // confirm.lua takes its operations apart one by one.
    if (whole !== undefined) {
      expect(whole.split(", ")).toEqual(declared(text, "Each operation").map(snake));
      return;
    }
    const [own = "", of = ""] = declared(text, "Each operation").join(" ").split("; ");
    const names = { at: words(own), terms: words(of.replace("its terms: ", "").replace("no terms", "")) };
    const width = /^local .*\bwidth = .*?(\d+)$/m.exec(code(text))?.[1];
    expect(Number(width ?? 0)).toBe(names.at.length);
    const named = fieldNames(code(text));
    for (const list of ["at", "terms"] as const) {
      expect(named[list].map((name) => name.toLowerCase())).toEqual(
        names[list].slice(0, named[list].length).map(snake),
      );
      for (const [, field = ""] of code(text).matchAll(
        new RegExp(`operations\\[${list}\\b(?: \\+ (\\w+))?\\]`, "g"),
      ))
        expect(named[list]).toContain(field);
    }
    for (const [list, field, given] of fieldsGiven(code(text))) {
      expect(named[list]).toContain(field);
      expect(field.toLowerCase()).toBe(given);
    }
    const alone =
      /^ *(?:local )?([\w, ]+) = unpack\(ARGV, alone_at\)/m.exec(code(text))?.[1]?.split(", ") ?? [];
    const fields = ["base", "_", ...names.at.slice(0, -1).map(snake), "_", ...names.terms.map(snake)];
    for (const [index, name] of alone.entries()) expect(["_", fields[index]]).toContain(name);
    for (const [, field] of code(text).matchAll(/terms_at \+ operations\[at \+ (\w+)\]/g))
      expect(field).toBe("TERMS");
  });

  test("names every reply that the body returns", () => {
    const returned = [...code(text).matchAll(/(?:return|remember\() ?\(?'([a-z]+)/g)].map(
      (match) => match[1],
    );
    for (const word of returned) expect(header(text)).toContain(String(word));
  });
});

/** `local lock, queue = KEYS[1], KEYS[2]` and `local seen = tonumber(ARGV[8])`. */
function* namesGiven(text: string, list: string): Generator<[number, string]> {
  for (const [, left = "", right = ""] of text.matchAll(/^local ([\w, ]+) = (.*)$/gm)) {
    const values = right.split(", ");
    for (const [at, name] of left.split(", ").entries()) {
      const index = new RegExp(`^(?:\\w[\\w.]*\\()?${list}\\[(\\d+)\\]`).exec(values[at] ?? "")?.[1];
      if (index !== undefined) yield [Number(index), name];
    }
  }
}

/** `id, lease = operations[at + ID], operations[terms + LEASE]`, also further right among others. */
function* fieldsGiven(text: string): Generator<["at" | "terms", string, string]> {
  for (const [, left = "", right = ""] of text.matchAll(/^ *(?:local )?([\w, ]+) = (.*)$/gm)) {
    const values = right.split(", ");
    for (const [index, name] of left.split(", ").entries()) {
      const found = /^operations\[(at|terms) \+ (\w+)\]$/.exec(values[index] ?? "");
      if (found !== null) yield [found[1] as "at", found[2] ?? "", name];
    }
  }
}

const words = (text: string): string[] => text.split(" ").filter((word) => word !== "");

/** Headers write names as TypeScript does; `leaseMs` is `lease` in the body. */
function snake(name: string): string {
  return name.replace(/Ms$/, "").replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

describe("commands", () => {
  const commandsOf = (text: string): Set<string> =>
    new Set([...code(included(text)).matchAll(/redis\.p?call\('([A-Z]+)'/g)].map((match) => match[1] ?? ""));

  test("the probe uses every command that any script uses", () => {
    const all = new Set(files.flatMap((name) => [...commandsOf(source(name))]));
    expect([...commandsOf(source("probe.lua"))].sort()).toEqual([...all].sort());
  });

  test("PUBLISH and PUBSUB are never called so that their failure could stop a script", () => {
    for (const name of files)
      expect(code(included(source(name)))).not.toMatch(/redis\.call\('PUB(LISH|SUB)'/);
  });

  test("time is read once per script", () => {
    for (const name of files.filter((file) => file !== "probe.lua")) {
      expect((code(source(name)).match(/clock\(\)|'TIME'/g) ?? []).length).toBeLessThanOrEqual(1);
    }
  });
});
