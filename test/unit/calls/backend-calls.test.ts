// Attempts, retries, deadlines and receipts [S5], with attempts that do what the test says.

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { MemoryBackend } from "../../../src/backends/memory/backend.ts";
import type { Receipt, WriteReply } from "../../../src/backends/contract.ts";
import { BackendCalls } from "../../../src/calls/backend-calls.ts";
import {
  CorruptStateError,
  UnavailableError,
  type Outcome,
  type UnavailableCode,
} from "../../../src/errors.ts";

const unavailable = (outcome: Outcome, code: UnavailableCode = "UNREACHABLE"): UnavailableError =>
  new UnavailableError(`planned ${outcome}`, { outcome, code });
const telling = { doing: "Telling", id: "x" };
const saved = { status: "saved", revision: 1 } as const;

/** Does one step per attempt; the last one again and again. Steps that are errors are thrown. */
function script<T>(...steps: (T | Error)[]): {
  attempt: (told?: Receipt | number) => Promise<T>;
  seen: (Receipt | undefined)[];
} {
  const seen: (Receipt | undefined)[] = [];
  const attempt = async (told?: Receipt | number): Promise<T> => {
    const receipt = typeof told === "object" ? told : undefined;
    const step = steps[Math.min(seen.length, steps.length - 1)];
    seen.push(receipt);
    if (step instanceof Error) throw step;
    return step as T;
  };
  return { attempt, seen };
}

describe("a call", () => {
  let calls: BackendCalls;
  beforeEach(() => {
    calls = new BackendCalls(new MemoryBackend(), 200);
  });
  afterEach(() => calls.close());

  test.each(["UNREACHABLE", "READ_ONLY"] as const)(
    "[S5] is retried until it is answered: %s",
    async (code) => {
      const { attempt, seen } = script<string>(
        unavailable("none", code),
        unavailable("unknown", code),
        "answer",
      );
      expect(await calls.idempotent("Asking", attempt)).toBe("answer");
      expect(seen).toHaveLength(3);
    },
  );

  test.each(["ACCESS_DENIED", "OUT_OF_MEMORY"] as const)(
    "is not retried when that cannot help: %s",
    async (code) => {
      const { attempt, seen } = script(unavailable("none", code));
      await expect(calls.idempotent("Asking", attempt)).rejects.toMatchObject({ code, outcome: "none" });
      expect(seen).toHaveLength(1);
    },
  );

  test("is not retried when the backend answered with damage, or broke", async () => {
    for (const error of [new CorruptStateError("no lock"), new TypeError("a bug")]) {
      const { attempt, seen } = script(error);
      await expect(calls.idempotent("Asking", attempt)).rejects.toBe(error);
      expect(seen).toHaveLength(1);
    }
  });

  test.each([
    ["never sent", [unavailable("none")], "none"],
    ["always unknown", [unavailable("unknown")], "unknown"],
    ["unknown once, then surely not", [unavailable("unknown"), unavailable("none")], "unknown"],
    ["surely not once, then unknown", [unavailable("none"), unavailable("unknown")], "unknown"],
  ] as const)("[S5] out of time: %s", async (_, steps, outcome) => {
    const { attempt, seen } = script<never>(...steps);
    const failing = calls.idempotent("Asking", attempt);
    await expect(failing).rejects.toMatchObject({ code: "UNREACHABLE", outcome });
    await expect(failing).rejects.toThrow(/^Asking .*operationMs \(200 ms\)/);
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.length).toBeLessThan(40); // pauses grow
  });

  test("[S5] unknown once, then refused for good: the outcome stays unknown", async () => {
    const { attempt } = script<never>(unavailable("unknown"), unavailable("none", "ACCESS_DENIED"));
    const failing = calls.idempotent("Asking", attempt);
    await expect(failing).rejects.toMatchObject({ code: "ACCESS_DENIED", outcome: "unknown" });
  });

  test("[S5] reading changes nothing, so that its failure is never unknown", async () => {
    const failing = calls.read("Reading", script<never>(unavailable("unknown")).attempt);
    await expect(failing).rejects.toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    await expect(failing).rejects.not.toThrow(/taken effect/);
  });

  test("[P1] a backend of the user's own that answers no promise, at a later try as well: its caller has the answer", async () => {
    let tries = 0;
    const attempt = (): Promise<string> => {
      if (tries++ === 0) return Promise.reject(unavailable("none"));
      return "answer" as unknown as Promise<string>;
    };
    expect(await calls.idempotent("Asking", attempt)).toBe("answer");
  });

  test("[S5] a retry that the deadline would overtake is not sent: the outcome stays known", async () => {
    const refused = async (): Promise<never> => {
      await new Promise((resolve) => setTimeout(resolve, 120)); // of 200 ms
      throw unavailable("none", "READ_ONLY");
    };
    const failing = calls.idempotent("Asking", refused);
    await expect(failing).rejects.toMatchObject({ code: "READ_ONLY", outcome: "none" });
  });

  test("[S5] an attempt that is never answered does not hang its caller", async () => {
    const failing = calls.idempotent("Asking", () => new Promise<never>(() => undefined));
    await expect(failing).rejects.toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
  });
});

describe("[S5] a backend that connects first", () => {
  /** Its promises of a connection, one after the other; the last one again and again. */
  const connecting = (...attempts: (Promise<void> | undefined)[]): BackendCalls => {
    let calls = 0;
    const connect = () => attempts[Math.min(calls++, attempts.length - 1)];
    return new BackendCalls(Object.assign(new MemoryBackend(), { connect }), 200);
  };

  test("out of time while it connects: nothing was done, and nothing is sent afterwards", async () => {
    let connected: () => void = () => undefined;
    const calls = connecting(new Promise((resolve) => (connected = resolve)), undefined);
    const { attempt, seen } = script(saved);
    const failing = calls.exactlyOnce(telling, attempt);
    await expect(failing).rejects.toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    await expect(failing).rejects.not.toThrow(/taken effect/);
    connected();
    await new Promise(setImmediate);
    expect(seen).toEqual([]);
    expect((await calls.exactlyOnce(telling, attempt)).reply).toEqual(saved);
    calls.close();
  });

  test("whatever it says of the outcome, an attempt to connect that fails did nothing, and is repeated", async () => {
    const failed = Promise.reject(unavailable("unknown"));
    failed.catch(() => undefined);
    const calls = connecting(failed, failed, undefined);
    const { attempt, seen } = script(saved);
    expect((await calls.exactlyOnce(telling, attempt)).reply).toEqual(saved);
    expect(seen).toHaveLength(1);
    calls.close();

    const never = connecting(failed);
    const failing = never.exactlyOnce(telling, attempt);
    await expect(failing).rejects.toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    expect(seen).toHaveLength(1);
    never.close();
  });

  test("sent once without an answer, then it cannot connect: unknown", async () => {
    const failed = Promise.reject(unavailable("none"));
    failed.catch(() => undefined);
    const calls = connecting(undefined, failed);
    const failing = calls.exactlyOnce(telling, script<WriteReply>(unavailable("unknown")).attempt);
    await expect(failing).rejects.toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
    calls.close();
  });

  test("what cannot pass is not tried again", async () => {
    const lasting = new UnavailableError("no such database", { lasting: true });
    const failed = Promise.reject(lasting);
    failed.catch(() => undefined);
    const calls = connecting(failed);
    const { attempt, seen } = script(saved);
    await expect(calls.idempotent("Asking", attempt)).rejects.toBe(lasting);
    expect(seen).toEqual([]);
    calls.close();
  });
});

test("what cannot pass says what was tried with which id, and keeps its code and its cause", async () => {
  const calls = new BackendCalls(new MemoryBackend(), 200);
  const cause = new Error("OOM");
  const full = new UnavailableError("memory: is full", { code: "OUT_OF_MEMORY", cause });
  const failing = calls.idempotent({ doing: "Writing the state", id: "order" }, () => Promise.reject(full));
  await expect(failing).rejects.toMatchObject({
    code: "OUT_OF_MEMORY",
    outcome: "none",
    lasting: true,
    message: 'Writing the state "order" failed: memory: is full.',
    cause,
  });
  calls.close();
});

describe("[S5] a call with a receipt", () => {
  let calls: BackendCalls;
  beforeEach(() => {
    calls = new BackendCalls(new MemoryBackend(), 200);
  });
  afterEach(() => calls.close());
  const tell = async (told: ReturnType<typeof script<WriteReply>>) =>
    (await calls.exactlyOnce(telling, told.attempt)).reply;

  test("carries the same receipt at each try, and a new one for each operation", async () => {
    const first = script<WriteReply>(unavailable("unknown"), unavailable("unknown"), saved);
    expect(await tell(first)).toEqual(saved);
    const numbers = first.seen.map((receipt) => [receipt?.sequence, receipt?.n]);
    expect(numbers).toEqual([numbers[0], numbers[0], numbers[0]]);
    const second = script<WriteReply>(saved);
    await tell(second);
    expect([second.seen[0]?.sequence, second.seen[0]?.n]).toEqual([
      numbers[0]?.[0],
      (numbers[0]?.[1] ?? 0) + 1,
    ]);
  });

  test("operations at once have sequences of their own", async () => {
    const told = Array.from({ length: 5 }, () => script<WriteReply>(saved));
    await Promise.all(told.map(tell));
    expect(new Set(told.map(({ seen }) => seen[0]?.sequence)).size).toBe(5);
    const again = Array.from({ length: 5 }, () => script<WriteReply>(saved));
    await Promise.all(again.map(tell));
    expect(again.map(({ seen }) => seen[0]?.sequence).sort()).toEqual([0, 1, 2, 3, 4]); // used again
  });

  test("each try is told when the first was sent: its answer may be of that one", async () => {
    const times: number[] = [];
    const attempt = async (_: Receipt, sentAt: number): Promise<WriteReply> => {
      times.push(sentAt);
      if (times.length < 3) throw unavailable("unknown");
      return saved;
    };
    await calls.exactlyOnce(telling, attempt);
    expect(times).toEqual([times[0], times[0], times[0]]);
  });

  test("receipts are to be kept for longer than any retry can take", async () => {
    const told = script<WriteReply>(saved);
    await tell(told);
    expect(told.seen[0]?.keepMs).toBeGreaterThanOrEqual(60_000);
    const slow = new BackendCalls(new MemoryBackend(), 3_600_000);
    const slowly = script<WriteReply>(saved);
    await slow.exactlyOnce(telling, slowly.attempt);
    expect(slowly.seen[0]?.keepMs).toBeGreaterThanOrEqual(2 * 3_600_000);
    slow.close();
  });

  test("forgotten: an error whose outcome is unknown, and the sequence is not used up", async () => {
    const failing = tell(script<WriteReply>({ status: "forgotten" }));
    await expect(failing).rejects.toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
    await expect(failing).rejects.toThrow(/lost data between two attempts/);
    const next = script<WriteReply>(saved);
    await tell(next);
    expect([next.seen[0]?.sequence, next.seen[0]?.n]).toEqual([0, 2]);
  });

  test("with a sequence of the caller's, its present number is used", async () => {
    const sequence = calls.sequences.take();
    for (let n = 1; n < 7; n += 1) sequence.next();
    const told = script<WriteReply>(saved);
    await calls.exactlyOnce({ ...telling, sequence }, told.attempt);
    expect(told.seen[0]).toMatchObject({ sequence: sequence.index, n: 7 });
  });
});
