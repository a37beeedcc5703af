/** What a case is: it measures, and makes tables and marks of it. */
import type { CaseResult } from "../model.ts";
import type { Server } from "../server.ts";

export interface Bench {
  readonly server: Server;
  readonly quick: boolean;
  readonly rounds: number;
  /** One line about what goes on. */
  readonly say: (text: string) => void;
}

export type Outcome = Pick<CaseResult, "measured" | "tables" | "marks">;

export interface Case {
  readonly name: string;
  readonly title: string;
  /** How it is measured, for whoever reads the results. */
  readonly about: string;
  run(bench: Bench): Promise<Outcome>;
}
