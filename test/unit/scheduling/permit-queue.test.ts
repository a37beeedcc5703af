// Callers of one process that want permits: how many ask at a time, in which order, and who need not ask any more.
//
// Seen failing: a newcomer that asks while others wait · a try refused although nobody waits · requests that find out one
// generation after another that the backend does not answer · a queue that is never over.

import { beforeEach, describe, expect, test } from "vitest";

import type { PermitQueue } from "../../../src/scheduling/permit-queue.ts";
import type { GrantRequest } from "../../../src/scheduling/request.ts";
import { outcomeOf, type Room, withRoom } from "../support/rooms.ts";

describe("the queue of a semaphore", () => {
  let room: Room;
  let queue: PermitQueue;
  let asked: { readonly request: GrantRequest; readonly over: () => void }[];
  let idle: number;
  let pushes: boolean;
  withRoom((fresh) => {
    room = fresh;
  });
  beforeEach(async () => {
    [asked, idle, pushes] = [[], 0, false];
    Object.defineProperty(room.backend, "pushes", { get: () => pushes });
    const { PermitQueue } = await import("../../../src/scheduling/permit-queue.ts");
    queue = new PermitQueue("x", {
      tickets: room.tickets,
      ask: (request, over) => void asked.push({ request, over }),
      onIdle: () => void (idle += 1),
    });
  });

  const add = (...how: Parameters<Room["grantRequest"]>): GrantRequest => {
    const request = room.grantRequest(...how);
    queue.add(request);
    return request;
  };
  const requests = (): GrantRequest[] => asked.map(({ request }) => request);

  test("[L13] so many ask at a time; the others follow in call order, also once more may ask", () => {
    const early = Array.from({ length: 7 }, () => add());
    expect(requests()).toEqual(early.slice(0, 4));
    asked[0]?.over();
    expect(requests()).toEqual(early.slice(0, 5));
    pushes = true;
    const late = [add(), add()];
    expect(requests()).toEqual([...early, ...late]);
    for (const { over } of asked.slice(1)) over();
    expect(idle).toBe(1);
  });

  test("one that only tries asks, however many do, unless others wait", async () => {
    for (let n = 0; n < 4; n += 1) add();
    const trying = add({ waitMs: 0 });
    expect(requests().at(-1)).toBe(trying);
    add();
    const late = add({ waitMs: 0 });
    expect(String(await outcomeOf(late.granted))).toMatch(/callers of this process that asked before/);
  });

  test("[L7] once the backend does not answer one, those that have waited as long fail with it", async () => {
    const { UnavailableError } = room.modules;
    const all = Array.from({ length: 6 }, () => add());
    const failure = new UnavailableError("down", { code: "UNREACHABLE" });
    all[0]?.fail(failure);
    asked[0]?.over();
    expect(await outcomeOf(all[5]?.granted ?? Promise.reject(new Error()))).toBe(failure);
    expect(asked.length).toBe(4);
    const later = add();
    expect(requests().at(-1)).toBe(later);
  });
});
