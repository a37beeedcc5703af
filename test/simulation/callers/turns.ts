// The order in which callers of one process asked for a lock, and in which they were served.

import type { Recorder } from "../../torture/recorder.ts";

/** [L2] Inside a process callers are served in call order. */
export class Turns {
  readonly #recorder: Recorder;
  readonly #asked = new Map<string, number>();
  readonly #served = new Map<string, number>();

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  ask(id: string): () => void {
    const place = (this.#asked.get(id) ?? 0) + 1;
    this.#asked.set(id, place);
    return () => {
      const last = this.#served.get(id) ?? 0;
      if (place < last) this.#recorder.wrong(`${id}: call ${place} was served after call ${last}`);
      this.#served.set(id, Math.max(place, last));
    };
  }
}
