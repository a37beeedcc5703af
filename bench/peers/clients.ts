/** The two Redis clients, as the peers and the floors use them, in their fastest settings. */
import { load, type Strings } from "./peer.ts";

export interface IoRedis extends Strings {
  set(key: string, value: string): Promise<unknown>;
  set(key: string, value: string, px: "PX", ms: number, nx: "NX"): Promise<"OK" | null>;
  evalsha(sha: string, keys: number, ...args: string[]): Promise<unknown>;
  script(load: "LOAD", text: string): Promise<string>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

interface IoRedisModule {
  Redis: new (url: string, options: { enableAutoPipelining: boolean }) => IoRedis;
}

/** ioredis 6 with auto-pipelining: the commands of one turn of the event loop leave as one pipeline. */
export async function ioredis(url: string): Promise<IoRedis> {
  const { Redis } = await load<IoRedisModule>("ioredis");
  const client = new Redis(url, { enableAutoPipelining: true });
  client.on("error", () => undefined); // commands fail by themselves, and those errors are counted
  return client;
}

export interface OwnClient {
  connect(): Promise<unknown>;
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
  sendCommand(args: readonly string[]): Promise<unknown>;
  close(): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

interface NodeRedisModule {
  readonly createClient: (options: { url: string }) => OwnClient;
}

/** node-redis 6; it writes what is sent in one tick at once, and has no further setting for that. */
export async function nodeRedis(
  url: string,
  name: "redis" | "@redis/client",
): Promise<{ client: OwnClient; strings: Strings }> {
  const { createClient } = await load<NodeRedisModule>(name);
  const client = createClient({ url });
  client.on("error", () => undefined);
  await client.connect();
  const strings: Strings = {
    get: (key) => client.get(key),
    set: (key, text) => client.set(key, text),
    ping: () => client.sendCommand(["PING"]),
    quit: () => client.close(),
  };
  return { client, strings };
}
