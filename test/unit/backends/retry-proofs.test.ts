// What a backend has sent, and what it can prove of its server's memory [S5].

import { beforeEach, describe, expect, test } from "vitest";

import { Proofs, type Attempt } from "../../../src/backends/retry-proofs.ts";

const keepMs = 60_000;
const first: Attempt = { retry: false, proof: undefined };
const retry = (proof?: { sequence: number; n: number }): object => ({
  retry: true,
  proof: proof === undefined ? undefined : (expect.objectContaining(proof) as unknown),
});

describe("[S5] what a client can prove", () => {
  let time: number;
  let proofs: Proofs;
  beforeEach(() => {
    time = 5;
    proofs = new Proofs(() => time);
  });
  const attempt = (sequence: number, n: number): Attempt => proofs.attempt({ sequence, n, keepMs });
  const recorded = (sequence: number, n: number): boolean => proofs.recorded({ sequence, n, keepMs });
  /** An operation that is carried out at once. */
  const done = (sequence: number, n: number): void => {
    attempt(sequence, n);
    recorded(sequence, n);
  };

  test("a first attempt is no retry, and carries no proof", () => {
    expect(attempt(0, 1)).toEqual(first);
    recorded(0, 1);
    expect(attempt(0, 2)).toEqual(first);
    expect(attempt(1, 1)).toEqual(first);
  });

  test("a retry carries what was recorded before its first attempt", () => {
    done(0, 1);
    attempt(1, 1);
    expect(attempt(1, 1)).toEqual(retry({ sequence: 0, n: 1 }));
    expect(attempt(1, 1)).toEqual(retry({ sequence: 0, n: 1 }));
  });

  test("the operation before, in the same sequence, is a proof as well", () => {
    done(0, 1);
    attempt(0, 2);
    expect(attempt(0, 2)).toEqual(retry({ sequence: 0, n: 1 }));
  });

  test("nothing was recorded before: a retry without a proof", () => {
    attempt(0, 1);
    expect(attempt(0, 1)).toEqual(retry());
  });

  test("what was refused, or is not answered, proves nothing", () => {
    attempt(0, 1);
    attempt(1, 1);
    expect(attempt(1, 1)).toEqual(retry());
  });

  test("what was recorded after the first attempt proves nothing: the server may have lost its memory before that", () => {
    attempt(0, 1);
    done(1, 1);
    expect(attempt(0, 1)).toEqual(retry());
    done(2, 1);
    attempt(0, 2);
    done(1, 2);
    expect(attempt(0, 2)).toEqual(retry({ sequence: 2, n: 1 }));
  });

  test("a proof is asked for in the first half of the time for which its receipt is kept", () => {
    done(0, 1);
    time += 1_000;
    attempt(1, 1);
    time += keepMs / 2 - 1_001;
    expect(attempt(1, 1)).toEqual(retry({ sequence: 0, n: 1 }));
    time += 1;
    expect(attempt(1, 1)).toEqual(retry());
  });

  test("the age of a receipt counts from the first attempt: that may have recorded it", () => {
    attempt(0, 1);
    time += keepMs / 4;
    attempt(0, 1);
    recorded(0, 1);
    attempt(1, 1);
    time += keepMs / 4;
    expect(attempt(1, 1)).toEqual(retry());
  });

  test("of several receipts the youngest is asked for, in whatever order they were answered", () => {
    attempt(0, 1);
    time += 10;
    attempt(1, 1);
    recorded(1, 1);
    recorded(0, 1);
    attempt(2, 1);
    expect(attempt(2, 1)).toEqual(retry({ sequence: 1, n: 1 }));
  });

  test("an attempt that was not made is not counted: the one that is made is the first", () => {
    done(0, 1);
    attempt(0, 2);
    expect(attempt(0, 5)).toEqual(first);
    expect(attempt(0, 5)).toEqual(retry({ sequence: 0, n: 1 }));
  });

  test("sequences know nothing of each other's attempts", () => {
    for (const sequence of [0, 7, 900]) expect(attempt(sequence, 1)).toEqual(first);
    expect(attempt(7, 2)).toEqual(first);
    for (const sequence of [0, 900]) expect(attempt(sequence, 1)).toEqual(retry());
    expect(attempt(7, 2)).toEqual(retry());
  });

  test("a late copy of an earlier operation is a retry, and does not make the present one a first attempt", () => {
    done(0, 1);
    done(1, 3);
    attempt(1, 4);
    expect(attempt(1, 2)).toEqual(retry());
    expect(attempt(1, 4)).toEqual(retry({ sequence: 1, n: 3 }));
  });

  test("a late answer to an earlier operation proves nothing", () => {
    attempt(0, 1);
    attempt(0, 2);
    expect(recorded(0, 1)).toBe(false);
    attempt(1, 1);
    expect(attempt(1, 1)).toEqual(retry());
  });

  test("only where there was one attempt is it known which one was recorded", () => {
    attempt(0, 1);
    expect(recorded(0, 1)).toBe(true);
    attempt(0, 1);
    expect(recorded(0, 1)).toBe(false);
    attempt(0, 2);
    expect(recorded(0, 2)).toBe(true);
  });
});
