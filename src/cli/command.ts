/**
 * What a command of the command line is: its options, its help and what it does.
 *
 * The options are one table, from which the parser, the types of the values and `--help` are made.
 */
import type { Output } from "./output.ts";

export interface Option {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: true;
  /** The name of its value in the help: `MS`. */
  readonly value?: string;
  /** One line for the help. */
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, Option>>;

/** The value of an option. */
type Value<One extends Option> = One extends { readonly multiple: true }
  ? readonly string[]
  : One["type"] extends "boolean"
    ? boolean
    : One["type"] extends "string"
      ? string
      : string | boolean | readonly string[];

/** The values of the options that were given. */
export type Values<Options extends OptionTable> = { readonly [Name in keyof Options]?: Value<Options[Name]> };

/** One call of a command. */
export interface Call<Options extends OptionTable = OptionTable> {
  readonly values: Values<Options>;
  /** The arguments that are not options, before `--`. */
  readonly operands: readonly string[];
  /** What follows `--`; empty without it. */
  readonly childCommand: readonly string[];
  readonly output: Output;
}

export interface Command<Options extends OptionTable = OptionTable> {
  /** After the name: `[options] ID`. */
  readonly usage: string;
  /** What it does, for its own help: some lines. */
  readonly description: string;
  readonly options: Options;
  /** How many operands it takes. */
  readonly operands: { readonly min: number; readonly max: number };
  /** Whether it takes a command after `--`. */
  readonly takesChildCommand?: boolean;
  /** At the end of its help: complete command lines. */
  readonly examples: readonly string[];
  /** Returns the exit code. */
  run(call: Call<Options>): Promise<number>;
}

/** Keeps the type of the option table. */
export function defineCommand<const Options extends OptionTable>(
  command: Command<Options>,
): Command<Options> {
  return command;
}
