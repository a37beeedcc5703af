/** Bytes: what is sent arrives unchanged, and what comes back has the form that the port names. */
import { strict as assert } from "node:assert";
import type { RedisReply } from "../../backends/redis/client/client-port.ts";
import { inTime } from "../assertions.ts";
import { proof, type ClientCase } from "./case.ts";
import { bytesOf, command } from "./fixture.ts";

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const text = 'café \u{1f512} line\r\n"quoted" \0';
const largeBytes = 3_000_000;

export const replyCases: readonly ClientCase[] = [
  proof("[S1] bytes arrive as they are, in both directions", async (fixture) => {
    const [client, key] = [await fixture.connected(), fixture.key()];
    for (const bytes of [everyByte, Buffer.alloc(0), Buffer.from([0xff]), Buffer.alloc(largeBytes, 0xe9)]) {
      await command(client, ["SET", key, bytes]);
      assert.equal(await command(client, ["STRLEN", key]), bytes.length);
      const got = await inTime(bytesOf(client, ["GET", key]));
      assert.ok(Buffer.isBuffer(got), "a buffer was wanted");
      assert.ok(got.equals(bytes), `${String(bytes.length)} bytes came back changed`);
    }
  }),
  proof("[S1] strings are sent as UTF-8, and arrive as strings unless bytes are wanted", async (fixture) => {
    const [client, key] = [await fixture.connected(), fixture.key()];
    await command(client, ["SET", key, text]);
    assert.equal(await command(client, ["GET", key]), text);
    assert.deepEqual(await bytesOf(client, ["GET", key]), Buffer.from(text));
    await command(client, ["SET", key, ""]);
    assert.equal(await command(client, ["GET", key]), "");
  }),
  proof("[S1] commands that want bytes and others may alternate", async (fixture) => {
    const [client, key] = [await fixture.connected(), fixture.key()];
    await command(client, ["SET", key, everyByte]);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0 ? bytesOf(client, ["GET", key]) : command(client, ["STRLEN", key]),
      ),
    );
    for (const [index, reply] of replies.entries())
      assert.deepEqual(reply, index % 2 === 0 ? everyByte : everyByte.length);
  }),
  proof("[S1] numbers, null and nested arrays of a script arrive as such", async (fixture) => {
    const client = await fixture.connected();
    const script = 'return {1, -7, 4503599627370497, "text", {"a", {"b"}}, {}, false, "last"}';
    const expected: RedisReply = [1, -7, 2 ** 52 + 1, "text", ["a", ["b"]], [], null, "last"];
    assert.deepEqual(await command(client, ["EVAL", script, "1", fixture.key()]), expected);
    assert.equal(await command(client, ["GET", fixture.key()]), null);
    assert.deepEqual(await bytesOf(client, ["EVAL", 'return {1, "x"}', "1", fixture.key()]), [
      1,
      Buffer.from("x"),
    ]);
  }),
  proof("[S5] an error within an array is an element of it", async (fixture) => {
    const client = await fixture.connected();
    const script = 'return {1, redis.error_reply("ERR in the middle"), "last"}';
    const reply = await command(client, ["EVAL", script, "1", fixture.key()]);
    assert.ok(Array.isArray(reply));
    const [first, error, last] = reply as readonly RedisReply[];
    assert.deepEqual([first, last], [1, "last"]);
    assert.ok(error instanceof Error);
    assert.match(error.message, /^ERR in the middle/);
  }),
];
