// The properties of one packet, read strictly and left where they lie: numbers by identifier, texts and bytes as spans into the packet.
//
//   ┌ length ┐┌ 01 ┬ 1 ┐┌ 26 ┬ 2 k ┬ 2 v ┐┌ 26 ┬ …          user properties stay in order, names and values as four offsets each
//
// Refused are: identifiers that have no place in the packet, one that comes twice (but user properties), text that is not UTF-8, lengths
// that overrun, values out of range, and more properties than anybody needs. One object is read into again and again.
// Source: OASIS MQTT 5.0 §2.2.2 and the sections of each packet.

import { limitExceeded, malformed, protocolError } from "./errors.ts";
import { DISCONNECT, PUBLISH, packetName } from "./packet.ts";
import {
  MAXIMUM_PACKET_SIZE,
  PAYLOAD_FORMAT_INDICATOR,
  PROPERTY_IDS,
  PROPERTY_PLACES,
  PROPERTY_TYPE,
  propertyName,
  RECEIVE_MAXIMUM,
  REQUEST_PROBLEM_INFORMATION,
  REQUEST_RESPONSE_INFORMATION,
  SERVER_REFERENCE,
  SUBSCRIPTION_IDENTIFIER,
  TOPIC_ALIAS,
  TYPE,
  USER_PROPERTY,
  WILL,
} from "./property-table.ts";
import { REASON } from "./reason-codes.ts";
import { textFault } from "./text.ts";

/** User properties in one packet; each becomes a header that every receiver has to read. */
export const USER_PROPERTIES_MAX = 256;
/** Bytes of all properties in one packet. As headers they may grow threefold, and every receiver pays for them. */
export const PROPERTIES_BYTES_MAX = 32_768;

/** Offsets per user property: name start, name end, value start, value end. */
export const USER_WORDS = 4;

export class PropertyValues {
  /** What the spans point into: the packet last read. */
  bytes: Buffer = Buffer.alloc(0);
  /** `USER_WORDS` offsets for each of `userCount` user properties, in the order they came [MQTT5-3.3.2-18]. */
  users = new Uint32Array(8 * USER_WORDS);
  userCount = 0;
  /** Bytes that were read: an upper bound of all texts together. */
  sectionBytes = 0;
  /** Which are there: a bit for each identifier below 32, and for each above. */
  #low = 0;
  #high = 0;
  /** A number's value, or a span's start. */
  readonly #values = new Float64Array(PROPERTY_IDS);
  readonly #ends = new Uint32Array(PROPERTY_IDS);

  /** Reads `bytes[start … end)`, what follows the section's length. `place`: packet type, or `WILL`. */
  read(bytes: Buffer, start: number, end: number, place: number): void {
    this.clear();
    this.bytes = bytes;
    this.sectionBytes = end - start;
    if (end - start > PROPERTIES_BYTES_MAX)
      throw tooMany(place, `${end - start} bytes of properties, the limit is ${PROPERTIES_BYTES_MAX}`);
    let at = start;
    while (at < end) {
      const id = bytes[at++]!;
      if (((PROPERTY_PLACES[id]! >> place) & 1) === 0) throw misplaced(id, place);
      if (id === USER_PROPERTY) {
        at = this.#readPair(at, end, place);
        continue;
      }
      if (this.has(id)) throw protocolError(`the ${propertyName(id)} comes twice in a ${placeName(place)}`);
      if (id < 32) this.#low |= 1 << id;
      else this.#high |= 1 << (id - 32);
      at = this.#readOne(id, at, end, place);
    }
  }

  clear(): void {
    this.#low = 0;
    this.#high = 0;
    this.userCount = 0;
  }

  get isEmpty(): boolean {
    return this.#low === 0 && this.#high === 0 && this.userCount === 0;
  }

  has(id: number): boolean {
    return ((id < 32 ? this.#low >>> id : this.#high >>> (id - 32)) & 1) !== 0;
  }

  /** The value of a property that is a number. */
  number(id: number, absent: number): number {
    return this.has(id) ? this.#values[id]! : absent;
  }

  /** Where a text or bytes begin; 0 when there is none, and then `end` is 0, too. */
  start(id: number): number {
    return this.has(id) ? this.#values[id]! : 0;
  }

  end(id: number): number {
    return this.has(id) ? this.#ends[id]! : 0;
  }

  /** A text in latin1 form; null when there is none. */
  text(id: number): string | null {
    return this.has(id) ? this.bytes.latin1Slice(this.#values[id]!, this.#ends[id]!) : null;
  }

  #readOne(id: number, at: number, end: number, place: number): number {
    const bytes = this.bytes;
    switch (PROPERTY_TYPE[id]!) {
      case TYPE.byte:
        if (at + 1 > end) throw cut(id, place);
        this.#values[id] = bytes[at]!;
        break;
      case TYPE.word:
        if (at + 2 > end) throw cut(id, place);
        this.#values[id] = (bytes[at]! << 8) | bytes[at + 1]!;
        break;
      case TYPE.long:
        if (at + 4 > end) throw cut(id, place);
        this.#values[id] = bytes.readUInt32BE(at);
        break;
      case TYPE.varint:
        return this.#readVarint(id, at, end, place);
      default:
        return this.#readSpan(id, at, end, place);
    }
    checkNumber(id, this.#values[id]!, place);
    const type = PROPERTY_TYPE[id]!;
    return at + (type === TYPE.byte ? 1 : type === TYPE.word ? 2 : 4);
  }

  #readVarint(id: number, at: number, end: number, place: number): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (scale > 2_097_152) throw malformed(`the ${propertyName(id)} of a ${placeName(place)} takes more than 4 bytes`);
      if (at === end) throw cut(id, place);
      const byte = this.bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte > 127) continue;
      if (byte === 0 && scale > 1)
        throw malformed(`the ${propertyName(id)} of a ${placeName(place)} is written in more bytes than it needs`); // [MQTT5-1.5.5-1]
      break;
    }
    this.#values[id] = value;
    checkNumber(id, value, place);
    return at;
  }

  #readSpan(id: number, at: number, end: number, place: number): number {
    const valueEnd = spanEnd(this.bytes, at, end);
    if (valueEnd < 0) throw cut(id, place);
    if (PROPERTY_TYPE[id] === TYPE.text) checkText(this.bytes, at + 2, valueEnd, id, place);
    this.#values[id] = at + 2;
    this.#ends[id] = valueEnd;
    return valueEnd;
  }

  #readPair(at: number, end: number, place: number): number {
    const nameEnd = spanEnd(this.bytes, at, end);
    const valueEnd = nameEnd < 0 ? -1 : spanEnd(this.bytes, nameEnd, end);
    if (valueEnd < 0) throw cut(USER_PROPERTY, place);
    if (this.userCount === USER_PROPERTIES_MAX) throw tooMany(place, `more than ${USER_PROPERTIES_MAX} user properties`);
    checkText(this.bytes, at + 2, nameEnd, USER_PROPERTY, place);
    checkText(this.bytes, nameEnd + 2, valueEnd, USER_PROPERTY, place);
    const word = this.userCount * USER_WORDS;
    if (word === this.users.length) this.#widen();
    this.users[word] = at + 2;
    this.users[word + 1] = nameEnd;
    this.users[word + 2] = nameEnd + 2;
    this.users[word + 3] = valueEnd;
    this.userCount += 1;
    return valueEnd;
  }

  #widen(): void {
    const wider = new Uint32Array(this.users.length * 2);
    wider.set(this.users);
    this.users = wider;
  }
}

/** End of the length-prefixed bytes at `at`; -1: they run over `end`. */
function spanEnd(bytes: Buffer, at: number, end: number): number {
  if (at + 2 > end) return -1;
  const spanEnd = at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!);
  return spanEnd > end ? -1 : spanEnd;
}

function checkText(bytes: Buffer, start: number, end: number, id: number, place: number): void {
  const fault = textFault(bytes, start, end);
  if (fault !== undefined) throw malformed(`the ${propertyName(id)} of a ${placeName(place)} ${fault}`);
}

function checkNumber(id: number, value: number, place: number): void {
  switch (id) {
    case PAYLOAD_FORMAT_INDICATOR:
    case REQUEST_PROBLEM_INFORMATION:
    case REQUEST_RESPONSE_INFORMATION:
      if (value > 1) throw protocolError(`the ${propertyName(id)} of a ${placeName(place)} is ${value}, it must be 0 or 1`);
      break;
    case TOPIC_ALIAS: // [MQTT5-3.3.2-8]
      if (value === 0) throw protocolError(`the ${propertyName(id)} of a ${placeName(place)} is 0`, REASON.topicAliasInvalid);
      break;
    case SUBSCRIPTION_IDENTIFIER:
    case RECEIVE_MAXIMUM:
    case MAXIMUM_PACKET_SIZE:
      if (value === 0) throw protocolError(`the ${propertyName(id)} of a ${placeName(place)} is 0`);
      break;
  }
}

/** Not valid for the packet: malformed (§2.2.2.2). Valid there but only from a server: a protocol error. */
function misplaced(id: number, place: number): Error {
  const isServers = (id === SUBSCRIPTION_IDENTIFIER && place === PUBLISH) || (id === SERVER_REFERENCE && place === DISCONNECT);
  if (isServers) return protocolError(`a client must not put a ${propertyName(id)} into a ${placeName(place)}`); // [MQTT5-3.3.4-6]
  return malformed(`a ${placeName(place)} has no place for ${propertyName(id)}`);
}

function cut(id: number, place: number): Error {
  return malformed(`the properties of a ${placeName(place)} end within the ${propertyName(id)}`);
}

function tooMany(place: number, words: string): Error {
  return limitExceeded(`a ${placeName(place)} has ${words}`);
}

function placeName(place: number): string {
  return place === WILL ? "will" : packetName(place);
}
