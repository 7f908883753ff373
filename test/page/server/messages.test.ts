// The live view of messages, sending by hand, and explaining a subject: who may, what is shown, and what hostile ones come to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "../../support/fake-clock.ts";
import { LiveReader, startLiveDevice } from "../../support/live-device.ts";
import { batchOf, RecordingOrigin, RecordingSink } from "../../support/router-fixtures.ts";
import { OWNER, TECHNICIAN, VIEWER } from "../../support/web-device.ts";

const PERIOD_MS = 200;

/** The view has what was published; its browser gets it at the next period. */
function shown(subject: string): string {
  return `/api/messages?subject=${encodeURIComponent(subject)}`;
}

test("a technician sees what passes: where from, its headers, its payload, and nothing that another subject carries", async () => {
  await using live = await startLiveDevice();
  const { device, clock, publish } = live;
  using reader = await LiveReader.read(device, await device.loggedIn(TECHNICIAN), shown("plant.*.temp"));
  assert.equal(reader.response.headers["content-type"], "text/event-stream; charset=utf-8");
  assert.equal(reader.response.headers["cache-control"], "no-store");
  assert.deepEqual(await reader.until("open"), { subject: "plant.*.temp" });
  publish("plant.7.temp", "21.5", "X: y\r\nX: z\r\n__proto__: polluted");
  publish("plant.7.humidity", "60");
  publish("plant.8.temp", Buffer.from([0xff, 0x00]));
  clock.advance(PERIOD_MS);
  await reader.until("message", 2);
  const [first, second] = reader.of("message");
  assert.equal(first.subject, "plant.7.temp");
  assert.equal(first.topic, "plant/7/temp");
  assert.equal(first.from, "mqtt");
  assert.equal(first.account, "EDGE");
  assert.equal(first.payload_text, "21.5");
  assert.equal(first.truncated, false);
  assert.deepEqual(Object.entries(first.headers), [
    ["X", "y, z"],
    ["__proto__", "polluted"],
  ]);
  assert.equal(first.at, "2026-01-01T00:00:00.000Z");
  assert.equal(second.payload_text, null, "it is no text");
  assert.equal(second.payload_base64, "/wA=");
  assert.equal(second.headers, null);
  assert.equal(reader.of("message").length, 2);
});

test("what a device says cannot break out of its event, and what is long is cut where a character ends", async () => {
  await using live = await startLiveDevice();
  const { device, clock, publish } = live;
  using reader = await LiveReader.read(device, await device.loggedIn(TECHNICIAN), "/api/messages");
  await reader.until("open");
  publish("a", "x\r\n\r\nevent: end\r\ndata: forged\r\n\r\n</script>");
  publish("b", `x${"ü".repeat(3000)}`);
  publish("c", Buffer.alloc(5000, 0xfc));
  clock.advance(PERIOD_MS);
  await reader.until("message", 3);
  const [a, b, c] = reader.of("message");
  assert.equal(a.payload_text, "x\r\n\r\nevent: end\r\ndata: forged\r\n\r\n</script>");
  assert.deepEqual(reader.of("end"), []);
  assert.equal(b.truncated, true);
  assert.equal(b.size, 6001);
  assert.equal(b.payload_text, `x${"ü".repeat(2047)}`);
  assert.equal(Buffer.from(b.payload_base64, "base64").length, 4096);
  assert.equal(c.payload_text, null);
});

test("the system's own traffic is shown to those who ask for it by name", async () => {
  await using live = await startLiveDevice();
  const { device, clock, publish } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  using all = await LiveReader.read(device, technician, shown(">"));
  using inboxes = await LiveReader.read(device, technician, shown("_INBOX.>"));
  await Promise.all([all.until("open"), inboxes.until("open")]);
  publish("_INBOX.a.b", "answer");
  publish("plain", "");
  clock.advance(PERIOD_MS);
  assert.equal((await inboxes.until("message")).subject, "_INBOX.a.b");
  await all.until("message");
  assert.deepEqual(
    all.of("message").map(({ subject }) => subject),
    ["plain"],
  );
});

test("beyond what a person can follow messages are counted, each one of them", async () => {
  await using live = await startLiveDevice();
  const { device, clock, publish } = live;
  using reader = await LiveReader.read(device, await device.loggedIn(TECHNICIAN), shown(">"));
  await reader.until("open");
  for (let i = 0; i < 1_000; i++) publish(`n.${i % 10}`, String(i));
  clock.advance(1_000);
  assert.deepEqual(await reader.until("skipped"), { count: 950 });
  assert.equal(reader.of("message").length, 50);
  assert.equal(reader.of("message")[49].payload_text, "49");
  for (let i = 0; i < 60; i++) publish("n.0");
  clock.advance(1_000);
  assert.deepEqual(await reader.until("skipped", 2), { count: 10 });
});

test("a view that is never read takes no more than its share of memory, stops nobody, and is cut off", async () => {
  await using live = await startLiveDevice();
  const { device, clock, publish, account } = live;
  const sink = new RecordingSink();
  account.subscribe(sink.subscription("flood"));
  using reader = await LiveReader.open(device, await device.loggedIn(TECHNICIAN), shown("flood"));
  const payload = Buffer.alloc(8192, 0x61);
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 50; i++) publish("flood", payload);
    clock.advance(1_000);
    await turn();
  }
  assert.equal(sink.delivered.length, 3_000, "who subscribed got everything");
  for (let i = 0; i < 40; i++) {
    clock.advance(1_000);
    await turn();
  }
  reader.start();
  await reader.ended;
  const bytes = reader.of("message").length * (4096 * 2.33);
  assert.ok(bytes < 8 * 1024 * 1024, `${bytes} bytes were kept for somebody who does not read`);
  assert.ok(reader.of("message").length < 2_000, "the rest was left out");
});

test("a look-on takes no part: no interest, no listener for requests, and nothing of it is left when it ends", async () => {
  await using live = await startLiveDevice();
  const { device, account, clock } = live;
  const before = clock.pending;
  const technician = await device.loggedIn(TECHNICIAN);
  const reader = await LiveReader.read(device, technician, shown(">"));
  await reader.until("open");
  assert.deepEqual([...account.localInterest()], []);
  let unheard = 0;
  const origin = Object.assign(new RecordingOrigin("nats"), { onNoResponders: () => void (unheard += 1) });
  account.open(origin).publish(batchOf({ subject: "ask", reply: "_INBOX.1", payload: Buffer.alloc(0), flags: 0b1100 }));
  assert.equal(unheard, 1, "whoever asks is told that nobody answers");
  reader[Symbol.dispose]();
  while (clock.pending > before) await turn();
  account.open(origin).publish(batchOf({ subject: "later", payload: Buffer.alloc(0), flags: 0b1100 }));
  assert.equal(account.status().receivers, 0);
});

test("a view ends with its session, and is refused to viewers, to strangers, and when there are too many", async () => {
  await using live = await startLiveDevice();
  const { device, clock } = live;
  const viewer = await device.loggedIn(VIEWER);
  assert.equal((await viewer.get("/api/messages")).json.error.code, "WEB_ROLE");
  assert.equal((await viewer.get("/api/ports")).status, 403);
  assert.equal((await device.browser().get("/api/messages")).status, 401);
  const technician = await device.loggedIn(TECHNICIAN);
  const readers: LiveReader[] = [];
  for (let i = 0; i < 4; i++) readers.push(await LiveReader.read(device, technician, "/api/messages"));
  const fifth = await technician.get("/api/messages");
  assert.equal(fifth.status, 429);
  assert.equal(fifth.json.error.code, "WEB_BUSY");
  await technician.delete("/api/session");
  clock.advance(2_000);
  assert.equal(await readers[0]!.until("end"), "the session has ended");
  await Promise.all(readers.map(({ ended }) => ended));
});

test("a filter that is none is refused in words", async () => {
  await using live = await startLiveDevice();
  const { device } = live;
  const technician = await device.loggedIn(TECHNICIAN);
  for (const [filter, words] of [
    ["", /write a subject/],
    ["a b", /spaces/],
    ["a\r\nevent: x", /control/],
    ["a\u0000b", /control/],
    ["a..b", /empty/],
    ["a.>.b", /last part/],
    ["x".repeat(3000), /2048/],
  ] as const) {
    const answer = await technician.get(shown(filter));
    assert.equal(answer.status, 400, filter);
    assert.match(answer.json.error.message, words);
  }
  assert.equal((await technician.get("/api/messages?account=NOBODY")).status, 400);
});

test("a message sent by hand takes the way of every message, and its sender hears what became of it", async () => {
  await using live = await startLiveDevice();
  const { device, account } = live;
  const sink = new RecordingSink();
  account.subscribe(sink.subscription("cmd.>"));
  account.subscribe(sink.subscription("cmd.valve", "workers"));
  const technician = await device.loggedIn(TECHNICIAN);
  const answer = await technician.post("/api/messages", { subject: "cmd.valve", payload: "auf\n", headers: { Why: "test" } });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(sink.delivered, ["cmd.valve=auf\n", "cmd.valve=auf\n"]);
  assert.equal(answer.json.local_listeners, 2);
  assert.equal(answer.json.outcome, "local");
  assert.equal(answer.json.hub_listens, null);
  assert.equal(answer.json.topic, "cmd/valve");
  assert.equal(answer.json.rule.index, 0);
  const binary = await technician.post("/api/messages", { subject: "cmd.b", payload: "AP8=", encoding: "base64" });
  assert.equal(binary.status, 200, binary.text);
  const owner = await device.loggedIn(OWNER);
  const trail = (await owner.get("/api/audit")).json.lines as readonly { action: string; detail?: string; user: string }[];
  const told = trail.filter(({ action }) => action === "message sent");
  assert.deepEqual(
    told.map(({ user, detail }) => [user, detail]),
    [
      ["tariq", "cmd.b, 2 bytes"],
      ["tariq", "cmd.valve, 4 bytes"],
    ],
  );
});

test("what may not be sent by hand is refused before anything is published", async () => {
  await using live = await startLiveDevice();
  const { device, account } = live;
  const sink = new RecordingSink();
  account.subscribe(sink.subscription(">"));
  const technician = await device.loggedIn(TECHNICIAN);
  const good = { subject: "a", payload: "x" };
  for (const [body, status] of [
    [{ ...good, subject: "a.*" }, 400],
    [{ ...good, subject: ">" }, 400],
    [{ ...good, subject: "a b" }, 400],
    [{ ...good, subject: "a\r\nPUB b 1" }, 400],
    [{ ...good, subject: "a\u0000" }, 400],
    [{ ...good, subject: "" }, 400],
    [{ ...good, subject: "$SYS.REQ.SERVER.PING" }, 400],
    [{ ...good, subject: "$JS.API.STREAM.DELETE.ALL" }, 400],
    [{ ...good, subject: "$PETIOLE.gw.ledger" }, 400],
    [{ ...good, subject: "_INBOX.x.y" }, 400],
    [{ ...good, subject: 7 }, 400],
    [{ ...good, payload: { a: 1 } }, 400],
    [{ ...good, payload: "?", encoding: "base64" }, 400],
    [{ ...good, encoding: "hex" }, 400],
    [{ ...good, headers: { "a\r\nb": "c" } }, 400],
    [{ ...good, headers: { a: "b\r\nForged: yes" } }, 400],
    [{ ...good, headers: { a: 1 } }, 400],
    [{ ...good, headers: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`h${i}`, ""])) }, 400],
    [{ ...good, headers: { a: "x".repeat(5000) } }, 400],
    [{ ...good, keep: "yes" }, 400],
    [{ ...good, account: "OTHER" }, 400],
    [{ ...good, reply: "x" }, 400],
    [{ ...good, payload: "x".repeat(64 * 1024 + 1) }, 413],
    [{ ...good, payload: "x".repeat(1024 * 1024) }, 413],
    [[], 400],
  ] as const) {
    const answer = await technician.post("/api/messages", body);
    assert.equal(answer.status, status, JSON.stringify(body).slice(0, 100));
  }
  assert.equal((await technician.post("/api/messages", good, { "X-Petiole-CSRF": undefined })).status, 403);
  assert.equal((await technician.post("/api/messages", good, { Origin: "http://evil.example" })).status, 403);
  assert.deepEqual(sink.delivered, []);
});

test("a subject is explained, and what is none is told why, to viewers too", async () => {
  await using live = await startLiveDevice();
  const { device, account } = live;
  const sink = new RecordingSink();
  account.subscribe(sink.subscription("plant.>"));
  const viewer = await device.loggedIn(VIEWER);
  const explain = async (subject: string) =>
    (await viewer.get(`/api/subjects/explain?subject=${encodeURIComponent(subject)}`)).json;
  const known = await explain("plant.7.ünits");
  assert.equal(known.valid, true);
  assert.equal(known.subject, "plant.7.ünits");
  assert.equal(known.topic, "plant/7/ünits");
  assert.equal(known.local_subscriptions, 1);
  assert.deepEqual(Object.keys(known.rule).sort(), ["class", "confirm", "index", "keep"]);
  assert.equal(known.hub_interest, null);
  assert.equal((await explain("$JS.API.INFO")).rule, null, "the system's own is never kept");
  for (const [subject, words] of [
    ["plant.*", /stands for many/],
    ["plant.>", /stands for many/],
    ["plant. ", /spaces/],
    [".plant", /empty/],
    ["", /write a subject/],
  ] as const) {
    const answer = await explain(subject);
    assert.equal(answer.valid, false);
    assert.match(answer.fault, words);
  }
  const routes = account.status().routes;
  for (let i = 0; i < 100; i++) await explain(`asked.${i}`);
  assert.equal(account.status().routes, routes, "questions do not push out what the router remembers");
});
