/** A release that got no reply while no caller can be told: the lease will expire. */
import { diagnostics, type WarningEvent } from "../diagnostics.ts";

export function warnOfUnanswered(title: string, error: unknown): void {
  if (!diagnostics.warning.hasSubscribers) return;
  const message = `There was no reply to the release of ${title}, so its lease will expire: ${String(error)}`;
  diagnostics.warning.publish({ cause: "release-unanswered", message } satisfies WarningEvent);
}
