/** `leader.watch()`, and the hints by which it sees changes at once [E1]. */
import { strict as assert } from "node:assert";
import type { LeaderInfo } from "../../../handles/leader/leader.ts";
import type { Store } from "../../../store/store.ts";
import { inTime, rejectsWith } from "../../assertions.ts";
import { failBefore, meanwhile } from "../../faults.ts";
import { needing, proof, type Case } from "../../suite.ts";
import { leading } from "./terms.ts";

/** What is not pushed is not seen, except at the end of a lease. */
const never = { intervalMs: 86_400_000 };

interface Watching {
  /** The value of who leads; `null`: no process does. */
  next(): Promise<string | null | undefined>;
  end(): Promise<unknown>;
}

function watching(store: Store, id: string): Watching {
  const changes = store.leader<string>(id).watch(never)[Symbol.asyncIterator]();
  const valueOf = (info: LeaderInfo<string> | null | undefined): string | null | undefined =>
    info === null ? null : info?.value;
  return {
    next: async () => valueOf((await inTime(changes.next())).value as LeaderInfo<string> | null | undefined),
    end: async () => changes.return?.(),
  };
}

export const leaderWatchCases: readonly Case[] = [
  needing(
    ["pushes"],
    "[E1] watch sees the beginning, a new value, and the end of a term without asking at an interval",
    async (fixture) => {
      const [[a, b, c], id] = [await fixture.stores(3), fixture.id()];
      const all = [b, c].map((store) => watching(store, id));
      const next = (): Promise<unknown[]> => Promise.all(all.map((watch) => watch.next()));
      const { fn, inOffice, end } = leading<string>();
      assert.deepEqual(await next(), [null, null]);
      const begun = next();
      const running = a.leader<string>(id).run(fn, { value: "one" });
      assert.deepEqual(await begun, ["one", "one"]);
      const term = await inOffice;
      const renewed = next();
      await term.proclaim("two");
      assert.deepEqual(await renewed, ["two", "two"]);
      const ended = next();
      end();
      await running;
      assert.deepEqual(await ended, [null, null]);
      await Promise.all(all.map((watch) => watch.end()));
    },
  ),
  proof("[E1] watch sees the terms of its own store without asking at an interval", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const watch = watching(store, id);
    const { fn, inOffice, end } = leading<string>();
    assert.equal(await watch.next(), null);
    const begun = watch.next();
    const running = store.leader<string>(id).run(fn, { value: "one" });
    assert.equal(await begun, "one");
    await inOffice;
    const ended = watch.next();
    end();
    await running;
    assert.equal(await ended, null);
    await watch.end();
  }),
  proof("[E1] a term that begins while watch asks is seen", async (fixture) => {
    const [{ store, faults }, id] = [await fixture.faultyStore(), fixture.id()];
    const watch = watching(store, id);
    const { fn, inOffice, end } = leading<string>();
    assert.equal(await watch.next(), null);
    let running: Promise<unknown> = Promise.resolve();
    const after = async (): Promise<void> => {
      running = store.leader<string>(id).run(fn, { value: "one" });
      await inOffice;
    };
    faults.once("loadState", meanwhile({ after })); // the reply says that there is no record
    assert.equal(await watch.next(), "one");
    await watch.end();
    end();
    await running;
  }),
  proof(
    "[E1] [L10] a leader is cut off, and nobody follows: watch sees the end of its lease",
    async (fixture) => {
      const [{ store, faults }, b, id] = [await fixture.faultyStore(), await fixture.store(), fixture.id()];
      const { fn, inOffice } = leading<string>();
      const running = rejectsWith(
        store.leader<string>(id).run(fn, { value: "gone", leaseMs: 1_000 }),
        "CLOSED",
      );
      await inOffice;
      const cutOff = faults.always("any", failBefore());
      const watch = watching(b, id);
      assert.equal(await watch.next(), "gone");
      assert.equal(await watch.next(), null);
      await watch.end();
      cutOff.cancel();
      await store.close({ drainMs: 0 });
      await running;
    },
  ),
];
