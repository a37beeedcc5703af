// Cutting files into chunks must change no count, wherever the borders fall.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { countChunk, countPlainly, planChunks, shuffled } from "../../../examples/word-tally/words.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-words-"));
afterAll(() => rmSync(folder, { recursive: true }));

const texts: Record<string, string | Buffer> = {
  "plain.txt": "the cat and the dog\nand the bird\n".repeat(30),
  "unicode.txt": "Straße naïve 日本語の文章 e\u0301te\u0301 😀 текст\u2028и ещё ".repeat(30),
  "empty.txt": "",
  "one-word.txt": "x".repeat(2_000),
  "not-utf8.txt": Buffer.from([0x61, 0xff, 0xc3, 0x20, 0x62, 0xe6, 0x97, 0x0a, 0x63]),
  "blank.txt": " \n\t ",
};
const files = Object.entries(texts).map(([name, text]) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
});

test.for([1, 2, 3, 7, 24, 199, 10_000])("at most %i chunks: all words, each once", async (atMost) => {
  const chunks = await planChunks(files, atMost);
  expect(chunks.length).toBeGreaterThan(0);
  expect(chunks.length).toBeLessThanOrEqual(atMost);
  const sums = new Map<string, number>();
  for (const chunk of chunks) {
    for (const [word, count] of await countChunk(chunk)) sums.set(word, (sums.get(word) ?? 0) + count);
  }
  expect(Object.fromEntries(sums)).toEqual(Object.fromEntries(await countPlainly(files)));
});

test("the pieces are the files, from end to end", async () => {
  const pieces = (await planChunks(files, 10)).flat();
  for (const file of files) {
    const own = pieces.filter((piece) => piece.file === file);
    expect(own.reduce((end, piece) => (piece.start === end ? piece.end : NaN), 0)).toBe(
      readFileSync(file).length,
    );
  }
});

test("no files, or empty ones, make no chunks", async () => {
  expect(await planChunks([], 10)).toEqual([]);
  expect(await planChunks([join(folder, "empty.txt")], 10)).toEqual([]);
});

test("an order depends on its seed alone, and names every chunk once", () => {
  expect(shuffled(50, 3)).toEqual(shuffled(50, 3));
  expect(shuffled(50, 3)).not.toEqual(shuffled(50, 4));
  expect(shuffled(50, 3).sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
});
