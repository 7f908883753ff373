// Messages on their way to one session. QoS 0 goes out or is dropped; QoS 1 and 2 go through a bounded line and a window, and are
// owed until the client has acknowledged them, however often its connection breaks.
//
//   deliver ─▶ QoS 0 ───────────────────────▶ wire      dropped and counted while nobody reads, or too slowly
//          └─▶ QoS 1, 2 ─▶ [ waiting ] ─▶ [ in flight ] ─▶ wire
//                  ▲           │ full: the oldest or the new one is dropped and counted (mqtt.queue_full)
//                  │           │ QoS 2 of a kept session goes out when its record is safe
//                  │           └─ PUBACK, PUBCOMP free a place in the window; PUBREC turns the message into a PUBREL
//                  └─ connection lost: what was in flight goes back to the front, in order, with its identifiers, as DUP
//
// A session that is not kept remembers of what it has sent the identifiers only. Tests: test/conformance/mqtt/sessions.test.ts, five-delivery.test.ts.

import type { Batch } from "#core/batch.ts";
import { type DeliveryDeps, HIGH_WATER_BYTES } from "./delivery-deps.ts";
import type { DeliveryWire } from "./delivery-wire.ts";
import type { Mark } from "./keeping.ts";
import type { Letter } from "./mail.ts";
import { NO_IDS, newOwed, type Owed, type Share, WaitingLine } from "./owed.ts";
import { PacketIds } from "./packet-ids.ts";
import { SentIds } from "./sent-ids.ts";

/** Messages whose going out is noted together, where that must be on flash first. */
const NOTED_AHEAD = 64;
export class Deliveries {
  sent = 0;
  dropped = 0;
  /** It takes no packet of that size [MQTT5-3.1.2-25]. */
  oversized = 0;
  /** Not wanted any more when their turn came. */
  expired = 0;
  readonly #deps: DeliveryDeps;
  readonly #ids = new PacketIds();
  readonly #waiting = new WaitingLine();
  /** In flight at QoS 1 to a session that is not kept. */
  readonly #light = new SentIds();
  /** All others in flight, in order of sending; those that are released in the order of that, behind. */
  #inflight: Owed[] = [];
  #waitingBytes = 0;
  #lastSeq = 0;
  #lastRelease = 0;
  #wire: DeliveryWire | null = null;
  #isDropping = false;
  /** Mark that a call of `#onSafe` is waiting for. */
  #awaited: Mark = 0;

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
  }

  get inflight(): number {
    return this.#inflight.length + this.#light.size;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  get queuedBytes(): number {
    return this.#waitingBytes;
  }

  /** A connection is there: what was owed to the one before goes out first, PUBRELs before messages. The caller flushes. */
  attach(wire: DeliveryWire): void {
    this.detach();
    this.#wire = wire;
    for (const owed of this.#inflight) this.#release(owed);
    this.pump();
  }

  /** The connection is gone: whatever was not acknowledged waits again. */
  detach(): void {
    this.#wire = null;
    const again = this.#inflight.filter((owed) => !owed.isReleased && owed.letter !== null);
    this.#inflight = this.#inflight.filter((owed) => owed.isReleased);
    for (const { letter } of again) this.#waitingBytes += letter!.bytes;
    if (again.length > 0) this.#waiting.unshiftAll(again);
    this.#light.clear();
  }

  /** Message `index` of a borrowed batch, at the QoS that was granted. */
  deliver(
    batch: Batch,
    index: number,
    qos: 0 | 1 | 2,
    retain: boolean,
    subscriptionIds: readonly number[],
    unstatedQos: 0 | 1 | 2,
    share: Share | null = null,
  ): void {
    const wire = this.#wire;
    if (qos === 0) {
      if (wire === null) return; // nobody is there, and nobody was promised anything
      if (wire.pendingBytes > HIGH_WATER_BYTES) this.#drop(0);
      else if (wire.sendLive(batch, index, 0, 0, retain, subscriptionIds)) this.sent += 1;
      else this.oversized += 1;
      return;
    }
    if (wire !== null && this.#deps.file === null && share === null && this.hasPlace)
      this.#sendUnkept(wire, batch, index, qos, retain, subscriptionIds);
    else this.#enqueue(this.#deps.mail.take(batch, index, unstatedQos), qos, retain, subscriptionIds, share);
  }

  /** A message that is kept already goes the same way; QoS 0 only while somebody reads. */
  deliverLetter(
    letter: Letter,
    qos: 0 | 1 | 2,
    retain: boolean,
    subscriptionIds: readonly number[],
    share: Share | null = null,
  ): void {
    if (qos > 0) this.#enqueue(letter, qos as 1 | 2, retain, subscriptionIds, share);
    else if (this.#wire !== null) this.#sendKept(this.#wire, letter, 0, 0, retain, subscriptionIds, false);
  }

  /** PUBACK, or a PUBREC that refuses: the client is done with it. False: no such message is in flight. */
  onPuback(packetId: number, qos: 1 | 2 = 1): boolean {
    if (qos === 1 && this.#light.remove(packetId)) {
      this.#ids.free(packetId);
      return true;
    }
    const owed = this.#find(packetId);
    if (owed === undefined || owed.qos !== qos || owed.isReleased) return false;
    this.#forget(owed);
    return true;
  }

  /** PUBREC: the client has it. PUBREL follows once that is safe. False: no such message is in flight. */
  onPubrec(packetId: number): boolean {
    const owed = this.#find(packetId);
    if (owed === undefined || owed.qos !== 2) return false;
    if (!owed.isReleased) {
      owed.isReleased = true;
      this.#leaveLine(owed); // sent over an earlier connection, and received before it was sent again
      this.#inflight = this.#inflight.filter((one) => one !== owed);
      this.#inflight.push(owed);
      this.#lastRelease += 1;
      owed.releaseOrder = this.#lastRelease;
      owed.mark = this.#deps.file?.release(owed) ?? 0;
      this.#dropLetter(owed);
    }
    this.#release(owed);
    return true;
  }

  onPubcomp(packetId: number): boolean {
    const owed = this.#find(packetId);
    if (owed?.isReleased !== true) return false;
    this.#forget(owed);
    return true;
  }

  /** Sends what waits and has a place now. The caller flushes. */
  pump(): void {
    const wire = this.#wire;
    if (wire === null) return;
    while (this.inflight < wire.window && wire.pendingBytes <= HIGH_WATER_BYTES) {
      const owed = this.#waiting.peek();
      if (owed === undefined || !this.#maySend(owed)) break;
      const letter = owed.letter!;
      const isExpired = !owed.isDuplicate && this.#deps.mail.isExpired(letter); // one that was begun is brought to its end, however old
      if (isExpired) this.expired += 1;
      if (
        isExpired ||
        !this.#sendKept(wire, letter, owed.packetId, owed.qos, owed.retain, owed.subscriptionIds, owed.isDuplicate)
      ) {
        this.#forget(owed);
        continue;
      }
      this.#leaveLine(owed);
      owed.isDuplicate = true;
      if (!owed.isNoted) this.#note(owed, "lazy");
      this.#inflight.push(owed);
    }
    const isThrough = this.#waiting.size === 0 && wire.pendingBytes <= HIGH_WATER_BYTES / 2;
    if (this.#isDropping && isThrough) this.#isDropping = false;
  }

  /** What another member of its group may have instead, once the connection is gone: not QoS 2 that was begun. Still owed here. */
  shared(): Owed[] {
    return [...this.#waiting].filter(({ share, qos, isDuplicate }) => share !== null && (qos === 1 || !isDuplicate));
  }

  /** Somebody else has it, or nobody will. */
  settle(owed: Owed): void {
    this.#forget(owed, "soon"); // with the record of its new owner
  }

  /** The session has ended: nothing is owed any more, but for what `settle` is still to be called for. */
  clear(left: readonly Owed[] = []): void {
    for (const owed of left) this.#leaveLine(owed);
    for (const owed of [...this.#inflight, ...this.#waiting]) {
      if (owed.mark !== 0) this.#deps.file?.remove(owed);
      this.#dropLetter(owed);
    }
    this.#waiting.clear();
    this.#light.clear();
    this.#inflight = [];
    this.#waitingBytes = 0;
    this.#wire = null;
  }

  /** New identifiers go on from here. */
  leap(packetId: number): void {
    this.#ids.leap(packetId);
  }

  /** From flash, in the order of their numbers. */
  restore(owed: Owed): void {
    this.#ids.reserve(owed.packetId);
    this.#lastSeq = Math.max(this.#lastSeq, owed.seq);
    if (owed.isReleased) {
      this.#inflight.push(owed);
      this.#lastRelease = Math.max(this.#lastRelease, owed.releaseOrder);
    } else {
      this.#waiting.push(owed);
      this.#waitingBytes += owed.letter!.bytes;
    }
    if (owed.letter !== null) this.#deps.mail.own(owed.letter);
  }

  #sendUnkept(
    wire: DeliveryWire,
    batch: Batch,
    index: number,
    qos: 1 | 2,
    retain: boolean,
    subscriptionIds: readonly number[],
  ): void {
    const packetId = this.#ids.take();
    if (packetId === 0) {
      this.#drop(qos); // 65,535 are owed already
      return;
    }
    if (!wire.sendLive(batch, index, packetId, qos, retain, subscriptionIds)) {
      this.#ids.free(packetId);
      this.oversized += 1;
      return;
    }
    this.sent += 1;
    if (qos === 1) this.#light.add(packetId);
    else
      this.#inflight.push(
        newOwed({ seq: 0, packetId, qos, retain, subscriptionIds: NO_IDS, share: null, letter: null, isNoted: true }),
      );
  }

  #enqueue(letter: Letter, qos: 1 | 2, retain: boolean, subscriptionIds: readonly number[], share: Share | null): void {
    const { file, mail } = this.#deps;
    if (file?.isFull === true) mail.noteRefused(); // it still goes to who is connected, but nobody is told that it is safe
    const packetId = this.#makeRoom(letter) ? this.#ids.take() : 0; // 0 also where 65,535 are owed already
    if (packetId === 0) {
      this.#drop(qos);
      return;
    }
    this.#lastSeq += 1;
    const ids = subscriptionIds.length === 0 ? NO_IDS : [...subscriptionIds];
    const isNoted = this.hasPlace;
    const owed = newOwed({ seq: this.#lastSeq, packetId, qos, retain, subscriptionIds: ids, share, letter, isNoted });
    mail.own(letter);
    if (file !== null && !file.isFull) {
      owed.mark = file.add(owed);
      mail.noteStaged(owed.mark);
    }
    this.#waiting.push(owed);
    this.#waitingBytes += letter.bytes;
    this.pump();
  }

  /** By the policy of mqtt.queue_full; false: the new one is the one to go. */
  #makeRoom(letter: Letter): boolean {
    const { limits, mail } = this.#deps;
    while (this.#waiting.size >= limits.maxQueuedMessages || this.#isTooMuch(letter)) if (!this.#dropOldest()) return false;
    // What goes out at once is bounded by its window: the queues of those who are away cost nobody else a message.
    if (mail.hasRoom || this.hasPlace) return true;
    // Dropping one that others owe as well frees little yet: each gives one for the new one, and only far beyond the limit it is the new one's turn.
    return !mail.isOverfull && this.#dropOldest();
  }

  #isTooMuch(letter: Letter): boolean {
    return this.#waiting.size > 0 && this.#waitingBytes + letter.bytes > this.#deps.limits.maxQueuedBytes;
  }

  /** One that nobody wants any more is no loss, whatever the policy. */
  #dropOldest(): boolean {
    const oldest = this.#waiting.firstDroppable();
    const isExpired = oldest?.letter != null && this.#deps.mail.isExpired(oldest.letter);
    if (oldest === undefined || (this.#deps.limits.queueFull === "drop_new" && !isExpired)) return false;
    this.#forget(oldest);
    if (isExpired) this.expired += 1;
    else this.#drop(oldest.qos);
    return true;
  }

  /** A new message would go out as soon as it may. */
  get hasPlace(): boolean {
    const wire = this.#wire;
    if (wire === null || this.#waiting.size > 0) return false;
    return this.inflight < wire.window && wire.pendingBytes <= HIGH_WATER_BYTES;
  }

  #note(owed: Owed, urgency: "soon" | "lazy"): void {
    owed.isNoted = true;
    if (owed.mark === 0 || this.#deps.file === null) return;
    const mark = this.#deps.file.noteSent(owed, urgency);
    if (urgency === "soon") owed.mark = mark;
  }

  /**
   * QoS 2 goes out only once neither its identifier can be forgotten, after a power cut it would come under another one, twice, nor that it is
   * under way, it might be dropped or expire half-way.
   */
  #maySend(owed: Owed): boolean {
    const { file } = this.#deps;
    if (file === null || owed.qos === 1) return true;
    if (!owed.isNoted) this.#noteAhead();
    if (file.isSafe(owed.mark)) return true;
    if (owed.mark > this.#awaited) file.when(owed.mark, () => this.#onSafe());
    this.#awaited = Math.max(owed.mark, this.#awaited);
    return false;
  }

  /** Of those that come next, so that they share a commit. */
  #noteAhead(): void {
    let left = NOTED_AHEAD;
    for (const owed of this.#waiting) {
      if (owed.qos === 2 && !owed.isNoted) this.#note(owed, "soon");
      left -= 1;
      if (left === 0) return;
    }
  }

  /** PUBREL, now or when it is safe that PUBREC came. */
  #release(owed: Owed): void {
    const { file } = this.#deps;
    if (file === null || file.isSafe(owed.mark)) this.#wire?.pubrel(owed.packetId);
    else file.when(owed.mark, () => this.#onReleased(owed));
  }

  #onReleased(owed: Owed): void {
    if (!this.#inflight.includes(owed) || this.#wire === null) return;
    this.#wire.pubrel(owed.packetId);
    this.#wire.flush();
  }

  #onSafe(): void {
    this.#deps.onSafe();
    this.#wire?.flush();
  }

  #sendKept(
    wire: DeliveryWire,
    letter: Letter,
    packetId: number,
    qos: 0 | 1 | 2,
    retain: boolean,
    subscriptionIds: readonly number[],
    isDuplicate: boolean,
  ): boolean {
    const seconds = this.#deps.mail.secondsLeft(letter);
    const isSent = wire.sendKept(letter.message, packetId, qos, retain, subscriptionIds, isDuplicate, seconds);
    if (isSent) this.sent += 1;
    else this.oversized += 1;
    return isSent;
  }

  /** It is acknowledged, dropped or not wanted any more. */
  #forget(owed: Owed, urgency: "soon" | "lazy" = "lazy"): void {
    const at = this.#inflight.indexOf(owed);
    if (at === 0) this.#inflight.shift();
    else if (at > 0) this.#inflight.splice(at, 1);
    else this.#leaveLine(owed);
    this.#ids.free(owed.packetId);
    if (owed.mark !== 0) this.#deps.file?.remove(owed, urgency);
    this.#dropLetter(owed);
  }

  #leaveLine(owed: Owed): void {
    if (this.#waiting.remove(owed)) this.#waitingBytes -= owed.letter?.bytes ?? 0;
  }

  #dropLetter(owed: Owed): void {
    if (owed.letter !== null) this.#deps.mail.release(owed.letter);
    owed.letter = null;
  }

  /** In flight, or sent over an earlier connection and about to be sent again. */
  #find(packetId: number): Owed | undefined {
    for (const owed of this.#inflight) if (owed.packetId === packetId) return owed;
    return this.#waiting.findSent(packetId);
  }

  #drop(qos: 0 | 1 | 2): void {
    this.dropped += 1;
    if (this.#isDropping) return;
    this.#isDropping = true;
    this.#deps.onDropping(qos);
  }
}
