// One 5.0 reader through many connections, each with other limits, picky about all it was promised, while a writer with aliases and
// properties goes on. Seeded: a failing seed stands in the message.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { MqttDoor, puback, pubcomp, pubrec, pubrel, type RawClient } from "../../wire/mqtt/harness.ts";
import { connect5, next, nextConnack, publish5, splitSection, subscribe5, u16, u32, user } from "./five.ts";

const ALIAS = 0x23;
const TOPICS = ["a/first/topic", "a/second/topic", "a/third one/topic", "a/4"];
const MESSAGES = 200;

interface Limits {
  readonly receiveMaximum: number;
  readonly aliases: number;
  readonly packetBytes: number;
}

/** Follows the standard, forgets nothing, and throws at the first promise that is broken. */
class PickyReader {
  /** Payloads in the order of their first arrival, by QoS. */
  readonly got: readonly string[][] = [[], [], []];
  readonly #unreleased = new Set<number>();
  /** Sent to us, and neither PUBACK nor PUBCOMP sent by us. */
  readonly #open = new Set<number>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  get count(): number {
    return new Set(this.got.flat()).size;
  }

  /** Reads until the connection breaks, by the `most`th packet or before. */
  async live(client: RawClient, limits: Limits, most: number, isEnough: () => boolean): Promise<void> {
    const aliases = new Map<number, string>();
    this.#open.clear();
    for (let n = 0; n < most && !isEnough(); n++) {
      const { first, body } = await next(client);
      const bytes = body.length + (body.length < 128 ? 2 : 3);
      assert.ok(bytes <= limits.packetBytes, `${bytes} bytes, ${limits.packetBytes} taken`);
      if (first >> 4 === 3) this.#onPublish(client, first, body, limits, aliases);
      else if (first === 0x62) this.#onPubrel(client, body.readUInt16BE(0));
      else if (first !== 0x90) assert.fail(`packet ${first.toString(16)} ${body.toString("hex")}`);
    }
  }

  #onPublish(client: RawClient, first: number, body: Buffer, limits: Limits, aliases: Map<number, string>): void {
    const qos = (first >> 1) & 3;
    const topicEnd = 2 + body.readUInt16BE(0);
    const packetId = qos === 0 ? 0 : body.readUInt16BE(topicEnd);
    const { properties, end } = splitSection(body, topicEnd + (qos === 0 ? 0 : 2));
    const payload = body.toString("utf8", end);
    const topic = this.#topicOf(body.toString("utf8", 2, topicEnd), properties, limits, aliases);
    const number = Number(payload.split(":")[0]);
    assert.equal(topic, TOPICS[number % TOPICS.length], payload);
    const users = properties.filter((each) => each[0] === 0x26).map((each) => each.toString("hex"));
    assert.deepEqual(
      users,
      usersOf(number).map((each) => each.toString("hex")),
    );
    if (qos === 0) {
      this.got[0]!.push(payload);
      return;
    }
    const isKnown = qos === 2 && this.#unreleased.has(packetId);
    if (!isKnown && !(qos === 1 && this.got[1]!.includes(payload))) this.got[qos]!.push(payload);
    this.#open.add(packetId);
    assert.ok(this.#open.size <= limits.receiveMaximum, `${this.#open.size} open, ${limits.receiveMaximum} taken`);
    if (qos === 2) this.#unreleased.add(packetId);
    if (this.#random() < 0.2) return; // no time to answer before the connection breaks, perhaps
    if (qos === 1) this.#open.delete(packetId);
    client.send(qos === 1 ? puback(packetId) : pubrec(packetId));
  }

  #topicOf(said: string, properties: readonly Buffer[], limits: Limits, aliases: Map<number, string>): string {
    const alias = properties.find((each) => each[0] === ALIAS)?.readUInt16BE(1);
    if (alias === undefined) return said;
    assert.ok(alias > 0 && alias <= limits.aliases, `alias ${alias}`);
    if (said !== "") aliases.set(alias, said);
    return aliases.get(alias) ?? assert.fail(`alias ${alias} stands for nothing`);
  }

  #onPubrel(client: RawClient, packetId: number): void {
    this.#unreleased.delete(packetId);
    this.#open.delete(packetId);
    client.send(pubcomp(packetId));
  }
}

function usersOf(number: number): readonly Buffer[] {
  return Array.from({ length: number % 3 }, (_, i) => user(i === 0 ? "key" : "\r\nkey", `${number}`));
}

async function liveThrough(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const upTo = (most: number) => Math.floor(random() * most) + 1;
  await using door = await MqttDoor.open({ stages: false });
  const reader = new PickyReader(random);
  const comes = async (isPresent: boolean): Promise<readonly [RawClient, Limits]> => {
    const limits = { receiveMaximum: upTo(4), aliases: upTo(3) - 1, packetBytes: 120 + upTo(100) };
    const client = await door.dial();
    const properties = [u16(0x21, limits.receiveMaximum), u16(0x22, limits.aliases), u32(0x27, limits.packetBytes)];
    client.send(connect5({ clientId: "reader", isClean: false, expiry: 600, properties }));
    assert.equal((await nextConnack(client)).flags, isPresent ? 1 : 0);
    return [client, limits];
  };
  let [client, limits] = await comes(false);
  client.send(subscribe5(1, [["a/#", 2]]));
  await client.take(6);
  await using writer = await door.dial();
  writer.send(connect5({ clientId: "writer" }));
  await nextConnack(writer);
  writer.socket.on("data", () => undefined);
  let written = 0;
  const known = new Set<number>();
  const write = () => {
    for (let n = upTo(20); n > 0 && written < MESSAGES; n--) {
      written += 1;
      const alias = (written % TOPICS.length) + 1;
      const topic = known.has(alias) && random() < 0.7 ? "" : TOPICS[written % TOPICS.length]!;
      known.add(alias);
      const qos = 1 + (written % 2);
      const properties = [u16(ALIAS, alias), ...usersOf(written)];
      writer.send(publish5(topic, `${written}:`, { qos, packetId: written, properties }));
      if (qos === 2) writer.send(pubrel(written));
    }
  };
  for (let life = 0; reader.count < MESSAGES; life++) {
    assert.ok(life < 1000, "it does not come to an end");
    write();
    const isLast = written === MESSAGES && life > 60;
    const most = isLast ? 10_000 : upTo(12);
    const reading = reader
      .live(client, limits, most, () => reader.count === MESSAGES)
      .catch((error: Error) => {
        if (!error.message.startsWith("closed with only")) throw error;
      });
    await Promise.race([reading, someTurns()]);
    const before = door.ingress.sessions().connected;
    client.vanish();
    await reading;
    while (door.ingress.sessions().connected === before) await turn();
    [client, limits] = await comes(true);
  }
  client.vanish();
  const numbers = (qos: number) => reader.got[qos]!.map((payload) => Number(payload.split(":")[0]));
  const odd = Array.from({ length: MESSAGES / 2 }, (_, i) => 2 * i + 1);
  const even = odd.map((n) => n + 1);
  assert.deepEqual(numbers(2), odd, "QoS 2: each once, in order");
  assert.deepEqual(numbers(1), even, "QoS 1: the first of each in order");
}

/** Nothing more comes: all that may be open is. */
async function someTurns(): Promise<void> {
  for (let n = 0; n < 30; n++) await turn();
}

test("a reader that breaks off again and again gets every QoS 2 message once and QoS 1 at least once, in order, within its limits each time", async () => {
  for (const seed of [1, 2]) {
    try {
      await liveThrough(seed);
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
  }
});
