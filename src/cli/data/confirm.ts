/** Asks before a command that reaches many ids at once; where it cannot ask, `--yes` is needed. */
import { createInterface } from "node:readline/promises";
import { UsageError } from "../exit-codes.ts";
import { printable } from "../printable.ts";

/** Call it before anything is opened. */
export function requireTerminal(isSure: boolean): void {
  if (isSure || (process.stdin.isTTY && process.stderr.isTTY)) return;
  throw new UsageError("--id-prefix reaches many ids at once. Without a terminal to ask on, it needs --yes.");
}

/** Asks on the terminal. Everything but "y" and "yes" means no, also the end of the input. */
export async function confirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
  try {
    const answer = await Promise.race([terminal.question(`${printable(question)} [y/N] `), ended]);
    return /^\s*y(es)?\s*$/i.test(answer);
  } finally {
    terminal.close();
  }
}
