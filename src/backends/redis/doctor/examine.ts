/**
 * What `holdfast doctor` asks a Redis server. Whatever the user may not ask is "unknown". Only what every store needs can
 * fail; if the server cannot be reached, the examination throws UnavailableError.
 *
 * Keys are written only for the probe of rights, which deletes them, as `open()` does.
 */
import { randomBytes } from "node:crypto";
import { KeepAlive } from "../../../timers.ts";
import type { Check } from "../../examination.ts";
import type { RedisBackendOptions } from "../backend.ts";
import { openClient } from "../client/open-client.ts";
import { makeKeys } from "../protocol/keys.ts";
import { ScriptRunner } from "../protocol/script-runner.ts";
import { scriptSettings } from "../protocol/script-settings.ts";
import { contentsCheck } from "./contents.ts";
import { Inquiry } from "./inquiry.ts";
import { protocolCheck, rightsCheck } from "./rights.ts";
import { evictionCheck, persistenceCheck, replicasCheck, serverCheck } from "./server.ts";
import { timeChecks } from "./time.ts";
import { indexCheck, storedIndex } from "./index-check.ts";
import { routeCheck } from "./route.ts";
import { wakesCheck } from "./wakes.ts";

export async function examineRedis(options: RedisBackendOptions): Promise<readonly Check[]> {
  const { client } = openClient(options.target, options);
  const keepAlive = new KeepAlive(); // [P1] connections do not keep a process alive
  keepAlive.ref();
  try {
    await client.connect();
    const { prefix, isShard = false } = options;
    const clientId = randomBytes(12).toString("hex");
    const isIndexed = await storedIndex(new ScriptRunner(client), prefix, clientId);
    const keys = makeKeys(prefix, clientId, isIndexed);
    const settings = scriptSettings(client.followsSlot === true, keys, options);
    const runner = new ScriptRunner(client, { ...settings, phase: "connecting" });
    const inquiry = await new Inquiry({ client, keys, settings, runner, isShard, prefix }).begin();
    return [
      serverCheck(inquiry),
      await routeCheck(inquiry),
      await protocolCheck(inquiry),
      await rightsCheck(inquiry),
      evictionCheck(inquiry),
      await persistenceCheck(inquiry),
      await replicasCheck(inquiry),
      await wakesCheck(inquiry),
      ...(await timeChecks(inquiry)),
      await contentsCheck(inquiry),
      await indexCheck(inquiry),
    ];
  } finally {
    await client.close();
    keepAlive.unref();
    keepAlive.close();
  }
}
