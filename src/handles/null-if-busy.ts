/** What a `tryAcquire` returns if what it tries is not free. */
import { isFromCaller } from "../caller-stacks.ts";
import { LockTimeoutError } from "../errors.ts";

/** `null` if it rejects because others hold what is wanted. An error of the caller's own is thrown. */
export async function nullIfBusy<T>(acquired: Promise<T>): Promise<T | null> {
  try {
    return await acquired;
  } catch (error) {
    if (error instanceof LockTimeoutError && !isFromCaller(error)) return null;
    throw error;
  }
}
