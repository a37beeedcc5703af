/** The file that is examined, opened as it is: not set up, not upgraded. */
import type { SqlDatabase } from "../driver.ts";

export interface OpenedFile {
  readonly db: SqlDatabase;
  readonly path: string;
  readonly name: string;
  readonly prefix: string;
  readonly isShard: boolean;
}
