// SIGTERM comes while a request is being answered and a job holds a lock: the request is answered, the job stops between two
// batches, the process ends with 0, and the lock is free at once.

import { expect, test } from "vitest";

import { open } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { onEachStore } from "./on-each-store.ts";

onEachStore("graceful-shutdown.md", (setting) => {
  test("a request in progress is answered, and the lock is released", async () => {
    const { page, backend } = setting();
    await using store = open(backend.url);
    const instance = page.start(backend.url, [
      [/.*only here.*\n/, ""],
      [
        'server.listen(Number(process.env["PORT"] ?? 0));',
        'server.listen(0, () => { console.log("port", (server.address() as { port: number }).port); });',
      ],
      ["(n) => n + 1", 'async (n) => { console.log("asked"); await sleep(500); return n + 1; }'],
    ]);
    await poll(() => instance.said.length).toBeGreaterThan(0);
    await poll(() =>
      store
        .lock("reindex")
        .inspect()
        .then((info) => info !== null),
    ).toBe(true);
    const port = instance.said[0]?.split(" ")[1] ?? "";
    const answer = fetch(`http://127.0.0.1:${port}/`);
    await instance.says("asked");
    instance.signal("SIGTERM");
    const response = await answer;
    expect([response.status, await response.text()]).toEqual([200, "visit 1\n"]);
    expect(await instance.ended()).toBe(0);
    expect(await store.lock("reindex").inspect()).toBeNull();
    expect(instance.said.slice(2)).toEqual([
      "all requests are answered",
      "the job has stopped between two batches",
      "all locks are released",
    ]);
    expect(instance.warned).toEqual([]);
  });
});
