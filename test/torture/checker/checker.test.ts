// The checker's own tests: a right history passes, and each wrong one is caught by the rule that it breaks. Histories are made by
// hand, line by line, as a run would write them.

import { expect, test } from "vitest";

import { digest } from "./history.ts";
import { rules, Story } from "./story.ts";

function rightStory(): Story {
  const story = new Story();
  story.add("1.1", "a").add("2.1", "b", { outcome: "failed", code: "LOCK_TIMEOUT" }).saw("2.1", ["a"], 10);
  const cut = story.begin("1.1", "update", { add: "c" }); // never answered
  story
    .add("2.1", "d")
    .saw("1.1", ["a", "d"], 20)
    .end("1.1", cut, { outcome: "unknown", code: "UNREACHABLE" });
  story.hold("1.1", 1, 30).call("1.1", "save", { add: "e", hold: 1 }, { revision: 31 }).release("1.1", 1);
  story.hold("2.1", 2, 40).call("2.1", "save", { add: "f", hold: 2 }, { revision: 41 }).release("2.1", 2);
  return story
    .call("1.1", "save", { id: "scratch:0" }, { revision: 50 })
    .call("2.1", "save", { id: "scratch:0" }, { revision: 60 });
}

test("a right history passes, whether or not what is unknown was done", () => {
  expect(rightStory().ends(["a", "d", "e", "f"]).violations).toEqual([]);
  expect(rightStory().ends(["a", "d", "e", "c", "f"]).violations).toEqual([]);
});

test("a lost update", () => {
  expect(rules(rightStory().ends(["a", "e", "f"]))).toContain("lost-update");
  expect(rules(new Story().add("1.1", "a").add("1.1", "b").ends(["a"]))).toEqual(["lost-update"]);
});

test("an update that was applied twice, also one whose outcome is unknown", () => {
  expect(rules(new Story().add("1.1", "a").ends(["a", "a"]))).toEqual(["applied-twice"]);
  const unknown = { outcome: "unknown", code: "UNREACHABLE" };
  expect(rules(new Story().add("1.1", "a", unknown).ends(["a", "a"]))).toEqual(["applied-twice"]);
});

test("a failed update that is there, and one that nobody asked for", () => {
  expect(rules(new Story().add("1.1", "a", { outcome: "failed" }).ends(["a"]))).toEqual(["failed-present"]);
  expect(rules(new Story().add("1.1", "a").ends(["a", "z"]))).toEqual(["never-asked"]);
});

test("a counter that does not count the list", () => {
  expect(rules(new Story().add("1.1", "a").add("2.1", "b").ends(["a", "b"], 1))).toEqual(["counter"]);
  const looked = new Story()
    .add("1.1", "a")
    .call("2.1", "read", {}, { count: 2, length: 1, digest: digest(["a"]) });
  expect(rules(looked.ends(["a"]))).toEqual(["counter"]);
});

test("reordered: a caller's own, and across processes", () => {
  expect(rules(new Story().add("1.1", "a").add("1.1", "b").ends(["b", "a"]))).toEqual(["reordered"]);
  expect(rules(new Story().add("1.1", "a").add("2.1", "b").ends(["b", "a"]))).toEqual(["reordered"]);
  const atOnce = new Story();
  const first = atOnce.begin("1.1", "update", { add: "a" });
  expect(rules(atOnce.add("2.1", "b").end("1.1", first).ends(["b", "a"]))).toEqual([]);
});

test("a reader that saw what is no beginning of the list, too little of it, or what came only later", () => {
  const wrote = (): Story => new Story().add("1.1", "a").add("1.1", "b");
  expect(rules(wrote().saw("2.1", ["b"], 5).ends(["a", "b"]))).toEqual(["not-a-prefix"]);
  expect(rules(wrote().saw("2.1", ["a"], 5).ends(["a", "b"]))).toEqual(["stale-look"]);
  expect(rules(new Story().saw("2.1", ["a"], 5).add("1.1", "a").ends(["a"]))).toEqual(["future-look"]);
});

test("a revision that goes back: over a list, over states that are deleted, and one that is used twice", () => {
  const back = new Story().add("1.1", "a").saw("2.1", ["a"], 20).add("1.1", "b").saw("2.1", ["a", "b"], 10);
  expect(rules(back.ends(["a", "b"]))).toEqual(["revision-back"]);
  const scratch = (second: number): string[] =>
    rules(
      new Story()
        .call("1.1", "save", { id: "scratch:0" }, { revision: 10 })
        .call("1.1", "delete", { id: "scratch:0" })
        .call("2.1", "save", { id: "scratch:0" }, { revision: second })
        .ends([]),
    );
  expect([scratch(9), scratch(10), scratch(11)]).toEqual([["revision-back"], ["revision-back"], []]);
});

test("a fence that goes back, and one that two have", () => {
  const second = (fence: number): string[] =>
    rules(new Story().hold("1.1", 1, 30).release("1.1", 1).hold("2.1", 2, fence).release("2.1", 2).ends([]));
  expect([second(29), second(30), second(31)]).toEqual([["fence-back"], ["fence-back"], []]);
});

test("updates that are applied together share a fence; another process's do not", () => {
  const second = (life: string): string[] =>
    rules(
      new Story()
        .hold("1.1", 1, 30, { draft: true })
        .release("1.1", 1)
        .hold(life, 2, 30, { draft: true })
        .release(life, 2)
        .ends([]),
    );
  expect([second("1.1"), second("2.1")]).toEqual([[], ["fence-back"]]);
});

test("a job that joins a grant which was taken away while its process stood still", () => {
  const joins = (draft: boolean, from: number): string[] => {
    const story = new Story().hold("2.1", 1, 40).release("2.1", 1).wait(100);
    story.line("stall", { life: "1.1", from: from * 1e6 }).hold("1.1", 2, 30, { draft });
    return rules(story.line("left", { life: "1.1", h: 2, how: "abort" }).ends([]));
  };
  expect([joins(true, 30), joins(false, 30), joins(true, 130)]).toEqual([[], ["fence-back"], ["fence-back"]]);
});

test("two holders at once, with nothing that explains it", () => {
  const story = new Story().hold("1.1", 1, 30).hold("2.1", 2, 40).release("2.1", 2).release("1.1", 1);
  expect(rules(story.ends([]))).toEqual(["two-holders"]);
  const short = new Story().hold("1.1", 1, 30).hold("2.1", 2, 40).release("1.1", 1).release("2.1", 2);
  expect(rules(short.ends([]))).toEqual(["two-holders"]);
});

test("holders that share may overlap, whatever their fences; not with an exclusive one", () => {
  const shared = { shared: true };
  const story = (second: object): string[] => {
    const told = new Story().hold("1.1", 1, 40, shared).hold("2.1", 2, 30, second);
    return rules(told.release("2.1", 2).release("1.1", 1).ends([]));
  };
  expect([story(shared), story({ fence: 50 })]).toEqual([[], ["two-holders"]]);
});

test("as many permits as there are, and not one more", () => {
  const story = (weight: number, death = false): string[] => {
    const told = new Story().hold("1.1", 1, 30, { weight: 2, limit: 3 });
    if (death) told.line("died", { life: "1.1", how: "killed" }).wait(9);
    told.hold("2.1", 2, 40, { weight, limit: 3 }).release("2.1", 2);
    return rules((death ? told : told.release("1.1", 1)).ends([]));
  };
  expect([story(1), story(2), story(2, true)]).toEqual([[], ["too-many-permits"], []]);
});

test("an overlap that a fault explains is none, as long as what the first saved afterwards was refused", () => {
  const story = (saved: object): string[] =>
    rules(
      new Story()
        .hold("1.1", 1, 30)
        .wait(2_000)
        .hold("2.1", 2, 40)
        .call("2.1", "save", { add: "b", hold: 2 }, { revision: 41 })
        .call("1.1", "save", { add: "a", hold: 1 }, saved)
        .line("stall", { life: "1.1", from: 50e6 })
        .line("left", { life: "1.1", h: 1, how: "abort" })
        .release("2.1", 2)
        .ends("revision" in saved ? ["b", "a"] : ["b"]),
    );
  expect(story({ outcome: "failed", code: "LOCK_LOST" })).toEqual([]);
  expect(story({ revision: 42 })).toEqual(["stale-save"]);
});

test("an overlap after a forced release is explained; one with a lease that ran out unnoticed is not", () => {
  const story = (force: boolean): string[] => {
    const told = new Story().hold("1.1", 1, 30);
    if (force) told.call("2.1", "force", {});
    told.hold("2.1", 2, 40).wait(100).line("left", { life: "1.1", h: 1, how: "abort" });
    return rules(told.release("2.1", 2).ends([]));
  };
  expect([story(true), story(false)]).toEqual([[], ["two-holders"]]);
});

test("a save that is accepted after its own grant has ended", () => {
  const story = new Story().hold("1.1", 1, 30).line("left", { life: "1.1", h: 1, how: "abort" });
  story.call("1.1", "save", { add: "a", hold: 1 }, { revision: 31 });
  expect(rules(story.ends(["a"]))).toEqual(["stale-save"]);
});

test("whoever died holding held until its last sign of life", () => {
  const story = new Story().hold("1.1", 1, 30).line("died", { life: "1.1", how: "killed" }).wait(1_000);
  story.hold("2.1", 2, 40).release("2.1", 2).line("behind", { what: "lock", key: "x", life: "1.1" });
  expect(rules(story.ends([]))).toEqual([]);
});

test("a failover may lose what was acknowledged right before it, and nothing else; with durability nothing", () => {
  const story = (waitMs: number, run: object = {}, name = "failover"): string[] =>
    rules(
      new Story({ backend: "redis-replicas", ...run })
        .add("1.1", "a")
        .add("1.1", "b")
        .wait(waitMs)
        .line("fault", { name, phase: "begin" })
        .line("fault", { name, phase: "end" })
        .add("1.1", "c")
        .ends(["a", "c"]),
    );
  expect(story(100)).toEqual([]);
  expect(story(5_000)).toEqual(["lost-update"]);
  expect(story(100, { durability: { replicas: 2 } })).toEqual(["lost-update"]);
  expect(story(100, { backend: "redis-cluster" })).toEqual([]);
  expect(story(100, { backend: "redis-cluster" }, "planned-failover")).toEqual(["lost-update"]);
  const looked = new Story({ backend: "redis-replicas", durability: { replicas: 2 } }).add("1.1", "a");
  const unknown = looked.begin("1.1", "update", { add: "b" });
  looked.saw("2.1", ["a", "b"], 20).line("fault", { name: "failover", phase: "begin" });
  looked.line("fault", { name: "failover", phase: "end" }).end("1.1", unknown, { outcome: "unknown" });
  expect(rules(looked.ends(["a"]))).toEqual([]); // nobody had acknowledged what was seen
});

test("what was seen on the spot, processes that end by themselves, and what they leave behind", () => {
  expect(rules(new Story().line("wrong", { life: "1.1", what: "two inside" }).ends([]))).toEqual(["seen"]);
  expect(rules(new Story().line("died", { life: "1.1", how: "1 Error" }).ends([]))).toEqual(["process"]);
  const left = (how: string): string[] =>
    rules(
      new Story()
        .line("died", { life: "1.1", how })
        .line("behind", { what: "lock", key: "x", life: "1.1" })
        .ends([]),
    );
  expect([left("closed"), left("killed")]).toEqual([["left-behind"], []]);
});

test("a function that was called again although nobody changed its state", () => {
  expect(
    rules(new Story().line("again", { life: "1.1", id: "list:0", add: "a", calls: 2 }).ends([])),
  ).toEqual(["called-again"]);
});

test("a call without an answer long after the last fault", () => {
  const story = new Story().line("calm", {}).wait(20_000);
  story.add("1.1", "a", { outcome: "unknown", code: "UNREACHABLE" });
  expect(rules(story.ends([]))).toEqual(["not-recovered"]);
});
