// Moves the lines of a port by command: DTR, RTS and break.
//
//   {"dtr": true}                              stays so until it is told otherwise, or the port is opened anew
//   {"rts": false, "dtr": false}               both at once
//   {"break": "250ms"}                         holds the line at break for so long
//   {"dtr": false, "for": "100ms"}             then back: how many boards are restarted

import type { Clock, Millis } from "#base/clock.ts";
import { sleep } from "#base/clock.ts";
import { explain } from "#base/errors.ts";
import { tryDuration } from "#base/quantity.ts";
import type { LineSignals } from "#base/tty.ts";
import type { Command, CommandExecutor, Outcome } from "./command.ts";
import { SerialError } from "./errors.ts";
import type { PortWire } from "./port-wire.ts";
import { refusal } from "./write-back.ts";

/** Longest break or pulse: other commands wait behind it. */
const PULSE_MS_MAX: Millis = 10_000;
const WANTED = 'JSON such as {"dtr":true,"rts":false}, {"break":"250ms"} or {"dtr":false,"for":"100ms"}';

interface Wanted {
  readonly signals: LineSignals;
  /** Then everything back; null: it stays. */
  readonly pulseMs: Millis | null;
}

export class SignalExecutor implements CommandExecutor {
  readonly #wire: PortWire;
  readonly #clock: Clock;

  constructor(wire: PortWire, clock: Clock) {
    this.#wire = wire;
    this.#clock = clock;
  }

  async execute({ payload, signal }: Command): Promise<Outcome> {
    const wanted = parseSignals(payload);
    if (typeof wanted === "string") return refusal("SERIAL_COMMAND_INVALID", `${wanted}; wanted ${WANTED}`);
    const { signals, pulseMs } = wanted;
    try {
      await this.#wire.setSignals(signals);
      if (pulseMs !== null) {
        await sleep(this.#clock, pulseMs, signal).catch(() => undefined); // stopped: back at once
        await this.#wire.setSignals(opposite(signals));
      }
    } catch (error) {
      if (error instanceof SerialError) return refusal(error.code, explain(error));
      throw error;
    }
    return { ok: true, facts: pulseMs === null ? { ...signals } : { ...signals, ms: pulseMs } };
  }
}

/** What the payload asks for, or what is wrong with it. */
export function parseSignals(payload: Buffer): Wanted | string {
  let json: unknown;
  try {
    json = JSON.parse(payload.toString("utf8"));
  } catch {
    return "the command is not JSON";
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return "the command is not a JSON object";
  const members = new Map<string, unknown>(Object.entries(json));
  for (const key of members.keys()) {
    if (!["dtr", "rts", "break", "for"].includes(key))
      return `the command has an unknown member ${JSON.stringify(key.slice(0, 64))}`;
  }
  const signals: { dtr?: boolean; rts?: boolean; brk?: boolean } = {};
  for (const line of ["dtr", "rts"] as const) {
    const value = members.get(line);
    if (typeof value === "boolean") signals[line] = value;
    else if (value !== undefined) return `"${line}" is neither true nor false`;
  }
  const pause = members.get("break") ?? members.get("for");
  if (members.has("break") && members.has("for")) return 'the command has both "break" and "for"';
  if (members.has("break")) signals.brk = true;
  if (Object.keys(signals).length === 0) return "the command moves no line";
  if (pause === undefined) return { signals, pulseMs: null };
  const pulseMs = typeof pause === "string" ? tryDuration(pause) : undefined;
  if (pulseMs === undefined || pulseMs > PULSE_MS_MAX)
    return `"${members.has("break") ? "break" : "for"}" is no duration up to 10s`;
  return { signals, pulseMs };
}

function opposite(signals: LineSignals): LineSignals {
  return Object.fromEntries(Object.entries(signals).map(([line, value]) => [line, !value]));
}
