/** A release that got no reply while no caller can be told: the lease will expire. */
import { warn } from "../diagnostics/events.ts";

export function warnOfUnanswered(title: string, error: unknown): void {
  const message = `There was no reply to the release of ${title}, so its lease will expire: ${String(error)}`;
  warn("release-unanswered", message);
}
