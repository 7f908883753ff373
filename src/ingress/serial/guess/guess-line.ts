// Listens at one speed after the other and says which one makes sense.
//
//   1  eight bits, no parity, at each common rate, the likeliest first; ends early where a checksum or a grammar proves the rate
//   2  with parity, and with seven bits, at the rates that gave most: an even and an odd parity bit read the same to us, since the
//      system does not check them; Modbus says even
//
// Opening a port sets the line's speed and throws away what waits in the system; nothing is ever written.

import type { Clock, Millis } from "#base/clock.ts";
import { sleep } from "#base/clock.ts";
import type { Tty, TtySettings } from "#base/tty.ts";
import { interpret, SAMPLE_BYTES_MAX } from "./interpret.ts";
import type { Interpretation } from "./interpretation.ts";

/** The likeliest first. */
export const COMMON_RATES: readonly number[] = [
  115_200, 9600, 19_200, 38_400, 57_600, 4800, 230_400, 460_800, 921_600, 2400, 1200,
];
/** From here on a proposal is good enough to stop listening. */
const SURE = 0.93;
/** Below this rate there is more to wait for. */
const SLOW_BAUD = 4800;
/** Rates that are tried again with other characters. */
const SECOND_LOOKS = 3;

export interface GuessOptions {
  readonly path: string;
  readonly rates: readonly number[];
  /** How long each setting is listened to at most; less when enough was heard. */
  readonly dwell: Millis;
}

export interface Proposal extends Interpretation {
  readonly settings: Omit<TtySettings, "rtscts">;
  /** What was heard, and how long that took. */
  readonly bytes: Buffer;
  readonly heardMs: Millis;
}

export interface GuessDeps {
  readonly tty: Pick<Tty, "open">;
  readonly clock: Clock;
  /** Told before each setting is tried. */
  readonly onTry?: (line: Omit<TtySettings, "rtscts">) => void;
}

/** The best reading of each setting that gave any, the surest first; none when nothing was heard. Rejects when the port cannot be opened. */
export async function guessLine(options: GuessOptions, deps: GuessDeps, signal: AbortSignal): Promise<readonly Proposal[]> {
  const proposals: Proposal[] = [];
  const listen = async (baudRate: number, dataBits: 7 | 8, parity: "none" | "even") => {
    const line = { baudRate, dataBits, parity, stopBits: 1 } as const;
    deps.onTry?.(line);
    const startedAt = deps.clock.now();
    const bytes = await listenOnce(options, line, deps, signal);
    const heardMs = deps.clock.now() - startedAt;
    const [best] = interpret(bytes);
    if (best !== undefined) proposals.push({ ...best, bytes, heardMs, settings: { ...line, ...best.line } });
    return best !== undefined && best.score >= SURE;
  };
  for (const rate of options.rates) if (await listen(rate, 8, "none")) return rank(proposals);
  const promising = [...proposals].sort((a, b) => b.score - a.score || b.bytes.length - a.bytes.length).slice(0, SECOND_LOOKS);
  const heard = [...proposals].sort((a, b) => b.bytes.length - a.bytes.length).slice(0, SECOND_LOOKS);
  for (const rate of new Set([...promising, ...heard].map(({ settings }) => settings.baudRate))) {
    if (await listen(rate, 8, "even")) break;
  }
  return rank(proposals);
}

/** Where two are about as sure, the one that explains more of what was said in the same time. */
function rank(proposals: readonly Proposal[]): readonly Proposal[] {
  const rate = ({ explained, heardMs }: Proposal) => explained / Math.max(1, heardMs);
  const most = Math.max(Number.MIN_VALUE, ...proposals.map(rate));
  const worth = (proposal: Proposal) => proposal.score * (0.9 + 0.1 * (rate(proposal) / most));
  return proposals.toSorted((a, b) => worth(b) - worth(a));
}

async function listenOnce(
  { path, dwell }: GuessOptions,
  line: Omit<TtySettings, "rtscts">,
  { tty, clock }: GuessDeps,
  signal: AbortSignal,
): Promise<Buffer> {
  const bytes = Buffer.alloc(SAMPLE_BYTES_MAX);
  let used = 0;
  const enough = new AbortController();
  await using port = await tty.open(path, { ...line, rtscts: false });
  port.onClose(() => enough.abort());
  port.onData((chunk) => {
    used += chunk.copy(bytes, used);
    if (used === bytes.length || isPlenty(used, line.baudRate)) enough.abort();
  });
  try {
    await sleep(clock, dwell * Math.min(4, Math.max(1, SLOW_BAUD / line.baudRate)), AbortSignal.any([signal, enough.signal]));
  } catch {
    signal.throwIfAborted(); // else it was enough
  }
  return Buffer.from(bytes.subarray(0, used));
}

/** Half a second of a line that never rests. */
function isPlenty(used: number, baudRate: number): boolean {
  return used >= Math.max(512, baudRate / 20);
}
