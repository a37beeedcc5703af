// Backends for tests, with what they say and hear on the side.

import { once } from "node:events";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";

import type { Wake } from "../../../src/backends/contract.ts";
import {
  createRedisBackend,
  type RedisBackend,
  type RedisBackendOptions,
} from "../../../src/backends/redis/backend.ts";
import { diagnostics, type WarningEvent } from "../../../src/diagnostics/events.ts";
import { HoldfastError } from "../../../src/errors.ts";
import { ContractClient } from "../../../src/testing/contract-client.ts";
import { startProxy, type Proxy } from "../../support/proxy.ts";
import { startRedis, type RedisOptions, type RedisServer } from "../../support/redis-server.ts";

export class TestClient extends ContractClient {
  declare readonly backend: RedisBackend;
  readonly wakes: Wake[] = [];
  #heard = new EventTarget();

  constructor(target: RedisBackendOptions["target"], options: Partial<RedisBackendOptions> = {}) {
    super(createRedisBackend({ target, prefix: "t:", operationMs: 3_000, ...options }));
    opened.add(this);
    this.backend.onWake((wake) => {
      this.wakes.push(wake);
      this.#heard.dispatchEvent(new Event("wake"));
    });
  }

  /** The nth wake of that kind; waits for it. */
  async wake<K extends Wake["kind"]>(kind: K, nth = 1): Promise<Extract<Wake, { kind: K }>> {
    for (;;) {
      const found = this.wakes.filter((wake) => wake.kind === kind)[nth - 1];
      if (found !== undefined) return found as Extract<Wake, { kind: K }>;
      await once(this.#heard, "wake");
    }
  }

  /** Connected, and wakes reach it: what it was told until then is forgotten. */
  async listening(): Promise<this> {
    await this.backend.ready();
    await this.listens();
    this.wakes.length = 0;
    return this;
  }

  /** Resolves when wakes reach it. */
  async listens(): Promise<void> {
    await eventuallyTrue(() => this.backend.askAgainMs === 5_000);
  }
}

const opened = new Set<TestClient>();

export async function closeClients(): Promise<void> {
  for (const client of opened) await client.backend.close();
  opened.clear();
}

/** The error of a call that must fail, as one of ours. */
export async function failure(call: Promise<unknown>): Promise<HoldfastError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof HoldfastError) return error;
  throw new Error(`not one of our errors: ${inspect(error)}`);
}

/** The same of calls that run together. */
export function failures(...calls: Promise<unknown>[]): Promise<HoldfastError[]> {
  return Promise.all(calls.map(failure));
}

export async function eventuallyTrue(look: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Everything that a person could see of an error: messages, stacks, causes, properties. */
export const visible = (value: unknown): string => inspect(value, { depth: 10, showHidden: true });

/** What is warned of while this runs. */
export async function warningsDuring(
  work: (warnings: readonly WarningEvent[]) => Promise<unknown>,
): Promise<WarningEvent[]> {
  const events: WarningEvent[] = [];
  const listener = (event: unknown): number => events.push(event as WarningEvent);
  diagnostics.warning.subscribe(listener);
  try {
    await work(events);
  } finally {
    diagnostics.warning.unsubscribe(listener);
  }
  return events;
}

/** Repeats an attempt until it succeeds, as the core would, but without its deadline. */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Servers that a test starts for itself, stopped after it, with its clients. Call it once, at the top of a file. */
export function ownServers(): (options?: RedisOptions) => Promise<RedisServer> {
  const servers: RedisServer[] = [];
  afterEach(async () => {
    await closeClients();
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });
  return async (options = {}) => {
    const server = await startRedis({ prefixes: ["t:"], ...options });
    servers.push(server);
    return server;
  };
}

/** A server for the file, emptied before each test, and two clients of it for each test: `told` hears of them. */
export function twoClients(
  options: RedisOptions,
  told: (of: { server: RedisServer; a: TestClient; b: TestClient }) => void,
): void {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis(options);
  });
  beforeEach(async () => {
    await server.command("FLUSHALL");
    told({ server, a: new TestClient(server.url), b: new TestClient(server.url) });
  });
  afterEach(closeClients);
  afterAll(() => server.stop());
}

/** A server for the file, emptied before each test, and a proxy of its own for each test: `told` hears of them. */
export function proxiedServer(told: (of: { server: RedisServer; proxy: Proxy }) => void): void {
  let server: RedisServer;
  let proxy: Proxy;
  beforeAll(async () => {
    server = await startRedis({ prefixes: ["t:"] });
  });
  beforeEach(async () => {
    await server.command("FLUSHALL");
    proxy = await startProxy(server);
    told({ server, proxy });
  });
  afterEach(async () => {
    await closeClients();
    await proxy.close();
  });
  afterAll(() => server.stop());
}

/** How many connections of ours the server has, by what they do. */
export async function connections(
  server: RedisServer,
  name = "holdfast",
): Promise<{ commands: number; wakes: number }> {
  const lines = String(await server.command("CLIENT", "LIST"))
    .split("\n")
    .filter((line) => line.includes(`name=${name} `));
  const wakes = lines.filter((line) => line.includes(" sub=1 ")).length;
  return { commands: lines.length - wakes, wakes };
}
