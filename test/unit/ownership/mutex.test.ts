// The mutex inside one owner [L4].

import { describe, expect, test } from "vitest";

import { Mutex, type Unlock } from "../../../src/ownership/mutex.ts";

describe("[L4] a mutex", () => {
  test("lets one in; the others in call order, one at each leave", async () => {
    const mutex = new Mutex();
    const inside: string[] = [];
    const enter = async (name: string): Promise<Unlock> => {
      const leave = await mutex.lock(() => undefined);
      inside.push(name);
      return leave;
    };
    const [a, b, c] = [enter("a"), enter("b"), enter("c")];
    const leaveA = await a;
    expect(inside).toEqual(["a"]);
    expect(mutex.tryLock()).toBeUndefined();
    leaveA();
    const leaveB = await b;
    expect(inside).toEqual(["a", "b"]);
    leaveB();
    (await c)();
    expect(inside).toEqual(["a", "b", "c"]);
    expect(mutex.tryLock()).toBeDefined();
  });

  test("leaving twice is once: it does not let a second one in", async () => {
    const mutex = new Mutex();
    const leave = mutex.tryLock()!;
    const [b, c] = [mutex.lock(() => undefined), mutex.lock(() => undefined)];
    leave();
    leave();
    await b;
    let entered = false;
    void c.then(() => (entered = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(entered).toBe(false);
    (await b)();
    (await c)();
    expect(mutex.tryLock()).toBeDefined();
  });

  test("whoever gives up is passed over; giving up after one's turn has come answers false", async () => {
    const mutex = new Mutex();
    const leave = mutex.tryLock()!;
    let giveUpB = (): boolean => false;
    let giveUpC = (): boolean => false;
    let entered = false;
    void mutex.lock((giveUp) => (giveUpB = giveUp)).then(() => (entered = true));
    const c = mutex.lock((giveUp) => (giveUpC = giveUp));
    expect(giveUpB()).toBe(true);
    expect(giveUpB()).toBe(false);
    leave();
    expect(giveUpC()).toBe(false);
    (await c)();
    expect([entered, mutex.tryLock() === undefined]).toEqual([false, false]);
  });
});
