// Runs a command with HOLDFAST_URL set to a fresh Redis, and stops that Redis when the command ends:
//   npm run with-redis -- npm start

import { spawn } from "node:child_process";
import { once } from "node:events";
import { startRedis } from "../test/support/redis-server.ts";

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error("usage: npm run with-redis -- <command> [arguments]");

const redis = await startRedis();
try {
  const env = { ...process.env, HOLDFAST_URL: redis.adminUrl };
  const child = spawn(command, args, { env, stdio: "inherit" });
  const [status] = (await once(child, "exit")) as [number | null];
  process.exitCode = status ?? 1;
} finally {
  await redis.stop();
}
