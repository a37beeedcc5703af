/** The subscription: it says when it is up and when it is down, and between the two every message is heard. */
import { strict as assert } from "node:assert";
import { eventually } from "../assertions.ts";
import { needing, proof, type ClientCase } from "./case.ts";
import { command, type ClientFixture, type Listener } from "./fixture.ts";

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

async function subscribers(fixture: ClientFixture, { commands }: Listener, channel: string): Promise<number> {
  const reply = await fixture.observe("PUBSUB", commands.count, channel);
  return Number((reply as readonly unknown[])[1]);
}

/** It never says the same twice in a row, but for attempts that fail one after the other. */
function assertAlternates({ states }: Listener): void {
  states.forEach((state, index) => {
    if (state === "up") assert.notEqual(states[index - 1], "up", `up twice: ${states.join(", ")}`);
  });
}

export const subscriptionCases: readonly ClientCase[] = [
  proof(
    "[L8] when it says up, the server has the subscription; messages arrive as bytes, in order",
    async (fixture) => {
      const [client, channel] = [await fixture.connected(), fixture.channel()];
      const listener = fixture.listen(client, channel);
      await listener.isUp();
      assert.equal(await subscribers(fixture, listener, channel), 1);
      const sent = [everyByte, Buffer.alloc(0), Buffer.from("text"), Buffer.alloc(100_000, 0xc3)];
      for (const bytes of sent) await command(client, [listener.commands.publish, channel, bytes]);
      await eventually(() => assert.equal(listener.messages.length, sent.length));
      for (const [index, bytes] of sent.entries()) assert.ok(listener.messages[index]?.equals(bytes));
      assert.deepEqual(listener.states, ["up"]);
    },
  ),
  proof(
    "[L8] commands go on beside the subscription, and messages of other channels are not heard",
    async (fixture) => {
      const [client, channel] = [await fixture.connected(), fixture.channel()];
      const listener = fixture.listen(client, channel);
      await listener.isUp();
      await Promise.all([
        command(client, [listener.commands.publish, fixture.channel(), "elsewhere"]),
        command(client, ["SET", fixture.key(), "1"]),
        command(client, [listener.commands.publish, channel, "here"]),
      ]);
      await listener.has("here");
    },
  ),
  proof("[L8] two clients have a subscription each", async (fixture) => {
    const channel = fixture.channel();
    const [one, two] = [await fixture.connected(), await fixture.connected()];
    const [first, second] = [fixture.listen(one, channel), fixture.listen(two, channel)];
    const listeners = [first, second];
    for (const listener of listeners) await listener.isUp();
    assert.equal(await subscribers(fixture, first, channel), 2);
    assert.equal(await command(one, [first.commands.publish, channel, "to both"]), 2);
    for (const listener of listeners) await listener.has("to both");
  }),
  proof(
    "[L8] channels that are added are heard on the same connection, each message once; on a new one they are added again",
    async (fixture) => {
      const client = await fixture.connected();
      const channels = [fixture.channel(), fixture.channel(), fixture.channel()] as const;
      const [channel, ...others] = channels;
      const listener = fixture.listen(client, channel);
      await listener.isUp();
      await Promise.all(others.map((other) => listener.add(other)));
      await listener.add(others[0]); // it has it already
      const sent: string[] = [];
      const publish = async (to: string): Promise<void> => {
        const reply = await command(client, [
          listener.commands.publish,
          to,
          String(sent.push(String(sent.length))),
        ]);
        assert.equal(reply, 1);
      };
      for (const to of [...channels, channel]) await publish(to);
      await listener.has("1", "2", "3", "4");
      listener.reconnect(false);
      await listener.isUp(2);
      await eventually(async () => assert.equal(await subscribers(fixture, listener, others[1]), 0));
      await listener.add(others[1]);
      for (const to of [channel, others[1]]) await publish(to);
      await listener.has("1", "2", "3", "4", "5", "6");
      assertAlternates(listener);
    },
  ),
  needing(
    ["cut"],
    "[L8] a cut connection: it says down, subscribes again by itself, and says up",
    async (fixture) => {
      const [client, channel] = [await fixture.connected(), fixture.channel()];
      const listener = fixture.listen(client, channel);
      await listener.isUp();
      for (let round = 2; round <= 3; round += 1) {
        await fixture.hook("cut")();
        await listener.isUp(round);
        assert.equal(listener.states.includes("down"), true);
        await fixture.observe(listener.commands.publish, channel, String(round));
        await eventually(() => assert.equal(String(listener.messages.at(-1)), String(round)));
      }
      assertAlternates(listener);
      for (const { outcome } of listener.failures) assert.equal(outcome, "none");
    },
  ),
  needing(
    ["isolate"],
    "[L8] while the server is away it says down; it is up again when the server is back",
    async (fixture) => {
      const [client, channel] = [await fixture.connected(), fixture.channel()];
      const listener = fixture.listen(client, channel);
      await listener.isUp();
      const restore = await fixture.hook("isolate")();
      try {
        await eventually(() => assert.equal(listener.states.at(-1), "down"));
      } finally {
        await restore();
      }
      // As a store does: it uses the client, which connects the subscription as well.
      await eventually(async () => {
        await client.connect();
        await command(client, ["GET", fixture.key()]);
        assert.equal(listener.states.at(-1), "up");
      });
      await fixture.observe(listener.commands.publish, channel, "back");
      await eventually(() => assert.equal(String(listener.messages.at(-1)), "back"));
      assertAlternates(listener);
    },
  ),
  proof(
    "[L8] the subscription can be made anew, alone or with the connection for commands",
    async (fixture) => {
      const [client, channel] = [await fixture.connected(), fixture.channel()];
      const listener = fixture.listen(client, channel);
      await listener.isUp();
      listener.reconnect(false);
      await listener.isUp(2);
      listener.reconnect(true);
      await eventually(async () => {
        await client.connect();
        await command(client, ["GET", fixture.key()]);
        assert.ok(listener.states.filter((state) => state === "up").length >= 3);
      });
      await eventually(async () => assert.equal(await subscribers(fixture, listener, channel), 1));
      await fixture.observe(listener.commands.publish, channel, "after");
      await eventually(() => assert.equal(String(listener.messages.at(-1)), "after"));
      assertAlternates(listener);
    },
  ),
];
