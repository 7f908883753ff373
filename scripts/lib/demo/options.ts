// The demo's command line.

export interface DemoOptions {
  /** How long the sources speak; null: until Ctrl-C. */
  readonly seconds: number | null;
  readonly json: boolean;
}

const SECONDS_MIN = 5;
const SECONDS_MAX = 7 * 86_400;

export const DEMO_HELP = `usage: scripts/demo [--seconds N] [--json]

Installs what is missing, builds, and plays the whole path on this machine, on 127.0.0.1 and on free ports only:

  USB sensor (a pty) ──┐
                       ├─▶ spoke ──▶ the cable ──▶ nats-server (TLS first, JetStream)
  MQTT device (QoS 1) ─┘

The cable is cut, the outbox grows; it is healed, the outbox drains. In the end every reading is looked up in the hub's stream:
  published N, delivered N, lost 0, duplicated 0

  --seconds N  let the sources speak for N seconds (${SECONDS_MIN} or more), then drain and end; without it: until Ctrl-C
  --json       the summary as one line of JSON on stdout; progress goes to stderr
  --help       this text

Exit code 0 when nothing was lost and nothing came twice, else 1.

example: scripts/demo --seconds 20
`;

/** The options, "help", or what is wrong with the command line. */
export function parseDemoArguments(args: readonly string[]): DemoOptions | string {
  let seconds: number | null = null;
  let json = false;
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === "--help" || word === "-h") return "help";
    if (word === "--json") {
      json = true;
    } else if (word === "--seconds" || word.startsWith("--seconds=")) {
      const given = word === "--seconds" ? args[++i] : word.slice("--seconds=".length);
      seconds = Number(given || Number.NaN);
      if (!(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX))
        return `--seconds wants a number from ${SECONDS_MIN} to ${SECONDS_MAX}, got ${given === undefined ? "nothing" : `"${given}"`}`;
    } else {
      return `${JSON.stringify(word)} was not expected`;
    }
  }
  return { seconds, json };
}
