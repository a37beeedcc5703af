/**
 * Building and dropping the index of a store: `holdfast index`.
 *
 * The last stamp moves first, so that from then on no client that was opened otherwise can save anything (claim.ts). Then
 * the ids of all states are added, while nobody can open the store.
 */
import { randomBytes } from "node:crypto";
import type { IndexAction, IndexReport } from "../../contract.ts";
import { LockTimeoutError } from "../../../errors.ts";
import { KeepAlive } from "../../../timers.ts";
import { openClient } from "../client/open-client.ts";
import type { RedisBackendOptions } from "../backend.ts";
import { readScan } from "../protocol/decode.ts";
import { makeKeys, type Keys } from "../protocol/keys.ts";
import { integer } from "../protocol/reply-values.ts";
import { ScriptRunner } from "../protocol/script-runner.ts";
import { scriptSettings } from "../protocol/script-settings.ts";
import { runIndex } from "./claim.ts";

const perScan = "1000";

type Place = Omit<RedisBackendOptions, "clientId" | "pipeline" | "index">;

/** Whether the store has an index, or one that is being built: for the command line, which works on every store. */
export async function findIndex(place: Place): Promise<boolean> {
  return withRunner(place, async ({ runner, keys }) => {
    const read = (reply: unknown): boolean => reply !== null;
    return runner.command({ args: ["GET", keys.stamp], read }).catch(() => false);
  });
}

/**
 * Builds or drops the index of a store that no process has open.
 *
 * @throws LockTimeoutError if a lock is held: nothing was done.
 */
export async function changeIndex(place: Place, action: IndexAction): Promise<IndexReport> {
  return withRunner(place, async (at) => {
    await refuseIfLocked(at);
    const found = await runIndex(at.runner, at.keys, action);
    if (action === "drop") {
      await deleteRest(at);
      return { changed: found === "dropped", ids: 0 };
    }
    const ids = await addAll(at);
    await at.runner.command({ args: ["DEL", at.keys.building], read: integer });
    return { changed: found !== "indexed", ids };
  });
}

interface At {
  readonly runner: ScriptRunner;
  readonly keys: Keys;
  readonly name: string;
}

async function withRunner<T>(place: Place, fn: (at: At) => Promise<T>): Promise<T> {
  const { client } = openClient(place.target, place);
  const keepAlive = new KeepAlive(); // [P1] connections do not keep a process alive
  keepAlive.ref();
  try {
    const keys = makeKeys(place.prefix, randomBytes(12).toString("hex"), true);
    const settings = scriptSettings(client.followsSlot === true, keys, place);
    const runner = new ScriptRunner(client, { ...settings, phase: "connecting" });
    await client.connect();
    return await fn({ runner, keys, name: client.name });
  } finally {
    await client.close();
    keepAlive.unref();
    keepAlive.close();
  }
}

/** What the index was. A user with no more rights than a store needs may not UNLINK, which does not block the server. */
async function deleteRest({ runner, keys: { building } }: At): Promise<void> {
  await runner
    .command({ args: ["UNLINK", building], read: integer })
    .catch(() => runner.command({ args: ["DEL", building], read: integer }));
}

async function refuseIfLocked({ runner, keys, name }: At): Promise<void> {
  for await (const [found] of pagesOf(runner, keys.pattern("lock", ""))) {
    if (found === undefined) continue;
    throw new LockTimeoutError(
      `${name}: the lock ${JSON.stringify(keys.idOf("lock", found))} is held. Close the store in every process first.`,
    );
  }
}

/** Ids of states that end meanwhile may be among them: listings remove these. */
async function addAll({ runner, keys }: At): Promise<number> {
  let count = 0;
  for await (const names of pagesOf(runner, keys.pattern("state", ""))) {
    if (names.length === 0) continue;
    const members = names.flatMap((name) => ["0", keys.idOf("state", name)]);
    count += await runner.command({ args: ["ZADD", keys.index, ...members], read: integer });
  }
  return count;
}

async function* pagesOf(runner: ScriptRunner, match: string): AsyncGenerator<readonly string[]> {
  let cursor: string | null = "0";
  do {
    const args: string[] = ["SCAN", cursor, "MATCH", match, "COUNT", perScan];
    const page: ReturnType<typeof readScan> = await runner.command({ args, read: readScan });
    yield page.names;
    ({ cursor } = page);
  } while (cursor !== null);
}
