// Ids and values made to hurt: refused at the door with a reason, or kept exactly.

import { afterAll, describe, expect, test } from "vitest";

import { open, type Serializer } from "../../../src/index.ts";

const store = open("memory:");
afterAll(() => store.close());

const invalid = { code: "INVALID_ARGUMENT", outcome: "none" };
const refuses = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    expect(error).toMatchObject(invalid);
    return error;
  }
  return expect.unreachable("should have been refused");
};
const wrongTypes: unknown[] = ["100", null, true, {}, [], 5n, new Date(0)];

const text: Serializer = {
  name: "text",
  serialize: (value) => new TextEncoder().encode(String(value)),
  deserialize: (bytes) => new TextDecoder().decode(bytes),
};

describe("ids made to hurt", () => {
  const makers: readonly [string, (id: never) => unknown][] = [
    ["state", (id) => store.state(id)],
    ["lock", (id) => store.lock(id)],
    [
      "stateful",
      (id) =>
        store.stateful(
          id,
          () => ({}),
          () => 1,
        ),
    ],
  ];

  test.each(makers)("refused at the door: %s", (_, make) => {
    const bad: unknown[] = [
      "",
      "}",
      "}x",
      "a\nb",
      "a\0",
      "\u0085",
      "\u007f",
      "\ud800",
      "x\udc00y",
      "x".repeat(513),
      "😀".repeat(129),
      "x".repeat(1_048_576),
      ...wrongTypes.filter((value) => typeof value !== "string"),
      undefined,
      Symbol("id"),
    ];
    for (const id of bad) {
      const { message } = refuses(() => make(id as never)) as Error;
      expect(message.length).toBeLessThan(300); // a megabyte is not quoted
    }
  });

  test("kept exactly", async () => {
    const good = [
      "__proto__",
      "constructor",
      "{x}",
      "a}b",
      "a{b",
      " ",
      "a b",
      "ä",
      "😀".repeat(128),
      "x".repeat(512),
      "%00",
      "'\";--",
      "../..",
      "*",
      "a:b",
    ];
    for (const [n, id] of good.entries()) await store.state<number>(id).save(n);
    for (const [n, id] of good.entries()) {
      expect(await store.state(id).load()).toBe(n);
      await store.lock(id).run((grant) => expect(grant.id).toBe(id));
    }
    const listed: string[] = [];
    for await (const { id } of store.states()) listed.push(id);
    expect(listed).toEqual(expect.arrayContaining(good));
  });
});

describe("values made to hurt", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const deep = (depth: number): unknown => (depth === 0 ? 1 : [deep(depth - 1)]);

  test.each<[string, unknown]>([
    ["NaN", NaN],
    ["Infinity", { a: [Infinity] }],
    ["-0", -0],
    ["a bigint", 1n],
    ["a cycle", cycle],
    ["a function", { f: () => 1 }],
    ["a symbol", Symbol("s")],
    ["undefined in an array", [undefined]],
    ["undefined itself", undefined],
    ["a lone surrogate", "\ud800"],
    ["a Map", new Map()],
    ["a class instance", Object.create({ own: "prototype" })],
    ["bytes", new Uint8Array(4)],
    ["100 MB", "x".repeat(100 * 1024 * 1024)],
    ["10 000 levels", deep(5_000)],
  ])("[S6] %s is refused, and what was stored stays", async (name, value) => {
    const state = store.state<unknown>(`value: ${name}`);
    await state.save("before");
    const saving = state.save(value);
    await expect(saving).rejects.toMatchObject({ code: "SERIALIZATION", outcome: "none" });
    if (value !== undefined) {
      await expect(state.update(() => value)).rejects.toMatchObject({ code: "SERIALIZATION" });
    }
    expect(await state.load()).toBe("before");
  });

  test("[S6] a serializer that throws, lies or answers nonsense is told to the caller, and stores nothing", async () => {
    const wrong: [Serializer, string][] = [
      [
        {
          ...text,
          serialize: () => {
            throw new Error("mine");
          },
        },
        "SERIALIZATION",
      ],
      [{ ...text, serialize: () => "text" as never }, "SERIALIZATION"],
      [{ ...text, serialize: () => undefined as never }, "SERIALIZATION"],
      [
        {
          ...text,
          deserialize: () => {
            throw new Error("mine");
          },
        },
        "CORRUPT_STATE",
      ],
    ];
    for (const [serializer, code] of wrong) {
      const state = store.state<unknown>("own serializer", { serializer });
      if (code === "SERIALIZATION") {
        await expect(state.save(1)).rejects.toMatchObject({ code });
        expect(await state.read()).toBeUndefined();
      } else {
        await store.state("own serializer", { serializer: text }).save(1);
        await expect(state.load()).rejects.toMatchObject({ code });
        await expect(state.update(() => 2)).rejects.toMatchObject({ code });
        expect(await store.state("own serializer", { serializer: text }).load()).toBe("1");
      }
    }
  });
});
