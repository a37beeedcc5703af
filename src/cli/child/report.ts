/**
 * What `run`, `once` and `leader` themselves have to say: to the standard error, since the standard output is the command's
 * alone. With `--json` it is one object on a line, and the end of the command is told as well.
 */
import type { Output } from "../output.ts";
import { jsonLine, printable, withoutPasswords } from "../printable.ts";

export type Event =
  /** The command ended by itself, or by a signal that was not ours. */
  | { readonly event: "exited"; readonly signal: NodeJS.Signals | null }
  /** The lock was not got: another holds it. */
  | { readonly event: "busy" }
  /** The lock was lost while the command ran. */
  | { readonly event: "lost" }
  /** The command was not found, or could not be executed. */
  | { readonly event: "not-started" }
  /** A signal ended the waiting. */
  | { readonly event: "stopped"; readonly signal: NodeJS.Signals }
  /** The store cannot be used; `error` is the code of the library's error. */
  | { readonly event: "failed"; readonly error: string }
  /** `once`: the command has succeeded before; `doneAt`: an ISO time, if it is known. */
  | { readonly event: "already-done"; readonly doneAt: string | undefined };

export class Report {
  readonly #name: string;
  readonly #id: string;
  readonly #isJson: boolean;
  /** From before the command starts: opening a pipe makes it non-blocking for the command too, which spawn() undoes. */
  readonly #stderr = process.stderr;

  constructor(of: { readonly name: string; readonly id: string; readonly output: Output }) {
    this.#name = of.name;
    this.#id = of.id;
    this.#isJson = of.output.isJson;
  }

  /** Returns `code`, which this process is to exit with. `text`: for people; without one, only programs are told. */
  end(event: Event, code: number, text?: string): number {
    this.say({ ...event, code }, text);
    return code;
  }

  say(event: Event & { readonly code?: number }, text?: string): void {
    const message = text === undefined ? {} : { message: text };
    const all = { ...event, id: this.#id, ...message };
    if (this.#isJson) this.#stderr.write(`${withoutPasswords(jsonLine(all))}\n`);
    else if (text !== undefined) this.#stderr.write(`holdfast ${this.#name}: ${printable(text)}\n`);
  }
}
