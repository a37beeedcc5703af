/** Many small states at once, beside MGET and MSET of the same bytes, and beside one call for each. */
import { nodeRedis } from "../peers/clients.ts";
import { storeOf } from "../peers/holdfast.ts";
import type { Peer } from "../peers/peer.ts";

export interface AtOnceArgs {
  readonly url: string;
  readonly count: number;
  readonly bytes: number;
  readonly rounds: number;
}

/** Milliseconds of each round, by what was done. */
export type AtOnce = Readonly<Record<string, number[]>>;

/** What a script cannot leave out that refuses to overwrite what it must not, and gives each state its own head. */
const bareScript =
  "for i, key in ipairs(KEYS) do redis.call('GETRANGE', key, '0', '127') redis.call('SET', key, ARGV[i]) end";
/** As many as saveMany() sends in one script. */
const perScript = 256;

/** By turns, so that all have the same conditions. The first rounds, which warm up, do not count. */
export async function atOnce(peer: Peer, { url, count, bytes, rounds }: AtOnceArgs): Promise<AtOnce> {
  const store = storeOf(peer);
  const { client, strings } = await nodeRedis(url, "@redis/client");
  const value = "x".repeat(bytes - 2); // with its quotes
  const ids = Array.from({ length: count }, (_, index) => `at-once:${index}`);
  const keys = ids.map((id) => `bare:state:{${id}}`);
  const stored = `hf1 1796047274117005 json\n${JSON.stringify(value)}`;
  const chunks = Array.from({ length: Math.ceil(count / perScript) }, (_, nth) =>
    keys.slice(nth * perScript, (nth + 1) * perScript),
  );
  const deeds: Readonly<Record<string, () => Promise<unknown>>> = {
    MSET: () => client.sendCommand(["MSET", ...keys.flatMap((key) => [key, stored])]),
    "a script of GETRANGE and SET": () =>
      Promise.all(
        chunks.map((some) =>
          client.sendCommand(["EVAL", bareScript, String(some.length), ...some, ...some.map(() => stored)]),
        ),
      ),
    "saveMany()": () => store.saveMany(ids.map((id) => ({ id, value }))),
    "save() of each": () => Promise.all(ids.map((id) => store.state(id).save(value))),
    MGET: () => client.sendCommand(["MGET", ...keys]),
    "loadMany()": () => store.loadMany(ids),
    "load() of each": () => Promise.all(ids.map((id) => store.state(id).load())),
  };
  const times: Record<string, number[]> = {};
  for (let round = -5; round < rounds; round++) {
    for (const [name, run] of Object.entries(deeds)) {
      const begun = performance.now();
      await run();
      if (round >= 0) (times[name] ??= []).push(performance.now() - begun);
    }
  }
  await strings.quit();
  return times;
}
