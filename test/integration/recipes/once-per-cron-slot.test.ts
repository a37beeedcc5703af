// Two machines that start the job of one slot: it runs once. If the one at work is killed, the other runs it.

import { expect, test } from "vitest";

import { onEachStore } from "./on-each-store.ts";

/** The page's demonstration is replaced: this machine runs the slot that is named. */
const run = (slot: string) =>
  [/\/\/ To try it:.*$/s, `console.log(await runNightlyReport("${slot}"));\nawait store.close();`] as const;
const counts = [
  ["async ({ signal })", "async ({ signal, attempt })"],
  ["rows: 120", "rows: attempt"],
] as const;
const tellsOfWork = ["ranHere = true;", 'ranHere = true;\nconsole.log("at work");'] as const;

onEachStore("once-per-cron-slot.md", (setting) => {
  test("two processes start it at the same time: one runs it, and both have the result", async () => {
    const { page, backend } = setting();
    const both = [1, 2].map(() => page.start(backend.url, [run("both")]));
    for (const one of both) expect(await one.ended()).toBe(0);
    expect(both.flatMap(({ said }) => said).sort()).toEqual([
      "another machine wrote 120 rows",
      "wrote 120 rows",
    ]);
  });

  test("the one at work is killed: the one that waits runs it", async () => {
    const { page, backend } = setting();
    const first = page.start(backend.url, [run("killed"), tellsOfWork, ["sleep(20", "sleep(600_000"]]);
    await first.says("at work");
    const second = page.start(backend.url, [run("killed"), ...counts]);
    first.signal("SIGKILL");
    expect(await second.ended()).toBe(0);
    expect(second.said).toEqual(["wrote 2 rows"]); // in the second attempt
  });
});
