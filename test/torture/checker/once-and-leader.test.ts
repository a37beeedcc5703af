// Histories of onces and of leaders, made by hand: a right one passes, and each wrong one is caught by the rule that it breaks.

import { expect, test } from "vitest";

import { rules, Story } from "./story.ts";

const id = "once:0";

/** A call whose function is run, and which is answered with its value unless `answer` says otherwise. */
function ran(
  story: Story,
  life: string,
  run: { readonly fence: number; readonly attempt: number; readonly value: string },
  answer: object = { value: run.value },
): Story {
  const call = story.begin(life, "once", { id });
  return story.line("ran", { life, id, ...run }).end(life, call, answer);
}

const first = { fence: 30, attempt: 1, value: "1.1:1" };
const second = { fence: 40, attempt: 2, value: "2.1:1" };
const failed = { outcome: "failed", code: "DELIBERATE" };
const lost = { outcome: "failed", code: "LOCK_LOST" };
const unknown = { outcome: "unknown", code: "UNREACHABLE" };

function answered(story: Story, life: string, value: string | null, op = "once"): Story {
  return story.call(life, op, { id }, { value });
}

test("[O1] a right history of a once: attempts that fail, die or lose the lock, and one result for all", () => {
  const story = answered(new Story(), "2.1", null, "peek");
  const dies = story.begin("1.1", "once", { id });
  story.line("ran", { life: "1.1", id, ...first });
  ran(story, "2.1", second, failed);
  ran(story, "2.1", { ...second, fence: 50, attempt: 3, value: "2.1:2" });
  story.end("1.1", dies, lost);
  answered(answered(story, "1.1", "2.1:2"), "1.1", "2.1:2", "peek");
  story.call("1.1", "once", { id }, { value: undefined }); // somebody else ran it, and it did not wait
  expect(story.ends([]).violations).toEqual([]);
});

test("[O1] the result of an attempt without an answer counts if somebody was answered with it", () => {
  const story = answered(ran(new Story(), "1.1", first, unknown), "2.1", first.value);
  expect(rules(story.ends([]))).toEqual([]);
  expect(rules(ran(story, "2.1", second, failed).ends([]))).toEqual(["run-again"]);
  expect(rules(ran(ran(new Story(), "1.1", first, unknown), "2.1", second).ends([]))).toEqual([]);
});

test("[O1] a function that is called again after there was a result, though it fails", () => {
  for (const answer of [failed, lost, unknown])
    expect(rules(ran(ran(new Story(), "1.1", first), "2.1", second, answer).ends([]))).toEqual(["run-again"]);
});

test("[O1] two results: each for its own caller, and a late one that was accepted", () => {
  expect(rules(ran(ran(new Story(), "1.1", first), "2.1", second).ends([]))).toEqual(["two-results"]);
  const late = new Story();
  const slow = late.begin("1.1", "once", { id });
  late.line("ran", { life: "1.1", id, ...first });
  ran(late, "2.1", second).end("1.1", slow, { value: first.value });
  expect(rules(late.ends([]))).toEqual(["two-results"]);
});

test("[O1] an answer that no function has returned, or only later", () => {
  expect(rules(answered(ran(new Story(), "1.1", first), "2.1", "z").ends([]))).toEqual(["never-run"]);
  const early = answered(new Story(), "2.1", first.value);
  expect(rules(ran(early, "1.1", first).ends([]))).toEqual(["never-run"]);
});

test("[O1] a result that is gone, and attempts that are not counted", () => {
  const gone = answered(ran(new Story(), "1.1", first), "2.1", null, "peek");
  expect(rules(gone.ends([]))).toEqual(["forgotten"]);
  const again = ran(ran(new Story(), "1.1", first, failed), "2.1", { ...second, attempt: 1 });
  expect(rules(again.ends([]))).toEqual(["attempt-back"]);
});

test("[O1] a failover may lose a result that was saved right before it, and not an earlier one", () => {
  const story = (waitMs: number, run: object = {}): string[] => {
    const told = ran(new Story({ backend: "redis-replicas", ...run }), "1.1", first).wait(waitMs);
    told
      .line("fault", { name: "failover", phase: "begin" })
      .line("fault", { name: "failover", phase: "end" });
    return rules(ran(answered(told, "1.1", null, "peek"), "2.1", second).ends([]));
  };
  expect(story(100)).toEqual([]);
  expect(story(5_000)).toEqual(["two-results", "forgotten"]);
  expect(story(100, { durability: { replicas: 2 } })).toEqual(["two-results", "forgotten"]);
});

/** A term, from its campaign to the moment in office. */
function leads(story: Story, life: string, fence: number, proclaims: string): number {
  const campaign = story.begin(life, "campaign", { id: "office:0", proclaims });
  story.hold(life, fence, fence, { id: "office:0" });
  return campaign;
}

function ends(story: Story, life: string, fence: number, campaign: number): Story {
  return story.release(life, fence).end(life, campaign);
}

function looks(story: Story, fence: number, value: string, op = "current"): Story {
  return story.call("2.1", op, { id: "office:0" }, { fence, value });
}

test("[E1] a right history of leaders: one after the other, and looks that see them", () => {
  const story = new Story().call("2.1", "current", { id: "office:0" }, { value: null });
  const early = story.begin("2.1", "watch", { id: "office:0" });
  const one = leads(story, "1.1", 30, "a");
  looks(story, 30, "a", "watch").call("1.1", "proclaim", { id: "office:0", hold: 30, proclaims: "b" });
  ends(looks(story, 30, "b"), "1.1", 30, one);
  const two = leads(story, "2.1", 40, "c");
  story.end("2.1", early, { fence: 30, value: "b" }); // asked for long before
  ends(looks(story, 40, "c"), "2.1", 40, two).call("1.1", "current", { id: "office:0" }, { value: null });
  expect(story.ends([]).violations).toEqual([]);
});

test("[E1] two terms at once, and a fence that goes back", () => {
  const overlap = (fence: number): string[] => {
    const story = new Story();
    const one = leads(story, "1.1", 30, "a");
    const two = leads(story, "2.1", fence, "b");
    return rules(ends(ends(story, "2.1", fence, two), "1.1", 30, one).ends([]));
  };
  expect([overlap(40), overlap(20)]).toEqual([["two-holders"], ["fence-back", "two-holders"]]);
  const story = new Story();
  ends(story, "1.1", 30, leads(story, "1.1", 30, "a"));
  expect(rules(ends(story, "2.1", 20, leads(story, "2.1", 20, "b")).ends([]))).toEqual(["fence-back"]);
});

test("[E1] a leader that stood still beyond its lease: what it proclaims then is refused", () => {
  const story = (answer: object): string[] => {
    const told = new Story();
    const one = leads(told, "1.1", 30, "a");
    const two = leads(told.wait(2_000), "2.1", 40, "b");
    told.call("1.1", "proclaim", { id: "office:0", hold: 30, proclaims: "late" }, answer);
    told.line("stall", { life: "1.1", from: 50e6 }).line("left", { life: "1.1", h: 30, how: "abort" });
    return rules(ends(told, "2.1", 40, two).end("1.1", one, failed).ends([]));
  };
  expect([story(lost), story({})]).toEqual([[], ["stale-save"]]);
});

test("[E1] a look that sees a term after its end, or after the beginning of the next one", () => {
  const over = new Story();
  ends(over, "1.1", 30, leads(over, "1.1", 30, "a"));
  expect(rules(looks(over, 30, "a").ends([]))).toEqual(["ended-term"]);
  const followed = new Story().line("stall", { life: "1.1", from: 0 });
  leads(followed, "1.1", 30, "a");
  followed.line("died", { life: "1.1", how: "killed" }).wait(2_000);
  const two = leads(followed, "2.1", 40, "b");
  expect(rules(ends(looks(followed, 30, "a"), "2.1", 40, two).ends([]))).toEqual(["ended-term"]);
});

test("[E1] a look that sees an earlier leader than the look before it, or what nobody proclaims", () => {
  const story = new Story();
  const one = leads(story, "1.1", 30, "a");
  story.begin("2.1", "campaign", { id: "office:0", proclaims: "b" }); // its process dies before it can say that it leads
  expect(rules(ends(looks(looks(story, 40, "b"), 30, "a"), "1.1", 30, one).ends([]))).toEqual([
    "leader-back",
  ]);
  const nobody = new Story();
  const two = leads(nobody, "1.1", 30, "a");
  expect(rules(ends(looks(nobody, 30, "z"), "1.1", 30, two).ends([]))).toEqual(["unknown-leader"]);
});
