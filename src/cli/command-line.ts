// What each command takes: the words behind it, and the options that mean something to it. Pure.

import { parseArgs } from "node:util";

const OPTIONS = {
  data: { type: "string" },
  settings: { type: "string" },
  json: { type: "boolean", default: false },
  remote: { type: "string" },
  lane: { type: "string" },
  subject: { type: "string" },
  limit: { type: "string" },
  view: { type: "string" },
  baud: { type: "string" },
  seconds: { type: "string" },
  record: { type: "string" },
  port: { type: "string" },
  framing: { type: "string" },
  decode: { type: "string" },
  qr: { type: "boolean", default: false },
  svg: { type: "string" },
  "passphrase-file": { type: "string" },
  help: { type: "boolean", short: "h", default: false },
  version: { type: "boolean", short: "v", default: false },
} as const;

type OptionName = keyof typeof OPTIONS;

interface Takes {
  readonly hasWords: boolean;
  readonly options: readonly OptionName[];
}

const EVERYWHERE: readonly OptionName[] = ["data", "help", "version"];
const TAKES: ReadonlyMap<string, Takes> = new Map<string, Takes>([
  ["run", { hasWords: false, options: ["settings"] }],
  ["check", { hasWords: false, options: ["settings", "json"] }],
  ["status", { hasWords: false, options: ["json"] }],
  ["doctor", { hasWords: false, options: ["settings", "json", "qr", "svg"] }],
  ["outbox", { hasWords: true, options: ["json", "remote", "lane", "subject", "limit"] }],
  ["firewall", { hasWords: true, options: ["settings", "json"] }],
  [
    "serial",
    {
      hasWords: true,
      options: ["settings", "json", "view", "baud", "seconds", "record", "port", "framing", "decode", "subject"],
    },
  ],
  ["export", { hasWords: true, options: ["settings", "passphrase-file"] }],
  ["restore", { hasWords: true, options: ["settings", "passphrase-file"] }],
]);

export type CommandLine = ReturnType<typeof parse>;

/** Throws a TypeError with a sentence for an option that nobody knows. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  return parse(argv);
}

/** What of the command line means nothing to its command, as a sentence; undefined: all is well, or there is no such command. */
export function misuseOf({ values, positionals: [command, ...words] }: CommandLine): string | undefined {
  const takes = command === undefined ? undefined : TAKES.get(command);
  if (takes === undefined) return undefined;
  if (words.length > 0 && !takes.hasWords) return `"${words[0]}" was not expected after "${command}"`;
  const stray = Object.entries(values).find(
    ([name, value]) =>
      value !== undefined &&
      value !== false &&
      !EVERYWHERE.includes(name as OptionName) &&
      !takes.options.includes(name as OptionName),
  );
  return stray === undefined ? undefined : `--${stray[0]} means nothing to "petiole ${command}"`;
}

function parse(argv: readonly string[]) {
  return parseArgs({ args: [...argv], allowPositionals: true, options: OPTIONS });
}
