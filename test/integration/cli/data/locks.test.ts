// The commands about locks: locks, inspect, unlock; and watch. Each of them on SQLite and on Redis.

import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";

import { startCli } from "../../../support/cli.ts";
import { poll } from "../../../support/poll.ts";
import { jsonLines, onEachPlace, type Place } from "./places.ts";

const me = String(process.pid);

onEachPlace((place) => {
  test("locks lists who holds what, and who waits", async () => {
    await using held = await place.store.lock("list:alone").acquire();
    await using _one = await place.store.lock("list:shared").acquire({ shared: true });
    const { stdout } = await place.run(["locks", "list:"]);
    expect(stdout).toMatch(/^ID +HOLDER +FENCE +LEASE +WAITERS +SHARED\n/);
    expect(stdout).toMatch(new RegExp(`^list:alone +\\S+:${me} +${String(held.fence)} +\\d.* s +0 +-$`, "m"));
    expect(stdout).toMatch(new RegExp(`^list:shared +\\S+:${me} +\\d{16} +\\d.* s +0 +1$`, "m"));
    const entries = jsonLines(await place.run(["locks", "list:alone", "--json"]));
    expect(entries).toMatchObject([{ id: "list:alone", holder: { pid: process.pid }, fence: held.fence }]);
    expect(await place.run(["locks", "none:"])).toMatchObject({ code: 0, stdout: "" });
  });

  test("inspect shows all that has that id, and nothing is exit code 1", async () => {
    const { store } = place;
    await store.state("all").save([1, 2]);
    await store.once("all", { keepMs: 60_000 }).run(() => "done");
    await using lock = await store.lock("all").acquire();
    await using permits = await store.semaphore("all", { permits: 4 }).acquire({ weight: 3 });
    const leading = new AbortController();
    const led = store.leader("all").run(() => once(leading.signal, "abort"), { signal: leading.signal });
    await poll(() => store.leader("all").current()).not.toBeNull();

    const [all] = jsonLines(await place.run(["inspect", "all", "--json"]));
    expect(all).toMatchObject({
      id: "all",
      state: { bytes: 5, serializer: "json", expiresInMs: null },
      lock: { shared: false, waiters: 0, holders: [{ fence: lock.fence, holder: { pid: process.pid } }] },
      semaphore: { permits: 4, used: 3, holders: [{ weight: 3, fence: permits.fence }] },
      once: { lock: null, record: { serializer: "json" } },
      leader: { lock: { holders: [{ holder: { pid: process.pid } }] }, since: expect.any(String) as string },
    });
    const { stdout } = await place.run(["inspect", "all"]);
    for (const part of [`3 of 4 permits in use`, `fence ${String(lock.fence)}`, "5 bytes of json", "leads:"])
      expect(stdout).toContain(part);
    leading.abort();
    await led.catch(() => undefined);

    expect(await place.run(["inspect", "nothing"])).toMatchObject({ code: 1, stdout: "" });
    const [nothing] = jsonLines(await place.run(["inspect", "nothing", "--json"]));
    expect(nothing).toEqual({
      id: "nothing",
      lock: null,
      state: null,
      semaphore: null,
      once: null,
      leader: null,
    });
  });

  test("[L6] unlock takes a lock only from the holder that is meant, and says who that is", async () => {
    const grant = await place.store.lock("stuck").acquire();
    expect(await place.run(["unlock", "stuck"])).toMatchObject({ code: 2, stdout: "" });
    const other = await place.run(["unlock", "stuck", "--fence", String(grant.fence + 1_000)]);
    expect(other).toMatchObject({ code: 1, stdout: "" });
    expect(other.stderr).toContain(String(grant.fence));
    expect(grant.signal.aborted).toBe(false);
    const taken = await place.run(["unlock", "stuck", "--fence", String(grant.fence)]);
    expect(taken.code).toBe(0);
    expect(taken.stdout).toMatch(
      new RegExp(`"stuck" was taken from \\S+:${me} \\(fence ${String(grant.fence)}`),
    );
    expect(await place.store.lock("stuck").inspect()).toBeNull();
    expect(await grant.release()).toBe(false);
    expect(await place.run(["unlock", "stuck", "--force"])).toMatchObject({ code: 1, stdout: "" });
  });

  test("[L12] unlock takes a shared lock from all, or from one by its fence", async () => {
    const lock = place.store.lock("shared");
    await using _grant = await lock.acquire({ shared: true });
    const child = await holdInAnotherProcess(place, "shared");
    const holders = (await lock.inspect())?.holders ?? [];
    expect(holders.map(({ pid }) => pid).sort()).toEqual([process.pid, child.pid].sort());
    const theirs = holders.find(({ pid }) => pid === child.pid);
    const one = jsonLines(await place.run(["unlock", "shared", "--fence", String(theirs?.fence), "--json"]));
    expect(one).toMatchObject([{ id: "shared", lost: [{ holder: { pid: child.pid } }] }]);
    expect((await lock.inspect())?.holders).toMatchObject([{ pid: process.pid }]);
    const all = jsonLines(await place.run(["unlock", "shared", "--force", "--json"]));
    expect(all).toMatchObject([{ id: "shared", lost: [{ holder: { pid: process.pid } }] }]);
    expect(await lock.inspect()).toBeNull();
    child.kill("SIGKILL");
  });

  test("unlock by prefix needs --yes without a terminal", async () => {
    await using one = await place.store.lock("job:1").acquire();
    await using two = await place.store.lock("job:2").acquire();
    await using other = await place.store.lock("other").acquire();
    expect(await place.run(["unlock", "--id-prefix", "job:"])).toMatchObject({ code: 2, stdout: "" });
    const lost = jsonLines(await place.run(["unlock", "--id-prefix", "job:", "--yes", "--json"])) as {
      id: string;
    }[];
    expect(lost.map(({ id }) => id).sort()).toEqual(["job:1", "job:2"]);
    expect([await one.release(), await two.release(), await other.release()]).toEqual([false, false, true]);
  });

  test("watch prints what changes, and ends by itself or when it is interrupted", async () => {
    const child = startCli(["watch", "seen", "--interval", "10ms", "--json"], {
      env: { HOLDFAST_URL: place.url },
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => JSON.parse(String((await lines.next()).value));
    expect(await next()).toMatchObject({ id: "seen", changed: [], state: null, lock: null });
    const revision = await place.store.state("seen").save(1);
    expect(await next()).toMatchObject({ changed: ["state"], state: { revision } });
    const grant = await place.store.lock("seen").acquire();
    expect(await next()).toMatchObject({ changed: ["lock"], lock: { holders: [{ fence: grant.fence }] } });
    await grant.release();
    expect(await next()).toMatchObject({ changed: ["lock"], lock: null });
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([0, null]);

    const counted = startCli(["watch", "seen", "--interval", "10ms", "--count", "1"], {
      env: { HOLDFAST_URL: place.url },
    });
    const output = createInterface({ input: counted.stdout })[Symbol.asyncIterator]();
    await output.next();
    await place.store.state("seen").delete();
    expect(await once(counted, "close")).toEqual([0, null]);
  });

  test("[E2] watch sees a change of the state long before it asks again", async () => {
    const child = startCli(["watch", "hinted", "--interval", "24h", "--count", "1", "--json"], {
      env: { HOLDFAST_URL: place.url },
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await lines.next();
    const revision = await place.store.state("hinted").save(1);
    expect(JSON.parse(String((await lines.next()).value))).toMatchObject({
      changed: ["state"],
      state: { revision },
    });
    expect(await once(child, "close")).toEqual([0, null]);
  });
});

/** A process that holds a lock in shares, until it is killed. */
async function holdInAnotherProcess({ url }: Place, id: string): Promise<ReturnType<typeof startCli>> {
  const program = `
    const { open } = await import(${JSON.stringify(new URL("../../../../src/index.ts", import.meta.url).href)});
    await open(process.env.HOLDFAST_URL).lock(${JSON.stringify(id)}).acquire({ shared: true });
    console.log("held");
    setInterval(() => undefined, 1000);`;
  const child = startCli([], { env: { HOLDFAST_URL: url }, instead: ["--input-type=module", "-e", program] });
  await once(child.stdout, "data");
  return child;
}
