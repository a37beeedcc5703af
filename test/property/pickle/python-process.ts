// A Python that answers requests about pickles: peer.py says which. One process for thousands of values.

import { spawn, spawnSync, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** What Python made of a request. */
export interface Answer {
  /** The value, with its types: as describe.ts writes it. */
  readonly text: string;
  /** The value, as Python pickled it. */
  readonly pickle: Uint8Array;
}

/** `c`: the pickler in C. `p`: the one in Python. */
export type Pickler = "c" | "p";

/** The version of `python3`, or `undefined` if it is not there. */
export function pythonVersion(): string | undefined {
  const { status, stdout } = spawnSync("python3", ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

export class PythonProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #chunks: AsyncIterator<Buffer>;
  #received = Buffer.alloc(0);

  constructor() {
    this.#child = spawn("python3", [join(import.meta.dirname, "peer.py")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#chunks = this.#child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Loads the pickle, and pickles it again. */
  echo(pickle: Uint8Array, protocol: number, pickler: Pickler): Promise<Answer> {
    return this.#ask(Buffer.concat([Buffer.from(`E${String(protocol)}${pickler}`), pickle]));
  }

  /** Makes a random value. */
  make(seed: string, protocol: number, pickler: Pickler): Promise<Answer> {
    return this.#ask(Buffer.from(`M${String(protocol)}${pickler}${seed}`));
  }

  async end(): Promise<void> {
    const exit = once(this.#child, "exit");
    this.#child.stdin.end();
    await exit;
  }

  async #ask(request: Buffer): Promise<Answer> {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(request.length);
    this.#child.stdin.write(Buffer.concat([head, request]));
    const length = (await this.#read(4)).readUInt32BE();
    const reply = JSON.parse((await this.#read(length)).toString()) as Record<string, string>;
    if (reply["error"] !== undefined) throw new Error(`Python: ${reply["error"]}`);
    return {
      text: reply["text"] ?? "",
      pickle: new Uint8Array(Buffer.from(reply["pickle"] ?? "", "base64")),
    };
  }

  async #read(length: number): Promise<Buffer> {
    while (this.#received.length < length) {
      const chunk = await this.#chunks.next();
      if (chunk.done === true) throw new Error("Python has ended");
      this.#received = Buffer.concat([this.#received, chunk.value]);
    }
    const found = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return found;
  }
}
