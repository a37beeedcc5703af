/**
 * Calls: one script or one plain command, one attempt, and errors as the contract wants them.
 *
 * A script that the server does not know was certainly not run: it is loaded, and the call made again; nobody notices.
 */
import { UnavailableError } from "../../../errors.ts";
import type { RedisArgument, RedisClient, RedisReply } from "../client/port.ts";
import { isWrongServer, replyFailure, type Phase } from "../errors.ts";
import type { Script } from "../scripts/generated.ts";

export interface ScriptCall<T> {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly RedisArgument[];
  readonly read: (reply: RedisReply) => T;
  /** Strings of the reply are wanted as bytes. */
  readonly bytes?: boolean | undefined;
  /** For messages. */
  readonly id?: string | undefined;
  /** Sent just before it, in the same pipeline. */
  readonly ahead?: readonly AheadCommand[] | undefined;
  /** The script has been sent, perhaps for the second time: what is sent now follows it. */
  readonly onSent?: (() => void) | undefined;
}

/** A command that a script relies on. The script sees whether it was done, and says `STAGED` if not; the reason is here. */
export interface AheadCommand {
  readonly args: readonly RedisArgument[];
  failure?: unknown;
}

export interface CommandCall<T> {
  readonly args: readonly RedisArgument[];
  readonly read: (reply: RedisReply) => T;
  readonly id?: string | undefined;
}

/** What a call was, for the error of one that was refused. */
export interface ErrorContext {
  readonly id?: string | undefined;
  readonly ahead?: AheadCommand | undefined;
}

export interface ScriptRunnerOptions {
  /** What is refused while connecting was not done. Default: "sent". */
  readonly phase?: Phase;
  /** The server says that it is the wrong one. Default: the client connects anew. */
  readonly onWrongServer?: () => void;
}

export class ScriptRunner {
  readonly #client: RedisClient;
  readonly #phase: Phase;
  readonly #onWrongServer: () => void;
  /** Scripts that are being loaded: one SCRIPT LOAD serves all who miss one. */
  readonly #loading = new Map<string, Promise<unknown>>();

  constructor(client: RedisClient, options: ScriptRunnerOptions = {}) {
    const { phase = "sent", onWrongServer = () => client.renew() } = options;
    this.#client = client;
    this.#phase = phase;
    this.#onWrongServer = onWrongServer;
  }

  /** One EVALSHA, and what goes ahead of it. */
  run<T>(call: ScriptCall<T>): Promise<T> {
    const { script, keys, read, id } = call;
    const args = ["EVALSHA", script.sha1, String(keys.length), ...keys, ...call.args];
    const command = { args, bytes: call.bytes === true };
    const send = (refused: (said: string) => Promise<T> | never): Promise<T> => {
      const reply = this.#client.send(command, { read, refused });
      call.onSent?.();
      return reply;
    };
    const failed = (said: string): never => {
      throw this.failure(said, { id, ahead: call.ahead?.[0] });
    };
    for (const ahead of call.ahead ?? []) this.#sendAhead(ahead);
    return send(async (said) => {
      if (!said.includes("NOSCRIPT")) return failed(said);
      await this.#connected(() => this.#load(script));
      return this.#connected(() => send(failed));
    });
  }

  #sendAhead(ahead: AheadCommand): void {
    const failed = (error: unknown): void => void (ahead.failure = error);
    this.command({ args: ahead.args, read: () => undefined }).catch(failed);
  }

  /** One command as it is; the strings of its reply arrive as bytes. */
  command<T>(call: CommandCall<T>): Promise<T> {
    const { args, read } = call;
    const refused = (said: string): never => {
      throw this.failure(said, call);
    };
    return this.#client.send({ args, bytes: true }, { read, refused });
  }

  /** What an error reply means, if need be by what had been sent ahead. */
  failure(said: string, { id, ahead }: ErrorContext): unknown {
    if (said.includes("STAGED") && ahead?.failure !== undefined) return ahead.failure;
    if (isWrongServer(said)) this.#onWrongServer();
    return replyFailure(this.#client.name, said, { phase: this.#phase, id });
  }

  /** Who answered last may have been left for another server since. Sent at once where there is a connection. */
  #connected<T>(send: () => Promise<T>): Promise<T> {
    const connecting = this.#client.connect();
    return connecting === undefined ? send() : connecting.then(send);
  }

  #load(script: Script): Promise<unknown> {
    const known = this.#loading.get(script.name);
    if (known !== undefined) return known;
    const load = { args: ["SCRIPT", "LOAD", script.text], read: () => undefined };
    const loading = this.command(load).finally(() => this.#loading.delete(script.name));
    this.#loading.set(script.name, loading);
    return loading;
  }
}

/**
 * The failure of a call whose connection broke. Where the server had refused for good what was sent ahead of it, it
 * broke the connection for that, and read nothing of what came behind.
 */
export function causedByAhead(ahead: AheadCommand | undefined, failure: unknown): unknown {
  const reason = ahead?.failure;
  return reason instanceof UnavailableError && reason.lasting ? reason : failure;
}
