// The command line: argv, signals, exit codes. The only file that does something when imported.
//
//   exit 0  done, or nothing wrong           exit 1  faults found, or the daemon is degraded beyond work
//   exit 2  the command line was not understood   exit 70  a bug of ours: please report it

import { parseArgs } from "node:util";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { explain, PetioleError } from "#base/errors.ts";
import { createLog, formatLine } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { openS2Codec } from "#s2/codec.ts";
import { S2Packer } from "#s2/packer.ts";
import { checkExitCode, checkSettings, formatCheck, formatCheckJson } from "./cli/check.ts";
import { OUTBOX_HELP_TEXT, runOutbox } from "./cli/outbox.ts";
import { runDaemon } from "./cli/run.ts";
import { fetchStatus, formatStatus } from "./cli/status.ts";
import { controlSocketPath } from "./spoke.ts";
import { VERSION } from "./version.ts";

const HELP = `petiole ${VERSION}: bridges MQTT and serial devices to a NATS hub, and never loses an acknowledged reading

  petiole run    --data DIR [--settings FILE]            the daemon; SIGTERM drains and ends it
  petiole check  --data DIR [--settings FILE] [--json]   every fault of the settings in one go; exit 1 if any
  petiole status --data DIR [--json]                     links, outbox, ports and clients of the running daemon
  petiole outbox stat|peek|verify --data DIR [--json]    what waits on flash, and whether it is whole; --help says more

DIR holds everything that lasts: settings.json, the outbox, secrets (default /data).

  petiole run --data /var/lib/petiole
  petiole check --settings ./settings.json
  petiole status --json | jq .health
`;

const LATER = ["doctor", "serial", "export", "restore", "firewall"];

async function main(argv: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    return usage(explain(error));
  }
  const { values, positionals } = parsed;
  const [command, ...rest] = positionals;
  if (values.version) return print(`${VERSION}\n`);
  if (values.help && command === "outbox") return print(OUTBOX_HELP_TEXT.usage);
  if (values.help || command === undefined) return print(HELP, command === undefined && !values.help ? 2 : 0);
  if (LATER.includes(command)) return usage(`"petiole ${command}" is not supported yet`);
  if (rest.length > 0 && command !== "outbox") return usage(`"${rest[0]}" was not expected after "${command}"`);

  const dataDir = values.data ?? "/data";
  const places = { dataDir, ...(values.settings === undefined ? {} : { settingsFile: values.settings }) };
  switch (command) {
    case "run":
      return runDaemon(places, process.env, systemEnv(), process);
    case "check": {
      const report = await checkSettings({ ...places, env: process.env, disk: systemDisk() });
      return print(values.json ? formatCheckJson(report) : formatCheck(report), checkExitCode(report));
    }
    case "status": {
      const report = await fetchStatus(controlSocketPath(dataDir));
      return print(
        values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatStatus(report),
        report.health.verdict === "failed" ? 1 : 0,
      );
    }
    case "outbox": {
      const remote = values.remote === undefined ? {} : { remote: values.remote };
      const outcome = await runOutbox(
        rest,
        { dataDir, disk: systemDisk(), packer: new S2Packer(openS2Codec()), ...remote },
        values,
      );
      return "misuse" in outcome ? usage(outcome.misuse) : print(outcome.text, outcome.code);
    }
    default:
      return usage(`there is no command "${command}"`);
  }
}

function parse(argv: readonly string[]) {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      data: { type: "string" },
      settings: { type: "string" },
      json: { type: "boolean", default: false },
      remote: { type: "string" },
      lane: { type: "string" },
      subject: { type: "string" },
      limit: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
      version: { type: "boolean", short: "v", default: false },
    },
  });
}

function systemEnv(): Env {
  const clock = systemClock();
  const log = createLog(clock, "info", (line) => process.stderr.write(`${formatLine(line)}\n`));
  return { clock, disk: systemDisk(), net: systemNet(), tty: systemTty(), entropy: systemEntropy(), log };
}

function print(text: string, code = 0): number {
  process.stdout.write(text);
  return code;
}

function usage(fault: string): number {
  process.stderr.write(`petiole: ${fault}; "petiole --help" shows what there is\n`);
  return 2;
}

// A bug must end the process: the supervisor restarts it, the journal recovers (STYLE §5).
process.on("uncaughtException", (error) => {
  process.stderr.write(`petiole: a bug ended the daemon: ${error.stack ?? explain(error)}\n`);
  process.exit(70);
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof PetioleError)) throw error;
  process.stderr.write(`petiole: ${explain(error)} (${error.code})\n`);
  process.exitCode = 1;
}
