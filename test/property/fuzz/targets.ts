// All fuzz targets. Their shares add up to 1.

import * as doors from "./doors.ts";
import { envelope } from "./envelope.ts";
import type { Target } from "./harness.ts";
import { pickleReads, pickleWrites } from "./pickle.ts";
import { redisNeighbour } from "./redis.ts";
import { serializerReads, serializerWrites } from "./serializer.ts";
import { sqliteNeighbour } from "./sqlite.ts";

export const targets: readonly Target[] = [
  envelope,
  serializerReads,
  serializerWrites,
  pickleReads,
  pickleWrites,
  doors.ids,
  doors.options,
  doors.targets,
  redisNeighbour,
  sqliteNeighbour,
];
