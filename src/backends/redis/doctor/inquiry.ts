/**
 * What the checks of one server share: the connection, the names of keys, and what the server says of itself. A refusal is
 * an answer here, since a user who has just the rights that a store needs may not ask everything.
 */
import type { RedisArgument, RedisClient, RedisReply } from "../client/client-port.ts";
import type { Keys } from "../protocol/keys.ts";
import { text } from "../protocol/reply-values.ts";
import type { ScriptRunner } from "../protocol/script-runner.ts";
import type { ScriptSettings } from "../protocol/script-settings.ts";

export interface InquiryOptions {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly settings: ScriptSettings;
  readonly runner: ScriptRunner;
  readonly isShard: boolean;
  readonly prefix: string;
}

/** `refused`: the error reply of the server. */
export type Answer =
  { readonly reply: RedisReply; readonly refused?: undefined } | { readonly refused: string };

export class Inquiry {
  readonly options: InquiryOptions;
  /** The reply to INFO; empty if it is not permitted. */
  info = "";

  constructor(options: InquiryOptions) {
    this.options = options;
  }

  /** Asks for INFO; the other methods may be called before, too. */
  async begin(): Promise<this> {
    const answer = await this.ask("INFO");
    if (answer.refused === undefined) this.info = text(answer.reply);
    return this;
  }

  /** A field of INFO; `undefined` if it is not there. */
  field(name: string): string | undefined {
    return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(this.info)?.[1];
  }

  /** Sends a command; strings of its reply are bytes. Throws UnavailableError if there is no reply. */
  async ask(...args: readonly RedisArgument[]): Promise<Answer> {
    const { client } = this.options;
    await client.connect();
    return client.send<Answer>(
      { args, bytes: true },
      { read: (reply) => ({ reply }), refused: (refused) => ({ refused: refused.slice(0, 200) }) },
    );
  }
}

/** A list of names and values, as of CONFIG GET. */
export function pairs(reply: RedisReply): ReadonlyMap<string, string> {
  const words = Array.isArray(reply) ? (reply as readonly RedisReply[]).map((one) => text(one)) : [];
  return new Map(words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? ""] as const] : [])));
}
