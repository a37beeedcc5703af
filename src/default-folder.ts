/** The folder of the store that is opened without a target: `.holdfast` next to the nearest package.json. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Creates it if it is not there. Throws what the file system says if that is not allowed. */
export function defaultFolder(): string {
  const folder = join(nearestPackage(process.cwd()), ".holdfast");
  mkdirSync(folder, { recursive: true });
  const ignore = join(folder, ".gitignore");
  if (!existsSync(ignore)) writeFileSync(ignore, "*\n");
  return folder;
}

/** The folder of the nearest package.json above; without one, the working directory itself. */
function nearestPackage(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (folder === dirname(folder)) return from;
  }
}
