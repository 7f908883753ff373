// Every packet we answer a client with, for all versions, but PUBLISH (publish-writer.ts).
//
// In 5.0 an answer may say more than a number. It never gets longer than the client takes: the reason string is left out first, then the
// other things that may be left out; what is still too long is not sent, and the method returns false [MQTT5-3.1.2-24]. A client that asked for no
// problem information gets reason strings in CONNACK and DISCONNECT only [MQTT5-3.1.2-29].

import { CONNACK, DISCONNECT, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, UNSUBACK, writeFixedHeader } from "./packet.ts";
import { PropertyBytes } from "./property-bytes.ts";
import {
  ASSIGNED_CLIENT_IDENTIFIER,
  AUTHENTICATION_METHOD,
  MAXIMUM_PACKET_SIZE,
  MAXIMUM_QOS,
  REASON_STRING,
  RECEIVE_MAXIMUM,
  RESPONSE_INFORMATION,
  RETAIN_AVAILABLE,
  SERVER_KEEP_ALIVE,
  SERVER_REFERENCE,
  SESSION_EXPIRY_INTERVAL,
  SHARED_SUBSCRIPTION_AVAILABLE,
  SUBSCRIPTION_IDENTIFIER_AVAILABLE,
  TOPIC_ALIAS_MAXIMUM,
  WILDCARD_SUBSCRIPTION_AVAILABLE,
} from "./property-table.ts";
import { FAILURE_MIN, REASON, returnCodeOf } from "./reason-codes.ts";
import type { MqttVersion } from "./version.ts";

/** Where answers are written: `Outbound`. */
export interface ReplyTarget {
  readonly bytes: Buffer;
  reserve(count: number): number;
  commit(end: number): void;
}

/** What a CONNACK of 5.0 says beside the reason; whatever is left out has the standard's default. */
export interface ConnackFacts {
  readonly isSessionPresent?: boolean;
  readonly reasonString?: string;
  readonly sessionExpirySeconds?: number;
  readonly receiveMaximum?: number;
  readonly maximumQos?: 0 | 1;
  readonly isRetainAvailable?: boolean;
  readonly maximumPacketBytes?: number;
  readonly assignedClientId?: string;
  readonly topicAliasMaximum?: number;
  readonly areWildcardsAvailable?: boolean;
  readonly areSubscriptionIdsAvailable?: boolean;
  readonly areSharedSubscriptionsAvailable?: boolean;
  readonly serverKeepAliveSeconds?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly authenticationMethod?: string;
}

const NOTHING: Buffer = Buffer.alloc(0);
/** An empty property section. */
const NO_PROPERTIES: Buffer = Buffer.alloc(1);

export class Replies {
  readonly #target: ReplyTarget;
  #version: MqttVersion = 4;
  #packetBytesMax = Number.POSITIVE_INFINITY;
  #wantsProblems = true;

  constructor(target: ReplyTarget) {
    this.#target = target;
  }

  /** From CONNECT on: the client's version, and what it takes. */
  speak(version: MqttVersion, packetBytesMax: number, wantsProblemInformation: boolean): void {
    this.#version = version;
    this.#packetBytesMax = packetBytesMax;
    this.#wantsProblems = wantsProblemInformation;
  }

  /** 3.x is told the return code that comes nearest to `reason`. */
  connack(reason: number, facts: ConnackFacts = {}): boolean {
    const isPresent = facts.isSessionPresent === true && reason === REASON.success; // [MQTT-3.2.2-4, MQTT5-3.2.2-6]
    const isNew = this.#version === 5;
    const body = Buffer.from([isPresent ? 1 : 0, isNew ? reason : returnCodeOf(reason)]);
    if (!isNew) return this.#send(CONNACK << 4, body, NOTHING);
    const full = connackProperties(facts, facts.reasonString);
    return this.#send(CONNACK << 4, body, full) || this.#send(CONNACK << 4, body, connackProperties(facts, undefined));
  }

  puback(packetId: number, reason: number = REASON.success, words = ""): boolean {
    return this.#acknowledge(PUBACK << 4, packetId, reason, words);
  }

  pubrec(packetId: number, reason: number = REASON.success, words = ""): boolean {
    return this.#acknowledge(PUBREC << 4, packetId, reason, words);
  }

  pubrel(packetId: number, reason: number = REASON.success, words = ""): boolean {
    return this.#acknowledge((PUBREL << 4) | 2, packetId, reason, words);
  }

  pubcomp(packetId: number, reason: number = REASON.success, words = ""): boolean {
    return this.#acknowledge(PUBCOMP << 4, packetId, reason, words);
  }

  /** One code a filter, in order. For 3.x every failure is 0x80. */
  suback(packetId: number, reasons: readonly number[], words = ""): boolean {
    const codes = this.#version === 5 ? reasons : reasons.map((reason) => (reason >= FAILURE_MIN ? FAILURE_MIN : reason));
    return this.#answerFilters(SUBACK, packetId, codes, words);
  }

  /** One code a filter, in order; 3.x has none. */
  unsuback(packetId: number, reasons: readonly number[], words = ""): boolean {
    return this.#answerFilters(UNSUBACK, packetId, this.#version === 5 ? reasons : [], words);
  }

  pingresp(): boolean {
    return this.#send(PINGRESP << 4, NOTHING, NOTHING);
  }

  /** 5.0 only: a server of 3.x just closes, so nothing is sent and the answer is false. */
  disconnect(reason: number, words = "", serverReference = ""): boolean {
    if (this.#version !== 5) return false;
    const body = Buffer.from([reason]);
    const properties = new PropertyBytes();
    if (serverReference !== "") properties.text(SERVER_REFERENCE, serverReference);
    if (words === "" && serverReference === "") return this.#send(DISCONNECT << 4, body, NOTHING);
    if (words !== "") properties.text(REASON_STRING, words);
    return this.#send(DISCONNECT << 4, body, properties.finish()) || this.#send(DISCONNECT << 4, body, NOTHING);
  }

  /** The short form is the hot path: an acknowledgement that says nothing but its number. */
  #acknowledge(first: number, packetId: number, reason: number, words: string): boolean {
    if (reason !== REASON.success && this.#version === 5) return this.#acknowledgeFully(first, packetId, reason, words);
    if (this.#packetBytesMax < 4) return false;
    const target = this.#target;
    const at = target.reserve(4);
    const { bytes } = target;
    bytes[at] = first;
    bytes[at + 1] = 2;
    bytes[at + 2] = packetId >> 8;
    bytes[at + 3] = packetId & 255;
    target.commit(at + 4);
    return true;
  }

  #acknowledgeFully(first: number, packetId: number, reason: number, words: string): boolean {
    const body = Buffer.from([packetId >> 8, packetId & 255, reason]);
    const said = this.#wantsProblems ? words : "";
    if (said !== "" && this.#send(first, body, new PropertyBytes().text(REASON_STRING, said).finish())) return true;
    return this.#send(first, body, NOTHING);
  }

  #answerFilters(type: number, packetId: number, codes: readonly number[], words: string): boolean {
    const id = Buffer.from([packetId >> 8, packetId & 255]);
    const list = Buffer.from(codes);
    if (this.#version !== 5) return this.#send(type << 4, id, list);
    const said = this.#wantsProblems ? words : "";
    if (said !== "") {
      const properties = new PropertyBytes().text(REASON_STRING, said).finish();
      if (this.#send(type << 4, id, Buffer.concat([properties, list]))) return true;
    }
    return this.#send(type << 4, id, Buffer.concat([NO_PROPERTIES, list]));
  }

  /** False: longer than the client takes; nothing was written. */
  #send(first: number, body: Buffer, rest: Buffer): boolean {
    const remaining = body.length + rest.length;
    if (remaining + 2 > this.#packetBytesMax) return false; // shorter ones have one byte of length
    const target = this.#target;
    const at = target.reserve(remaining + 5);
    const { bytes } = target;
    const content = writeFixedHeader(bytes, at, first, remaining);
    if (content - at + remaining > this.#packetBytesMax) return false;
    bytes.set(body, content);
    bytes.set(rest, content + body.length);
    target.commit(content + remaining);
    return true;
  }
}

function connackProperties(facts: ConnackFacts, reasonString: string | undefined): Buffer {
  const bytes = new PropertyBytes();
  const number = (id: number, value: number | undefined) => value !== undefined && bytes.number(id, value);
  const text = (id: number, value: string | undefined) => value !== undefined && bytes.text(id, value);
  const flag = (id: number, value: boolean | undefined) => value === false && bytes.number(id, 0);
  number(SESSION_EXPIRY_INTERVAL, facts.sessionExpirySeconds);
  number(RECEIVE_MAXIMUM, facts.receiveMaximum);
  number(MAXIMUM_QOS, facts.maximumQos);
  flag(RETAIN_AVAILABLE, facts.isRetainAvailable);
  number(MAXIMUM_PACKET_SIZE, facts.maximumPacketBytes);
  text(ASSIGNED_CLIENT_IDENTIFIER, facts.assignedClientId);
  number(TOPIC_ALIAS_MAXIMUM, facts.topicAliasMaximum);
  flag(WILDCARD_SUBSCRIPTION_AVAILABLE, facts.areWildcardsAvailable);
  flag(SUBSCRIPTION_IDENTIFIER_AVAILABLE, facts.areSubscriptionIdsAvailable);
  flag(SHARED_SUBSCRIPTION_AVAILABLE, facts.areSharedSubscriptionsAvailable);
  number(SERVER_KEEP_ALIVE, facts.serverKeepAliveSeconds);
  text(RESPONSE_INFORMATION, facts.responseInformation);
  text(SERVER_REFERENCE, facts.serverReference);
  text(AUTHENTICATION_METHOD, facts.authenticationMethod);
  text(REASON_STRING, reasonString);
  return bytes.finish();
}
