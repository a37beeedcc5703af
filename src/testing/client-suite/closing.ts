/** close(): what the adapter opened is gone, calls in flight are settled, and later ones are refused. */
import { strict as assert } from "node:assert";
import { eventually, inTime, pause, rejection } from "../assertions.ts";
import { proof, type ClientCase } from "./case.ts";
import { command, fails } from "./fixture.ts";

export const closingCases: readonly ClientCase[] = [
  proof(
    "[P2] after close() nothing is sent, and every call says so; close() may be called again",
    async (fixture) => {
      const [client, key] = [await fixture.connected(), fixture.key()];
      await client.close();
      await fails(command(client, ["SET", key, "1"]), { outcome: "none" });
      await fails(Promise.resolve(client.connect()), { outcome: "none" });
      client.reconnect();
      await client.close();
      assert.equal(await fixture.observe("EXISTS", key), 0);
    },
  ),
  proof("[P2] close() of a client that was never used", async (fixture) => {
    const client = await fixture.fresh();
    await client.close();
    await fails(Promise.resolve(client.connect()), { outcome: "none" });
  }),
  proof("[P2] a command in flight at close() is settled: answered, or failed as unknown", async (fixture) => {
    const [client, key] = [await fixture.connected(), fixture.key()];
    const calls = Array.from({ length: 20 }, () => command(client, ["INCR", key]));
    const settled = Promise.allSettled(calls);
    await client.close();
    for (const result of await inTime(settled)) {
      if (result.status === "rejected")
        assert.equal((result.reason as { outcome?: string }).outcome, "unknown");
    }
  }),
  proof("[P2] close() ends the subscription, and nothing is heard any more", async (fixture) => {
    const [client, channel] = [await fixture.connected(), fixture.channel()];
    const listener = fixture.listen(client, channel);
    await listener.isUp();
    await client.close();
    const said = listener.states.length;
    await eventually(async () =>
      assert.deepEqual(await fixture.observe("PUBSUB", listener.commands.count, channel), [channel, 0]),
    );
    await fixture.observe(listener.commands.publish, channel, "late");
    await pause(20);
    assert.deepEqual(listener.messages, []);
    assert.ok(!listener.states.slice(said).includes("up"));
  }),
  proof("[P3] neither its name nor its errors contain a password", async (fixture) => {
    const client = await fixture.connected();
    assert.notEqual(client.name, "");
    await client.close();
    const error = await rejection(command(client, ["GET", fixture.key()]));
    for (const secret of fixture.options.secrets ?? [])
      for (const shown of [client.name, error.message, String(error.cause)])
        assert.ok(!shown.includes(secret), "a password is shown");
  }),
];
