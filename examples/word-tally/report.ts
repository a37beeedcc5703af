/** The output of a run: a progress bar and events while it works, and a report at the end. */
import type { Tally } from "./tally.ts";
import type { Audience, Kill, Takeover, Team } from "./team.ts";
import type { Counts } from "./words.ts";

const barWidth = 32;

/** On a terminal, a bar. Elsewhere, a line for each tenth of the work, because a log keeps every line. */
export class Progress implements Audience {
  readonly #chunks: number;
  readonly #isTerminal = process.stdout.isTTY;
  #recorded = 0;

  constructor(chunks: number) {
    this.#chunks = chunks;
    this.#draw();
  }

  recorded(chunks: number): void {
    const tenth = (count: number): number => Math.floor((10 * count) / this.#chunks);
    const isNext = tenth(chunks) > tenth(this.#recorded);
    this.#recorded = chunks;
    this.#draw();
    if (!this.#isTerminal && isNext) console.log(`  ${chunks} of ${this.#chunks} chunks`);
  }

  killed({ worker, pid, chunk }: Kill): void {
    this.#say(`Worker ${worker} (process ${String(pid)}) holds chunk ${chunk}, and is killed with SIGKILL.`);
  }

  takenOver({ by, from, chunk, afterMs }: Takeover): void {
    this.#say(`Worker ${by} has taken chunk ${chunk} over from worker ${from}, after ${ms(afterMs)}.`);
  }

  end(): void {
    if (this.#isTerminal) process.stdout.write("\n");
  }

  /** Prints a separate line above the bar. */
  #say(line: string): void {
    console.log(this.#isTerminal ? `\r\x1b[K${line}` : `  ${line}`);
    this.#draw();
  }

  #draw(): void {
    if (!this.#isTerminal) return;
    const full = Math.round((barWidth * this.#recorded) / this.#chunks);
    const bar = "█".repeat(full).padEnd(barWidth, "░");
    process.stdout.write(`\r\x1b[K${bar} ${this.#recorded} of ${this.#chunks} chunks`);
  }
}

/** How the shared tally differs from a count by one process. */
export interface Comparison {
  readonly words: number;
  readonly distinct: number;
  readonly missing: number;
  readonly surplus: number;
}

export function compare(tally: Tally, plain: Counts): Comparison {
  let [words, missing, surplus] = [0, 0, 0];
  for (const word of new Set([...plain.keys(), ...Object.keys(tally.words)])) {
    const expected = plain.get(word) ?? 0;
    const found = Object.hasOwn(tally.words, word) ? (tally.words[word] ?? 0) : 0;
    words += expected;
    missing += Math.max(0, expected - found);
    surplus += Math.max(0, found - expected);
  }
  return { words, distinct: plain.size, missing, surplus };
}

export function report(tally: Tally, team: Team): string {
  const top = Object.entries(tally.words).sort(([, a], [, b]) => b - a);
  return lines({
    "Top words": top.slice(0, 8).map(([word, count]) => `${word} ${grouped(count)}`),
    Chunks: shares(tally, team),
    Takeovers: team.takeovers.map(
      ({ chunk, from, by, afterMs }) =>
        `worker ${by} took chunk ${chunk} from worker ${from} after ${ms(afterMs)}`,
    ),
  });
}

/** What a change of the tally takes here. */
export interface Cost {
  readonly saveMs: number;
  readonly bytes: number;
  /** Whether a call returns only once its change is on disk. */
  readonly isOnDisk: boolean;
}

/** How fast the team was, and what the time went into. */
export function speed(team: Team, { saveMs, bytes, isOnDisk }: Cost): string {
  const chunk = `Each is claimed under a lock, counted, and recorded by an update of the whole tally`;
  const disk = "SQLite has every change on disk before the call returns: four commits for each chunk";
  return lines({
    Speed: [`${rate(team)} chunks per second`],
    "": [`${chunk} (now ${grouped(Math.ceil(bytes / 1024))} KiB).`],
    " ": [
      `${isOnDisk ? `${disk}.` : "One worker at a time may change it."} A save alone takes ${saveMs.toFixed(1)} ms here.`,
    ],
  });
}

function shares({ countedBy }: Tally, { size, kill }: Team): string[] {
  const counted = Array.from({ length: size }, () => 0);
  for (const worker of Object.values(countedBy)) counted[worker - 1] = (counted[worker - 1] ?? 0) + 1;
  return counted.map((chunks, index) => {
    const fate = kill?.worker === index + 1 ? " (killed)" : "";
    return `worker ${index + 1}: ${chunks}${fate}`;
  });
}

export function verdict({ words, distinct, missing, surplus }: Comparison): string {
  const all = `${grouped(words)} words, ${grouped(distinct)} different ones`;
  if (missing === 0 && surplus === 0) return `Equal: ${all}, exactly as a single process counts them.`;
  const share = ((100 * missing) / words).toFixed(1);
  const lost = `LOST: ${grouped(missing)} of ${grouped(words)} words (${share} %)`;
  return surplus === 0 ? `${lost}.` : `${lost}, and ${grouped(surplus)} counted that are not there.`;
}

/** Only for the time in which all were working: at the end, they may just wait for a dead worker's lease. */
function rate({ takeovers, recordedMs }: Team): string {
  const late = new Set(takeovers.map(({ chunk }) => chunk));
  const times = [...recordedMs].filter(([chunk]) => !late.has(chunk)).map(([, time]) => time);
  const seconds = Math.max(1, ...times) / 1000;
  return (times.length / seconds).toFixed(0);
}

function lines(table: Record<string, readonly string[]>): string {
  const rows = Object.entries(table).map(
    ([name, items]) => `${name.padEnd(10)} ${items.join(", ") || "none"}`,
  );
  return rows.join("\n");
}

export function grouped(number: number): string {
  return number.toLocaleString("en-US");
}

function ms(time: number): string {
  return `${grouped(Math.round(time))} ms`;
}
