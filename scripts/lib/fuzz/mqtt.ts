// Fuzzes the MQTT codec, framer and parsers of all versions. The first input that breaks one of these is thrown:
//
//   as it comes       every packet that is whole is taken, one by one, up to the first bad one
//   cut anywhere      the same packets, the same values, the same end as uncut
//   whatever comes    a ProtocolError or nothing is thrown, and no more memory asked for than the bytes that came justify
//   what we take      mqtt-packet takes, too, and reads the same values. It is no judge of what we refuse: it lets too much pass
//   a PUBLISH taken   travels as subject, headers and reply, is written again, and is read as what it was, property by property
//
// User properties are compared without their order: mqtt-packet has none. The way round compares it.

import * as mqttPacket from "mqtt-packet";
import { ProtocolError } from "#base/errors.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import { isValidSubject } from "#core/subject.ts";
import type { ConnectRequest } from "#ingress/mqtt/connect-packet.ts";
import { reasonOf } from "#ingress/mqtt/errors.ts";
import { Framer } from "#ingress/mqtt/framer.ts";
import { CONNECT, PUBACK, PUBCOMP, PUBLISH, SUBSCRIBE } from "#ingress/mqtt/packet.ts";
import { HeaderWriter } from "#ingress/mqtt/properties-to-headers.ts";
import { mapSlowly, PublishParts } from "#ingress/mqtt/publish.ts";
import { plainPublishOptions, publishBytesMax, writePublish } from "#ingress/mqtt/publish-writer.ts";
import type { AckFields } from "#ingress/mqtt/small-packets.ts";
import type { SubscribeRequest } from "#ingress/mqtt/subscribe-packets.ts";
import type { MqttVersion } from "#ingress/mqtt/version.ts";
import { type DecodedPublish, decodeCurrent } from "../../../test/support/mqtt-codec.ts";
import { seededRandom } from "../../../test/support/seeded-random.ts";
import type { FuzzOptions, FuzzResult } from "./leaf.ts";
import { nextCuts } from "./leaf-inputs.ts";
import { nextMqttInput, PACKET_BYTES_MAX } from "./mqtt-inputs.ts";

const ROUND = 2_000;

export async function fuzzMqtt(options: FuzzOptions): Promise<FuzzResult> {
  const random = seededRandom(options.seed);
  const startedMs = performance.now();
  const seconds = () => (performance.now() - startedMs) / 1000;
  const traveller = new Traveller();
  let [inputs, accepted, bytes, packets] = [0, 0, 0, 0];
  while (inputs < options.inputs && seconds() < (options.seconds ?? Number.POSITIVE_INFINITY)) {
    for (const end = Math.min(options.inputs, inputs + ROUND); inputs < end; inputs++) {
      const { version, bytes: input } = nextMqttInput(random);
      const cuts = nextCuts(random, input.length);
      const whole = hear(input, [], version);
      const complaint =
        missedIn(whole, input) ??
        differenceOf(whole, hear(input, cuts, version)) ??
        whole.taken
          .map(({ value, bytes: one }) => complaintOf(value, one, version, traveller))
          .find((found) => found !== undefined);
      if (complaint !== undefined)
        throw new Error(
          `MQTT input ${inputs} of seed ${options.seed}, version ${version}: ${complaint}; cuts ${cuts}, bytes ${input.toString("hex")}`,
        );
      bytes += input.length;
      packets += whole.taken.length;
      if (whole.breach === undefined) accepted += 1;
    }
    await new Promise(setImmediate);
    options.signal.throwIfAborted();
  }
  const note = `${packets.toLocaleString("en")} packets taken, each as mqtt-packet reads it; whole and cut agree`;
  return { inputs, accepted, bytes, seconds: seconds(), seed: options.seed, note };
}

interface Taken {
  readonly value: unknown;
  readonly bytes: Buffer;
}

interface Heard {
  readonly taken: readonly Taken[];
  /** Code, reason and words; undefined: all was taken, as far as it was whole. */
  readonly breach: string | undefined;
}

/** Chunks are copies, spoilt after use: nothing may be kept of them. */
function hear(input: Buffer, cuts: readonly number[], version: MqttVersion): Heard {
  const framer = new Framer(PACKET_BYTES_MAX);
  const taken: Taken[] = [];
  let from = 0;
  try {
    for (const to of [...cuts, input.length]) {
      const chunk = Buffer.from(input.subarray(from, to));
      from = to;
      framer.accept(chunk);
      while (framer.next()) {
        const bytes = Buffer.from(framer.bytes.subarray(framer.packetStart, framer.end));
        taken.push({ value: decodeCurrent(framer, version), bytes });
      }
      framer.settle();
      chunk.fill(0x58);
    }
    if (framer.unreadBytes > PACKET_BYTES_MAX) throw new Error(`${framer.unreadBytes} bytes wait`);
    return { taken, breach: undefined };
  } catch (error) {
    if (!(error instanceof ProtocolError))
      throw new Error(`${(error as Error).stack}; input ${input.toString("hex")}`, { cause: error });
    return { taken, breach: `${error.code} ${reasonOf(error)} ${error.message}` };
  }
}

/** Packets that are whole and were neither taken nor refused. */
function missedIn({ taken, breach }: Heard, input: Buffer): string | undefined {
  if (breach !== undefined) return undefined;
  let whole = 0;
  for (let at = 0; at < input.length; whole++) {
    let length = 0;
    let next = at + 1;
    for (let scale = 1; next < input.length; scale *= 128) {
      length += (input[next]! & 127) * scale;
      if (input[next++]! < 128) break;
    }
    if (next === at + 1 || input[next - 1]! > 127 || next + length > input.length) break;
    at = next + length;
  }
  return whole === taken.length ? undefined : `${whole} packets are whole, ${taken.length} were taken`;
}

function differenceOf(whole: Heard, cut: Heard): string | undefined {
  if (whole.breach !== cut.breach) return `whole: ${whole.breach ?? "good"}, cut: ${cut.breach ?? "good"}`;
  if (whole.taken.length !== cut.taken.length) return `whole: ${whole.taken.length} packets, cut: ${cut.taken.length}`;
  for (const [i, { bytes, value }] of whole.taken.entries()) {
    const other = cut.taken[i]!;
    if (!bytes.equals(other.bytes)) return `packet ${i} is cut out otherwise when it comes in pieces`;
    if (JSON.stringify(value) !== JSON.stringify(other.value)) return `packet ${i} is read otherwise when it comes in pieces`;
  }
  return undefined;
}

/** What is wrong about a packet we have taken. */
function complaintOf(value: unknown, bytes: Buffer, version: MqttVersion, traveller: Traveller): string | undefined {
  try {
    return judge(value, bytes, version, traveller);
  } catch (error) {
    return `threw ${(error as Error).stack}`;
  }
}

function judge(value: unknown, bytes: Buffer, version: MqttVersion, traveller: Traveller): string | undefined {
  const type = bytes[0]! >> 4;
  if (type === CONNECT && !("clientId" in (value as object))) return undefined; // a version we do not speak
  const spoken = type === CONNECT ? (value as ConnectRequest).version : version;
  const theirs = parsed(bytes, spoken);
  // 3.1 lets a client announce a user name or a password and leave it out; mqtt-packet does not.
  if (spoken === 3 && type === CONNECT && /^Cannot parse (username|password)/.test(String(theirs))) return undefined;
  if (typeof theirs === "string") return `mqtt-packet does not take it: ${theirs}`;
  if (type === CONNECT) return connectDifference(value as ConnectRequest, theirs as mqttPacket.IConnectPacket);
  if (type >= PUBACK && type <= PUBCOMP) return ackDifference(value as AckFields, theirs as mqttPacket.IPubackPacket);
  if (type === SUBSCRIBE) return subscribeDifference(value as SubscribeRequest, theirs as mqttPacket.ISubscribePacket);
  if (type !== PUBLISH) return undefined; // their values are mqtt-packet's own, or none
  return publishDifference(value as DecodedPublish, theirs as mqttPacket.IPublishPacket) ?? traveller.complaint(bytes, version);
}

function connectDifference(ours: ConnectRequest, theirs: mqttPacket.IConnectPacket): string | undefined {
  const { properties, will } = theirs;
  const pairs = [
    [ours.clientId, theirs.clientId],
    [ours.authenticationMethod, properties?.authenticationMethod === undefined ? null : latin1(properties.authenticationMethod)],
    [ours.isClean, theirs.clean],
    [ours.keepAliveSeconds, theirs.keepalive],
    [ours.user, theirs.username ?? null],
    [ours.password?.toString("hex"), (theirs.password as Buffer | undefined)?.toString("hex")],
    [ours.receiveMaximum, properties?.receiveMaximum ?? 65_535],
    [ours.topicAliasMaximum, properties?.topicAliasMaximum ?? 0],
    [ours.maximumPacketBytes, properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY],
    [ours.version === 5 ? ours.sessionExpirySeconds : 0, properties?.sessionExpiryInterval ?? 0],
    [ours.wantsResponseInformation, properties?.requestResponseInformation ?? false],
    [ours.wantsProblemInformation, properties?.requestProblemInformation ?? true],
    [ours.will?.topic, will === undefined ? undefined : latin1(will.topic)],
    [ours.will?.payload.toString("hex"), (will?.payload as Buffer | undefined)?.toString("hex")],
    [ours.will?.qos, will?.qos],
    [ours.will?.retain, will?.retain],
    [ours.will?.delaySeconds ?? 0, will?.properties?.willDelayInterval ?? 0],
  ];
  const at = pairs.findIndex(([a, b]) => a !== b);
  return at < 0 ? undefined : `CONNECT, value ${at}: ours ${pairs[at]![0]}, theirs ${pairs[at]![1]}`;
}

function subscribeDifference(ours: SubscribeRequest, theirs: mqttPacket.ISubscribePacket): string | undefined {
  const read = theirs.subscriptions.map(({ topic, qos, nl, rap, rh }) => ({
    filter: latin1(topic),
    qos,
    noLocal: nl ?? false,
    retainAsPublished: rap ?? false,
    retainHandling: rh ?? 0,
  }));
  const [a, b] = [ours.requests, read].map((requests) => JSON.stringify(requests));
  if (a !== b) return `SUBSCRIBE: ours ${a}, theirs ${b}`;
  const subscriptionId = theirs.properties?.subscriptionIdentifier ?? 0;
  if (ours.subscriptionId !== subscriptionId) return `subscription id ${ours.subscriptionId}, theirs ${subscriptionId}`;
  return ours.packetId === theirs.messageId ? undefined : `a SUBSCRIBE ${ours.packetId}, theirs ${theirs.messageId}`;
}

function ackDifference(ours: AckFields, theirs: mqttPacket.IPubackPacket): string | undefined {
  if (ours.packetId !== theirs.messageId) return `an acknowledgement of ${ours.packetId}, theirs of ${theirs.messageId}`;
  return ours.reason === (theirs.reasonCode ?? 0) ? undefined : `reason ${ours.reason}, theirs ${theirs.reasonCode}`;
}

function publishDifference(ours: DecodedPublish, theirs: mqttPacket.IPublishPacket): string | undefined {
  const pairs = [
    [ours.topic, latin1(theirs.topic)],
    [ours.qos, theirs.qos],
    [ours.isRetained, theirs.retain],
    [ours.isDuplicate, theirs.dup],
    [ours.packetId, theirs.messageId ?? 0],
    [ours.topicAlias, theirs.properties?.topicAlias ?? 0],
    [ours.payload.toString("hex"), (theirs.payload as Buffer).toString("hex")],
  ];
  const at = pairs.findIndex(([a, b]) => a !== b);
  return at < 0 ? undefined : `PUBLISH, value ${at}: ours ${pairs[at]![0]}, theirs ${pairs[at]![1]}`;
}

/** Takes a PUBLISH on its way through the gateway: in, as a message with headers, out again. */
class Traveller {
  readonly #parts = new PublishParts();
  readonly #again = new PublishParts();
  readonly #headers = new HeaderWriter();
  readonly #batch = new BatchBuilder();

  complaint(bytes: Buffer, version: MqttVersion): string | undefined {
    const parts = this.#parts;
    read(parts, bytes, version);
    if (parts.topic === parts.topicEnd) return undefined;
    const subject = mapSlowly(bytes, parts.topic, parts.topicEnd);
    if (typeof subject !== "string") return undefined; // refused: a name of the system's, a control character
    if (!isValidSubject(subject)) return `its subject ${JSON.stringify(subject)} is no subject`;
    this.#headers.write(parts.properties);
    if (!parts.hasProperties) this.#headers.block = Buffer.alloc(0);
    const reply = parts.hasProperties ? this.#headers.reply : "";
    if (reply !== "" && !isValidSubject(reply)) return `its reply ${JSON.stringify(reply)} is no subject`;
    this.#batch.beginOwn();
    const headers = this.#headers.block;
    if (headers.length > 0 && !/^NATS\/1\.0\r\n(?:[^\r\n\0:]+: [^\r\n\0]*\r\n)+\r\n$/.test(headers.toString("latin1")))
      return `its headers are no block: ${JSON.stringify(headers.toString("latin1"))}`;
    this.#batch.add({ subject, reply, headers, payload: bytes.subarray(parts.payload), flags: 0 });
    const options = {
      ...plainPublishOptions(version),
      qos: parts.qos,
      packetId: parts.packetId,
      retain: parts.isRetained,
      isDuplicate: parts.isDuplicate,
    };
    const target = Buffer.alloc(publishBytesMax(this.#batch, 0, options));
    const written = target.subarray(0, writePublish(target, 0, this.#batch, 0, options));
    if (written.length > target.length) return "more was written than announced";
    return this.#difference(bytes, written, version);
  }

  #difference(bytes: Buffer, written: Buffer, version: MqttVersion): string | undefined {
    const before = this.#parts;
    const after = this.#again;
    read(after, written, version);
    if (bytes[0] !== written[0] || before.packetId !== after.packetId) return "another header went out";
    if (!same(bytes, before.topic, before.topicEnd, written, after.topic, after.topicEnd)) return "another topic went out";
    if (!same(bytes, before.payload, bytes.length, written, after.payload, written.length)) return "another payload went out";
    if (!before.hasProperties) return after.hasProperties ? "properties went out that never came in" : undefined;
    const [old, made] = [before.properties, after.properties];
    if (!after.hasProperties) made.values.clear();
    const spans = [
      [old.contentType, old.contentTypeEnd, made.contentType, made.contentTypeEnd],
      [old.responseTopic, old.responseTopicEnd, made.responseTopic, made.responseTopicEnd],
      [old.correlation, old.correlationEnd, made.correlation, made.correlationEnd],
    ] as const;
    if (spans.some(([a, b, c, d]) => !same(bytes, a, b, written, c, d))) return "another property went out";
    if (old.expirySeconds !== made.expirySeconds || old.payloadFormat !== made.payloadFormat) return "another number went out";
    if (old.userCount !== made.userCount) return `${made.userCount} user properties went out, ${old.userCount} came in`;
    for (let word = 0; word < old.userCount * 4; word += 2) {
      const [a, b] = [old.values.users, made.values.users];
      if (!same(bytes, a[word]!, a[word + 1]!, written, b[word]!, b[word + 1]!)) return "another user property went out";
    }
    return undefined;
  }
}

function read(parts: PublishParts, bytes: Buffer, version: MqttVersion): void {
  let start = 1;
  while (bytes[start]! > 127) start += 1;
  parts.read(bytes, bytes[0]!, start + 1, bytes.length, version);
}

function same(a: Buffer, start: number, end: number, b: Buffer, otherStart: number, otherEnd: number): boolean {
  return a.subarray(start, end).equals(b.subarray(otherStart, otherEnd));
}

/** The packet as mqtt-packet reads it, or why it does not. */
function parsed(bytes: Buffer, version: MqttVersion): mqttPacket.Packet | string {
  let found: mqttPacket.Packet | string = "it waits for more";
  const parser = mqttPacket.parser({ protocolVersion: version });
  parser.on("packet", (each) => {
    found = each;
  });
  parser.on("error", (error) => {
    found = error.message;
  });
  parser.parse(bytes);
  return found;
}

function latin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
