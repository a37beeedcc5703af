// Servers other than the installed one: their packages come from another Debian suite, through the mirror that apt is set up
// with, and are unpacked into a cache folder together with the libraries that they need. Each is started through its own
// loader, so that the machine's libraries do not matter and nothing is installed.

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export interface ServerPackage {
  /** For HOLDFAST_TEST_SERVER. */
  readonly name: string;
  /** Debian's package; the program has the same name. */
  readonly program: string;
  /** What apt may take it from, by code names, since a suite such as "stable" moves. */
  readonly suites: readonly string[];
  /** Whether `npm run test:servers` runs it without being asked to. */
  readonly isDefault: boolean;
}

export const serverPackages: readonly ServerPackage[] = [
  { name: "valkey-8", program: "valkey-server", suites: ["bookworm-backports", "bookworm"], isDefault: true },
  { name: "valkey-9", program: "valkey-server", suites: ["sid"], isDefault: true },
  { name: "redis-8", program: "redis-server", suites: ["trixie"], isDefault: true },
  { name: "redis-8.6", program: "redis-server", suites: ["experimental", "sid"], isDefault: false },
  {
    name: "redict-7",
    program: "redict-server",
    suites: ["bookworm-backports", "bookworm"],
    isDefault: false,
  },
  { name: "redis-6.0", program: "redis-server", suites: ["bullseye"], isDefault: false },
];

/** For one command of apt, so that a mirror that does not answer is a skip and not a run that is over its limit. */
const commandMs = 90_000;
const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "holdfast-servers");

/** The program that starts the server of this name, if it has been got. */
export function gotServer(name: string): string | undefined {
  const program = join(cache, name, "server");
  return existsSync(program) ? program : undefined;
}

/** Gets it, unless it is there already. Throws an error that says why it cannot be got. */
export function getServer({ name, program, suites }: ServerPackage): string {
  const present = gotServer(name);
  if (present !== undefined) return present;
  const folder = join(cache, `${name}.${String(process.pid)}`);
  try {
    const apt = new Apt(join(folder, "apt"), suites);
    apt.unpack(program, join(folder, "root"));
    rmSync(join(folder, "apt"), { recursive: true });
    writeStarter(folder, join(cache, name), program);
    if (!existsSync(join(cache, name))) renameSync(folder, join(cache, name));
    return join(cache, name, "server");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `exec`, so that signals reach the server itself. */
function writeStarter(folder: string, final: string, program: string): void {
  const within = (pattern: string): string => {
    const [found] = globSync(pattern, { cwd: join(folder, "root") });
    if (found === undefined) throw new Error(`the packages have no ${pattern}`);
    return join(final, "root", found);
  };
  const loader = within("{usr/,}lib/*/ld-linux*.so.*");
  const libraries = ["usr/lib", "lib"].flatMap((base) =>
    globSync(`${base}/*-linux-*`, { cwd: join(folder, "root") }).map((found) => join(final, "root", found)),
  );
  const starter = `#!/bin/sh\nexec '${loader}' --library-path '${libraries.join(":")}' '${within(`usr/bin/${program}`)}' "$@"\n`;
  writeFileSync(join(folder, "server"), starter);
  chmodSync(join(folder, "server"), 0o755);
}

/** apt with lists and a cache of its own, for a machine on which nothing is installed. */
class Apt {
  readonly #folder: string;
  readonly #suites: readonly string[];

  constructor(folder: string, suites: readonly string[]) {
    this.#folder = folder;
    this.#suites = suites;
    for (const name of ["sources", "state/lists/partial", "cache/archives/partial", "packages"])
      mkdirSync(join(folder, name), { recursive: true });
    this.#writeSources();
    this.#run(["update"]);
  }

  /** The program's package and the libraries that it needs, at any depth. */
  unpack(program: string, root: string): void {
    const install = ["install", "--print-uris", "--yes", "--no-install-recommends"];
    const uris = this.#run([...install, `${program}/${this.#suites[0] ?? ""}`]);
    const names = [...uris.matchAll(/^'\S+' (?<name>[^_\s]+)_/gm)].map(
      ({ groups }) => groups?.["name"] ?? "",
    );
    const family = program.replace("-server", "-");
    const wanted = names.filter(
      (name) => name.startsWith("lib") || name.startsWith("lua") || name.startsWith(family),
    );
    this.#run(["download", "-t", this.#suites[0] ?? "", ...wanted]);
    mkdirSync(root, { recursive: true });
    for (const file of readdirSync(join(this.#folder, "packages")))
      execFileSync("dpkg-deb", ["-x", join(this.#folder, "packages", file), root]);
  }

  #writeSources(): void {
    const format = ["--format", "$(SITE)", "Created-By: Packages", "Origin: Debian"];
    const sites = execFileSync("apt-get", ["indextargets", ...format], { encoding: "utf8" }).split("\n");
    const site = sites.find((one) => one !== "" && !one.includes("security"));
    if (site === undefined) throw new Error("apt has no Debian mirror (`apt-get indextargets` lists none)");
    const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    const lines = ["Types: deb", `URIs: ${site}`, `Suites: ${this.#suites.join(" ")}`, "Components: main"];
    writeFileSync(
      join(this.#folder, "sources/debian.sources"),
      [...lines, `Signed-By: ${keyring}`, ""].join("\n"),
    );
  }

  #run(args: readonly string[]): string {
    const options = {
      "Dir::Etc::SourceList": "/dev/null",
      "Dir::Etc::SourceParts": join(this.#folder, "sources"),
      "Dir::Etc::PreferencesParts": "/dev/null",
      "Dir::State": join(this.#folder, "state"),
      "Dir::State::status": "/dev/null",
      "Dir::Cache": join(this.#folder, "cache"),
      "APT::Sandbox::User": "",
      "Acquire::http::Timeout": "20",
    };
    const given = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    const cwd = join(this.#folder, "packages");
    return execFileSync("apt-get", ["-q", ...given, ...args], {
      encoding: "utf8",
      cwd,
      timeout: commandMs,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }
}
