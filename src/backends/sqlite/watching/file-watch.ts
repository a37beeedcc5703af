/**
 * Sees changes of watched states by looking at the file, since nothing can push: at a short interval, whether anything was
 * committed to it at all, which takes microseconds, and only then at the heads of the states. Without watched ids, there
 * is no timer. While the file cannot be read, it sees nothing [E2].
 */
import { after, type Stoppable } from "../../../timers.ts";
import type { Wake } from "../../contract.ts";
import type { Connection } from "../connection.ts";

const lookEveryMs = 100;

export interface FileWatchOptions {
  readonly prefix: string;
  /** `undefined` while the file is not open. */
  readonly connection: () => Connection | undefined;
  readonly onWake: (wake: Wake) => void;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  /** Revision and expiry of each watched id, as last seen. */
  readonly #heads = new Map<string, string>();
  /** Of the file, as last seen. */
  #version: string | undefined;
  #timer: Stoppable | undefined;

  constructor(options: FileWatchOptions) {
    this.#options = options;
  }

  watch(id: string, connection: Connection): void {
    this.#heads.set(id, this.#headOf(id, connection));
    this.#timer ??= after(lookEveryMs, () => this.#look());
  }

  unwatch(id: string): void {
    this.#heads.delete(id);
    if (this.#heads.size === 0) this.close();
  }

  close(): void {
    this.#heads.clear();
    this.#timer?.stop();
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = after(lookEveryMs, () => this.#look());
    for (const id of this.#changed()) this.#options.onWake({ kind: "changed", id });
  }

  #changed(): readonly string[] {
    try {
      const connection = this.#options.connection();
      const version = connection?.version();
      if (connection === undefined || version === this.#version) return [];
      const heads = connection.readNow(() =>
        [...this.#heads.keys()].map((id) => [id, this.#headOf(id, connection)] as const),
      );
      const changed = heads.filter(([id, head]) => this.#heads.get(id) !== head);
      for (const [id, head] of changed) this.#heads.set(id, head);
      this.#version = version; // as it was before, so that no later change is missed
      return changed.map(([id]) => id);
    } catch {
      return []; // those who watch ask as well, and get the error
    }
  }

  #headOf(id: string, connection: Connection): string {
    const sql = 'SELECT revision, expires_at AS "expiresAt" FROM states WHERE prefix = ? AND id = ?';
    const row = connection.get(sql, this.#options.prefix, id) as
      { revision: number; expiresAt: number | null } | undefined;
    return row === undefined ? "" : `${String(row.revision)} ${String(row.expiresAt)}`;
  }
}
