// A connection that is kept up: an attempt that is over by the time its transport was made, which may take long where the
// server has to be found first. A transport that is not wanted any more is never connected.

import { expect, test, vi } from "vitest";

import { Connection, type Transport } from "../../../src/backends/redis/client/connection.ts";
import { notConnected } from "../../../src/backends/redis/client/errors.ts";

class FakeTransport implements Transport {
  readonly connect = vi.fn(() => Promise.resolve());
  readonly destroy = vi.fn();
  readonly on = vi.fn();
}

function slowlyMade(attemptMs: number) {
  const made: ((transport: FakeTransport) => void)[] = [];
  const connection = new Connection<FakeTransport>({
    make: () => new Promise((resolve) => made.push(resolve)),
    attemptMs,
    explain: (error) => notConnected("redis://h:1", error),
  });
  return { connection, made };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("[P2] closed while the transport is made: it is not connected", async () => {
  const { connection, made } = slowlyMade(60_000);
  const connecting = expect(connection.connect()).rejects.toThrow(/closed/);
  await vi.waitFor(() => expect(made).toHaveLength(1));
  connection.close();
  const transport = new FakeTransport();
  made[0]?.(transport);
  await connecting;
  expect(transport.connect).not.toHaveBeenCalled();
  expect(transport.destroy).toHaveBeenCalled();
});

test("suspended while the transport is made: the next attempt makes another", async () => {
  const { connection, made } = slowlyMade(60_000);
  const connecting = expect(connection.connect()).rejects.toThrow(/abandoned/);
  await vi.waitFor(() => expect(made).toHaveLength(1));
  connection.suspend(new Error("moved"));
  const again = connection.connect();
  await vi.waitFor(() => expect(made).toHaveLength(2));
  const [first, second] = [new FakeTransport(), new FakeTransport()];
  made[0]?.(first);
  await connecting;
  made[1]?.(second);
  await again;
  expect(first.connect).not.toHaveBeenCalled();
  expect(connection.current).toBe(second);
  connection.close();
});

test("[S5] making the transport is within the time limit of the attempt; one that is made later is not connected", async () => {
  const { connection, made } = slowlyMade(40);
  await expect(connection.connect()).rejects.toThrow(/no answer within 40 ms/);
  const transport = new FakeTransport();
  made[0]?.(transport);
  await settled();
  expect(transport.connect).not.toHaveBeenCalled();
  connection.close();
});

test.each(["close", "suspend"] as const)(
  "[P2] %s() ends a transport that is still connecting",
  async (how) => {
    const { connection, made } = slowlyMade(60_000);
    const connecting = connection.connect()?.catch(() => "failed");
    await vi.waitFor(() => expect(made).toHaveLength(1));
    const transport = new FakeTransport();
    let fail = (_: Error): void => {};
    transport.connect.mockReturnValue(new Promise((_, reject) => (fail = reject)));
    transport.destroy.mockImplementation(() => fail(new Error("ended")));
    made[0]?.(transport);
    await vi.waitFor(() => expect(transport.connect).toHaveBeenCalled());
    if (how === "close") connection.close();
    else connection.suspend(new Error("moved"));
    expect(transport.destroy).toHaveBeenCalled();
    expect(await connecting).toBe("failed");
    connection.close();
  },
);
