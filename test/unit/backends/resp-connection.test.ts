// Our own connection, against a server that writes what the test says.
//
// Seen failing: subscribe() sets its listener after an await; HELLO is not tried without; a connection that was ended lets
// its commands wait; a connection keeps its settled commands until it is idle.

import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";

import { RespConnection } from "../../../src/backends/redis/client/resp-connection.ts";
import { poll } from "../../support/poll.ts";

let server: Server;
let connection: RespConnection;
/** What the server was sent, and what it replies to each write. */
let received: string[];
let replies: string[];
let socket: Socket | undefined;

beforeEach(async () => {
  [received, replies, socket] = [[], [], undefined];
  server = createServer((accepted) => {
    socket = accepted.on("error", () => undefined);
    accepted.on("data", (data) => {
      received.push(data.toString());
      accepted.write(replies.shift() ?? "");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  connection.destroy();
  socket?.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function connect(login: { username?: string; password?: string; database?: number } = {}): Promise<void> {
  const { port } = server.address() as AddressInfo;
  connection = new RespConnection({ server: { host: "127.0.0.1", port, tls: false }, ...login });
  return connection.connect();
}
const commands = (): string[] =>
  received.map((text) =>
    text
      .replace(/[*$]\d+\r\n/g, "")
      .replaceAll("\r\n", " ")
      .trim(),
  );

test("logs in with HELLO, and selects the database", async () => {
  replies = ["*0\r\n", "+OK\r\n"];
  await connect({ username: "ann", password: "p w", database: 3 });
  expect(commands()).toEqual(["HELLO 2 AUTH ann p w SETNAME holdfast", "SELECT 3"]);
});

test("logs in with AUTH where HELLO is unknown", async () => {
  replies = ["-ERR unknown command 'HELLO'\r\n", "+OK\r\n"];
  await connect({ password: "secret" });
  expect(commands()).toEqual(["HELLO 2 AUTH default secret SETNAME holdfast", "AUTH secret"]);
});

test("a login that is refused rejects with the reply of the server", async () => {
  replies = ["-WRONGPASS no\r\n"];
  await expect(connect({ password: "x" })).rejects.toThrow("WRONGPASS no");
});

test("the commands of one tick are one write, and each has its own reply", async () => {
  replies = ["*0\r\n", "+A\r\n-ERR b\r\n$1\r\nc\r\n"];
  await connect();
  const sent = [["a"], ["b"], ["c", Buffer.from([255])]].map((args) => connection.sendCommand(args));
  expect(await Promise.allSettled(sent)).toMatchObject([
    { value: "A" },
    { reason: { message: "ERR b" } },
    { value: "c" },
  ]);
  expect(received).toHaveLength(2);
});

test("a message that comes together with the reply to SUBSCRIBE is heard", async () => {
  replies = [
    "*0\r\n",
    "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nhi\r\n",
  ];
  await connect();
  const heard: string[] = [];
  await connection.subscribe("x", (message) => heard.push(message.toString()));
  await poll(() => heard).toEqual(["hi"]);
});

test("among messages: replies to more subscriptions, refusals, and those that the end of the connection leaves open", async () => {
  const subscribed = (to: string): string => `*3\r\n$9\r\nsubscribe\r\n$1\r\n${to}\r\n:1\r\n`;
  const message = (text: string): string => `*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\n${text}\r\n`;
  replies = [
    "*0\r\n",
    subscribed("x") + message("1"),
    message("2") + subscribed("y") + "-NOPERM no\r\n" + message("3"),
    message("4"),
  ];
  await connect();
  const heard: string[] = [];
  const listener = (bytes: Buffer): void => void heard.push(bytes.toString());
  await connection.subscribe("x", listener);
  const more = [connection.subscribe("y", listener), connection.subscribe("z", listener)];
  expect(await Promise.allSettled(more)).toMatchObject([
    { status: "fulfilled" },
    { reason: { message: "NOPERM no" } },
  ]);
  const open = connection.subscribe("w", listener);
  await poll(() => heard).toEqual(["1", "2", "3", "4"]);
  connection.destroy(new Error("over"));
  await expect(open).rejects.toThrow("over");
});

test.each([
  ["the server closes it", () => socket?.end(), /Socket closed unexpectedly/],
  ["it is ended here", () => connection.destroy(new Error("why not")), /why not/],
  ["the server is none", () => socket?.write("HTTP/1.1 400\r\n"), /Unknown RESP type 72/],
  ["the server replies to nothing", () => socket?.write("+1\r\n+2\r\n"), /reply to no command/],
])("%s: commands in flight, and later ones, are rejected", async (what, end, message) => {
  replies = ["*0\r\n"];
  await connect();
  const errors: unknown[] = [];
  connection.on("error", (error) => errors.push(error));
  const sent = connection.sendCommand(["PING"]);
  await poll(() => received).toHaveLength(2);
  end();
  if (what === "the server replies to nothing") expect(await sent).toBe("1");
  else await expect(sent).rejects.toThrow(message);
  await poll(() => errors).toMatchObject([{ message: expect.stringMatching(message) as string }]);
  await expect(connection.sendCommand(["PING"])).rejects.toThrow("The client is closed");
});

test("nothing listens there: connect() rejects with the error of the socket", async () => {
  connection = new RespConnection({ server: { host: "127.0.0.1", port: 1, tls: false } });
  await expect(connection.connect()).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("a connection that is never idle keeps nothing of the commands that have their replies", async () => {
  const count = 3_000;
  replies = ["*0\r\n", ""]; // each command is answered when the next one comes
  for (let n = 0; n < count; n += 1) replies.push("*1\r\n:1\r\n");
  await connect();
  const answers: WeakRef<object>[] = [];
  let next = connection.sendCommand(["LIST"]);
  for (let n = 0; n < count; n += 1) {
    const current = next;
    while (received.length < n + 2) await turn(); // or two would arrive as one
    next = connection.sendCommand(["LIST"]);
    answers.push(new WeakRef((await current) as object));
  }
  collectGarbage();
  expect(answers.filter((answer) => answer.deref() !== undefined).length).toBeLessThan(100);
  connection.destroy();
  await expect(next).rejects.toThrow("closed");
});
