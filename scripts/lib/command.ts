// Runs another program to its end and keeps what it said.

import { spawn } from "node:child_process";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  /** Both streams in the order they came. */
  readonly output: string;
}

/** The command line, for messages. */
export function commandLine(command: string, args: readonly string[]): string {
  return [command, ...args]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}

/** Runs it whatever the outcome; rejects only when the program cannot be started. A death by signal counts as 128. */
export async function tryCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", (cause) => reject(new Error(`${command} could not be started: ${cause.message}`, { cause })));
  child.once("close", (code) => resolve(code ?? 128));
  return { code: await promise, stdout, output };
}

/** Runs it and hands back its stdout; rejects with all it said when it ends with anything but 0. */
export async function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await tryCommand(command, args, options);
  if (result.code === 0) return result.stdout;
  throw new Error(`${commandLine(command, args)} ended with code ${result.code}:\n${result.output.trim()}`);
}
