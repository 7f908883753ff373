// A worker's side of the talk with the bench: one JSON object a line in on stdin, one answer a line out on stdout. A worker ends
// when its input does, so none outlives the bench, however that ended.

import { createInterface } from "node:readline";

export type Command = { readonly id: number; readonly do: string } & Readonly<Record<string, unknown>>;
export type Handlers = Readonly<Record<string, (command: Command) => Promise<object> | object>>;

export function serveCommands(handlers: Handlers): void {
  process.on("SIGINT", () => undefined); // Ctrl-C reaches every process of the terminal; the bench ends us in its order
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => void answer(JSON.parse(line) as Command, handlers));
  lines.on("close", () => process.exit(0));
}

async function answer(command: Command, handlers: Handlers): Promise<void> {
  let reply: object;
  try {
    const handler = handlers[command.do];
    if (handler === undefined) throw new Error(`no command ${command.do}`);
    reply = await handler(command);
  } catch (error) {
    reply = { error: (error as Error).message };
  }
  process.stdout.write(`${JSON.stringify({ id: command.id, ...reply })}\n`);
}

/** Nanoseconds on the clock that all processes of the machine share; exact to the nanosecond for a hundred days of uptime. */
export function nowNs(): number {
  return Number(process.hrtime.bigint());
}
