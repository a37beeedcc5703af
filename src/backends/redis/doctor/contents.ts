/** What is stored under the prefix, by the names of the keys: one walk over all keys of the database. */
import { internalMark } from "../../../errors.ts";
import { counted, ok, unknown, warning, type Check } from "../../examination.ts";
import { readScan } from "../protocol/decode.ts";
import { integer } from "../protocol/reply-values.ts";
import { markId } from "../../shard-mark.ts";
import type { Inquiry } from "./inquiry.ts";

const perScan = "1000";
/** A walk over millions of keys is not worth the wait. */
const longestMs = 10_000;
const shownNames = 3;
/** Those with a higher score are passed over: BEYOND in lib/bounds.lua. */
const liveWaiters = ["-inf", "(4503599627370496"] as const;

interface Contents {
  states: number;
  locks: number;
  waiters: number;
  isWhole: boolean;
  /** Names of keys that Holdfast did not make. */
  readonly others: string[];
}

export async function contentsCheck(inquiry: Inquiry): Promise<Check> {
  const contents: Contents = { states: 0, locks: 0, waiters: 0, isWhole: true, others: [] };
  const until = performance.now() + longestMs;
  const match = `${inquiry.options.prefix.replace(/[\\*?[\]^]/g, "\\$&")}*`;
  let cursor = "0";
  do {
    const answer = await inquiry.ask("SCAN", cursor, "MATCH", match, "COUNT", perScan);
    if (answer.refused !== undefined) return unknown("contents", "the user may not SCAN");
    const page = readScan(answer.reply);
    await count(inquiry, page.names, contents);
    cursor = page.cursor ?? "0";
    contents.isWhole = cursor === "0";
  } while (cursor !== "0" && performance.now() < until);
  return checkOf(contents);
}

function checkOf({ states, locks, waiters, isWhole, others }: Contents): Check {
  const atLeast = isWhole ? "" : "at least ";
  const found = `${atLeast}${counted(states, "state")}, ${counted(locks, "lock")} held, ${counted(waiters, "waiter")}`;
  if (others.length === 0) return ok("contents", found);
  const names = others.slice(0, shownNames).map((name) => JSON.stringify(name));
  const which = `${names.join(", ")}${others.length > shownNames ? " …" : ""}`;
  const advice =
    "Give each program a prefix of its own: rights, listings and limits then concern one program.";
  return warning("contents", `${found}, and ${counted(others.length, "key")} of others: ${which}`, advice);
}

const kinds =
  /^(state|lock|queue|asks|holders|sent|watch):\{(.*)\}[^}]*$|^(stamp|never|index|index:stamp|index:building|(done|waits|probe):.*)$/s;

async function count(inquiry: Inquiry, names: readonly string[], contents: Contents): Promise<void> {
  const { prefix } = inquiry.options;
  for (const name of names) {
    const [whole, kind, id = ""] = kinds.exec(name.slice(prefix.length)) ?? [];
    if (whole === undefined) contents.others.push(name);
    else if (kind === "queue") contents.waiters += await waitersIn(inquiry, name);
    else if (id.startsWith(internalMark) || id === markId) continue;
    else if (kind === "state") contents.states += 1;
    else if (kind === "lock") contents.locks += 1;
  }
}

async function waitersIn(inquiry: Inquiry, queue: string): Promise<number> {
  const answer = await inquiry.ask("ZCOUNT", queue, ...liveWaiters);
  return answer.refused === undefined ? integer(answer.reply) : 0;
}
