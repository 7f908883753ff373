// The devices of `scripts/bench serial`, in a process of their own: talkers that fill their line, and Modbus buses.
//
//   parent ─ {"do":"mute"} ─▶ talkers end with a whole line, units no longer answer
//          ◀ {"written":[…],"answered":[…]} ─ lines of each talker, answers of each bus
//
// A talker writes what its line can carry and no more: bytes due by the clock, every 10 ms, wherever that cuts a line in two.

import type { TtyPort, TtySettings } from "#base/tty.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { ModbusLine } from "../../../test/support/modbus-line.ts";

export interface DevicesOrder {
  readonly baudRate: number;
  readonly talkers: readonly string[];
  readonly buses: readonly string[];
  readonly units: readonly number[];
}

export interface DevicesReport {
  readonly written: readonly number[];
  readonly answered: readonly number[];
}

const TICK_MS = 10;
const BITS = 10;

class Talker {
  lines = 0;
  readonly #port: TtyPort;
  readonly #bytesPerMs: number;
  readonly #startedAt = performance.now();
  #due = 0;
  #rest = Buffer.alloc(0);
  #isEnding = false;
  #writing = Promise.resolve();

  constructor(port: TtyPort, baudRate: number) {
    this.#port = port;
    this.#bytesPerMs = baudRate / BITS / 1000;
    port.onClose(() => undefined);
    port.onData(() => undefined);
  }

  tick(): void {
    const allowed = (performance.now() - this.#startedAt) * this.#bytesPerMs;
    while (!this.#isEnding && this.#due + this.#rest.length < allowed) this.#rest = Buffer.concat([this.#rest, this.#nextLine()]);
    const count = Math.min(this.#rest.length, Math.floor(allowed - this.#due));
    if (count <= 0) return;
    const bytes = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    this.#due += count;
    this.#writing = this.#writing.then(() => this.#port.write(bytes));
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    this.#writing = this.#writing.then(() => this.#port.write(this.#rest));
    await this.#writing;
  }

  #nextLine(): Buffer {
    this.lines += 1;
    return Buffer.from(`{"n":${this.lines},"temperature":${(20 + (this.lines % 100) / 10).toFixed(1)},"ok":true}\r\n`);
  }
}

async function main(order: DevicesOrder): Promise<void> {
  const { baudRate, units } = order;
  const settings: TtySettings = { baudRate, dataBits: 8, parity: "none", stopBits: 1, rtscts: false };
  const tty = systemTty();
  const talkers = await Promise.all(order.talkers.map(async (path) => new Talker(await tty.open(path, settings), baudRate)));
  let isMute = false;
  const answered = order.buses.map(() => 0);
  await Promise.all(
    order.buses.map((path, i) =>
      ModbusLine.open(path, {
        baudRate,
        units,
        thinkMs: () => 1,
        noise: () => Buffer.alloc(0),
        spoil: (answer) => {
          if (isMute) return undefined;
          answered[i]! += 1;
          return answer;
        },
      }),
    ),
  );
  const ticker = setInterval(() => {
    for (const talker of talkers) talker.tick();
  }, TICK_MS);
  process.on("message", async () => {
    isMute = true;
    clearInterval(ticker);
    for (const talker of talkers) await talker.end();
    const report: DevicesReport = { written: talkers.map(({ lines }) => lines), answered };
    process.send!(report, () => undefined);
  });
  process.on("disconnect", () => process.exit(0));
  process.send!("ready");
}

await main(JSON.parse(process.argv[2]!) as DevicesOrder);
