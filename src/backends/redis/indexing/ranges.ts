/**
 * Ranges of the index, a sorted set of ids with equal scores, which Redis keeps in the order of their bytes. Bounds are
 * `[` and an id, `(` and an id that does not belong to it, `-` and `+`.
 */
import { compareIds } from "../../../ids/id-order.ts";
import type { ListRequest } from "../../contract.ts";
import type { RedisArgument } from "../client/client-port.ts";

export function rangeCommand(
  index: string,
  cursor: string | null,
  { idPrefix, limit, order = "asc" }: ListRequest,
): readonly RedisArgument[] {
  const page = ["LIMIT", "0", String(limit)];
  const [least, end] = [idPrefix === "" ? "-" : `[${idPrefix}`, endOf(idPrefix)];
  if (order === "asc") {
    const isWithin = cursor !== null && compareIds(cursor, idPrefix) >= 0;
    return ["ZRANGEBYLEX", index, isWithin ? `(${cursor}` : least, end, ...page];
  }
  const isBefore = cursor !== null && (compareIds(cursor, idPrefix) < 0 || cursor.startsWith(idPrefix));
  return ["ZREVRANGEBYLEX", index, isBefore ? `(${cursor}` : end, least, ...page];
}

/** Users' ids have no control characters and do not begin with `}`, unlike those that Holdfast makes. */
export function countCommands(index: string, idPrefix: string): readonly (readonly RedisArgument[])[] {
  if (idPrefix !== "") return [["ZLEXCOUNT", index, `[${idPrefix}`, endOf(idPrefix)]];
  return [
    ["ZLEXCOUNT", index, "[ ", "(}"],
    ["ZLEXCOUNT", index, "[~", "+"],
  ];
}

/** No byte of UTF-8 is 0xff. */
function endOf(idPrefix: string): RedisArgument {
  if (idPrefix === "") return "+";
  return Buffer.concat([Buffer.from(`(${idPrefix}`), Buffer.from([0xff])]);
}
