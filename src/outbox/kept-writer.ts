// Puts kept messages on the wire: HMSG with the header block the publisher gave, plus the id by which a stream drops doubles
// and the time of capture.
//
//   HMSG <subject> [<reply>] <header bytes> <total>␍␊NATS/1.0␍␊…Nats-Msg-Id: dev-epoch-lane-seq␍␊Petiole-Time: …␍␊␍␊payload␍␊
//        Petiole-Clock: unset␍␊ where nobody knows when that was
//        with queue groups: <subject> + <reply> <groups>, <subject> | <groups>        Petiole-Historical: 1␍␊ if the backlog of such a rule

import { timestamp } from "#base/clock.ts";
import { addressOf } from "#wire/leaf-lines.ts";
import type { WireWriter } from "#wire/wire-writer.ts";
import type { Calendar } from "./calendar.ts";
import type { KeptView } from "./kept-message.ts";

const FIRST_LINE = "NATS/1.0\r\n";
const OPENING = "HMSG ";
/** Says of a message whose rule lets fresh ones pass the backlog that it comes from there. */
const HISTORICAL_LINE = "Petiole-Historical: 1\r\n";

const UNSET_LINE = "\r\nPetiole-Clock: unset\r\n";

const NOTHING: Buffer = Buffer.alloc(0);

/** How one message is sent. One object is reused for all of them. */
export interface Manner {
  groups: readonly string[];
  /** `<inbox>.<seq>` is where a stream is to answer; null: nobody is asked to. */
  inbox: string | null;
  isHistorical: boolean;
  /** Which boot's time its stamp is. */
  boot: string | null;
}

export class KeptWriter {
  readonly #device: string;
  readonly #lane: string;
  #epoch = -1;
  /** In front of the seq, behind the publisher's headers; and where there are none. One copy is cheaper than several. */
  #id = NOTHING;
  #idOnly = NOTHING;
  readonly #calendar: Calendar;
  #stamp = Number.NaN;
  #boot: string | null = null;
  /** Of the calendar, when `#timeLine` was made. */
  #revision = -1;
  /** Behind the seq. */
  #time = NOTHING;

  constructor(device: string, lane: string, calendar: Calendar) {
    this.#device = device;
    this.#lane = lane;
    this.#calendar = calendar;
  }

  /** Beside the stamps of what is captured now. */
  get bootId(): string | null {
    return this.#calendar.bootId;
  }

  /** Header block and payload of the message on the wire, in bytes, at most. */
  sizeOf(view: KeptView, epoch: number, seq: number, stamp: number, boot: string | null): number {
    this.#remember(epoch, stamp, boot);
    return this.#headerBytes(view, seq) + HISTORICAL_LINE.length + view.end - view.payload;
  }

  write(out: WireWriter, view: KeptView, epoch: number, seq: number, stamp: number, how: Manner): void {
    this.#remember(epoch, stamp, how.boot);
    const headers = this.#headerBytes(view, seq) + (how.isHistorical ? HISTORICAL_LINE.length : 0);
    if (how.groups.length > 0) {
      out.text(OPENING);
      out.text(addressOf(view.subjectText(), how.inbox === null ? "" : `${how.inbox}.${seq}`, how.groups));
    } else {
      if (view.known !== undefined) out.copy(view.known.line, 0, view.known.line.length);
      else {
        out.text(OPENING);
        out.copy(view.slab, view.subject, view.headers);
        out.byte(0x20);
      }
      if (how.inbox !== null) {
        out.text(how.inbox);
        out.byte(0x2e);
        out.number(seq);
        out.byte(0x20);
      }
    }
    out.number(headers);
    out.byte(0x20);
    out.number(headers + view.end - view.payload);
    out.crlf();
    // The block ends in an empty line; ours go in before it.
    if (view.payload > view.headers) {
      out.copy(view.slab, view.headers, view.payload - 2);
      out.copy(this.#id, 0, this.#id.length);
    } else out.copy(this.#idOnly, 0, this.#idOnly.length);
    out.number(seq);
    out.copy(this.#time, 0, this.#time.length);
    if (how.isHistorical) out.text(HISTORICAL_LINE);
    out.crlf();
    out.copy(view.slab, view.payload, view.end);
    out.crlf();
  }

  /** Without the line for history. */
  #headerBytes(view: KeptView, seq: number): number {
    return headerBytesOf(view) + this.#id.length + digits(seq) + this.#time.length + 2;
  }

  /** All change rarely: the epoch and the boot once a start, the stamp once a batch, the calendar when it is set. */
  #remember(epoch: number, stamp: number, boot: string | null): void {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#id = Buffer.from(`Nats-Msg-Id: ${this.#device}-${epoch}-${this.#lane}-`, "latin1");
      this.#idOnly = Buffer.concat([Buffer.from(FIRST_LINE, "latin1"), this.#id]);
    }
    const { revision } = this.#calendar;
    if (stamp === this.#stamp && boot === this.#boot && revision === this.#revision) return;
    this.#stamp = stamp;
    this.#boot = boot;
    this.#revision = revision;
    const wall = this.#calendar.wallOf(stamp, boot);
    this.#time = Buffer.from(wall === undefined ? UNSET_LINE : `\r\nPetiole-Time: ${timestamp(wall)}\r\n`, "latin1");
  }
}

/** Bytes of the publisher's header block without its closing empty line, or of the bare first line. */
function headerBytesOf(view: KeptView): number {
  return view.payload > view.headers ? view.payload - view.headers - 2 : FIRST_LINE.length;
}

function digits(value: number): number {
  let count = 1;
  for (let power = 10; value >= power; power *= 10) count += 1;
  return count;
}
