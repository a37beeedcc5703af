// As from the crontabs of several machines: the same command starts again and again, and now and then it, or holdfast,
// is killed. No two of them run at a time, and fences rise.

import { existsSync, readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { killSupervised, Place, Supervised } from "./supervised.ts";

const place = new Place();
let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterEach(killSupervised);
afterAll(async () => {
  await redis.stop();
  place.remove();
});

const machines = 3;
const starts = 6;

describe.runIf(existsSync("/proc/self/status"))("with /proc", () => {
  test.each(["SQLite", "Redis"])(
    "[L1] no overlap on %s with kill -9 of holdfast and of the command",
    async (kind) => {
      const url = kind === "Redis" ? redis.url : place.url;
      const [running, fences, bad] = ["running", "fences", "bad"].map((name) =>
        place.path(`${name}-${kind}`),
      );
      // It ignores TERM, so that a guard has to kill it. A killed process is a zombie until its parent looks.
      const script = `trap '' TERM
      for pid in $(cat ${running}); do grep '^State:.[^Z]' /proc/$pid/status >> ${bad}; done
      echo $$ > ${running}; echo $HOLDFAST_FENCE >> ${fences}; echo pid $$
      read line; for pid in $(cat ${running}); do [ $pid = $$ ] || echo "meanwhile $pid" >> ${bad}; done`;

      const machine = async (from: number): Promise<void> => {
        for (let n = from; n < from + starts; n += 1) {
          const one = new Supervised([
            "run",
            "--url",
            url,
            "--lease",
            "1500",
            "job",
            "--",
            "sh",
            "-c",
            script,
          ]);
          const pid = Number(await one.says("pid"));
          if (n % 3 === 0) one.signal("SIGKILL");
          else if (n % 3 === 1) process.kill(pid, "SIGKILL");
          else one.child.stdin.end("\n");
          expect(await one.ended).toBe(["SIGKILL", 137, 0][n % 3]);
        }
      };
      await Promise.all(Array.from({ length: machines }, (_, from) => machine(from)));
      expect(existsSync(bad ?? "") ? readFileSync(bad ?? "", "utf8") : "").toBe("");
      const given = readFileSync(fences ?? "", "utf8")
        .trimEnd()
        .split("\n")
        .map(Number);
      expect(given.length).toBe(machines * starts);
      expect(given).toEqual(given.toSorted((a, b) => a - b));
    },
    180_000,
  );
});
