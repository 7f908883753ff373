// The command line: argv, signals, exit codes. The only file, beside start.ts, that does something when imported.
//
//   exit 0  done, or nothing wrong           exit 1  faults found, or the daemon is degraded beyond work
//   exit 2  the command line was not understood   exit 70  a bug of ours: please report it
//   exit 75 the watchdog ended the daemon, to be started anew; where nothing else ends it, by SIGKILL

import * as path from "node:path";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { explain, isFault, PetioleError, systemCode } from "#base/errors.ts";
import { systemExec } from "#base/exec.ts";
import { createLog, formatLine, type LogGate } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { isBalena } from "#config/overrides.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { openS2Codec } from "#s2/codec.ts";
import { S2Packer } from "#s2/packer.ts";
import { systemWatchdogMachine } from "#watchdog/machine.ts";
import { LogTail } from "#web/server/log-tail.ts";
import { createAsker } from "./cli/ask.ts";
import { BACKUP_HELP_TEXT, runBackup } from "./cli/backup.ts";
import { checkExitCode, checkSettings, formatCheck, formatCheckJson } from "./cli/check.ts";
import { type CommandLine, misuseOf, parseCommandLine } from "./cli/command-line.ts";
import { DOCTOR_HELP_TEXT, runDoctor } from "./cli/doctor.ts";
import { FIREWALL_HELP_TEXT, runFirewall } from "./cli/firewall.ts";
import { OUTBOX_HELP_TEXT, runOutbox } from "./cli/outbox.ts";
import { formatPageAccess, pageAccess } from "./cli/page-lines.ts";
import { runDaemon } from "./cli/run.ts";
import { runSerial, SERIAL_HELP_TEXT } from "./cli/serial.ts";
import { fetchStatus, formatStatus } from "./cli/status.ts";
import { controlSocketPath } from "./spoke.ts";
import { VERSION } from "./version.ts";

const HELP = `petiole ${VERSION}: bridges MQTT and serial devices to a NATS hub, and never loses an acknowledged reading

  petiole run    --data DIR [--settings FILE]            the daemon; SIGTERM drains and ends it
  petiole check  --data DIR [--settings FILE] [--json]   every fault of the settings in one go; exit 1 if any
  petiole status --data DIR [--json]                     links, outbox, ports and clients of the running daemon
  petiole doctor --data DIR [--json] [--qr]               the field diagnosis, step by step: cause and remedy; --help says more
  petiole outbox stat|peek|verify --data DIR [--json]    what waits on flash, and whether it is whole; --help says more
  petiole export|restore FILE --data DIR                 encrypted backup of settings and secrets; --help says more
  petiole firewall show|apply|check [--json]             the packet filter; --help says more
  petiole serial list|listen|guess|replay                serial devices and what they say; --help says more

DIR holds everything that lasts: settings.json, the outbox, secrets (default /data).

  petiole run --data /var/lib/petiole
  petiole check --settings ./settings.json
  petiole status --json | jq .health
`;

async function main(argv: readonly string[]): Promise<number> {
  let parsed: CommandLine;
  try {
    parsed = parseCommandLine(argv);
  } catch (error) {
    return usage(explain(error));
  }
  const { values, positionals } = parsed;
  const [command, ...rest] = positionals;
  if (values.version) return print(`${VERSION}\n`);
  if (values.help && command === "doctor") return print(DOCTOR_HELP_TEXT.usage);
  if (values.help && (command === "export" || command === "restore")) return print(BACKUP_HELP_TEXT.usage);
  if (values.help && command === "outbox") return print(OUTBOX_HELP_TEXT.usage);
  if (values.help && command === "firewall") return print(FIREWALL_HELP_TEXT.usage);
  if (values.help && command === "serial") return print(SERIAL_HELP_TEXT.usage);
  if (values.help || command === undefined) return print(HELP, command === undefined && !values.help ? 2 : 0);
  const misuse = misuseOf(parsed);
  if (misuse !== undefined) return usage(misuse);

  const dataDir = values.data ?? "/data";
  const places = { dataDir, ...(values.settings === undefined ? {} : { settingsFile: values.settings }) };
  switch (command) {
    case "export":
    case "restore": {
      using asker = createAsker();
      const place = { ...places, env: systemEnv(), passphraseFile: values["passphrase-file"], ask: asker.ask };
      const outcome = await runBackup(command, rest, place);
      return "misuse" in outcome ? usage(outcome.misuse) : print(outcome.text, outcome.code);
    }
    case "run": {
      const page = { tail: new LogTail(), folder: path.join(import.meta.dirname, "page") };
      const gate: LogGate = { least: "info" };
      const env = systemEnv(page.tail, gate);
      return runDaemon(places, process.env, env, process, { ...page, gate }, systemWatchdogMachine());
    }
    case "check": {
      const report = await checkSettings({ ...places, env: process.env, disk: systemDisk() });
      return print(values.json ? formatCheckJson(report) : formatCheck(report), checkExitCode(report));
    }
    case "status": {
      const report = await fetchStatus(controlSocketPath(dataDir));
      const page_access = await pageAccess(systemDisk(), dataDir);
      return print(
        values.json
          ? `${JSON.stringify({ ...report, page_access }, undefined, 2)}\n`
          : formatStatus(report) + formatPageAccess(page_access),
        report.health.verdict === "failed" ? 1 : 0,
      );
    }
    case "doctor": {
      const ending = new AbortController();
      for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => ending.abort());
      const write = (text: string) => void process.stdout.write(text);
      return await runDoctor({ ...places, environment: process.env, env: systemEnv(), write, signal: ending.signal }, values);
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
    case "firewall": {
      const report = await checkSettings({ ...places, env: process.env, disk: systemDisk() });
      if (report.config === undefined) return print(values.json ? formatCheckJson(report) : formatCheck(report), 1);
      const place = { config: report.config, isBalena: isBalena(process.env), exec: systemExec() };
      const outcome = await runFirewall(rest, place, values.json);
      return "misuse" in outcome ? usage(outcome.misuse) : print(outcome.text, outcome.code);
    }
    case "serial": {
      const ending = new AbortController();
      for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => ending.abort());
      const { clock, disk, tty } = systemEnv();
      const write = (what: Buffer | string) => void process.stdout.write(what);
      const say = (line: string) => void process.stderr.write(`petiole: ${line}\n`);
      const place = { ...places, env: process.env, disk, tty, clock, write, say, signal: ending.signal };
      const outcome = await runSerial(rest, place, values);
      return "misuse" in outcome ? usage(outcome.misuse) : print(outcome.text, outcome.code);
    }
    default:
      return usage(`there is no command "${command}"`);
  }
}

/** `tail`: hears every line of the log, too. `gate`: says which lines there are. */
function systemEnv(tail?: LogTail, gate: LogGate = { least: "info" }): Env {
  const clock = systemClock();
  const log = createLog(clock, gate, (line) => {
    tell(`${formatLine(line)}\n`);
    tail?.add(line);
  });
  return { clock, disk: systemDisk(), net: systemNet(), tty: systemTty(), entropy: systemEntropy(), log };
}

function print(text: string, code = 0): number {
  process.stdout.write(text);
  return code;
}

/** A log that nobody takes, because its reader is gone or its disk is full, ends no daemon. */
function tell(text: string): void {
  try {
    process.stderr.write(text);
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

function fail(error: unknown): void {
  if (!isFault(error)) throw error;
  tell(`petiole: ${explain(error)}${error instanceof PetioleError ? ` (${error.code})` : ""}\n`);
  process.exitCode = 1;
}

function usage(fault: string): number {
  process.stderr.write(`petiole: ${fault}; "petiole --help" shows what there is\n`);
  return 2;
}

// A bug must end the process: the supervisor restarts it, the journal recovers (STYLE §5).
process.on("uncaughtException", (error) => {
  tell(`petiole: a bug ended the daemon: ${error.stack ?? explain(error)}\n`);
  process.exit(70);
});

// `petiole status | head`: whoever stops reading has seen enough, and what would go on until it is told to end is told so.
process.stdout.on("error", (error) => {
  if (systemCode(error) === "EPIPE") return void process.emit("SIGTERM");
  fail(error);
  process.exit();
});
process.stderr.on("error", (error) => {
  if (!isFault(error)) throw error; // as in tell()
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  fail(error);
}
