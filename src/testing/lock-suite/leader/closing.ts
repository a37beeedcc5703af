/** A leader's store that closes before the term has begun [E1] [P2]. */
import { strict as assert } from "node:assert";
import { deferred, inTime, rejectsWith } from "../../assertions.ts";
import { meanwhile } from "../../faults.ts";
import { proof, type Case } from "../../suite.ts";

export const leaderClosingCases: readonly Case[] = [
  proof(
    "[E1] [P2] the store begins to close while a term is proclaimed: its function is not called",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const [proclaiming, go] = [deferred(), deferred()];
      const before = async (): Promise<void> => {
        proclaiming.resolve();
        await go.promise;
      };
      faults.once("writeState", meanwhile({ before }));
      const running = rejectsWith(
        store.leader(fixture.id()).run(() => assert.fail("called")),
        "CLOSED",
      );
      await proclaiming.promise;
      const closing = store.close();
      go.resolve();
      await running;
      await inTime(closing);
    },
  ),
];
