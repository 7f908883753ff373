// The switch to S2 and what follows it, byte for byte, against a hub that does as it is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as v8 from "node:v8";
import * as vm from "node:vm";
import { openS2Codec, type S2Level } from "#s2/codec.ts";
import { S2Writer } from "#s2/writer.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakeHub } from "../support/fake-hub.ts";
import type { FakeHubConnection } from "../support/fake-hub-connection.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";
import { decodeStream } from "../support/s2-oracle.ts";

const INFO =
  'INFO {"server_id":"H1","server_name":"hub1","version":"2.15.1","client_id":7,"max_payload":1048576,"nonce":"n","compression":"s2_auto","info_on_connect":true,"leafnode_urls":["127.0.0.1:7422"]} \r\n';
const AGREED =
  'INFO {"server_id":"H1","server_name":"hub1","version":"2.15.1","client_id":7,"max_payload":1048576,"nonce":"n","compression":"s2_fast","info_on_connect":true,"leafnode_urls":["127.0.0.1:7422"]} \r\n';
const JOINED =
  'INFO {"server_id":"H1","server_name":"hub1","version":"2.15.1","client_id":7,"max_payload":1048576,"connect_info":true,"remote_account":"ACC","info_on_connect":true} \r\n';
const REQUEST = 'INFO {"compression":"s2_auto"}\r\n';

const codec = openS2Codec();

/** As the hub writes: each flush a stream of its own, identifier included. */
function flush(text: string | Buffer, level: S2Level = "fast"): Buffer {
  const chunks: Buffer[] = [];
  new S2Writer(codec).write(Buffer.from(text as string), level, (view) => chunks.push(Buffer.from(view)));
  return Buffer.concat(chunks);
}

/** What the spoke has said since it asked for S2: one stream, which must be good as far as it goes. */
function said(connection: FakeHubConnection): { text: string; chunks: number } {
  const { received } = connection;
  const start = received.indexOf(REQUEST);
  assert.equal(start, 0, "our INFO comes first");
  const { pieces, refusal } = decodeStream(received.subarray(REQUEST.length));
  assert.ok(refusal === undefined || refusal === "truncated", `${refusal}`);
  return { text: Buffer.concat(pieces).toString(), chunks: pieces.length };
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`waited 5 s until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Takes a spoke through the first INFO, to the moment in which both sides switch. */
async function atTheSwitch(hub: FakeHub, more = ""): Promise<FakeHubConnection> {
  const connection = await hub.nextConnection();
  connection.sends(INFO + more);
  await until("the spoke asks for S2", () => connection.received.length >= REQUEST.length);
  return connection;
}

async function makeReady(hub: FakeHub, spoke: LinkHarness): Promise<FakeHubConnection> {
  const connection = await atTheSwitch(hub);
  connection.sends(flush(AGREED));
  await until("CONNECT comes", () => said(connection).text.endsWith("}\r\n"));
  connection.sends(flush(JOINED));
  await until("the spoke asks for its PONG", () => said(connection).text.endsWith("PING\r\n"));
  connection.sends(flush("PONG\r\n"));
  await until("the link is ready", () => spoke.link.isReady);
  return connection;
}

/** Lets the wait of the back-off go by, and no more. */
function redial(spoke: LinkHarness, clock: FakeClock): void {
  for (let i = 0; i < 600 && spoke.link.status().state === "waiting"; i++) clock.advance(100);
  assert.equal(spoke.link.status().state, "dialing");
}

test("our INFO stands alone until the hub has switched, then all is one stream with one identifier", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.interest.push("plant.>");
  spoke.link.start();
  const connection = await atTheSwitch(hub);
  await new Promise((resolve) => setTimeout(resolve, 50)); // the time in which something could be glued to it
  assert.equal(connection.received.toString(), REQUEST);
  connection.sends(flush(AGREED));
  await until("CONNECT comes", () => said(connection).text.endsWith("}\r\n"));
  assert.match(said(connection).text, /^CONNECT \{.*"compress_mode":"s2_auto".*\}\r\n$/);
  connection.sends(flush(`${JOINED}LS+ cmd.>\r\n`));
  await until("PING comes", () => said(connection).text.endsWith("PING\r\n"));
  connection.sends(flush("PONG\r\n"));
  await spoke.hears(/^ready$/);
  assert.match(said(connection).text, /\}\r\nLS\+ \$LDS\.[0-9a-f]{32}\r\nLS\+ plant\.>\r\nPING\r\n$/);
  assert.equal(connection.received.toString("latin1").split("S2sTwO").length - 1, 1);
  assert.equal(spoke.link.status().compression?.mode, "s2_auto");
});

for (const [ours, hubs] of [
  ["off", "s2_auto"],
  ["s2_auto", "off"],
  ["accept", "accept"],
  ["s2_auto", "zstd"],
] as const) {
  test(`we with ${ours} and a hub with ${hubs}: nobody asks, and CONNECT goes in clear`, async () => {
    await using hub = await FakeHub.listen();
    await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url], compression: ours }));
    spoke.link.start();
    await hub.plays(`
      > ${INFO.trim().replace("s2_auto", hubs)}
      < /^CONNECT .*"compress_mode":"off"/`);
  });
}

test("the hub's INFO in S2 is understood wherever it is cut", async () => {
  await using hub = await FakeHub.listen();
  const bytes = flush(AGREED);
  for (let from = 1; from < bytes.length; from += 16) {
    const cuts = Array.from({ length: Math.min(16, bytes.length - from) }, (_, i) => from + i);
    await Promise.all(
      cuts.map(async (cut) => {
        await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
        spoke.link.start();
        const connection = await firstOf(hub);
        connection.sends(INFO);
        await until("the spoke asks for S2", () => connection.received.length >= REQUEST.length);
        connection.sends(bytes.subarray(0, cut));
        await new Promise((resolve) => setTimeout(resolve, 3));
        assert.equal(connection.received.toString(), REQUEST, `nothing before the whole INFO, cut at ${cut}`);
        connection.sends(bytes.subarray(cut));
        await until("CONNECT comes", () => said(connection).text.endsWith("}\r\n"));
        assert.match(said(connection).text, /^CONNECT \{/);
      }),
    );
  }
});

const queue: Promise<unknown>[] = [];
/** Connections one after the other: `nextConnection` serves one waiting caller at a time. */
function firstOf(hub: FakeHub): Promise<FakeHubConnection> {
  const before = queue.at(-1) ?? Promise.resolve();
  const mine = before.then(() => hub.nextConnection());
  queue.push(mine);
  return mine;
}

for (const [text, code] of [
  ["Authorization Violation", "LEAF_AUTH_REJECTED"],
  ["Authentication Timeout", "LEAF_TIMEOUT"],
  ["Maximum Connections Exceeded", "LEAF_HUB_ERROR"],
] as const) {
  test(`-ERR '${text}' is understood in clear before the hub's switch and in S2 behind it`, async () => {
    await using hub = await FakeHub.listen();
    for (const bytes of [Buffer.from(`-ERR '${text}'\r\n`), flush(`-ERR '${text}'\r\n`), flush(`${AGREED}-ERR '${text}'\r\n`)]) {
      await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
      spoke.link.start();
      const connection = await atTheSwitch(hub);
      connection.sends(bytes.subarray(0, 3));
      await new Promise((resolve) => setTimeout(resolve, 2));
      connection.sends(bytes.subarray(3));
      await spoke.hears(/^down$/);
      const { lastError } = spoke.link.status();
      assert.equal(lastError?.code, code);
      assert.ok(lastError.message.includes(text), lastError.message);
    }
  });
}

test("what a hub still says in clear before its switch is read as that, and the switch is found behind it", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  const connection = await atTheSwitch(hub, "PING\r\n");
  connection.sends(Buffer.concat([Buffer.from("PING\r\n"), flush(AGREED)]));
  await until("CONNECT comes", () => said(connection).text.endsWith("}\r\n"));
  assert.match(said(connection).text, /^CONNECT \{/, "a PONG in front of it would be an Authorization Violation");
  connection.sends(flush(JOINED));
  await until("its PINGs are answered", () => said(connection).text.endsWith("PONG\r\nPONG\r\nPING\r\n"));
});

/** A compressed chunk that announces this much and holds next to nothing. */
function bomb(announced: number): Buffer {
  const varint: number[] = [];
  for (let left = announced; ; left = Math.floor(left / 128)) {
    varint.push(left >= 128 ? (left % 128) + 128 : left);
    if (left < 128) break;
  }
  const body = Buffer.concat([Buffer.alloc(4), Buffer.from(varint), Buffer.from([0x00, 0x61, 0x05, 0x00])]);
  return Buffer.concat([Buffer.from([0x00, body.length, 0, 0]), body]);
}

const IDENTIFIER = Buffer.from("\xff\x06\x00\x00S2sTwO", "latin1");
const good = flush("PONG\r\n");
const wrongSum = Buffer.from(good);
wrongSum[wrongSum.length - 7]! ^= 1;
const corrupt = Buffer.concat([IDENTIFIER, Buffer.from([0x00, 0x08, 0, 0, 1, 2, 3, 4, 0x05, 0x09, 0x00, 0x00])]);

const BREACHES: readonly (readonly [name: string, code: string, bytes: Buffer])[] = [
  ["noise that begins like a stream", "S2_BAD_IDENTIFIER", Buffer.from("\xff\x06\x00\x00nonsense", "latin1")],
  ["an identifier of a megabyte", "S2_BAD_IDENTIFIER", Buffer.from([0xff, 0, 0, 0x10])],
  ["a wrong checksum", "S2_BAD_CHECKSUM", wrongSum],
  ["a chunk nobody knows", "S2_UNKNOWN_CHUNK", Buffer.concat([IDENTIFIER, Buffer.from([0x02, 4, 0, 0, 1, 2, 3, 4])])],
  ["a block that contradicts itself", "S2_CORRUPT", corrupt],
  ["a bomb of 4 GiB", "S2_TOO_LARGE", Buffer.concat([IDENTIFIER, bomb(0xffff_ffff)])],
  ["a bomb of a byte over a megabyte", "S2_TOO_LARGE", Buffer.concat([IDENTIFIER, bomb(1024 * 1024 + 1)])],
  ["a stored chunk of 16 MiB", "S2_TOO_LARGE", Buffer.concat([IDENTIFIER, Buffer.from([0x01, 0xff, 0xff, 0xff])])],
  ["S2 that holds no NATS", "WIRE_UNKNOWN_OPERATION", flush("HELLO there\r\n")],
];

for (const [name, code, bytes] of BREACHES) {
  test(`${name} ends the link as ${code}, in the agreement and later, and it is dialled again`, async () => {
    await using hub = await FakeHub.listen();
    const clock = new FakeClock();
    await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }), { clock });
    spoke.link.start();
    for (const isLater of [false, true]) {
      const connection = isLater ? await makeReady(hub, spoke) : await atTheSwitch(hub);
      connection.sends(bytes);
      await until("the link is down", () => spoke.heard.includes("down"));
      const { lastError, state } = spoke.link.status();
      assert.equal(lastError?.code, code);
      assert.match(lastError.message, isLater || code.startsWith("S2") ? /byte \d+/ : /HELLO/);
      assert.equal(state, "waiting");
      spoke.forget();
      redial(spoke, clock);
    }
    await hub.nextConnection();
  });
}

test("what is not S2 at all where S2 must be is named as what it is", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  const connection = await atTheSwitch(hub);
  connection.sends(Buffer.from([0, 1, 2, 3, 13, 10]));
  await spoke.hears(/^down$/);
  assert.equal(spoke.link.status().lastError?.code, "WIRE_UNKNOWN_OPERATION");
});

test("a hub that goes back to plain text behind the switch ends the link", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  const connection = await makeReady(hub, spoke);
  connection.sends("LMSG cmd.valve 4\r\nopen\r\n");
  await spoke.hears(/^down$/);
  assert.equal(spoke.link.status().lastError?.code, "S2_UNKNOWN_CHUNK");
  assert.ok(!spoke.heard.some((line) => line.startsWith("msg")));
});

test("messages in S2 before we have introduced ourselves reach nobody", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  const connection = await atTheSwitch(hub);
  connection.sends(flush("LMSG cmd.valve 4\r\nopen\r\n"));
  await spoke.hears(/^down$/);
  assert.equal(spoke.link.status().lastError?.code, "LEAF_NOT_NATS");
  assert.deepEqual(spoke.heard, ["down"]);
});

test("chunks to be skipped, of 16 MiB each, cost nothing and hold nothing up", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  const connection = await makeReady(hub, spoke);
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc") as () => void;
  collect();
  const before = process.memoryUsage().arrayBuffers;
  const padding = Buffer.alloc(1024 * 1024, 0x55);
  for (const kind of [0xfe, 0x80]) {
    connection.sends(Buffer.from([kind, 0xff, 0xff, 0xff]));
    for (let i = 0; i < 16; i++) connection.sends(i === 15 ? padding.subarray(1) : padding);
    connection.sends(flush(`LMSG a 1\r\n${kind === 0x80 ? "y" : "x"}\r\n`));
  }
  await spoke.hears(/^msg a=y$/);
  assert.deepEqual(spoke.heard, ["ready", "msg a=x", "msg a=y"]);
  await until("what came is let go", () => {
    collect();
    return process.memoryUsage().arrayBuffers - before < 4 * 1024 * 1024;
  });
  assert.ok(spoke.link.status().bytesIn > 32 * 1024 * 1024);
});

test("a hub that never goes on behind our INFO is given up, and the phase is named", async () => {
  for (const bytes of ["", flush(AGREED).subarray(0, 20), Buffer.from([...IDENTIFIER, 0xfe, 0xff, 0xff, 0xff, 1, 2, 3])]) {
    await using hub = await FakeHub.listen();
    const clock = new FakeClock();
    await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }), { clock });
    spoke.link.start();
    const connection = await atTheSwitch(hub);
    connection.sends(bytes);
    await until("it is agreeing", () => spoke.link.status().state === "agreeing");
    clock.advance(10_001);
    const { lastError } = spoke.link.status();
    assert.equal(lastError?.code, "LEAF_TIMEOUT");
    assert.match(lastError.message, /agreeing/);
    redial(spoke, clock);
    await hub.nextConnection();
  }
});

test("-ERR and whatever follows it in one chunk of S2 end the link and nothing else", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  const connection = await makeReady(hub, spoke);
  spoke.link.carrier!.ping();
  await until("PING comes", () => said(connection).text.endsWith("PING\r\nPING\r\n"));
  spoke.forget();
  connection.sends(flush("LMSG a 1\r\nx\r\n-ERR 'Stale Connection'\r\nPONG\r\nLS+ b\r\nLMSG a 1\r\ny\r\n"));
  await spoke.hears(/^down$/);
  assert.deepEqual(spoke.heard, ["msg a=x", "rejected Stale Connection", "down"]);
});

/** Sends readings one by one, as they come, and tells what of them came to the hub: in how many chunks, in how many bytes. */
async function dribble(flushDelay: string): Promise<{ chunks: number; bytes: number }> {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url], flush_delay: flushDelay, compression: "s2_better" }));
  spoke.link.start();
  const connection = await hub.nextConnection();
  connection.sends(INFO);
  const asked = 'INFO {"compression":"s2_better"}\r\n';
  await until("the spoke asks for S2", () => connection.received.length >= asked.length);
  connection.sends(flush(AGREED));
  const heardPlain = () => decodeStream(connection.received.subarray(asked.length)).pieces;
  await until("CONNECT comes", () => heardPlain().length === 1);
  connection.sends(flush(JOINED));
  await until("PING comes", () => Buffer.concat(heardPlain()).toString().endsWith("PING\r\n"));
  connection.sends(flush("PONG\r\n"));
  await spoke.hears(/^ready$/);
  const before = { chunks: heardPlain().length, bytes: connection.received.length };
  const carrier = spoke.link.carrier!;
  for (let i = 0; i < 100; i++) {
    const text = JSON.stringify({ sensor: "boiler-7", n: i, celsius: 71.25 + i / 8 });
    carrier.out.text(`LMSG sensors.boiler ${text.length}\r\n${text}\r\n`);
    carrier.flush();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  carrier.flushNow();
  await until("all has come", () => Buffer.concat(heardPlain()).toString().includes('"n":99,'));
  return { chunks: heardPlain().length - before.chunks, bytes: connection.received.length - before.bytes };
}

test("flush_delay makes few chunks of many readings, and S2 makes fewer bytes of few chunks", async () => {
  const [atOnce, gathered] = await Promise.all([dribble("0ms"), dribble("50ms")]);
  assert.ok(atOnce.chunks >= 80, `${atOnce.chunks} chunks without delay`);
  assert.ok(gathered.chunks <= 20, `${gathered.chunks} chunks with 50 ms`);
  assert.ok(gathered.bytes < atOnce.bytes / 2, `${gathered.bytes} bytes gathered, ${atOnce.bytes} at once`);
});
