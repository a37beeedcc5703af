// The gate inside one owner [L4].

import { describe, expect, test } from "vitest";

import { Gate, type Leave } from "../../../src/ownership/mutex.ts";

describe("[L4] a gate", () => {
  test("lets one in; the others in call order, one at each leave", async () => {
    const gate = new Gate();
    const inside: string[] = [];
    const enter = async (name: string): Promise<Leave> => {
      const leave = await gate.enter(() => undefined);
      inside.push(name);
      return leave;
    };
    const [a, b, c] = [enter("a"), enter("b"), enter("c")];
    const leaveA = await a;
    expect(inside).toEqual(["a"]);
    expect(gate.tryEnter()).toBeUndefined();
    leaveA();
    const leaveB = await b;
    expect(inside).toEqual(["a", "b"]);
    leaveB();
    (await c)();
    expect(inside).toEqual(["a", "b", "c"]);
    expect(gate.tryEnter()).toBeDefined();
  });

  test("leaving twice is once: it does not let a second one in", async () => {
    const gate = new Gate();
    const leave = gate.tryEnter()!;
    const [b, c] = [gate.enter(() => undefined), gate.enter(() => undefined)];
    leave();
    leave();
    await b;
    let entered = false;
    void c.then(() => (entered = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(entered).toBe(false);
    (await b)();
    (await c)();
    expect(gate.tryEnter()).toBeDefined();
  });

  test("whoever gives up is passed over; giving up after one's turn has come answers false", async () => {
    const gate = new Gate();
    const leave = gate.tryEnter()!;
    let giveUpB = (): boolean => false;
    let giveUpC = (): boolean => false;
    let entered = false;
    void gate.enter((giveUp) => (giveUpB = giveUp)).then(() => (entered = true));
    const c = gate.enter((giveUp) => (giveUpC = giveUp));
    expect(giveUpB()).toBe(true);
    expect(giveUpB()).toBe(false);
    leave();
    expect(giveUpC()).toBe(false);
    (await c)();
    expect([entered, gate.tryEnter() === undefined]).toEqual([false, false]);
  });
});
