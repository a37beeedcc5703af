/**
 * Waiting for replicas: `WAIT` for what certain operations have done, on connections that do nothing else.
 *
 * `WAIT` blocks its connection, and waits for the last write of this connection alone. So the operations themselves run
 * where all others do; then scripts/confirm.lua looks whether this server (another may have taken over) still has what they
 * did, and writes a little to it here, with the `WAIT` behind it: replication is one stream, so whoever has this write
 * has all that came before it, whoever sent it. Calls that come while a `WAIT` runs share the next one. Whether enough
 * replicas answered is compared above.
 */
import { randomBytes } from "node:crypto";
import { InvalidArgumentError } from "../../errors.ts";
import { Deadlines, now } from "../../timers.ts";
import type { Durability, Kept } from "../contract.ts";
import { ScriptRunner } from "./pipeline/script-runner.ts";
import type { RedisClient, RedisReply } from "./client/port.ts";
import type { Keys } from "./keys.ts";
import { text } from "./pipeline/decode.ts";
import { scripts } from "./scripts/generated.ts";

/** One script stops the server for all that it looks at. */
const maxOperations = 500;
/** A call that shares the wait of others is not kept much longer than it asked for; Redis itself may be 100 ms late. */
const graceMs = 250;

export interface ReplicasOptions {
  /** Makes a connection for commands. */
  readonly another: () => RedisClient;
  readonly keys: Keys;
  /** How long receipts are to live from now on, in milliseconds. */
  readonly keepMs: () => string;
  /** Where the operations run, if that may be another database. */
  readonly commands: ScriptRunner | undefined;
}

/** What the lines have in common. */
interface Shared extends ReplicasOptions {
  /** Once, over one of the lines: it works on the database that the operations work on. */
  readonly proveSameDatabase: (line: RedisClient) => Promise<void>;
}

type Answer = number | "gone";

interface Waiting {
  readonly kept: Kept;
  readonly until: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export class Replicas {
  readonly #options: ReplicasOptions;
  /** By the number of replicas: who waits for one must not stand behind who waits for two. */
  readonly #lines = new Map<number, WaitLine>();
  #proof: Promise<void> | undefined;

  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  /** The contract's awaitReplicas. */
  readonly answer = (kept: Kept, durability: Durability): Promise<Answer> => {
    const { replicas, timeoutMs } = durability;
    let line = this.#lines.get(replicas);
    if (line === undefined) this.#lines.set(replicas, (line = new WaitLine(replicas, this.#shared())));
    return line.add(kept, timeoutMs);
  };

  async close(): Promise<void> {
    await Promise.all([...this.#lines.values()].map((line) => line.close()));
  }

  #shared(): Shared {
    return { ...this.#options, proveSameDatabase: (line) => this.#proveSameDatabase(line) };
  }

  /** Their connections are all made alike: what is proved of one is proved of all. After a failure it is tried anew. */
  #proveSameDatabase(line: RedisClient): Promise<void> {
    const { commands, keys } = this.#options;
    if (commands === undefined) return Promise.resolve();
    return (this.#proof ??= prove(commands, line, keys).catch((error: unknown) => {
      this.#proof = undefined;
      throw error;
    }));
  }
}

/** Without it, what was done would look as if the server had lost its memory. */
async function prove(commands: ScriptRunner, line: RedisClient, keys: Keys): Promise<void> {
  const mark = randomBytes(12).toString("hex");
  const key = `${keys.probe}:database`; // the first use may be at work on the other one
  await commands.command({ args: ["SET", key, mark, "PX", "10000"], read: text });
  const seen = await new ScriptRunner(line).command({
    args: ["GET", key],
    read: (reply) => reply && text(reply),
  });
  await commands.command({ args: ["DEL", key], read: () => undefined });
  if (seen !== mark) throw otherDatabase(line.name);
}

/** One connection, and one `WAIT` at a time on it. */
class WaitLine {
  readonly #replicas: number;
  readonly #options: Shared;
  readonly #client: RedisClient;
  readonly #runner: ScriptRunner;
  readonly #deadlines = new Deadlines();
  #next: Waiting[] = [];
  #busy = false;

  constructor(replicas: number, options: Shared) {
    this.#replicas = replicas;
    this.#options = options;
    this.#client = options.another();
    this.#runner = new ScriptRunner(this.#client);
  }

  add(kept: Kept, timeoutMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // Too few, as far as anybody knows by then.
      const late = this.#deadlines.set(timeoutMs + graceMs, () => resolve(0));
      const settled = (): void => this.#deadlines.clear(late); // [P1] nothing is left behind
      this.#next.push({
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
      if (this.#busy) return;
      this.#busy = true;
      process.nextTick(() => void this.#serve());
    });
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #serve(): Promise<void> {
    while (this.#next.length > 0) {
      const group = this.#next.splice(0, maxOperations);
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
    this.#busy = false;
  }

  async #wait(group: readonly Waiting[]): Promise<{ present: readonly RedisReply[]; replicas: number }> {
    await this.#client.connect(); // or the two commands might not follow each other on one connection
    await this.#options.proveSameDatabase(this.#client);
    const leftMs = Math.max(...group.map(({ until }) => until)) - now();
    const timeoutMs = String(Math.max(1, Math.ceil(leftMs))); // 0 would be for ever
    const { keys, keepMs } = this.#options;
    const args = [keys.prefix, keepMs(), JSON.stringify(group.map(({ kept }) => fieldsOf(kept)))];
    const confirm = { args: ["EVALSHA", scripts.confirm.sha1, "1", keys.done, ...args], bytes: false };
    const [present, replicas] = await Promise.all([
      this.#client.send<readonly RedisReply[] | "loaded">(confirm, {
        read: (reply) => (reply as readonly RedisReply[]).map((one) => this.#errorOf(one)),
        refused: (said) => this.#load(said),
      }),
      this.#runner.command({ args: ["WAIT", String(this.#replicas), timeoutMs], read: Number }),
    ]);
    return present === "loaded" ? this.#wait(group) : { present, replicas };
  }

  /** The server did not know the script, so that `WAIT` waited for nothing: once more. */
  async #load(said: string): Promise<"loaded"> {
    if (!said.includes("NOSCRIPT")) throw this.#runner.failure(said, {});
    await this.#runner.command({ args: ["SCRIPT", "LOAD", scripts.confirm.text], read: () => undefined });
    return "loaded";
  }

  #errorOf(reply: RedisReply): RedisReply {
    return reply instanceof Error ? (this.#runner.failure(reply.message, {}) as Error) : reply;
  }
}

/** What was to be waited for had been done before. */
function otherDatabase(name: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `${name}: the client that was passed to open() works on another database than its duplicate(), so that replicas cannot be ` +
      `waited for. Make it with \`database: n\` instead of calling select(n). What was called has been carried out on the primary.`,
    { outcome: "unknown" },
  );
}

/** As the header of the script names them. */
function fieldsOf(kept: Kept): readonly string[] {
  if ("ticket" in kept) return [kept.id, kept.ticket, String(Math.max(1, Math.round(kept.leaseMs))), "", ""];
  return [kept.id, "", "", String(kept.receipt.slot), String(kept.receipt.n)];
}
