/** The commands by name. Each is loaded when it is called, so that one starts fast although there are many. */
import type { Command } from "./command.ts";

/** One line for each command, in the order of the help. */
export const summaries = {
  export: "write all states to the standard output, as JSON lines",
  import: "read states from an export, or from the keys of statefulpy",
  migrate: "copy a store to another backend or prefix, verified",
  reshard: "move a store to another number of shards, or to other servers",
} as const;

export type CommandName = keyof typeof summaries;

const loaders: Readonly<Record<CommandName, () => Promise<Command>>> = {
  export: async () => (await import("./transfer/export.ts")).exportCommand,
  import: async () => (await import("./transfer/import.ts")).importCommand,
  migrate: async () => (await import("./transfer/migrate.ts")).migrateCommand,
  reshard: async () => (await import("./commands/reshard.ts")).reshardCommand,
};

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(loaders, name);
}

export function loadCommand(name: CommandName): Promise<Command> {
  return loaders[name]();
}
