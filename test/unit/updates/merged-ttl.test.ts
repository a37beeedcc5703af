// The expiry that a batch gives its state: what the last save asks for, on top of what the others did.

import { expect, test } from "vitest";

import type { Ttl, StateWrite } from "../../../src/backends/contract.ts";
import { expiryOnTop } from "../../../src/updates/merged-ttl.ts";
import { remove, save } from "../../../src/testing/contract-client.ts";

const first: Ttl = { whenNew: 1 };
const later: Ttl = { whenNew: 2 };
const saved = (ttlMs: Ttl): StateWrite => save("1", { ttlMs });

test.each<[what: string, before: StateWrite | undefined, life: Ttl, expected: Ttl]>([
  ["alone, the backend decides", undefined, later, later],
  ["alone, the backend keeps it", undefined, "keep", "keep"],
  ["a life of its own always counts", saved(first), 5, 5],
  ["so does none", saved(first), "none", "none"],
  ["and after a delete", remove(), 5, 5],
  ["what an earlier save set is kept", saved(5), "keep", 5],
  ["also for new states: it is not new any more", saved(5), later, 5],
  ["nor after one that ended the life", saved("none"), later, "none"],
  ["the first of those for new states counts", saved(first), later, first],
  ["and stays undecided under a later keep", saved(first), "keep", first],
  ["one that kept is kept: where it was new it has none", saved("keep"), later, "keep"],
  ["after a delete it is new, whatever is stored", remove(), later, 2],
  ["and has no life to keep", remove(), "keep", "none"],
])("[S7] %s", (_what, before, life, expected) => {
  expect(expiryOnTop(before, life)).toEqual(expected);
});
