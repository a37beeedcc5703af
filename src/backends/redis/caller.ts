/**
 * Calls: one script or one plain command, one attempt, and errors as the contract wants them.
 *
 * A script that the server does not know was certainly not run: it is loaded, and the call made again; nobody notices.
 */
import type { RedisArgument, RedisClient, RedisReply } from "./client.ts";
import { replyFailure } from "./failures.ts";
import type { Script } from "./scripts.ts";

export interface Call<T> {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly RedisArgument[];
  readonly read: (reply: RedisReply) => T;
  /** Strings of the reply are wanted as bytes. */
  readonly bytes?: boolean | undefined;
  /** For messages. */
  readonly id?: string | undefined;
  /** Sent just before it, in the same pipeline; the script finds out whether they succeeded. */
  readonly ahead?: readonly (readonly RedisArgument[])[] | undefined;
}

export interface PlainCall<T> {
  readonly args: readonly RedisArgument[];
  readonly read: (reply: RedisReply) => T;
  readonly id?: string | undefined;
}

export class Caller {
  readonly #client: RedisClient;
  /** Scripts that are being loaded: one SCRIPT LOAD serves all who miss one. */
  readonly #loading = new Map<string, Promise<unknown>>();

  constructor(client: RedisClient) {
    this.#client = client;
  }

  /** One EVALSHA, and what goes ahead of it. */
  run<T>(call: Call<T>): Promise<T> {
    const { script, keys, read, id } = call;
    const args = ["EVALSHA", script.sha1, String(keys.length), ...keys, ...call.args];
    const command = { args, bytes: call.bytes === true };
    const refused = async (said: string): Promise<T> => {
      if (!said.includes("NOSCRIPT")) throw this.failure(said, id);
      await this.#load(script);
      return this.#client.send(command, { read, refused: (again) => this.#fail(again, id) });
    };
    for (const ahead of call.ahead ?? []) this.plain({ args: ahead, read: ignore }).catch(ignore);
    return this.#client.send(command, { read, refused });
  }

  /** One command as it is; the strings of its reply arrive as bytes. */
  plain<T>(call: PlainCall<T>): Promise<T> {
    const { args, read, id } = call;
    return this.#client.send({ args, bytes: true }, { read, refused: (said) => this.#fail(said, id) });
  }

  /** What an error reply means; `id`: the lock or state that the command was about. */
  failure(said: string, id: string | undefined): Error {
    return replyFailure(this.#client.name, said, id);
  }

  #load(script: Script): Promise<unknown> {
    const known = this.#loading.get(script.name);
    if (known !== undefined) return known;
    const load = { args: ["SCRIPT", "LOAD", script.text], read: () => undefined };
    const loading = this.plain(load).finally(() => this.#loading.delete(script.name));
    this.#loading.set(script.name, loading);
    return loading;
  }

  #fail(said: string, id: string | undefined): never {
    throw this.failure(said, id);
  }
}

function ignore(): void {
  // nothing is to be made of it
}
