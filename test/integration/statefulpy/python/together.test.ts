// The main check of holdfast/statefulpy: Python and Node processes on one counter, each increment under its lock.

import { afterEach, describe, expect, test } from "vitest";

import { startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { serializers } from "../backends.ts";
import { needs, Program, python } from "./python.ts";

const ofEach = 4;
const times = 20;

describe.skipIf(python === undefined)(`Python and Node ${needs}`, () => {
  let redis: RedisServer;
  const programs: Program[] = [];
  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.kill()));
    await redis.stop();
  });

  test.each(serializers)(
    `%s: ${String(ofEach)} + ${String(ofEach)} processes on one counter: no update lost, no overlap, nobody starves`,
    async (serializer) => {
      redis = await startRedis({ prefixes: ["statefulpy:"] });
      const kinds = [Program.python, Program.node];
      programs.push(
        ...kinds.flatMap((make) => Array.from({ length: ofEach }, () => make(redis.adminUrl, serializer))),
      );
      const waits = await Promise.all(
        programs.map((program, n) => program.call<number>("count", "counter", times, String(n))),
      );

      const trace = (await redis.command("LRANGE", "statefulpy:trace", "0", "-1")) as string[];
      const turns = trace.filter((_, at) => at % 2 === 0).map((entry) => entry.slice(1));
      expect(trace).toEqual(turns.flatMap((name) => [`+${name}`, `-${name}`]));
      expect(turns).toHaveLength(2 * ofEach * times);
      const reader = Program.python(redis.adminUrl, serializer);
      programs.push(reader);
      expect(await reader.call("load", "counter")).toBe(`{'count': ${String(2 * ofEach * times)}}`);
      expect(await redis.keys()).toEqual(["statefulpy:state:counter", "statefulpy:trace"]);
      expect(Math.max(...waits)).toBeLessThan(30);
    },
    120_000,
  );
});
