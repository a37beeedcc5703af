/**
 * The plain protocol on Redis, as clients of the Python library statefulpy keep it: `{prefix}state:{id}` is the bytes of
 * the serializer, `{prefix}lock:{id}` is the holder's token with a time to live.
 *
 * Each call is one command or one script. Not for a cluster: the two keys of an id are in two slots.
 */
import type { PlainAnswer, PlainAsk, PlainEntry, PlainPage, PlainStore } from "../../contract-plain.ts";
import type { RenewEntry } from "../../contract-types.ts";
import { CorruptStateError, InvalidArgumentError } from "../../../errors.ts";
import type { RedisClient, RedisReply } from "../client/client-port.ts";
import { openClient, type RedisTarget } from "../client/open-client.ts";
import { bytesOf, integer, list, oneOf, remainingMs, text } from "../protocol/reply-values.ts";
import { ScriptRunner, type CommandCall, type ScriptCall } from "../protocol/script-runner.ts";
import { scripts } from "../scripts/generated.ts";

export interface PlainRedisOptions {
  readonly target: RedisTarget;
  readonly prefix: string;
  readonly operationMs: number;
}

/** How many keys the server looks at for one page of a listing. */
const pageSize = 500;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Connects nothing yet. */
export function openPlainRedis({ target, prefix, operationMs }: PlainRedisOptions): PlainStore {
  return new PlainRedis(openClient(target, { operationMs, prefix }).client, prefix);
}

class PlainRedis implements PlainStore {
  readonly name: string;
  readonly #client: RedisClient;
  readonly #runner: ScriptRunner;
  readonly #prefix: string;
  #isChecked = false;
  #checking: Promise<void> | undefined;

  constructor(client: RedisClient, prefix: string) {
    this.name = client.name;
    this.#client = client;
    this.#runner = new ScriptRunner(client);
    this.#prefix = prefix;
  }

  connect(): Promise<void> | undefined {
    if (this.#isChecked) return this.#client.connect();
    return (this.#checking ??= this.#check().finally(() => (this.#checking = undefined)));
  }

  load(id: string): Promise<Uint8Array | null> {
    return this.#command({ args: ["GET", this.#state(id)], read: bytesOf, id });
  }

  async save(id: string, bytes: Uint8Array, token: string | undefined): Promise<"saved" | "lost"> {
    const { buffer, byteOffset, byteLength } = bytes;
    const value = Buffer.from(buffer, byteOffset, byteLength);
    if (token !== undefined) {
      const keys = [this.#lock(id), this.#state(id)];
      return this.#run({
        script: scripts.plainSave,
        keys,
        args: [token, value],
        read: word("saved", "lost"),
        id,
      });
    }
    await this.#command({ args: ["SET", this.#state(id), value], read: text, id });
    return "saved";
  }

  async remove(id: string): Promise<void> {
    await this.#command({ args: ["DEL", this.#state(id)], read: integer, id });
  }

  acquire(id: string, { token, leaseMs }: PlainAsk): Promise<PlainAnswer> {
    const args = [token, String(leaseMs)];
    const call = { script: scripts.plainAcquire, keys: [this.#lock(id)], args, id };
    return this.#run({ ...call, read: readAnswer, bytes: true });
  }

  renewLocks(entries: readonly RenewEntry[]): Promise<readonly ("renewed" | "lost")[]> {
    return Promise.all(entries.map((entry) => this.#renew(entry)));
  }

  async release(id: string, token: string): Promise<boolean> {
    const call = { script: scripts.plainRelease, keys: [this.#lock(id)], args: [token], id };
    return (await this.#run({ ...call, read: word("released", "lost") })) === "released";
  }

  holder(id: string): Promise<string | null> {
    const read = (reply: RedisReply): string | null => bytesOf(reply)?.toString() ?? null;
    return this.#command({ args: ["GET", this.#lock(id)], read, id });
  }

  list(cursor: string | null, idPrefix: string): Promise<PlainPage> {
    const match = `${escapeGlob(this.#state(idPrefix))}*`;
    const args = ["SCAN", cursor ?? "0", "MATCH", match, "COUNT", String(pageSize)];
    return this.#command({ args, read: (reply) => this.#readPage(reply, idPrefix === "") });
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #renew({ id, ticket, leaseMs }: RenewEntry): Promise<"renewed" | "lost"> {
    const args = [ticket, String(leaseMs)];
    const call = { script: scripts.plainRenew, keys: [this.#lock(id)], args, id };
    try {
      return await this.#run({ ...call, read: word("renewed", "lost") });
    } catch (error) {
      if (error instanceof CorruptStateError) return "lost"; // another program has put something else there
      throw error;
    }
  }

  /** A server that is a cluster, even of one node, is refused before the first operation. */
  async #check(): Promise<void> {
    await this.#client.connect();
    const runner = new ScriptRunner(this.#client, { phase: "connecting" });
    const info = runner.command({ args: ["INFO", "cluster"], read: text }).catch(() => ""); // it may not be permitted
    // Two keys of two slots, which a cluster refuses.
    const mget = runner.command({ args: ["MGET", this.#state("1"), this.#lock("2")], read: () => undefined });
    const [said, probed] = await Promise.allSettled([info, mget]);
    const isCluster = said.status === "fulfilled" && /^cluster_enabled:1/m.test(said.value);
    const failure = probed.status === "rejected" ? (probed.reason as Error) : undefined;
    if (isCluster || failure instanceof InvalidArgumentError) throw refusedCluster(this.name, failure);
    if (failure !== undefined) throw failure;
    this.#isChecked = true;
  }

  #readPage(reply: RedisReply, isWhole: boolean): PlainPage {
    const [next, keys] = list(reply);
    const start = this.#state("").length;
    const ids = new Set<string>();
    const skipped = new Set<string>();
    for (const key of list(keys).map(bytesOf)) {
      const id = decode(key)?.slice(start) ?? "";
      if (id !== "") ids.add(id);
      else skipped.add(`the key ${JSON.stringify(key?.toString("latin1"))}`);
    }
    const entries = [...ids].map((id): PlainEntry => ({ id }));
    const cursor = text(next);
    return { entries, skipped: isWhole ? [...skipped] : [], cursor: cursor === "0" ? null : cursor };
  }

  #run<T>(call: ScriptCall<T>): Promise<T> {
    return this.#runner.run(call);
  }

  #command<T>(call: CommandCall<T>): Promise<T> {
    return this.#runner.command(call);
  }

  #state(id: string): string {
    return `${this.#prefix}state:${id}`;
  }

  #lock(id: string): string {
    return `${this.#prefix}lock:${id}`;
  }
}

function word<Word extends string>(...words: readonly Word[]): (reply: RedisReply) => Word {
  return (reply) => oneOf(list(reply)[0], ...words);
}

function readAnswer(reply: RedisReply): PlainAnswer {
  const [status, holder, left] = list(reply);
  if (oneOf(status, "granted", "busy") === "granted") return { status: "granted" };
  return { status: "busy", holder: text(holder), leftMs: remainingMs(left) };
}

/** `undefined`: it is not UTF-8, and so the key of no id. */
function decode(bytes: Buffer | null): string | undefined {
  try {
    return bytes === null ? undefined : utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function escapeGlob(pattern: string): string {
  return pattern.replace(/[\\*?[\]^]/g, "\\$&");
}

function refusedCluster(name: string, cause: unknown): InvalidArgumentError {
  return new InvalidArgumentError(
    `${name} is part of a Redis Cluster, where the state and the lock of an id would be on two nodes. holdfast/statefulpy ` +
      `works with a single Redis, as the Python library does; open() of "holdfast" works with a cluster.`,
    { cause },
  );
}
