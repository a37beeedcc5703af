/** What is reported about grants through node:diagnostics_channel. No event is built without a subscriber. */
import { diagnostics, warn, type AcquireEvent, type ReleaseEvent } from "../diagnostics/events.ts";
import { HoldfastError, quoted, shownId } from "../errors.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import { now } from "../timers.ts";
import type { GrantRequest } from "./request.ts";

export function publishAcquired(request: Pick<GrantRequest, "waitsFrom">, grant: HeldGrant): void {
  if (!diagnostics.acquire.hasSubscribers) return;
  const event: AcquireEvent = {
    id: shownId(grant.id),
    waitedMs: now() - request.waitsFrom,
    fence: grant.fence,
  };
  diagnostics.acquire.publish(event);
}

export function publishReleased(grant: HeldGrant): void {
  if (!diagnostics.release.hasSubscribers) return;
  diagnostics.release.publish({ id: shownId(grant.id), fence: grant.fence } satisfies ReleaseEvent);
}

/** No caller waits for this release. Backend failures are reported elsewhere; any other error becomes a warning. */
export function warnOfRelease(error: unknown, id: string): void {
  if (error instanceof HoldfastError) return;
  warn("release-failed", `Releasing the lock ${quoted(id)} failed: ${String(error)}`);
}
