// A process of its own that uses a backend once, leaves it open, and must end by itself.

import { createRedisBackend } from "../../../../src/backends/redis/backend.ts";

const alive = setInterval(() => {}, 1_000); // as the core does while a call is pending
const backend = createRedisBackend({ target: process.argv[2] ?? "", prefix: "t:", operationMs: 1_000 });
const result = await backend.ready().then(
  () => "ready",
  (error: unknown) => (error as { code: string }).code,
);
console.log(result);
clearInterval(alive);
