/** A value that is given on the command line, or to the standard input, as JSON text. */
import { text } from "node:stream/consumers";
import { UsageError } from "../exit-codes.ts";

/** `-` is the standard input. Throws UsageError for what is not JSON, or would not be kept as it is written. */
export async function jsonInput(operand: string): Promise<unknown> {
  const isPiped = operand === "-";
  const source = isPiped ? await text(process.stdin) : operand;
  const value = parse(source, isPiped ? "What the standard input has" : "VALUE");
  refuseRounded(source);
  return value;
}

function parse(source: string, what: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    const hint = what === "VALUE" ? ` A text needs quotes of its own: '"text"'.` : "";
    throw new UsageError(`${what} is not JSON (${(error as Error).message}).${hint}`);
  }
}

/** `12345678901234567890` would be saved as another number, and `1e999` as none. */
function refuseRounded(source: string): void {
  const numbers = source.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').matchAll(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi);
  for (const [number] of numbers) {
    const isKept = /^-?\d+$/.test(number)
      ? Number.isSafeInteger(Number(number))
      : Number.isFinite(Number(number));
    if (!isKept) throw new UsageError(`The number ${number} cannot be kept exactly: write it as a text.`);
  }
}
