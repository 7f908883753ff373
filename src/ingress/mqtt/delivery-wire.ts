// The last step of a delivery: messages as PUBLISH packets of one connection, in its version and within what its client takes.

import type { Batch } from "#core/batch.ts";
import { subjectOf } from "#core/batch.ts";
import type { FanOut } from "./fan-out.ts";
import type { KeptMessage } from "./message.ts";
import type { Outbound } from "./outbound.ts";
import { keptPublishBytesMax, type PublishOptions, publishBytesMax, writeKeptPublish } from "./publish-writer.ts";
import type { Replies } from "./replies.ts";
import { OutboundAliases } from "./topic-aliases.ts";
import type { MqttVersion } from "./version.ts";

export interface WireFacts {
  readonly version: MqttVersion;
  /** QoS 1 and 2 messages that may be in flight. */
  readonly window: number;
  /** Longest packet the client takes. */
  readonly packetBytesMax: number;
  /** Aliases it takes, as many as we want to remember; 0: none. */
  readonly topicAliasMax: number;
}

export interface WireDeps {
  readonly outbound: Outbound;
  readonly replies: Replies;
  /** Of the listener. */
  readonly fanOut: FanOut;
  /** Writes out what was gathered. */
  flush(): void;
}

export class DeliveryWire {
  /** Messages written. */
  sent = 0;
  readonly window: number;
  readonly #outbound: Outbound;
  readonly #replies: Replies;
  readonly #packetBytesMax: number;
  readonly #aliases: OutboundAliases | null;
  readonly #options: PublishOptions;
  readonly #fanOut: FanOut;
  readonly #flush: () => void;

  constructor({ version, window, packetBytesMax, topicAliasMax }: WireFacts, { outbound, replies, fanOut, flush }: WireDeps) {
    this.window = window;
    this.#outbound = outbound;
    this.#replies = replies;
    this.#fanOut = fanOut;
    this.#packetBytesMax = packetBytesMax;
    this.#aliases = topicAliasMax === 0 ? null : new OutboundAliases(topicAliasMax);
    this.#options = fanOut.options(version);
    this.#flush = flush;
  }

  get pendingBytes(): number {
    return this.#outbound.pendingBytes;
  }

  /** Message `index` of a borrowed batch; at QoS 0 `packetId` is 0. False: it would be longer than the client takes, and was not sent. */
  sendLive(
    batch: Batch,
    index: number,
    packetId: number,
    qos: 0 | 1 | 2,
    retain: boolean,
    subscriptionIds: readonly number[],
  ): boolean {
    const options = this.#prepare(packetId, qos, retain, subscriptionIds, false, -1);
    const bytesMax = publishBytesMax(batch, index, options);
    if (this.#aliases !== null && bytesMax <= this.#packetBytesMax) this.#name(this.#aliases, subjectOf(batch, index));
    const outbound = this.#outbound;
    const at = outbound.reserve(bytesMax);
    return this.#commit(at, this.#fanOut.write(outbound.bytes, at, batch, index, options));
  }

  /** `secondsLeft`: -1 when it does not expire. */
  sendKept(
    message: KeptMessage,
    packetId: number,
    qos: 0 | 1 | 2,
    retain: boolean,
    subscriptionIds: readonly number[],
    isDuplicate: boolean,
    secondsLeft: number,
  ): boolean {
    const options = this.#prepare(packetId, qos, retain, subscriptionIds, isDuplicate, secondsLeft);
    const bytesMax = keptPublishBytesMax(message, options);
    if (this.#aliases !== null && bytesMax <= this.#packetBytesMax) this.#name(this.#aliases, message.subject);
    const outbound = this.#outbound;
    const at = outbound.reserve(bytesMax);
    return this.#commit(at, writeKeptPublish(outbound.bytes, at, message, options));
  }

  pubrel(packetId: number): void {
    this.#replies.pubrel(packetId);
  }

  flush(): void {
    this.#fanOut.clear();
    this.#flush();
  }

  #prepare(
    packetId: number,
    qos: 0 | 1 | 2,
    retain: boolean,
    subscriptionIds: readonly number[],
    isDuplicate: boolean,
    secondsLeft: number,
  ): PublishOptions {
    const options = this.#options;
    options.packetId = packetId;
    options.qos = qos;
    options.retain = retain;
    options.subscriptionIds = subscriptionIds;
    options.isDuplicate = isDuplicate;
    options.expirySeconds = secondsLeft;
    options.topicAlias = 0;
    options.isTopicKnown = false;
    return options;
  }

  /** Only for what is sure to be sent: the client must hear of an alias before it is used. */
  #name(aliases: OutboundAliases, subject: string): void {
    aliases.pick(subject);
    this.#options.topicAlias = aliases.alias;
    this.#options.isTopicKnown = aliases.isKnown;
  }

  #commit(at: number, end: number): boolean {
    if (end - at > this.#packetBytesMax) return false; // [MQTT5-3.1.2-24, MQTT5-3.1.2-25]
    this.#outbound.commit(end);
    this.sent += 1;
    return true;
  }
}
