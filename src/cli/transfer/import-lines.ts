/** Reads the lines of an export, several at a time, and puts their states into a store. */
import { HoldfastError, UnavailableError } from "../../errors.ts";
import type { Part } from "../../resharding/part.ts";
import { inOrder } from "./in-order.ts";
import { labelOf } from "./ids.ts";
import { failed, putState, type PutOptions, type Result, type ToPut } from "./put-state.ts";
import { linesOf, type Line } from "./read-lines.ts";
import { checkHeader, readRecord, type End } from "./record.ts";
import type { Tally } from "./tally.ts";

/** Far above what one state has by default, with room for escapes. */
const mostLineBytes = 256 * 1024 * 1024;

export interface Importing {
  readonly part: Part;
  readonly how: PutOptions;
  readonly tally: Tally;
}

/** What became of a line. */
interface Done {
  readonly number: number;
  readonly id?: string;
  readonly result: Result;
}

/** Throws CorruptStateError if the input is no export. What is wrong with a line is counted. */
export async function importLines(file: string, { part, how, tally }: Importing): Promise<void> {
  const input = new ExportReader();
  const put = async ({ number, record }: Numbered): Promise<Done> => {
    if (typeof record === "string") return { number, result: failed(record) };
    return { number, id: record.id, result: await putState(part, record, how) };
  };
  const bytesOf = ({ record }: Numbered): number =>
    typeof record === "string" ? 0 : record.wanted.bytes.length;
  for await (const { number, id, result } of inOrder(input.records(file), bytesOf, put)) {
    const line = `line ${String(number)}`;
    if (id !== undefined) await tally.add(id, result, `${line}: `);
    else if (result.outcome === "failed") tally.fail(line, result.problem);
  }
  const { missing } = input;
  if (missing !== undefined) tally.fail("the end", missing);
}

/** A record, or what is wrong with it. */
interface Numbered {
  readonly number: number;
  readonly record: ToPut | string;
}

class ExportReader {
  readonly #lines = new Map<string, number>();
  #count = 0;
  #end: End | undefined;

  /** What is missing at the end, if anything is. */
  get missing(): string | undefined {
    if (this.#end === undefined)
      return "the last line is missing: the export was interrupted, or the file was cut off";
    if (this.#end.states === this.#count) return undefined;
    return `${String(this.#end.states)} states were exported, but there are ${String(this.#count)} lines of states`;
  }

  async *records(file: string): AsyncGenerator<Numbered> {
    let isFirst = true;
    for await (const line of linesOf(file, mostLineBytes)) {
      if (isFirst) checkHeader(line.bytes ?? Buffer.alloc(0));
      else yield* this.#record(line);
      isFirst = false;
    }
    if (isFirst) checkHeader(Buffer.alloc(0));
  }

  *#record({ number, bytes }: Line): Generator<Numbered> {
    if (bytes?.every((byte) => byte === 0x0d) === true) return; // an empty line
    const record = this.#read({ number, bytes });
    if (record !== undefined) yield { number, record };
  }

  #read({ number, bytes }: Line): ToPut | string | undefined {
    this.#count += 1;
    if (bytes === undefined) return `it is longer than ${String(mostLineBytes)} bytes`;
    if (this.#end !== undefined) return "it comes after the last line of the export";
    try {
      const record = readRecord(bytes);
      if ("id" in record) return this.#once(record, number);
      this.#end = record;
      this.#count -= 1;
      return undefined;
    } catch (error) {
      if (error instanceof HoldfastError && !(error instanceof UnavailableError)) return error.message;
      throw error;
    }
  }

  /** Which of two was meant is unknown; they would also be written at the same time. */
  #once(record: ToPut, number: number): ToPut | string {
    const before = this.#lines.get(record.id);
    if (before !== undefined) return `${labelOf(record.id)} was on line ${String(before)} already`;
    this.#lines.set(record.id, number);
    return record;
  }
}
