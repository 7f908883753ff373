// Prints the path of a nats-server binary, and nothing else, on stdout. Progress goes to stderr.

import { findNatsServer } from "./lib/nats-server.ts";

const HELP = `usage: scripts/nats-server VERSION

Prints the path of a nats-server of that line (2.10: the newest 2.10 there is) or of that very version (2.10.27).
Looks on the PATH, then in the cache folder, then fetches it once: from the distribution's mirror, else from the
project's release download. Nothing is installed.

example: "$(scripts/nats-server 2.10)" --version
`;

const [line, ...rest] = process.argv.slice(2);
if (line === "--help" || line === "-h") {
  process.stdout.write(HELP);
} else if (line === undefined || rest.length > 0) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  try {
    const server = await findNatsServer(line, { say: (words) => process.stderr.write(`petiole: ${words}\n`) });
    process.stdout.write(`${server.path}\n`);
  } catch (error) {
    process.stderr.write(`petiole: ${(error as Error).message}.\n`);
    process.exitCode = 1;
  }
}
