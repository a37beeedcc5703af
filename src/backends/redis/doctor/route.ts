/**
 * How the connection leads to the server: directly, over a cluster or Sentinels, or through a proxy. A proxy cannot be seen
 * for sure. It shows if it listens on another port than the server, or spreads one connection over several.
 */
import { fail, ok, warning, type Check } from "../../examination.ts";
import { text } from "../protocol/reply-values.ts";
import type { Inquiry } from "./inquiry.ts";

const advice =
  "A proxy must send all commands of a connection, and its subscriptions, to one server. The check of wakes shows whether it does.";

const useCluster = "Write redis+cluster://host:port,host:port with some of its nodes.";

export async function routeCheck(inquiry: Inquiry): Promise<Check> {
  const { client } = inquiry.options;
  const isCluster = inquiry.field("redis_mode") === "cluster";
  if (isCluster && client.followsSlot !== true)
    return fail("route", "one node of a cluster, which is not followed", useCluster);
  const how = kindOf(client.name, client.followsSlot === true);
  const [first, second] = [await seenBy(inquiry), await seenBy(inquiry)];
  if (first.id !== undefined && second.id !== undefined && first.id !== second.id) {
    return warning("route", `${how}; commands of one connection reach the server over several`, advice);
  }
  const [, given] = /^rediss?:\/\/.*:(\d+)(?:\/|$)/.exec(client.name) ?? [];
  const listens = first.port ?? inquiry.field("tcp_port");
  if (given === undefined || listens === undefined || given === listens) return ok("route", how);
  const found = `${how}; the server listens on port ${listens}, not ${given}: there is a proxy, or the port is mapped`;
  return ok("route", found);
}

function kindOf(name: string, followsSlot: boolean): string {
  if (followsSlot) return "a cluster, at the node that has the slot of the prefix";
  if (/^rediss?\+sentinel:/.test(name)) return "the primary that the Sentinels name";
  return "one address";
}

/** As the server sees this connection: its number, and the port that it came to. */
async function seenBy(
  inquiry: Inquiry,
): Promise<{ readonly id?: string | undefined; readonly port?: string | undefined }> {
  const answer = await inquiry.ask("CLIENT", "INFO");
  if (answer.refused !== undefined) return {};
  const line = text(answer.reply);
  return { id: /\bid=(\d+)/.exec(line)?.[1], port: /\bladdr=\S*:(\d+)(?=\s)/.exec(line)?.[1] };
}
