// What an operation on Redis is told of its receipt [S5], and when the hash of receipts is to live on.

import { expect, test } from "vitest";

import { ReceiptHash } from "../../../src/backends/redis/protocol/receipt-hash.ts";

const keepMs = 60_000;
const receipt = { sequence: 3, n: 7, keepMs };

test("[S5] a first attempt says nothing of a proof; a retry names one, or says that there is none", () => {
  const hash = new ReceiptHash();
  expect(hash.fieldsFor(receipt)).toEqual(["3", "7", ""]);
  expect(hash.fieldsFor(receipt)).toEqual(["3", "7", "-"]);
  hash.noteRecorded(receipt, hash.expiry());
  const next = { ...receipt, sequence: 4 };
  expect(hash.fieldsFor(next)).toEqual(["4", "7", ""]);
  expect(hash.fieldsFor(next)).toEqual(["4", "7", "3 7"]);
});

test("[S5] the expiry is renewed in every quarter of keepMs", () => {
  const hash = new ReceiptHash();
  hash.fieldsFor(receipt);
  expect(hash.expiry(0).args).toEqual(["75000", "1"]);
  hash.noteRecorded(receipt, hash.expiry(0));
  expect(hash.expiry(keepMs / 4 - 1).args).toEqual(["75000", "0"]);
  expect(hash.expiry(keepMs / 4).args).toEqual(["75000", "1"]);
});

test("[S5] the reply to a retry renews nothing: it may have been read from the record", () => {
  const hash = new ReceiptHash();
  hash.fieldsFor(receipt);
  hash.noteRecorded(receipt, hash.expiry(0));
  const next = { ...receipt, n: 8 };
  hash.fieldsFor(next);
  hash.fieldsFor(next);
  hash.noteRecorded(next, hash.expiry(keepMs / 4));
  expect(hash.expiry(keepMs / 4).args[1]).toBe("1");
});
