/** The commands by name. Each is loaded when it is called, so that one starts fast although there are many. */
import type { Command } from "./command.ts";

/** One line for each command, in the order of the help. */
export const summaries = {
  reshard: "move a store to another number of shards, or to other servers",
} as const;

export type CommandName = keyof typeof summaries;

const loaders: Readonly<Record<CommandName, () => Promise<Command>>> = {
  reshard: async () => (await import("./commands/reshard.ts")).reshardCommand,
};

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(loaders, name);
}

export function loadCommand(name: CommandName): Promise<Command> {
  return loaders[name]();
}
