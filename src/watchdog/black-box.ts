// Memory that two threads share: the pulse of the event loop, and the last lines of the log as bytes, so that the other thread has them when
// this one stands still.
//
//   ┌ beat ┬ end ┬ position ┬ lost ┬──────────── text, round and round ────────────┐
//   └ int32 … ──────────────────┴ TEXT_AT                                           ┘

const CELLS = { beat: 0, end: 1, position: 2 } as const;
const TEXT_AT = 16;
const TEXT_BYTES = 24 * 1024;
const LINE_BYTES_MAX = 600;

/** What the other thread must know to read it. */
export interface BlackBoxLayout {
  readonly cells: typeof CELLS;
  readonly textAt: number;
}

export class BlackBox {
  readonly shared = new SharedArrayBuffer(TEXT_AT + TEXT_BYTES);
  readonly layout: BlackBoxLayout = { cells: CELLS, textAt: TEXT_AT };
  readonly #cells = new Int32Array(this.shared, 0, TEXT_AT / 4);
  readonly #text = new Uint8Array(this.shared, TEXT_AT);
  #position = 0;

  beat(): void {
    Atomics.add(this.#cells, CELLS.beat, 1);
  }

  /** Wakes the other thread, which then ends. */
  end(): void {
    Atomics.store(this.#cells, CELLS.end, 1);
    Atomics.notify(this.#cells, CELLS.end);
  }

  add(line: string): void {
    const bytes = Buffer.from(`${line.slice(0, LINE_BYTES_MAX)}\n`);
    for (const byte of bytes) {
      this.#text[this.#position] = byte;
      this.#position = (this.#position + 1) % TEXT_BYTES;
    }
    Atomics.store(this.#cells, CELLS.position, this.#position);
  }

  /** Oldest first. */
  lines(): string[] {
    return blackBoxLines(this.shared, this.layout);
  }
}

/** Uses nothing from outside: it is handed to the other thread as text (loop-thread.ts). */
export function blackBoxLines(shared: SharedArrayBuffer, { cells, textAt }: BlackBoxLayout): string[] {
  const text = new Uint8Array(shared, textAt);
  const position = Atomics.load(new Int32Array(shared, 0, textAt / 4), cells.position);
  const bytes = Buffer.concat([text.subarray(position), text.subarray(0, position)]);
  const written = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  const lines = written[0] === 0 ? [] : written.toString("utf8").split("\n");
  return (text.at(-1) === 0 ? lines : lines.slice(1)).filter((line) => line !== ""); // the oldest may be cut
}
