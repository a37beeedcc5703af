/** Tries everything that a backend does, under an id of its own, which it removes again. */
import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { CorruptStateError, HoldfastError } from "../errors.ts";
import type { Core } from "./core.ts";
import { scopesHere } from "./locking/owner.ts";

export async function checkHealth(core: Core): Promise<void> {
  const id = `statefulpy_healthcheck_${randomBytes(8).toString("hex")}`;
  const owner = core.newOwner();
  const written = { healthy: true, id };
  try {
    await core.save(id, written, owner);
  } catch (error) {
    if (error instanceof HoldfastError && error.outcome === "unknown")
      await core.remove(id).catch(() => undefined);
    throw error;
  }
  try {
    await core.locks.acquire({ id, owner, waitMs: 0, signal: undefined, isInside: scopesHere() });
    await core.save(id, written, owner);
    const read = await core.load(id);
    if (!isDeepStrictEqual(read, written))
      throw new CorruptStateError(
        `${core.name}: a state that was just saved was read back as something else. Does the serializer keep objects, and ` +
          `does something else change keys with this prefix?`,
      );
    await core.locks.release(id, owner);
  } finally {
    await core.locks.releaseAll(owner).catch(() => undefined);
    await core.remove(id).catch(() => undefined); // an error of the check itself says more
  }
}
