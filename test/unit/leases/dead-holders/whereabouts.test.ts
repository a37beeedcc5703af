// Of which tickets it is certain that their processes are gone [L10]. Seen failing without: the start time, the signal 0, the
// threads of a zombie, the look at NSpid, the PID namespace and the time namespace in the digest.

import { expect, test } from "vitest";

import { markOf, markText } from "../../../../src/leases/dead-holders/process-mark.ts";
import type { ProcessView } from "../../../../src/leases/dead-holders/process-view.ts";
import { whereabouts } from "../../../../src/leases/dead-holders/whereabouts.ts";
import { parseTicket } from "../../../../src/leases/ticket.ts";

const boot = "17fe3732-6918-4147-b103-0df3205be8ee";

interface World {
  boot?: string;
  namespace?: string;
  clock?: string;
  nsPid?: string;
  /** state, threads and start of each process that can be seen. */
  processes?: Readonly<Record<number, readonly [string, number, number]>>;
  /** Those that are there, but cannot be seen. */
  hidden?: readonly number[];
}

function viewOf(world: World = {}, pid = 10): ProcessView {
  const processes = world.processes ?? { [pid]: ["R", 11, 500] as const };
  const stat = (of: number): string | undefined => {
    const [state, threads, start] = processes[of] ?? [];
    if (state === undefined) return undefined;
    return `${String(of)} (a) b (c) ${state} 1 ${"0 ".repeat(15)}${String(threads)} 0 ${String(start)} 0 0`;
  };
  const files: Readonly<Record<string, string | undefined>> = {
    "/proc/sys/kernel/random/boot_id": "boot" in world ? world.boot : `${boot}\n`,
    "/proc/self/stat": stat(pid),
    "/proc/self/status": `Name:\tnode\nNSpid:\t${world.nsPid ?? String(pid)}\nThreads:\t11\n`,
  };
  const links: Readonly<Record<string, string | undefined>> = {
    "/proc/self/ns/pid": "namespace" in world ? world.namespace : "pid:[4026531836]",
    "/proc/self/ns/time": world.clock,
  };
  return {
    pid,
    read: (path) => files[path] ?? stat(Number(/^\/proc\/(\d+)\/stat$/.exec(path)?.[1])),
    link: (path) => links[path],
    isFree: (of) => processes[of] === undefined && world.hidden?.includes(of) !== true,
  };
}

const here = viewOf();
function ticketOf(pid: number, view: ProcessView): string {
  const mark = markOf(view);
  return `some-host${mark === undefined ? "" : `+${markText(mark)}`}:${String(pid)}:0123456789abcdef01234567:10000000`;
}
/** What the process with PID 10 says of a ticket that was made by the process with PID 20 in `then`, in the world `now`. */
function seen(now: World, then: World = {}): string {
  const maker = viewOf({ processes: { 20: ["R", 11, 777] }, ...then }, 20);
  const view = viewOf({ ...now, processes: { 10: ["R", 11, 500], ...now.processes } });
  return whereabouts(ticketOf(20, maker), markOf(view), view);
}

test("there: the process that made it runs, is stopped, or is hidden", () => {
  expect(seen({ processes: { 20: ["S", 11, 777] } })).toBe("there");
  expect(seen({ processes: { 20: ["T", 11, 777] } })).toBe("there");
  expect(seen({ hidden: [20] })).toBe("there");
});

test("gone: no process has its PID; another one has; a zombie has it", () => {
  expect(seen({})).toBe("gone");
  expect(seen({ processes: { 20: ["R", 11, 778] } })).toBe("gone");
  expect(seen({ processes: { 20: ["Z", 1, 777] } })).toBe("gone");
  expect(seen({ processes: { 20: ["X", 0, 777] } })).toBe("gone");
});

test("a zombie with other threads is there: they may not have ended", () => {
  expect(seen({ processes: { 20: ["Z", 3, 777] } })).toBe("there");
});

test("unknown: another boot, another PID namespace, another time namespace", () => {
  expect(seen({}, { boot: "27fe3732-6918-4147-b103-0df3205be8ee\n" })).toBe("unknown");
  expect(seen({}, { namespace: "pid:[4026532178]" })).toBe("unknown");
  expect(seen({}, { clock: "time:[4026531835]" })).toBe("unknown");
});

test("no mark, and nothing known: no /proc, or one of another PID namespace", () => {
  const none: readonly World[] = [
    { boot: undefined as never },
    { boot: "" },
    { namespace: undefined as never },
    { nsPid: "31337\t10" }, // /proc of the outer namespace
    { nsPid: "31337" },
    { processes: {} },
  ];
  for (const world of none) {
    expect(markOf(viewOf(world)), JSON.stringify(world)).toBeUndefined();
    expect(seen({}, { processes: { 20: ["R", 1, 777] }, ...world, nsPid: world.nsPid ?? "20" })).toMatch(
      /gone|unknown/,
    );
  }
  expect(whereabouts(ticketOf(20, viewOf()), undefined, here)).toBe("unknown");
});

test("unknown: a ticket without a mark, an unreadable one, and one of this process", () => {
  const mark = markOf(here);
  for (const ticket of ["host:20:0123:1", "host+:20:0123:1", "host+x:20:0123:1", "token", "", "a+b.c:-1:d:1"])
    expect(whereabouts(ticket, mark, here), ticket).toBe("unknown");
  expect(whereabouts(ticketOf(10, here), mark, here)).toBe("unknown");
});

test("a reused PID: a ticket of an earlier process with this process's PID is of one that is gone", () => {
  const earlier = viewOf({ processes: { 10: ["R", 11, 400] } });
  expect(whereabouts(ticketOf(10, earlier), markOf(here), here)).toBe("gone");
});

test("the mark is no part of the host that people see", () => {
  expect(parseTicket(ticketOf(20, here))).toMatchObject({ host: "some-host", pid: 20, mark: markOf(here) });
  expect(parseTicket("some-host:20:0123:1")).toEqual({
    host: "some-host",
    pid: 20,
    clientId: "0123",
    mark: undefined,
  });
});
