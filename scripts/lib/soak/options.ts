// The soak's command line.

export interface SoakOptions {
  readonly minutes: number;
  readonly json: boolean;
}

const MINUTES_MIN = 3;
const MINUTES_MAX = 7 * 24 * 60;

export const SOAK_HELP = `usage: scripts/soak [--minutes N] [--json]

A typical site on this machine, on 127.0.0.1 and free ports only: 50 MQTT devices with QoS 1, four serial sensors, two NATS clients,
an uplink with TLS first and S2 to a real nats-server. Every minute the line is cut for 15 s and one sensor is unplugged for 10 s.
Once a minute, when all is well again, the daemon is asked what it holds after a full garbage collection.

In the end every acknowledged reading is looked up in the hub's stream, and what grew from minute to minute is told:
heap, memory outside it, RSS, open files, handles, listeners; and what the RSS was made of at the end.

  --minutes N  how long (${MINUTES_MIN} or more; 60)
  --json       the verdict as one line of JSON on stdout; progress goes to stderr
  --help       this text

Exit code 0: nothing lost, nothing twice, nothing grew. 1: something did. 2: the command line was not understood.

example: scripts/soak --minutes 5
`;

/** The options, "help", or what is wrong with the command line. */
export function parseSoakArguments(args: readonly string[]): SoakOptions | string {
  let minutes = 60;
  let json = false;
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === "--help" || word === "-h") return "help";
    if (word === "--json") json = true;
    else if (word === "--minutes" || word.startsWith("--minutes=")) {
      const given = word === "--minutes" ? args[++i] : word.slice("--minutes=".length);
      minutes = Number(given || Number.NaN);
      if (!(minutes >= MINUTES_MIN && minutes <= MINUTES_MAX))
        return `--minutes wants a number from ${MINUTES_MIN} to ${MINUTES_MAX}, got ${given === undefined ? "nothing" : `"${given}"`}`;
    } else return `${JSON.stringify(word)} was not expected`;
  }
  return { minutes, json };
}
