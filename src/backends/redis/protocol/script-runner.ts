/**
 * Runs one script or one plain command: one attempt, with the errors of the contract.
 *
 * A script that the server does not know was certainly not run: it is loaded, and run again.
 */
import { UnavailableError } from "../../../errors.ts";
import type { RedisArgument, RedisClient, RedisReply } from "../client/client-port.ts";
import { isWrongServer, replyFailure, type Phase } from "../client/errors.ts";
import type { Script } from "../scripts/generated.ts";
import type { Edition, ScriptSettings } from "./script-settings.ts";

export interface ScriptCall<T> {
  readonly script: Script;
  readonly keys: readonly string[];
  /** More keys, whose names the script makes by itself; they are declared only where that is required. */
  readonly madeKeys?: (() => readonly string[]) | undefined;
  readonly args: readonly RedisArgument[];
  readonly read: (reply: RedisReply) => T;
  /** Whether the strings of the reply are needed as bytes. */
  readonly bytes?: boolean | undefined;
  /** For messages. */
  readonly id?: string | undefined;
  /** Sent immediately before the script, in the same pipeline. */
  readonly ahead?: readonly AheadCommand[] | undefined;
  /** Called when the script has been sent, possibly for the second time: commands sent now follow it. */
  readonly onSent?: (() => void) | undefined;
}

/**
 * A command that a script relies on. If it failed, the script replies `STAGED`, and this command's reply has the
 * reason.
 */
export interface AheadCommand {
  readonly key: string;
  readonly args: readonly RedisArgument[];
  failure?: unknown;
}

export interface CommandCall<T> {
  readonly args: readonly RedisArgument[];
  readonly read: (reply: RedisReply) => T;
  readonly id?: string | undefined;
}

/** The call to which an error reply belongs. */
export interface ErrorContext {
  readonly id?: string | undefined;
  readonly ahead?: AheadCommand | undefined;
}

export interface ScriptRunnerOptions extends ScriptSettings {
  /** While "connecting", an error reply means that nothing was done. Default: "sent". */
  readonly phase?: Phase;
  /** Called if the error reply says that this is the wrong server. Default: the client reconnects. */
  readonly onWrongServer?: () => void;
}

export class ScriptRunner {
  readonly #client: RedisClient;
  readonly #phase: Phase;
  readonly #onWrongServer: () => void;
  readonly #neverKey: string | undefined;
  readonly #edition: Edition;
  /** By name. */
  readonly #editions = new Map<string, Script>();
  /** Scripts that are being loaded: calls that need the same one share a SCRIPT LOAD. */
  readonly #loading = new Map<string, Promise<unknown>>();

  constructor(client: RedisClient, options: ScriptRunnerOptions = {}) {
    const { phase = "sent", onWrongServer = () => client.reconnect() } = options;
    const { neverKey, edition = (script: Script) => script } = options;
    this.#neverKey = neverKey;
    this.#edition = edition;
    this.#client = client;
    this.#phase = phase;
    this.#onWrongServer = onWrongServer;
  }

  /** Whether each script must declare all keys that it uses. */
  get declaresKeys(): boolean {
    return this.#neverKey !== undefined;
  }

  /** Runs one EVALSHA, after the commands that are sent ahead of it. */
  run<T>(call: ScriptCall<T>): Promise<T> {
    const { read, id } = call;
    const command = { args: this.evalsha(call), bytes: call.bytes === true };
    const send = (refused: (message: string) => Promise<T> | never): Promise<T> => {
      const reply = this.#client.send(command, { read, refused });
      call.onSent?.();
      return reply;
    };
    const failed = (message: string): never => {
      throw this.errorFor(message, { id, ahead: call.ahead?.[0] });
    };
    for (const ahead of call.ahead ?? []) this.#sendAhead(ahead);
    return send(async (message) => {
      if (!message.includes("NOSCRIPT")) return failed(message);
      await this.#whenConnected(() => this.#load(call.script));
      return this.#whenConnected(() => send(failed));
    });
  }

  /** The command that runs a script. */
  evalsha({
    script,
    keys,
    madeKeys,
    ahead,
    args,
  }: Pick<ScriptCall<unknown>, "script" | "keys" | "madeKeys" | "ahead" | "args">): readonly RedisArgument[] {
    const { sha1 } = this.editionOf(script);
    if (this.#neverKey === undefined) return ["EVALSHA", sha1, String(keys.length), ...keys, ...args];
    const staged = ahead?.map(({ key }) => key) ?? [];
    const all = [...keys, ...(madeKeys?.() ?? []), ...staged, this.#neverKey];
    return ["EVALSHA", sha1, String(all.length), ...all, ...args];
  }

  /** The text of a script as this store runs it. */
  editionOf(script: Script): Script {
    const known = this.#editions.get(script.name) ?? this.#edition(script);
    this.#editions.set(script.name, known);
    return known;
  }

  #sendAhead(ahead: AheadCommand): void {
    const failed = (error: unknown): void => void (ahead.failure = error);
    this.command({ args: ahead.args, read: () => undefined }).catch(failed);
  }

  /** Runs one command; the strings of its reply are bytes. */
  command<T>(call: CommandCall<T>): Promise<T> {
    const { args, read } = call;
    const refused = (message: string): never => {
      throw this.errorFor(message, call);
    };
    return this.#client.send({ args, bytes: true }, { read, refused });
  }

  /** The error for an error reply, which may be due to the command sent ahead. */
  errorFor(message: string, { id, ahead }: ErrorContext): unknown {
    if (message.includes("STAGED") && ahead?.failure !== undefined) return ahead.failure;
    if (isWrongServer(message)) this.#onWrongServer();
    const { name, followsSlot } = this.#client;
    return replyFailure(name, message, { phase: this.#phase, id, followsSlot });
  }

  /** Sends once connected: in this tick if there is a connection. It may have been replaced since the last reply. */
  #whenConnected<T>(send: () => Promise<T>): Promise<T> {
    const connecting = this.#client.connect();
    return connecting === undefined ? send() : connecting.then(send);
  }

  #load(script: Script): Promise<unknown> {
    const known = this.#loading.get(script.name);
    if (known !== undefined) return known;
    const load = { args: ["SCRIPT", "LOAD", this.editionOf(script).text], read: () => undefined };
    const loading = this.command(load).finally(() => this.#loading.delete(script.name));
    this.#loading.set(script.name, loading);
    return loading;
  }
}

/**
 * The failure of a call whose connection broke. If the server refused the command ahead permanently, it closed the
 * connection for that reason, and did not read the script.
 */
export function causedByAhead(ahead: AheadCommand | undefined, failure: unknown): unknown {
  const reason = ahead?.failure;
  return reason instanceof UnavailableError && reason.lasting ? reason : failure;
}
