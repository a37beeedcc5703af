/** The lines of a file or of the standard input, as bytes, with bounded memory: a line that is too long is skipped. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { UsageError } from "../exit-codes.ts";

const newline = 10;

export interface Line {
  /** From 1. */
  readonly number: number;
  /** `undefined`: it is too long. */
  readonly bytes: Buffer | undefined;
}

/** `-`: the standard input. Throws UsageError if the file cannot be opened. */
export async function* linesOf(file: string, mostBytes: number): AsyncGenerator<Line> {
  const input = file === "-" ? process.stdin : await streamOf(file);
  let number = 1;
  let parts: Buffer[] = [];
  let length = 0;
  const take = (part: Buffer): void => {
    length += part.length;
    if (length <= mostBytes) parts.push(part);
    else parts = [];
  };
  const line = (): Line => ({ number, bytes: length <= mostBytes ? Buffer.concat(parts) : undefined });
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      take(chunk.subarray(from, end));
      yield line();
      [number, parts, length, from] = [number + 1, [], 0, end + 1];
    }
    take(chunk.subarray(from));
  }
  if (length > 0) yield line();
}

/** Opened first, so that a wrong name is told before anything else. */
async function streamOf(file: string): Promise<NodeJS.ReadableStream> {
  try {
    const handle = await open(file);
    if ((await handle.stat()).isDirectory()) {
      await handle.close();
      throw new Error("it is a folder");
    }
    return createReadStream("", { fd: handle, highWaterMark: 1024 * 1024 });
  } catch (error) {
    throw new UsageError(`${JSON.stringify(file)} cannot be read: ${(error as Error).message}.`);
  }
}
