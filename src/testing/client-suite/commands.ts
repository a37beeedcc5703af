/** Commands: one connection, the order of the calls, and one answer each. */
import { strict as assert } from "node:assert";
import { inTime } from "../assertions.ts";
import { proof, type ClientCase } from "./case.ts";
import { command, watched } from "./fixture.ts";

const counts = Array.from({ length: 100 }, (_, index) => index + 1);
const largeBytes = 300_000;

export const commandCases: readonly ClientCase[] = [
  proof(
    "[S5] connect() is undefined once there is a connection, and commands can be sent then",
    async (fixture) => {
      const client = await fixture.fresh();
      await inTime(Promise.resolve(client.connect()));
      assert.equal(client.connect(), undefined);
      assert.equal(await command(client, ["SET", fixture.key(), "1"]), "OK");
    },
  ),
  proof("[S5] calls of connect() that overlap share one attempt", async (fixture) => {
    const client = await fixture.fresh();
    await inTime(Promise.all(counts.map(() => client.connect() ?? Promise.resolve())));
    assert.equal(client.connect(), undefined);
  }),
  proof(
    "[S5] commands of one tick are carried out in the order of the calls, each with its own reply",
    async (fixture) => {
      const [client, key] = [await fixture.connected(), fixture.key()];
      const replies = await inTime(Promise.all(counts.map(() => command(client, ["INCR", key]))));
      assert.deepEqual(replies, counts);
    },
  ),
  proof(
    "[S5] the order holds for small and large commands, text and bytes, and other names",
    async (fixture) => {
      const [client, key, staged] = [await fixture.connected(), fixture.key(), fixture.key()];
      const large = Buffer.alloc(largeBytes, 0xff);
      const sent = counts.flatMap((n) => [
        command(client, ["SET", staged, n % 10 === 0 ? large : String(n)]),
        command(client, ["RENAME", staged, key]), // an error, if it overtakes the SET
        command(client, ["STRLEN", key]),
      ]);
      const replies = await inTime(Promise.all(sent));
      const expected = counts.map((n) => (n % 10 === 0 ? largeBytes : String(n).length));
      assert.deepEqual(
        replies.filter((_, index) => index % 3 === 2),
        expected,
      );
    },
  ),
  proof("[S5] the order holds for commands that are sent while others are in flight", async (fixture) => {
    const [client, key] = [await fixture.connected(), fixture.key()];
    const replies: unknown[] = [];
    const more = async (): Promise<void> => {
      for (let round = 0; round < 10; round += 1) replies.push(await command(client, ["INCR", key]));
    };
    await inTime(Promise.all([more(), more(), more()]));
    assert.deepEqual(
      replies,
      replies.map((_, index) => index + 1),
    );
  }),
  proof("[S5] each command has one answer, and an error reply concerns only its own", async (fixture) => {
    const [client, key] = [await fixture.connected(), fixture.key()];
    const answers = [
      watched(client, ["SET", key, "text"]),
      watched(client, ["INCR", key]),
      watched(client, ["GET", key]),
      watched(client, ["NO-SUCH-COMMAND"]),
      watched(client, ["STRLEN", key]),
    ];
    const [set, incr, get, unknown, length] = await inTime(
      Promise.all(answers.map(({ settled }) => settled)),
    );
    assert.deepEqual([set, get, length], ["OK", "text", 4]);
    assert.match(String(incr), /^ERR value is not an integer/);
    assert.match(String(unknown), /^ERR unknown command/);
    const calls = answers.map((answer) => answer.calls);
    assert.deepEqual(calls, [["read"], ["refused"], ["read"], ["refused"], ["read"]]);
  }),
  proof("[S5] what a handler throws rejects its own call, and no other", async (fixture) => {
    const [client, key] = [await fixture.connected(), fixture.key()];
    const thrown = new Error("of the handler");
    const broken = client.send<never>(
      { args: ["SET", key, "1"], bytes: false },
      {
        read: () => {
          throw thrown;
        },
        refused: (message) => {
          throw new Error(message);
        },
      },
    );
    const next = command(client, ["GET", key]);
    await assert.rejects(broken, (error) => error === thrown);
    assert.equal(await next, "1");
  }),
];
