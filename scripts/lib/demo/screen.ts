// What the visitor sees: one line a second, and a line for each thing that happens. Colours on a terminal only.

import { styleText } from "node:util";

type Stream = NodeJS.WriteStream & { fd: 1 | 2 };
type Style = Parameters<typeof styleText>[0];

export interface Row {
  readonly seconds: number;
  readonly isLinkUp: boolean;
  /** Readings a second: acknowledged to the MQTT device, framed from the serial port, arriving at the hub. */
  readonly mqttRate: number;
  readonly serialRate: number;
  readonly hubRate: number;
  /** Messages that wait in the outbox. */
  readonly outbox: number;
  /** Messages in the hub's stream. */
  readonly stored: number;
  /** The newest readings there, in words. */
  readonly latest: string;
}

const BAR_CELLS = 14;
const TITLES_EVERY = 30;

export class Screen {
  readonly #stream: Stream;
  /** Messages that fill the outbox's bar. */
  #barFull = 1;
  #rows = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  scaleOutbox(full: number): void {
    this.#barFull = full;
  }

  /** A plain line. */
  say(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  heading(text: string): void {
    this.say(this.#paint("bold", text));
  }

  /** Something happened. */
  event(text: string, style: Style = "cyan"): void {
    this.say(this.#paint(style, `        ── ${text}`));
  }

  good(text: string): void {
    this.say(this.#paint(["bold", "green"], text));
  }

  bad(text: string): void {
    this.say(this.#paint(["bold", "red"], text));
  }

  row(row: Row): void {
    if (this.#rows % TITLES_EVERY === 0) this.#titles();
    this.#rows += 1;
    const time = `${Math.floor(row.seconds / 60)}:${String(row.seconds % 60).padStart(2, "0")}`;
    const cells = Math.min(BAR_CELLS, Math.round((row.outbox / this.#barFull) * BAR_CELLS));
    const waiting = `${String(row.outbox).padStart(7)} ${"█".repeat(cells).padEnd(BAR_CELLS)}`;
    this.#columns(
      time.padStart(6),
      row.isLinkUp ? this.#paint("green", "up  ") : this.#paint("red", "DOWN"),
      `${rate(row.mqttRate)}${rate(row.serialRate)}`,
      cells > 0 ? this.#paint("yellow", waiting) : waiting,
      `${String(row.stored).padStart(8)}${rate(row.hubRate, "+").padStart(8)}`,
      row.latest,
    );
  }

  #titles(): void {
    const outbox = `${"outbox".padStart(7)} ${" ".repeat(BAR_CELLS)}`;
    const titles = [
      "  time",
      "link",
      `${"mqtt".padStart(7)}${"usb".padStart(7)}`,
      outbox,
      "   in the stream",
      "newest at the hub",
    ];
    this.#columns(...titles.map((title) => this.#paint("dim", title)));
  }

  #columns(...columns: readonly string[]): void {
    this.say(columns.join("  ").trimEnd());
  }

  #paint(style: Style, text: string): string {
    return this.#stream.isTTY ? styleText(style, text, { stream: this.#stream }) : text;
  }
}

function rate(perSecond: number, sign = ""): string {
  return `${sign}${Math.round(perSecond)}/s`.padStart(7);
}
