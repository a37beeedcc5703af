// The program with the user's own clients of Redis in the same bundle: what they are is recognized although a bundler
// has renamed their classes.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { createClient } from "@redis/client";
import { Redis } from "ioredis";

import { open, type Target } from "holdfast";

void useBoth(process.argv[2] ?? "").then(() => console.log("clients: done"));

async function useBoth(url: string): Promise<void> {
  const official = await createClient({ url, disableClientInfo: true }).connect();
  const ioredis = new Redis(url, { disableClientInfo: true });
  await count(official);
  await count(ioredis);
  official.destroy();
  ioredis.disconnect();
}

async function count(client: Target): Promise<void> {
  const store = open(client);
  const counter = store.state(`clients:${randomUUID()}`, { initial: () => ({ n: 0 }) });
  await Promise.all([1, 2, 3].map(() => counter.update((draft) => void (draft.n += 1))));
  assert.equal((await counter.load()).n, 3);
  await store.close();
}
