// How bad the network of the simulation is.

import type { Method } from "./server.ts";

/** How bad the network is: probabilities per call. */
export interface Weather {
  readonly lostRequest: number;
  readonly lostReply: number;
  /** The caller hears of a broken connection; the request arrives all the same, much later. */
  readonly lateCopy: number;
  /** Neither an answer nor an error ever comes. */
  readonly silence: number;
  /** Refused before it was sent. */
  readonly refused: number;
  /** It takes much longer, one way or both. */
  readonly slow: number;
  readonly lostWake: number;
  readonly lateWake: number;
  readonly doubledWake: number;
  readonly tooFewReplicas: number;
  /** The calls of this kind suffer several times as much. */
  readonly victim: Method | undefined;
}

/** So many times as much does the victim suffer. */
export const victimsShare = 6;

export const calm: Weather = {
  ...{ lostRequest: 0, lostReply: 0, lateCopy: 0, silence: 0, refused: 0, slow: 0 },
  ...{ lostWake: 0, lateWake: 0, doubledWake: 0, tooFewReplicas: 0, victim: undefined },
};
