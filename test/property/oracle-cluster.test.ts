// Whatever is done to it, a store on a cluster answers as memory does.

import { test } from "vitest";

import { startCluster } from "../support/faults/index.ts";
import { answersAsMemory, redisTrials } from "./oracle-property.ts";

test("[S1] [S2] [S3] [S4] [S5] [S8] [S9] [L1] [L2] [L3] [L6] [L7] [L8] [L9] [L10] a cluster answers and wakes as memory does", async () => {
  const cluster = await startCluster({ nodeTimeoutMs: 30_000 }); // no node fails here, however busy the machine is
  const owner = await cluster.owner();
  const server = { url: cluster.url, command: (...args: string[]) => owner.command(...args) };
  try {
    await answersAsMemory(redisTrials(server, "{holdfast}:"), {
      runs: 20,
      calls: 60,
      advances: 1,
      shares: true,
    });
  } finally {
    await cluster.stop();
  }
}, 300_000);
