// Requests and answers between MQTT 5.0 and NATS: response topic and correlation data are reply subject and header.
//
//   MQTT asker ── PUBLISH, response topic ──▶ reply subject ──▶ NATS responder ── publishes to it ──▶ MQTT asker
//   NATS asker ── publish, reply subject ──▶ response topic ──▶ MQTT responder ── PUBLISHes to it ──▶ NATS asker

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Batch, headersOf, payloadOf, replyOf, subjectOf } from "#core/batch.ts";
import type { Subscription } from "#core/sink.ts";
import { batchOf, message, RecordingOrigin, RecordingSink } from "../../support/router-fixtures.ts";
import { hex, MqttDoor, publish } from "../../wire/mqtt/harness.ts";
import {
  comes5,
  connect5,
  next,
  nextConnack,
  nextPublish,
  publish5,
  string,
  suback5,
  subscribe5,
  u8,
  u32,
  user,
} from "./five.ts";

const RESPONSE_TOPIC = 0x08;
const RESPONSE_INFORMATION = 0x1a;
const CORRELATION = Buffer.concat([hex("09 00 04"), hex("00 ff 0d 0a")]);

/** A NATS client behind the same account. */
class Peer extends RecordingSink {
  readonly door: ReturnType<MqttDoor["router"]["open"]>;
  readonly got: { readonly subject: string; readonly reply: string; readonly headers: Buffer; readonly payload: string }[] = [];

  constructor(door: MqttDoor, filter: string) {
    super();
    this.door = door.router.open(new RecordingOrigin("nats"));
    door.router.subscribe(this.subscription(filter));
  }

  override deliver(batch: Batch, index: number, subscriptions: readonly Subscription[]): void {
    super.deliver(batch, index, subscriptions);
    this.got.push({
      subject: subjectOf(batch, index),
      reply: replyOf(batch, index),
      headers: Buffer.from(headersOf(batch, index)),
      payload: payloadOf(batch, index).toString(),
    });
  }

  says(subject: string, payload: string, more: { readonly reply?: string; readonly headers?: Buffer } = {}): void {
    this.door.publish(batchOf({ ...message(subject, payload), ...more }));
  }
}

test("an MQTT 5.0 client asks, a NATS client answers, and the answer finds its question", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const responder = new Peer(door, "service.time");
  await using asker = await door.dial();
  asker.send(connect5({ clientId: "asker", properties: [u8(0x19, 1)] }));
  const { properties } = await nextConnack(asker);
  const information = properties.find((each) => each[0] === RESPONSE_INFORMATION)!.toString("utf8", 3);
  const topic = `${information}/7`;
  asker.send(subscribe5(1, [[topic, 1]]));
  await asker.receives(suback5(1, 1));
  asker.send(publish5("service/time", "now?", { properties: [string(RESPONSE_TOPIC, topic), CORRELATION, user("k", "v")] }));
  await asker.isIdle();
  const [question] = responder.got;
  assert.equal(question!.reply, topic.replaceAll("/", "."));
  assert.equal(question!.headers.toString(), "NATS/1.0\r\nNmqtt-Correlation-Data: AP8NCg==\r\nk: v\r\n\r\n");
  responder.says(question!.reply, "noon", { headers: question!.headers }); // a responder that sends the headers back
  responder.says(question!.reply, "noon"); // one that does not
  assert.deepEqual(await nextPublish(asker), {
    first: 0x32,
    topic,
    packetId: 1,
    properties: [CORRELATION, user("k", "v")],
    payload: "noon",
  });
  assert.deepEqual((await nextPublish(asker)).properties, []);
});

test("a NATS client asks, an MQTT 5.0 client answers at the response topic, with headers of its own", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using responder = await comes5(door, { clientId: "responder" });
  responder.send(subscribe5(1, [["service/+", 0]]));
  await responder.receives(suback5(1, 0));
  const asker = new Peer(door, "_INBOX.asker.*");
  const headers = Buffer.from("NATS/1.0\r\nTraceparent: 00-1-2\r\n\r\n");
  asker.says("service.time", "now?", { reply: "_INBOX.asker.1", headers });
  const { properties, payload } = await nextPublish(responder);
  assert.equal(payload, "now?");
  assert.deepEqual(properties, [string(RESPONSE_TOPIC, "_INBOX/asker/1"), user("Traceparent", "00-1-2")]);
  const topic = properties[0]!.toString("utf8", 3);
  responder.send(publish5(topic, "noon", { properties: [CORRELATION, user("k", "v"), u32(0x02, 60)] }));
  await responder.isIdle();
  assert.deepEqual(
    asker.got.map(({ subject, payload: answer }) => [subject, answer]),
    [["_INBOX.asker.1", "noon"]],
  );
  assert.equal(
    asker.got[0]!.headers.toString(),
    "NATS/1.0\r\nNmqtt-Correlation-Data: AP8NCg==\r\nNmqtt-Expiry: 60\r\nk: v\r\n\r\n",
  );
});

test("response information is a topic that answers may come back on, out of sight of #", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using asker = await door.dial();
  asker.send(connect5({ clientId: "asker", properties: [u8(0x19, 1)] }));
  const { body } = await next(asker);
  const at = body.indexOf(0x1a);
  const base = body.subarray(at + 3, at + 3 + body.readUInt16BE(at + 1)).toString();
  await using curious = await comes5(door, { clientId: "curious" });
  curious.send(subscribe5(1, [["#", 0]]));
  await curious.receives(suback5(1, 0));
  asker.send(subscribe5(1, [[`${base}/1`, 0]]), publish5("ask", "?", { properties: [string(0x08, `${base}/1`)] }));
  await asker.receives(suback5(1, 0));
  await curious.receives(publish5("ask", "?", { properties: [string(0x08, `${base}/1`)] }));
  curious.send(publish5(`${base}/1`, "!"));
  await asker.receives(publish5(`${base}/1`, "!"));
  await curious.isIdle();
});

test("a request reaches a 3.1.1 client as a message like others, and a bystander with # sees no answers", async () => {
  await using door = await MqttDoor.open({ stages: false });
  await using old = await door.connected("old");
  old.send("82 06 00 01 00 01 23 00");
  await old.receives("90 03 00 01 00");
  const asker = new Peer(door, "_INBOX.asker.*");
  asker.says("service.time", "now?", { reply: "_INBOX.asker.1" });
  await old.receives(publish("service/time", "now?"));
  asker.says("_INBOX.asker.1", "noon");
  await old.isIdle();
});

test("a device cannot name one of the system's subjects as where to answer", async () => {
  await using door = await MqttDoor.open({ stages: false });
  const responder = new Peer(door, "ask");
  await using asker = await comes5(door, {});
  for (const topic of ["$JS/API/STREAM/DELETE/x", "$SYS/REQ/SERVER/PING", "$PETIOLE/settings"]) {
    asker.send(publish5("ask", "", { properties: [string(RESPONSE_TOPIC, topic)] }));
  }
  await asker.isIdle();
  assert.deepEqual(
    responder.got.map(({ reply }) => reply),
    ["", "", ""],
  );
});
