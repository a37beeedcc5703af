/** The server's clock beside ours, and how long a round trip takes. Leases are counted by the server's clock alone. */
import { ok, roundTrip, unknown, warning, type Check } from "../../examination.ts";
import { list, text } from "../protocol/reply-values.ts";
import type { Inquiry } from "./inquiry.ts";

const rounds = 100;
const longestMs = 3_000;
/** A difference that matters to people who compare times of logs, and to `minHoldMs` of a once. */
const largeMs = 1_000;
const stepMs = 100;
const slowMs = 50;

interface Sample {
  readonly sentAt: number;
  readonly tookMs: number;
  /** The server's clock less ours. */
  readonly offsetMs: number;
}

export async function timeChecks(inquiry: Inquiry): Promise<Check[]> {
  const samples: Sample[] = [];
  const until = performance.now() + longestMs;
  while (samples.length < rounds && performance.now() < until) {
    const sample = await sampleOf(inquiry);
    if (sample === undefined) {
      const why = "the user may not ask for TIME";
      return [unknown("clock", why), unknown("round trip", why)];
    }
    samples.push(sample);
  }
  const advice = "Locks are slow over such a distance: put the server nearer, or look for what delays it.";
  const trips = roundTrip(
    samples.map(({ tookMs }) => tookMs),
    slowMs,
    advice,
  );
  return [clockCheck(samples), trips];
}

/** Our clock is read once, and then counted on, so that a step of either shows as a change of the difference. */
async function sampleOf(inquiry: Inquiry): Promise<Sample | undefined> {
  const sentAt = performance.now();
  const answer = await inquiry.ask("TIME");
  const tookMs = performance.now() - sentAt;
  if (answer.refused !== undefined) return undefined;
  const [seconds = 0, micros = 0] = list(answer.reply).map((one) => Number(text(one)));
  const serverMs = seconds * 1_000 + micros / 1_000;
  return { sentAt, tookMs, offsetMs: serverMs - (performance.timeOrigin + sentAt + tookMs / 2) };
}

function clockCheck(samples: readonly Sample[]): Check {
  const [first] = samples;
  const best = samples.reduce(
    (a, b) => (b.tookMs < a.tookMs ? b : a),
    first ?? { sentAt: 0, tookMs: 0, offsetMs: 0 },
  );
  const drift = Date.now() - (performance.timeOrigin + performance.now()); // our clock was set since the process began
  const offset = best.offsetMs - drift;
  const found = `${Math.abs(offset).toFixed(1)} ms ${offset < 0 ? "behind" : "ahead of"} ours, ± ${(best.tookMs / 2).toFixed(1)} ms`;
  const steps = samples.filter(
    ({ offsetMs, tookMs }) => Math.abs(offsetMs - best.offsetMs) > stepMs + tookMs,
  );
  if (steps.length > 0) {
    const advice =
      "The server's clock was set while it was asked. Let NTP slew it: a step ends leases early, or late.";
    return warning("clock", `${found}; it stepped`, advice);
  }
  if (Math.abs(offset) <= largeMs) return ok("clock", found);
  return warning("clock", found, "Set both clocks by NTP. Leases do not need it, but times in logs do.");
}
