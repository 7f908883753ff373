// Puts kept messages on the wire: HMSG with the header block the publisher gave, plus the id by which a stream drops doubles
// and the time of capture.
//
//   HMSG <subject> [| <groups>] <header bytes> <total>␍␊NATS/1.0␍␊…Nats-Msg-Id: dev-epoch-lane-seq␍␊Petiole-Time: …␍␊␍␊payload␍␊

import { timestamp } from "#base/clock.ts";
import { addressOf } from "#wire/leaf-lines.ts";
import type { WireWriter } from "#wire/wire-writer.ts";
import type { KeptView } from "./kept-message.ts";

const FIRST_LINE = "NATS/1.0\r\n";

export class KeptWriter {
  readonly #device: string;
  readonly #lane: string;
  #epoch = -1;
  #idPrefix = "";
  #time = Number.NaN;
  #timeLine = "";

  constructor(device: string, lane: string) {
    this.#device = device;
    this.#lane = lane;
  }

  /** Header block and payload of the message on the wire, in bytes. */
  sizeOf(view: KeptView, epoch: number, seq: number, time: number): number {
    this.#remember(epoch, time);
    return headerBytesOf(view) + this.#idPrefix.length + digits(seq) + this.#timeLine.length + 2 + view.end - view.payload;
  }

  write(out: WireWriter, view: KeptView, epoch: number, seq: number, time: number, groups: readonly string[]): void {
    this.#remember(epoch, time);
    const headers = headerBytesOf(view) + this.#idPrefix.length + digits(seq) + this.#timeLine.length + 2;
    out.text("HMSG ");
    if (groups.length === 0) {
      out.copy(view.slab, view.subject, view.headers);
      out.byte(0x20);
    } else out.text(addressOf(view.subjectText(), "", groups));
    out.number(headers);
    out.byte(0x20);
    out.number(headers + view.end - view.payload);
    out.crlf();
    // The block ends in an empty line; ours go in before it.
    if (view.payload > view.headers) out.copy(view.slab, view.headers, view.payload - 2);
    else out.text(FIRST_LINE);
    out.text(this.#idPrefix);
    out.number(seq);
    out.text(this.#timeLine);
    out.crlf();
    out.copy(view.slab, view.payload, view.end);
    out.crlf();
  }

  /** Both change rarely: the epoch once a start, the time once a millisecond. */
  #remember(epoch: number, time: number): void {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#idPrefix = `Nats-Msg-Id: ${this.#device}-${epoch}-${this.#lane}-`;
    }
    if (time !== this.#time) {
      this.#time = time;
      this.#timeLine = `\r\nPetiole-Time: ${timestamp(time)}\r\n`;
    }
  }
}

/** Bytes of the publisher's header block without its closing empty line, or of the bare first line. */
function headerBytesOf(view: KeptView): number {
  return view.payload > view.headers ? view.payload - view.headers - 2 : FIRST_LINE.length;
}

function digits(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count += 1;
  return count;
}
