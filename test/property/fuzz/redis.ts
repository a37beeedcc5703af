// A hostile neighbour on a real Redis. Every case opens two stores, lets the neighbour write under its keys before and while
// calls are made, some of them under a grant and with a waiter, and checks: each call settles with a value or with an
// error of ours; what is readable reads back; what no head of ours says to be ours is there, byte for byte, afterwards.

import fc from "fast-check";
import { deepStrictEqual, ok } from "node:assert/strict";

import { createClient } from "@redis/client";

import { open, type Store } from "../../../src/index.ts";
import { json } from "../../../src/serializers/json.ts";
import { startRedis } from "../../support/redis-server.ts";
import { callArbitrary, hold, idArbitrary, isBold, perform, type Call } from "./calls.ts";
import { settle, type Prepared, type Target } from "./harness.ts";
import { plantsArbitrary, type Plant } from "./neighbour.ts";

const prefix = "t:";

type Step = { readonly plants: Plant[] } | { readonly call: Call; readonly awaited: boolean };

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  plantsArbitrary.map((plants) => ({ plants })),
  fc.record({ call: callArbitrary, awaited: fc.boolean() }),
);

interface Case {
  /** Locks that are held from the beginning. */
  readonly held: readonly string[];
  readonly steps: readonly Step[];
}

const caseArbitrary: fc.Arbitrary<Case> = fc.record({
  held: fc.uniqueArray(idArbitrary, { maxLength: 2 }),
  steps: fc.array(stepArbitrary, { minLength: 1, maxLength: 7 }),
});

export const redisNeighbour: Target = { name: "redis neighbour", share: 0.01, prepare };

async function prepare(): Promise<Prepared> {
  const server = await startRedis({ prefixes: ["t:"] });
  const neighbour = await Neighbour.connect(server.adminUrl);
  const met: Record<string, number> = {};
  const property = fc.asyncProperty(caseArbitrary, async (what) => {
    await neighbour.send("FLUSHALL");
    const options = { prefix, waitMs: 20, operationMs: 600, leaseMs: 1_000 };
    const stores = [open(server.url, options), open(server.url, options)] as const;
    try {
      await new Attack(stores, neighbour, met).run(what);
    } finally {
      for (const store of stores) await settle("close", () => store.close({ drainMs: 0 }));
    }
  });
  const end = async (): Promise<void> => {
    neighbour.end();
    await server.stop();
  };
  return { property, end, met: () => met };
}

class Attack {
  readonly #stores: readonly [Store, Store];
  readonly #neighbour: Neighbour;
  readonly #met: Record<string, number>;
  /** What stands under a state's key since the last look, while no call may change it. */
  readonly #kept = new Map<string, Buffer | null>();

  constructor(stores: readonly [Store, Store], neighbour: Neighbour, met: Record<string, number>) {
    this.#stores = stores;
    this.#neighbour = neighbour;
    this.#met = met;
  }

  async run({ held, steps }: Case): Promise<void> {
    const releases: (() => Promise<void>)[] = [];
    for (const id of held) releases.push(await hold(this.#stores[0], id));
    let under: Promise<void>[] = [];
    for (const step of steps) {
      if ("plants" in step) {
        under = await this.#plant(step.plants, under);
        continue;
      }
      const call = this.#call(step.call);
      under.push(call);
      if (step.awaited) await call;
    }
    for (const release of releases) await release();
    await Promise.all(under);
    await this.#compare();
  }

  /** A neighbour who writes under a state that is being saved has no right to find its own bytes there: not then. */
  async #plant(plants: readonly Plant[], under: Promise<void>[]): Promise<Promise<void>[]> {
    const onState = plants.some(({ kind }) => kind === "state");
    if (onState) {
      await Promise.all(under);
      await this.#compare();
    }
    for (const plant of plants) await this.#neighbour.plant(plant);
    if (!onState) return under;
    await this.#look();
    return [];
  }

  async #call(call: Call): Promise<void> {
    if (isBold(call)) this.#mayChange(call);
    const verdict = await perform(this.#stores[call.by === 0 ? 0 : 1], call);
    const said = "code" in verdict ? verdict.code : "answered";
    this.#met[said] = (this.#met[said] ?? 0) + 1;
  }

  /** Saves and deletes look at the head only; a delete also takes away what another serializer wrote. */
  #mayChange({ id, name }: Call): void {
    const value = this.#kept.get(id);
    if (value === undefined || value === null) return;
    const serializer = readableHead(value);
    if (serializer === "json" || (serializer !== undefined && name === "delete")) this.#kept.delete(id);
  }

  /** From here on the bytes that are no state of ours must stay. */
  async #look(): Promise<void> {
    this.#kept.clear();
    for (const id of ["a", "b"]) {
      const { dump, value } = await this.#neighbour.stateOf(id);
      if (dump === null) continue;
      const stored = value === null ? undefined : readable(value);
      if (stored === undefined) this.#kept.set(id, value ?? dump);
      await this.#readsBack(id, stored);
    }
  }

  /** [S1] What is there is never told to be absent. */
  async #readsBack(id: string, stored: { readonly value: unknown } | undefined): Promise<void> {
    const verdict = await settle("load", () => this.#stores[1].state(id).load());
    if ("code" in verdict && verdict.code === "UNREACHABLE") return; // a machine that is very busy
    if ("value" in verdict) deepStrictEqual(verdict.value, stored === undefined ? "an error" : stored.value);
    else ok(stored === undefined && verdict.code === "CORRUPT_STATE", verdict.error.message);
  }

  async #compare(): Promise<void> {
    for (const [id, before] of this.#kept) {
      const { dump, value } = await this.#neighbour.stateOf(id);
      deepStrictEqual(value ?? dump, before, `the state ${id} was overwritten`);
    }
  }
}

/** The serializer that a head of ours names; written down here once more, and stricter than the reader may be. */
function readableHead(value: Buffer): string | undefined {
  const found = /^hf1 (\d+) ([\w.-]+)\n/.exec(value.toString("latin1", 0, 128));
  return found !== null && Number(found[1]) < 4_100_000_000_000_000 ? found[2] : undefined;
}

/** `undefined`: no handle can read it. */
function readable(value: Buffer): { readonly value: unknown } | undefined {
  if (readableHead(value) !== "json") return undefined;
  try {
    return { value: json.deserialize(value.subarray(value.indexOf("\n") + 1)) };
  } catch {
    return undefined;
  }
}

/** Another client of the same server, who means harm. */
class Neighbour {
  readonly #client: ReturnType<typeof createClient>;

  private constructor(client: ReturnType<typeof createClient>) {
    this.#client = client;
  }

  static async connect(url: string): Promise<Neighbour> {
    const client = createClient({ url });
    client.on("error", () => {});
    await client.connect();
    return new Neighbour(client as ReturnType<typeof createClient>);
  }

  end(): void {
    this.#client.destroy();
  }

  /** Errors are its own business: a score that is no float, a type that does not fit. */
  async send(...command: string[]): Promise<unknown> {
    return await this.#client.sendCommand(command).catch(() => null);
  }

  async plant({ kind, id, commands, of }: Plant): Promise<void> {
    const names = await this.#names(id, of);
    const fill = (word: string): string =>
      word.replace(/\$(ticket|client|now|id|n)\b/g, (_, name: string) => names[name] ?? "");
    for (const [command = "", ...words] of commands)
      for (const key of this.#keys(kind, id, names["client"] ?? ""))
        await this.send(command, key, ...words.map(fill));
  }

  async stateOf(id: string): Promise<{ dump: Buffer | null; value: Buffer | null }> {
    const key = `${prefix}state:{${id}}`;
    const typeMapping = { 36: Buffer }; // blob strings
    const raw = async (command: string): Promise<Buffer | null> =>
      (await this.#client
        .sendCommand([command, key], { typeMapping })
        .catch(() => null)) as unknown as Buffer | null;
    return { dump: await raw("DUMP"), value: await raw("GET") };
  }

  #keys(kind: Plant["kind"], id: string, client: string): string[] {
    if (kind === "stamp") return [`${prefix}stamp`];
    if (kind === "done") return [`${prefix}done:${client}`];
    if (kind === "wake") return [`${prefix}wake:${client}`];
    return [`${prefix}${kind}:{${id}}`];
  }

  /** What the neighbour can find out: the client by its channel, the ticket by lock and queue. */
  async #names(id: string, of: number): Promise<Record<string, string>> {
    const channels = (await this.send("PUBSUB", "CHANNELS", `${prefix}wake:*`)) as string[] | null;
    const client = channels?.[of % channels.length]?.slice(`${prefix}wake:`.length) ?? "abc";
    const held = (await this.send("GET", `${prefix}lock:{${id}}`)) as string | null;
    const waiting = (await this.send("ZRANGE", `${prefix}queue:{${id}}`, "0", "0")) as string[] | null;
    const ticket = waiting?.[0] ?? held?.split(" ")[0] ?? `h:1:${client}:1`;
    return { client, ticket, id, n: "1", now: `${String(Date.now())}000` };
  }
}
