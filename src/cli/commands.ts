/** The commands by name. Each is loaded when it is called, so that one starts fast although there are many. */
import type { Command } from "./command.ts";

/** One line for each command, in the order of the help. */
export const summaries = {
  ls: "list the states",
  get: "print the value of a state",
  set: "save a state",
  rm: "delete states",
  locks: "list the locks that are held",
  inspect: "show all that is known under an id",
  unlock: "take locks from their holders",
  watch: "print a line each time a state or its lock changes",
  init: "create the store, or check that it can be used",
  doctor: "check the server, or the file, and say what to change",
  run: "run a command while holding a lock, or permits of a semaphore",
  once: "run a command that succeeds once in a time",
  leader: "run a command in one process at a time, as long as it leads",
  export: "write all states to the standard output, as JSON lines",
  import: "read states from an export, or from the keys of statefulpy",
  migrate: "copy a store to another backend or prefix, verified",
  reshard: "move a store to another number of shards, or to other servers",
  index: "build or drop the index of ids of a store on Redis",
} as const;

export type CommandName = keyof typeof summaries;

const loaders: Readonly<Record<CommandName, () => Promise<Command>>> = {
  ls: async () => (await import("./commands/ls.ts")).lsCommand,
  get: async () => (await import("./commands/get.ts")).getCommand,
  set: async () => (await import("./commands/set.ts")).setCommand,
  rm: async () => (await import("./commands/rm.ts")).rmCommand,
  locks: async () => (await import("./commands/locks.ts")).locksCommand,
  inspect: async () => (await import("./commands/inspect.ts")).inspectCommand,
  unlock: async () => (await import("./commands/unlock.ts")).unlockCommand,
  watch: async () => (await import("./commands/watch.ts")).watchCommand,
  init: async () => (await import("./commands/init.ts")).initCommand,
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand,
  run: async () => (await import("./child/run.ts")).runCommand,
  once: async () => (await import("./child/once.ts")).onceCommand,
  leader: async () => (await import("./child/leader.ts")).leaderCommand,
  export: async () => (await import("./transfer/export.ts")).exportCommand,
  import: async () => (await import("./transfer/import.ts")).importCommand,
  migrate: async () => (await import("./transfer/migrate.ts")).migrateCommand,
  reshard: async () => (await import("./commands/reshard.ts")).reshardCommand,
  index: async () => (await import("./commands/index-command.ts")).indexCommand,
};

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(loaders, name);
}

export function loadCommand(name: CommandName): Promise<Command> {
  return loaders[name]();
}
