/**
 * Words, and chunks of text files. Nothing here depends on stores, locks or other processes.
 *
 * A chunk is about 1/200 of all bytes, in one file or in several. It ends before white space or at the end of a file, so
 * it splits no word. It splits no character either, because no byte of a longer UTF-8 character looks like white space.
 */
import { open, readFile } from "node:fs/promises";

export interface Piece {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export type Chunk = readonly Piece[];
export type Counts = Map<string, number>;

const space = 0x20; // all bytes up to this one are white space or control characters

/** Divides the files into at most `atMost` chunks. */
export async function planChunks(files: readonly string[], atMost: number): Promise<Chunk[]> {
  const sizes = await Promise.all(files.map(async (file) => (await readFile(file)).length));
  const chunkBytes = Math.ceil(sizes.reduce((sum, size) => sum + size, 0) / atMost);
  const chunks: Chunk[] = [];
  let chunk: Piece[] = [];
  let room = chunkBytes;
  for (const file of files) {
    const bytes = await readFile(file);
    let start = 0;
    while (start < bytes.length) {
      const end = borderFrom(bytes, start + room);
      chunk.push({ file, start, end });
      room -= end - start;
      start = end;
      if (room > 0) continue; // end of the file, but the chunk is not full yet
      chunks.push(chunk);
      chunk = [];
      room = chunkBytes;
    }
  }
  return chunk.length > 0 ? [...chunks, chunk] : chunks;
}

function borderFrom(bytes: Buffer, at: number): number {
  let border = Math.min(at, bytes.length);
  while (border < bytes.length && (bytes[border] ?? 0) > space) border += 1;
  return border;
}

/** Counts the words of a chunk, and reads only its part of the files. */
export async function countChunk(chunk: Chunk): Promise<Counts> {
  const counts: Counts = new Map();
  for (const { file, start, end } of chunk) {
    const handle = await open(file);
    const { buffer } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
    await handle.close();
    countWords(buffer.toString(), counts);
  }
  return counts;
}

/** The expected result: counted by one process, one file after another, without chunks. */
export async function countPlainly(files: readonly string[]): Promise<Counts> {
  const counts: Counts = new Map();
  for (const file of files) countWords(await readFile(file, "utf8"), counts);
  return counts;
}

function countWords(text: string, counts: Counts): void {
  for (const [found] of text.matchAll(/[\p{L}\p{M}]+/gu)) {
    const word = found.toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
}

/** Adds counts to a plain object, which is what a store can keep. */
export function addTo(sums: Record<string, number>, counts: Counts): void {
  for (const [word, count] of counts) {
    // Every object inherits "constructor", which is also a word.
    const before = Object.hasOwn(sums, word) ? sums[word] : 0;
    sums[word] = (before ?? 0) + count;
  }
}

/** The numbers below `length`, in an order that depends only on the seed. */
export function shuffled(length: number, seed: number): number[] {
  const numbers = Array.from({ length }, (_, index) => index);
  let state = seed;
  for (let last = length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other] ?? 0, numbers[last] ?? 0];
  }
  return numbers;
}
