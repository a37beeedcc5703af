/** What was acquired by hand: not for a function whose end releases it. */
export interface HeldByHand {
  /** Whether no call is in progress under it. */
  readonly isIdle: boolean;
  /** Its store is closing: aborts its signal and releases it. */
  close(reason: Error): unknown;
}
