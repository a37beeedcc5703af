// Sealed states are not for Python: refused when the backend is made, before anything is stored.

import { randomBytes } from "node:crypto";

import { expect, test } from "vitest";

import { sealed } from "../../../src/index.ts";
import { SqliteBackend } from "../../../src/statefulpy/index.ts";

test("[P2] a sealed serializer is refused, with where sealed states go", () => {
  const serializer = sealed("json", { keys: [{ id: "k", key: randomBytes(32) }] });
  expect(() => new SqliteBackend({ dbPath: "never-made.db", serializer })).toThrow(
    /must not be sealed.*in a store of open\(\)/,
  );
});
