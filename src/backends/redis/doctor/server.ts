/** What a server says of itself: its version, whether it may evict keys, whether it keeps them on disk, its replicas. */
import { counted, fail, ok, unknown, warning, type Check } from "../../examination.ts";
import { evictionOf } from "../eviction.ts";
import { identify } from "../server-identity.ts";
import { pairs, type Inquiry } from "./inquiry.ts";

const noInfo = "the server does not permit INFO, or does not say it there";

export function serverCheck({ info }: Inquiry): Check {
  const { name } = identify(info);
  return name === undefined ? unknown("server", noInfo) : ok("server", name);
}

export function evictionCheck({ info }: Inquiry): Check {
  const eviction = evictionOf(info);
  if (eviction === undefined) return unknown("eviction", noInfo);
  const { policy, limit } = eviction;
  const found = `maxmemory-policy ${policy}, maxmemory ${limit === 0 ? "unlimited" : `${String(limit)} bytes`}`;
  if (policy === "noeviction") return ok("eviction", found);
  const advice =
    "Set maxmemory-policy to noeviction: otherwise locks and states are deleted when memory is full.";
  return limit === 0 ? warning("eviction", found, advice) : fail("eviction", found, advice);
}

/** A store that holds only locks needs none, so no persistence is no failure. */
export async function persistenceCheck(inquiry: Inquiry): Promise<Check> {
  const aof = inquiry.field("aof_enabled");
  if (aof === undefined) return unknown("persistence", noInfo);
  if (inquiry.field("rdb_last_bgsave_status") === "err" || inquiry.field("aof_last_write_status") === "err") {
    return fail(
      "persistence",
      "the last write to disk failed",
      "Read the log of the server: its disk may be full.",
    );
  }
  const [save, fsync] = await Promise.all([setting(inquiry, "save"), setting(inquiry, "appendfsync")]);
  if (aof === "1")
    return ok("persistence", `append-only file${fsync === undefined ? "" : `, appendfsync ${fsync}`}`);
  if (save === undefined) return unknown("persistence", "no append-only file; CONFIG GET is not permitted");
  const advice =
    "Without an append-only file (appendonly yes), what was acknowledged is lost when the server ends.";
  return warning("persistence", save === "" ? "none" : `snapshots only (save ${save})`, advice);
}

async function setting(inquiry: Inquiry, name: string): Promise<string | undefined> {
  const answer = await inquiry.ask("CONFIG", "GET", name);
  return answer.refused === undefined ? pairs(answer.reply).get(name) : undefined;
}

export async function replicasCheck(inquiry: Inquiry): Promise<Check> {
  const role = inquiry.field("role");
  if (role === undefined) return unknown("replicas", noInfo);
  if (role !== "master") {
    const primary = `${inquiry.field("master_host") ?? "?"}:${inquiry.field("master_port") ?? "?"}`;
    const advice =
      "Locks are decided by the primary: use its address, or redis+sentinel:// or redis+cluster://.";
    return fail("replicas", `this is a replica of ${primary}`, advice);
  }
  const count = Number(inquiry.field("connected_slaves") ?? 0);
  const lags = [...inquiry.info.matchAll(/^slave\d+:.*\bstate=(\w+).*\blag=(\d+)/gm)];
  const lagging = lags.map(([, state = "", lag = ""]) => (state === "online" ? `${lag} s behind` : state));
  const found = `${counted(count, "replica")}${lagging.length > 0 ? ` (${lagging.join(", ")})` : ""}`;
  const wait = count === 0 ? undefined : (await inquiry.ask("WAIT", "0", "1")).refused;
  if (wait === undefined) return ok("replicas", found);
  return warning("replicas", `${found}; WAIT: ${wait}`, "The option durability needs the right +wait.");
}
