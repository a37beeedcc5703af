// A Redis whose wall clock jumps while it runs, and that has been seen to tell the new time.

import { startRedis, type RedisOptions, type RedisServer } from "../redis-server.ts";
import { FakeClock } from "./fake-clock.ts";

export interface ServerClock {
  readonly offsetMs: number;
  /** Resolves when the server itself tells the new time. */
  jump(byMs: number): Promise<void>;
}

export interface RedisWithClock {
  readonly server: RedisServer;
  readonly clock: ServerClock;
}

export async function startRedisWithClock(options: RedisOptions = {}): Promise<RedisWithClock> {
  const wall = await FakeClock.make();
  const server = await startRedis({ ...options, env: { ...options.env, ...wall.env } });
  let offset = 0;
  const clock = {
    get offsetMs() {
      return offset;
    },
    async jump(byMs: number) {
      offset += byMs;
      wall.jumpTo(offset);
      while (!(await shows(server, offset)));
    },
  };
  if (!(await shows(server, 0))) throw new Error("redis-server does not tell the time under libfaketime.");
  return { server, clock };
}

/** Within two seconds: the machine may be busy between the two looks. Smaller jumps are believed. */
async function shows(server: RedisServer, offsetMs: number): Promise<boolean> {
  const before = Date.now();
  const [seconds = 0, micros = 0] = ((await server.command("TIME")) as string[]).map(Number);
  const told = seconds * 1_000 + micros / 1_000 - offsetMs;
  return told > before - 50 && told < Date.now() + 50;
}
