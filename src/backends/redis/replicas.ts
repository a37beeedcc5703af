/**
 * Waits for replicas: `WAIT` for the effects of certain operations, on connections that do nothing else.
 *
 * `WAIT` blocks its connection, and waits only for the last write of that connection. So the operations run on the main
 * connection. Then, on this one, scripts/confirm.lua checks whether the server still has their effects (another server
 * may have taken over) and makes a small write, followed by `WAIT`. Replication is one stream: a replica that has this
 * write has everything before it. Calls that arrive while a `WAIT` runs share the next one. The caller decides how many
 * replicas are enough.
 */
import { randomBytes } from "node:crypto";
import { InvalidArgumentError } from "../../errors.ts";
import { Deadlines, nextTick, now } from "../../timers.ts";
import type { Durability, Kept } from "../contract.ts";
import { ScriptRunner } from "./protocol/script-runner.ts";
import type { ScriptSettings } from "./protocol/script-settings.ts";
import type { RedisClient, RedisReply } from "./client/client-port.ts";
import type { Keys } from "./protocol/keys.ts";
import { text } from "./protocol/reply-values.ts";
import { scripts } from "./scripts/generated.ts";

/** One script blocks the server for this many operations at most. */
const maxOperations = 500;
/**
 * A call that shares the wait of others takes at most this much longer than requested; Redis itself may be 100 ms late.
 */
const graceMs = 250;

export interface ReplicasOptions {
  /** Makes a connection for commands. */
  readonly makeAnother: () => RedisClient;
  readonly keys: Keys;
  /** How long receipts must live from now on, in milliseconds. */
  readonly keepMs: () => string;
  /** Where the operations run, if that may be another database. */
  readonly commands: ScriptRunner | undefined;
  readonly settings: ScriptSettings;
}

/** What the queues share. */
interface QueueOptions extends ReplicasOptions {
  /** Runs once, over one of the connections: proves that it uses the database that the operations use. */
  readonly proveSameDatabase: (client: RedisClient) => Promise<void>;
}

type WaitResult = number | "gone";

interface PendingWait {
  readonly kept: Kept;
  readonly until: number;
  readonly resolve: (answer: WaitResult) => void;
  readonly reject: (error: unknown) => void;
}

export class Replicas {
  readonly #options: ReplicasOptions;
  /** By the number of replicas: a wait for one must not queue behind a wait for two. */
  readonly #queues = new Map<number, WaitQueue>();
  #proof: Promise<void> | undefined;

  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  /** The contract's awaitReplicas. */
  readonly awaitReplicas = (kept: Kept, durability: Durability): Promise<WaitResult> => {
    const { replicas, timeoutMs } = durability;
    let queue = this.#queues.get(replicas);
    if (queue === undefined)
      this.#queues.set(replicas, (queue = new WaitQueue(replicas, this.#queueOptions())));
    return queue.add(kept, timeoutMs);
  };

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  #queueOptions(): QueueOptions {
    return { ...this.#options, proveSameDatabase: (client) => this.#proveSameDatabase(client) };
  }

  /** All connections are made alike, so one proof is enough. After a failure it is repeated. */
  #proveSameDatabase(client: RedisClient): Promise<void> {
    const { commands, keys } = this.#options;
    if (commands === undefined) return Promise.resolve();
    return (this.#proof ??= prove(commands, client, keys).catch((error: unknown) => {
      this.#proof = undefined;
      throw error;
    }));
  }
}

/** On another database, the effects of operations would seem to be lost. */
async function prove(commands: ScriptRunner, client: RedisClient, keys: Keys): Promise<void> {
  const mark = randomBytes(12).toString("hex");
  const key = `${keys.probe}:database`; // the startup checks may be using the other one
  await commands.command({ args: ["SET", key, mark, "PX", "10000"], read: text });
  const seen = await new ScriptRunner(client).command({
    args: ["GET", key],
    read: (reply) => reply && text(reply),
  });
  await commands.command({ args: ["DEL", key], read: () => undefined });
  if (seen !== mark) throw otherDatabase(client.name);
}

/** One connection, and one `WAIT` at a time on it. */
class WaitQueue {
  readonly #replicas: number;
  readonly #options: QueueOptions;
  readonly #client: RedisClient;
  readonly #runner: ScriptRunner;
  readonly #deadlines = new Deadlines();
  #pending: PendingWait[] = [];
  #isBusy = false;

  constructor(replicas: number, options: QueueOptions) {
    this.#replicas = replicas;
    this.#options = options;
    this.#client = options.makeAnother();
    this.#runner = new ScriptRunner(this.#client, options.settings);
  }

  add(kept: Kept, timeoutMs: number): Promise<WaitResult> {
    return new Promise((resolve, reject) => {
      // Too few, as far as is known by now.
      const late = this.#deadlines.set(timeoutMs + graceMs, () => resolve(0));
      const settled = (): void => this.#deadlines.clear(late); // [P1] nothing is left behind
      this.#pending.push({
        kept,
        until: now() + timeoutMs,
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      if (this.#isBusy) return;
      this.#isBusy = true;
      nextTick(() => void this.#waitForAll());
    });
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #waitForAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#pending.splice(0, maxOperations);
      try {
        const { present, replicas } = await this.#wait(group);
        group.forEach(({ resolve, reject }, index) => {
          const one = present[index];
          if (one instanceof Error) reject(one);
          else resolve(one === 1 ? replicas : "gone");
        });
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#isBusy = false;
  }

  async #wait(group: readonly PendingWait[]): Promise<{ present: readonly RedisReply[]; replicas: number }> {
    await this.#client.connect(); // otherwise the two commands might not follow each other on one connection
    await this.#options.proveSameDatabase(this.#client);
    const leftMs = Math.max(...group.map(({ until }) => until)) - now();
    const timeoutMs = String(Math.max(1, Math.ceil(leftMs))); // 0 would never time out
    const { keys, keepMs } = this.#options;
    const args = [keys.prefix, keepMs(), JSON.stringify(group.map(({ kept }) => fieldsOf(kept)))];
    const madeKeys = (): readonly string[] => group.flatMap(({ kept }) => keys.made(kept.id));
    const call = { script: scripts.confirm, keys: [keys.done], madeKeys, args };
    const confirm = { args: this.#runner.evalsha(call), bytes: false };
    const [present, replicas] = await Promise.all([
      this.#client.send<readonly RedisReply[] | "loaded">(confirm, {
        read: (reply) => (reply as readonly RedisReply[]).map((one) => this.#errorOf(one)),
        refused: (message) => this.#load(message),
      }),
      this.#runner.command({ args: ["WAIT", String(this.#replicas), timeoutMs], read: Number }),
    ]);
    return present === "loaded" ? this.#wait(group) : { present, replicas };
  }

  /** The server did not know the script, so that `WAIT` waited for nothing: loads it, to try once more. */
  async #load(message: string): Promise<"loaded"> {
    if (!message.includes("NOSCRIPT")) throw this.#runner.errorFor(message, {});
    const { text: script } = this.#runner.editionOf(scripts.confirm);
    await this.#runner.command({ args: ["SCRIPT", "LOAD", script], read: () => undefined });
    return "loaded";
  }

  #errorOf(reply: RedisReply): RedisReply {
    return reply instanceof Error ? (this.#runner.errorFor(reply.message, {}) as Error) : reply;
  }
}

/** The operation itself was carried out before. */
function otherDatabase(name: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `${name}: the client that was passed to open() uses a different database than its duplicate(), so Holdfast ` +
      `cannot wait for replicas. Create it with \`database: n\` instead of calling select(n). The call itself did take ` +
      `effect on the primary.`,
    { outcome: "unknown" },
  );
}

/** In the order that the header of the script gives. */
function fieldsOf(kept: Kept): readonly string[] {
  if ("ticket" in kept) return [kept.id, kept.ticket, String(Math.max(1, Math.round(kept.leaseMs))), "", ""];
  return [kept.id, "", "", String(kept.receipt.sequence), String(kept.receipt.n)];
}
