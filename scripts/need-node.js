// Says clearly what to do when the Node that runs our scripts is too old to run TypeScript files. It does no more than that:
// `npm install` brings a Node 24 for the common platforms (scripts/node-24), which npm scripts find before the system's.
// Plain JavaScript, and nothing new in it, since it must run on exactly the versions that it complains about.

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const stripsTypes = major > 22 || (major === 22 && minor >= 18);

if (!stripsTypes) {
  console.error(
    `Holdfast is developed with Node 24 (22.18 at least); this is ${process.version} at ${process.execPath}.\n` +
      `"npm install" brings a Node 24 for Linux, macOS and Windows on the common processors, and npm scripts use it.\n` +
      `Here it is missing: run "npm install --include=optional" once more through npm, or, on ${process.platform}-${process.arch},\n` +
      `install Node 24 yourself and put it first in PATH. (Using the built library needs only Node 20.19.)`,
  );
  process.exit(1);
}
