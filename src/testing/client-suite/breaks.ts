/** Broken connections: commands that were never sent are reported as such, each gets one answer, and it reconnects by itself. */
import { strict as assert } from "node:assert";
import { eventually, inTime } from "../assertions.ts";
import { needing, proof, type ClientCase } from "./case.ts";
import { command, fails, reconnected, watched, type ClientFixture } from "./fixture.ts";

/** The server has carried out whatever arrived before this. */
async function valueOf(fixture: ClientFixture, key: string): Promise<number> {
  return Number(await fixture.observe("GET", key));
}

/** An INCR that is lost on its way, or whose reply is: how often it was carried out once the adapter has reconnected. */
async function timesDone(fixture: ClientFixture, loss: "loseReply" | "loseRequest"): Promise<number> {
  const [client, key] = [await fixture.connected(), fixture.key()];
  fixture.hook(loss)("INCR");
  const answer = watched(client, ["INCR", key]);
  await fails(answer.settled, { outcome: "unknown" });
  await reconnected(client);
  await command(client, ["GET", key]);
  assert.deepEqual(answer.calls, []);
  return valueOf(fixture, key);
}

export const breakCases: readonly ClientCase[] = [
  needing(
    ["cut"],
    "[S5] a connection that was cut is made again, and commands are sent over it",
    async (fixture) => {
      const [client, key] = [await fixture.connected(), fixture.key()];
      for (let round = 1; round <= 3; round += 1) {
        await fixture.hook("cut")();
        const reply = await eventually(async () => {
          await client.connect();
          return command(client, ["SET", key, String(round)]);
        });
        assert.equal(reply, "OK");
      }
      assert.equal(await valueOf(fixture, key), 3);
    },
  ),
  needing(
    ["loseReply"],
    "[S5] a lost reply: the outcome is unknown, and the command is settled once",
    async (fixture) => {
      const times = await timesDone(fixture, "loseReply");
      if (fixture.options.resends === true) assert.ok(times >= 1);
      else assert.equal(times, 1, "the adapter sent a command again");
    },
  ),
  needing(
    ["loseRequest"],
    "[S5] a lost request: the outcome is unknown, and the adapter does not send it again",
    async (fixture) => {
      const times = await timesDone(fixture, "loseRequest");
      if (fixture.options.resends !== true) assert.equal(times, 0, "the adapter sent a command again");
    },
  ),
  needing(
    ["loseReply"],
    "[S5] every command in flight fails when the connection breaks, none of them with the reply of another",
    async (fixture) => {
      const [client, key] = [await fixture.connected(), fixture.key()];
      fixture.hook("loseReply")("STRLEN");
      const before = command(client, ["SET", key, "text"]);
      const lost = command(client, ["STRLEN", key]);
      const after = [command(client, ["GET", key]), command(client, ["EXISTS", key])];
      const failed = fails(lost, { outcome: "unknown" });
      const results = await inTime(Promise.allSettled([before, ...after]));
      await failed;
      for (const [index, result] of results.entries()) {
        if (result.status === "rejected")
          assert.equal((result.reason as { outcome?: string }).outcome, "unknown");
        else assert.equal(index, 0, "a reply was given to another command");
      }
    },
  ),
  needing(
    ["isolate"],
    "[S5] without a connection nothing is sent: the outcome is none, and it is not carried out later",
    async (fixture) => {
      const [client, key] = [await fixture.connected(), fixture.key()];
      const restore = await fixture.hook("isolate")();
      try {
        await eventually(() => assert.notEqual(unlessConnected(client.connect()), undefined));
        await fails(command(client, ["INCR", key]), { outcome: "none" });
        await fails(inTime(Promise.resolve(client.connect())), { outcome: "none" });
      } finally {
        await restore();
      }
      await reconnected(client);
      assert.equal(await command(client, ["GET", key]), null);
      assert.equal(await command(client, ["INCR", key]), 1);
    },
  ),
  proof("[S5] reconnect() loses no command that it does not report", async (fixture) => {
    const [client, key] = [await fixture.connected(), fixture.key()];
    const sent = Promise.allSettled(Array.from({ length: 20 }, () => command(client, ["INCR", key])));
    client.reconnect();
    const answered = (await inTime(sent)).filter(({ status }) => status === "fulfilled").length;
    await reconnected(client);
    assert.ok((await valueOf(fixture, key)) >= answered);
    assert.equal(await command(client, ["SET", key, "0"]), "OK");
  }),
];

/** An attempt that is only looked at may fail. */
function unlessConnected(connecting: Promise<void> | undefined): Promise<void> | undefined {
  connecting?.catch(() => undefined);
  return connecting;
}
