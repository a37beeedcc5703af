// A retry that was refused has an answer; its first copy, arriving late, must not be carried out after all.

import { describe, expect, test } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open } from "../../../src/index.ts";
import { ContractClient, save } from "../../../src/testing/contract-client.ts";
import { FaultyBackend, LateCopy } from "../../../src/testing/index.ts";
import { commit } from "../../support/commit.ts";

describe("[S5] the first copy of an operation whose retry was refused is refused as well", () => {
  const world = () => {
    const memory = new Memory();
    const faults = new FaultyBackend(new MemoryBackend({ memory }));
    return { faults, mine: open(faults), theirs: open(new MemoryBackend({ memory })) };
  };

  test("[S5] a save that was answered with a conflict", async () => {
    const { faults, mine, theirs } = world();
    const copy = new LateCopy();
    faults.once("writeState", copy.fault);
    await theirs.state<string>("x").save("theirs");
    expect(await mine.state<string>("x").trySave("mine", { ifRevision: "absent" })).toBeNull();
    await theirs.state("x").delete();
    await copy.deliver(); // the caller was told that nothing was written
    expect(await theirs.state("x").load()).toBeUndefined();
  });

  test("[S5] a save that found the lock held, and was made in a turn of its own", async () => {
    const { faults, mine, theirs } = world();
    const copy = new LateCopy();
    faults.once("writeState", copy.fault);
    const grant = await theirs.lock("x").acquire();
    const saved = mine.state<string>("x").save("mine");
    await expect.poll(async () => (await theirs.lock("x").inspect())?.waiters).toBe(1);
    await grant.release();
    await saved;
    await theirs.state<string>("x").save("theirs");
    await copy.deliver();
    expect(await theirs.state("x").load()).toBe("theirs");
  });

  test("[S9] [S5] a commit that found one of its locks not held", async () => {
    const { faults, theirs } = world();
    const client = new ContractClient(faults);
    const [x, y] = [client.ticketFor("x"), client.ticketFor("y")];
    await x.granted();
    const copy = new LateCopy();
    faults.once("commitStates", copy.fault);
    const by = { client, receipt: client.receipt() };
    const changes = [{ write: save("1") }, { write: save("2") }];
    await expect(commit(by, [x, y], changes)).rejects.toMatchObject({ outcome: "unknown" });
    expect(await commit(by, [x, y], changes)).toEqual({ status: "lost", index: 1 });
    await y.granted();
    await copy.deliver();
    expect(await theirs.state("x").load()).toBeUndefined();
    expect(await x.renew()).toBe("renewed");
  });
});
