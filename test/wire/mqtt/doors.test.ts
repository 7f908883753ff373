// The way from an accepted connection to a stream of MQTT bytes: TLS, WebSocket, quotas of addresses. No broker is behind the doors here.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import * as path from "node:path";
import { after, before, test } from "node:test";
import * as tls from "node:tls";
import { systemDisk } from "#base/disk.ts";
import { createLog, type LogLine } from "#base/log.ts";
import { type ByteStream, type Net, systemNet } from "#base/net.ts";
import { Voice } from "#base/voice.ts";
import { ARRIVAL_LIMIT_MS, HANDSHAKES_MAX } from "#doors/gate.ts";
import { tryOrigin } from "#doors/web-origin.ts";
import type { DoorFacts, MqttDoor } from "#ingress/mqtt/door-facts.ts";
import { type MqttDoors, openMqttDoors } from "#ingress/mqtt/mqtt-doors.ts";
import type { MqttOptions } from "#ingress/mqtt/options.ts";
import { type Certificates, certificates, type KeyPair } from "../../support/certificates.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { mqttSettings } from "../../support/mqtt-settings.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const LISTEN = { host: "127.0.0.1", port: 0 };
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const CONNECT = Buffer.from("100c00044d5154540402003c0000", "hex");

let made: Certificates;
before(async () => {
  made = await certificates();
});
after(() => made[Symbol.asyncDispose]());

interface Guest {
  readonly stream: ByteStream;
  readonly facts: DoorFacts;
}

/** The doors, whoever came through them, and what was said of the rest. */
class Porch implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly lines: LogLine[] = [];
  readonly guests: Guest[] = [];
  #lost = 0;
  #doors: MqttDoors | undefined;
  #changed = Promise.withResolvers<void>();

  static async open(settings: Partial<MqttOptions>, network: Net = systemNet()): Promise<Porch> {
    const porch = new Porch();
    const log = createLog(porch.clock, "debug", (line) => void porch.lines.push(line));
    const host = {
      voice: new Voice(porch.clock, log),
      onStream: (stream: ByteStream, facts: DoorFacts) => {
        stream.on("error", () => undefined);
        porch.guests.push({ stream, facts });
        porch.#change();
      },
      onLost: () => {
        porch.#lost += 1;
        porch.#change();
      },
    };
    const env = { clock: porch.clock, net: network, log, disk: systemDisk() };
    porch.#doors = await openMqttDoors(mqttSettings({ listen: null, ...settings }), host, env);
    return porch;
  }

  get doors(): MqttDoors {
    return this.#doors!;
  }

  get lost(): number {
    return this.#lost;
  }

  get words(): string {
    return this.lines.map(({ message }) => message).join("\n");
  }

  port(door: MqttDoor): number {
    return this.doors.endpointOf(door)!.port;
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.#changed.promise;
  }

  async guest(): Promise<Guest> {
    await this.until(() => this.guests.length > 0);
    return this.guests[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#doors?.[Symbol.asyncDispose]();
    for (const { stream } of this.guests) stream.destroy();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

function tlsSettings(more: Partial<NonNullable<MqttOptions["tls"]>> = {}): Partial<MqttOptions> {
  const { cert: certFile, key: keyFile } = made.server;
  return { tls: { listen: LISTEN, certFile, keyFile, caFile: null, verify: false, verifyAndMap: false, ...more } };
}

function webSettings(more: Partial<NonNullable<MqttOptions["websocket"]>> = {}): Partial<MqttOptions> {
  return { websocket: { listen: LISTEN, tls: null, path: null, sameOrigin: false, allowedOrigins: [], ...more } };
}

async function dialTls(port: number, more: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  const socket = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca: await fs.readFile(made.ca), ...more });
  socket.on("error", () => undefined);
  return socket;
}

async function pairOf({ cert, key }: KeyPair) {
  return { cert: await fs.readFile(cert), key: await fs.readFile(key) };
}

async function dial(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** All that is said until the connection is over. */
async function wholeOf(socket: net.Socket): Promise<string> {
  let heard = "";
  socket.on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
  await new Promise((resolve) => socket.once("close", resolve));
  return heard;
}

/** So many bytes, and not one more taken. */
async function take(stream: ByteStream, count: number): Promise<Buffer> {
  for (;;) {
    const found = stream.read(count) as Buffer | null;
    if (found !== null) return found;
    await once(stream, "readable");
  }
}

function upgrade(more: readonly string[] = ["Sec-WebSocket-Protocol: mqtt"], at = "/mqtt"): string {
  const head = [
    "Host: gw",
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Key: ${KEY}`,
    "Sec-WebSocket-Version: 13",
  ];
  return `${[`GET ${at} HTTP/1.1`, ...head, ...more].join("\r\n")}\r\n\r\n`;
}

/** A client's frame. */
function frame(opcode: number, payload: Uint8Array, isLast = true): Buffer {
  const mask = Buffer.of(0x12, 0x34, 0x56, 0x78);
  const size = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255];
  const head = Buffer.of((isLast ? 0x80 : 0) | opcode, size[0]! | 0x80, ...size.slice(1));
  return Buffer.concat([head, mask, Buffer.from(payload).map((byte, i) => byte ^ mask[i & 3]!)]);
}

/** Behind its upgrade. */
async function upgraded(porch: Porch, more?: readonly string[]): Promise<net.Socket> {
  const socket = await dial(porch.port("ws"));
  socket.write(upgrade(more));
  await porch.guest();
  const head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  const accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
  assert.equal((await take(socket, head.length + accept.length)).toString(), head + accept);
  return socket;
}

test("the plain, the TLS and the WebSocket door lead to the same place, each told apart", async () => {
  await using porch = await Porch.open({ listen: LISTEN, ...tlsSettings(), ...webSettings() });
  const plain = await dial(porch.port("tcp"));
  await porch.until(() => porch.guests.length === 1);
  const secured = await dialTls(porch.port("tls"));
  await porch.until(() => porch.guests.length === 2);
  const framed = await dial(porch.port("ws"));
  framed.write(upgrade());
  await porch.until(() => porch.guests.length === 3);
  assert.deepEqual(
    porch.guests.map(({ facts }) => [facts.door, facts.tls?.version ?? null, facts.certificateNames]),
    [
      ["tcp", null, null],
      ["tls", "1.3", null],
      ["ws", null, null],
    ],
  );
  plain.write(CONNECT);
  secured.write(CONNECT);
  framed.write(frame(2, CONNECT));
  for (const { stream } of porch.guests) assert.deepEqual(await take(stream, CONNECT.length), CONNECT);
  assert.deepEqual(
    porch.doors.status().map(({ door, arriving, tls: secure }) => [door, arriving, secure?.isVerifying ?? null]),
    [
      ["tcp", 0, null],
      ["tls", 0, false],
      ["ws", 0, null],
    ],
  );
  for (const socket of [plain, secured, framed]) socket.destroy();
});

test("with verify_and_map the names of a client's certificate come along; with verify alone they do not say who it is", async () => {
  for (const verifyAndMap of [true, false]) {
    await using porch = await Porch.open(tlsSettings({ caFile: made.ca, verify: true, verifyAndMap }));
    const socket = await dialTls(porch.port("tls"), await pairOf(made.client));
    const { facts } = await porch.guest();
    assert.deepEqual(facts.certificateNames?.dnsNames ?? null, verifyAndMap ? ["petiole-test"] : null);
    assert.equal(facts.tls?.certificate?.subject, "CN=petiole-test");
    socket.destroy();
  }
});

test("with verify nobody comes in without a certificate of ca_file that is valid today, and the log says why", async () => {
  await using porch = await Porch.open(tlsSettings({ caFile: made.ca, verify: true }));
  for (const pair of [undefined, made.strangerClient, made.expiredClient]) {
    const socket = await dialTls(porch.port("tls"), pair === undefined ? {} : await pairOf(pair));
    socket.on("secureConnect", () => socket.write(CONNECT));
    assert.equal(await wholeOf(socket), "");
    porch.clock.advance(10_000); // the log speaks of one address once in ten seconds
  }
  await porch.until(() => porch.lost === 3);
  assert.equal(porch.guests.length, 0);
  assert.match(porch.words, /it shows no certificate, and this port wants one \(verify\)/);
  assert.match(porch.words, /its certificate is not of the CA in ca_file or not valid today/);
});

test("plain MQTT on the TLS port is cut off, and the log says what to do", async () => {
  await using porch = await Porch.open(tlsSettings());
  const socket = await dial(porch.port("tls"));
  socket.write(CONNECT);
  await wholeOf(socket);
  await porch.until(() => porch.lost === 1);
  assert.match(porch.words, /does not speak TLS, which this port wants; set it to TLS/);
});

test("whoever is slow in the TLS handshake or the upgrade is put out after five seconds, and nobody else waits for it", async () => {
  await using porch = await Porch.open({ ...tlsSettings(), ...webSettings() });
  const slow = [await dial(porch.port("tls")), await dial(porch.port("ws"))];
  slow[0]!.write(Buffer.from("1603010200010001fc0303", "hex")); // a ClientHello that does not go on
  slow[1]!.write("GET /mqtt HTTP/1.1\r\nHost: g");
  const socket = await dialTls(porch.port("tls"));
  await porch.guest();
  const over = slow.map(wholeOf);
  porch.clock.advance(ARRIVAL_LIMIT_MS - 1000);
  assert.deepEqual([porch.lost, porch.doors.status().map(({ arriving }) => arriving)], [0, [1, 1]]);
  porch.clock.advance(1000);
  await Promise.all(over);
  await porch.until(() => porch.lost === 2);
  assert.equal(socket.destroyed, false);
  socket.destroy();
});

test("a flood of half-open TLS handshakes is bounded and puts out itself: the oldest makes room, and who means it comes in", async () => {
  await using porch = await Porch.open({ ...tlsSettings(), maxClients: 1 });
  const flood: net.Socket[] = [];
  for (let i = 0; i < 256; i++) flood.push(await dial(porch.port("tls")));
  const over = wholeOf(flood[0]!);
  const socket = await dialTls(porch.port("tls"));
  await over;
  for (let seconds = 0; seconds < 30 && porch.guests.length === 0; seconds++) {
    assert.ok(porch.doors.status()[0]!.arriving <= 256);
    porch.clock.advance(1_000);
    for (let i = 0; i < 50; i++) await turn();
  }
  await porch.guest();
  for (const one of [...flood, socket]) one.destroy();
});

test("TLS handshakes have turns: while so many are under way others wait, unhurried, and come in when a turn is free", async () => {
  await using porch = await Porch.open({ ...tlsSettings(), maxClients: 1_000 });
  const stalled: net.Socket[] = [];
  for (let i = 0; i < HANDSHAKES_MAX; i++) stalled.push(await dial(porch.port("tls")));
  const patient = await dialTls(porch.port("tls"));
  while (porch.doors.status()[0]!.arriving <= HANDSHAKES_MAX) await turn();
  assert.equal(porch.guests.length, 0);
  porch.clock.advance(ARRIVAL_LIMIT_MS); // the stalled ones are over; the time of the patient one begins
  await porch.guest();
  await porch.until(() => porch.lost === HANDSHAKES_MAX);
  assert.deepEqual([porch.doors.status()[0]!.arriving, patient.destroyed], [0, false]);
  for (const one of [...stalled, patient]) one.destroy();
});

test("doors that close put out those that wait for a turn as well", async () => {
  const porch = await Porch.open({ ...tlsSettings(), maxClients: 1_000 });
  const sockets: net.Socket[] = [];
  for (let i = 0; i < HANDSHAKES_MAX + 5; i++) sockets.push(await dial(porch.port("tls")));
  while (porch.doors.status()[0]!.arriving < HANDSHAKES_MAX + 5) await turn();
  const over = sockets.map(wholeOf);
  await porch[Symbol.asyncDispose]();
  await Promise.all(over);
});

test("a renewed certificate is shown to new connections, and those that are open stay", async () => {
  await using folder = await tempFolder("petiole-mqtt-tls");
  const pair = { cert: path.join(folder.path, "gw.pem"), key: path.join(folder.path, "gw.key") };
  const put = async (from: KeyPair) => {
    await fs.copyFile(from.cert, pair.cert);
    await fs.copyFile(from.key, pair.key);
  };
  await put(made.server);
  await using porch = await Porch.open(tlsSettings({ certFile: pair.cert, keyFile: pair.key }));
  const shown = async () => {
    const socket = await dialTls(porch.port("tls"));
    await once(socket, "secureConnect");
    return { socket, serial: socket.getPeerCertificate().serialNumber };
  };
  const first = await shown();
  await put(made.renewed);
  porch.clock.advance(10_000);
  const second = await shown();
  assert.notEqual(first.serial, second.serial);
  assert.equal(first.socket.destroyed, false);
  for (const { socket } of [first, second]) socket.destroy();
});

test("certificate files that are missing keep the doors from opening, all of them, in words that name the setting", async () => {
  const settings = { listen: LISTEN, ...tlsSettings({ certFile: "/nowhere/gw.pem" }) };
  await assert.rejects(Porch.open(settings), { code: "DOOR_TLS_FILES", message: /mqtt\.tls\.cert_file: there is no file/ });
});

test("a port that is taken is told with the setting it stands in", async () => {
  await using porch = await Porch.open({ listen: LISTEN });
  const taken = { ...tlsSettings({ listen: porch.doors.endpoint }) };
  await assert.rejects(Porch.open(taken), { code: "MQTT_LISTEN_FAILED", message: /or change mqtt\.tls\.listen/ });
});

test("MQTT-6.0.0-4: the sub-protocol mqtt is picked from whatever is offered", async () => {
  for (const [offer, picked] of [
    ["mqtt", "mqtt"],
    ["mqttv3.1, mqtt", "mqtt"],
    ["mqttv3.1", "mqttv3.1"],
  ] as const) {
    await using porch = await Porch.open(webSettings());
    const socket = await dial(porch.port("ws"));
    socket.write(upgrade([`Sec-WebSocket-Protocol: ${offer}`]));
    await porch.guest();
    const answer = once(socket, "data");
    assert.match(String((await answer)[0]), new RegExp(`Sec-WebSocket-Protocol: ${picked}\r\n`));
    socket.destroy();
  }
});

test("MQTT-6.0.0-3: an upgrade that does not offer the sub-protocol mqtt is refused", async () => {
  await using porch = await Porch.open(webSettings());
  for (const more of [[], ["Sec-WebSocket-Protocol: wamp, mqtts"]]) {
    const socket = await dial(porch.port("ws"));
    socket.write(upgrade(more));
    assert.match(await wholeOf(socket), /^HTTP\/1\.1 400 Bad Request\r\n/);
  }
  await porch.until(() => porch.lost === 2);
  assert.match(porch.words, /does not offer the sub-protocol "mqtt"/);
});

test("MQTT-6.0.0-1: a text frame ends the connection, and nothing of it is read", async () => {
  await using porch = await Porch.open(webSettings());
  const socket = await upgraded(porch);
  const { stream } = porch.guests[0]!;
  const over = wholeOf(socket);
  const failed = new Promise((resolve) => stream.once("close", resolve));
  stream.resume();
  socket.write(frame(1, CONNECT));
  assert.equal(await over, "\x88\x02\x03\xea"); // 1002, protocol error
  await failed;
});

test("MQTT-6.0.0-2: packets are not aligned to frames: any cut over frames and fragments gives the same bytes", async () => {
  await using porch = await Porch.open(webSettings());
  const socket = await upgraded(porch);
  const [head, middle, rest] = [CONNECT.subarray(0, 3), CONNECT.subarray(3, 4), CONNECT.subarray(4)];
  const frames = [
    frame(2, head, false),
    frame(9, Buffer.from("ping")),
    frame(0, middle, false),
    frame(0, rest),
    frame(2, CONNECT),
  ];
  for (const byte of Buffer.concat(frames)) socket.write(Buffer.of(byte));
  assert.deepEqual(await take(porch.guests[0]!.stream, 2 * CONNECT.length), Buffer.concat([CONNECT, CONNECT]));
  assert.deepEqual(await take(socket, 6), Buffer.concat([Buffer.of(0x8a, 4), Buffer.from("ping")]));
  socket.destroy();
});

test("what we send goes in binary frames, and an end is a goodbye", async () => {
  await using porch = await Porch.open(webSettings());
  const socket = await upgraded(porch);
  const { stream } = porch.guests[0]!;
  stream.write(Buffer.of(0x20, 2, 0, 0));
  stream.end();
  assert.deepEqual(await take(socket, 10), Buffer.of(0x82, 4, 0x20, 2, 0, 0, 0x88, 2, 0x03, 0xe8));
  socket.destroy();
});

test("only the path of the settings is answered, and any where there is none", async () => {
  await using porch = await Porch.open(webSettings({ path: "/broker" }));
  for (const at of ["/", "/mqtt", "/broker/", "/brokers"]) {
    const socket = await dial(porch.port("ws"));
    socket.write(upgrade(undefined, at));
    assert.match(await wholeOf(socket), /^HTTP\/1\.1 404 Not Found\r\n/);
  }
  const socket = await dial(porch.port("ws"));
  socket.write(upgrade(undefined, "/broker?token=x"));
  await porch.guest();
  socket.destroy();
});

test("web pages of other origins are refused, and whatever is no web page comes in", async () => {
  const allowedOrigins = [tryOrigin("https://panel.example.com")!];
  await using porch = await Porch.open(webSettings({ allowedOrigins }));
  const protocol = "Sec-WebSocket-Protocol: mqtt";
  const bad = await dial(porch.port("ws"));
  bad.write(upgrade([protocol, "Origin: https://evil.example"]));
  assert.match(await wholeOf(bad), /^HTTP\/1\.1 403 Forbidden\r\n/);
  for (const more of [[protocol], [protocol, "Origin: https://panel.example.com"]]) {
    const socket = await dial(porch.port("ws"));
    socket.write(upgrade(more));
    assert.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 101 /);
    socket.destroy();
  }
  assert.equal(porch.guests.length, 2);
});

test("whoever speaks plain MQTT, or asks for a page, on the WebSocket port is answered by HTTP and let go", async () => {
  await using porch = await Porch.open(webSettings());
  const plain = await dial(porch.port("ws"));
  plain.write(CONNECT);
  assert.match(await wholeOf(plain), /^HTTP\/1\.1 400 Bad Request\r\n/);
  const page = await dial(porch.port("ws"));
  page.write("GET / HTTP/1.1\r\nHost: gw\r\n\r\n");
  assert.match(await wholeOf(page), /^HTTP\/1\.1 426 .*This port speaks MQTT over WebSocket/s);
});

test("a head of more than 8 KiB, and a frame that claims a gigabyte, reserve nothing", async () => {
  await using porch = await Porch.open(webSettings());
  const big = await dial(porch.port("ws"));
  big.write(`GET /mqtt HTTP/1.1\r\nX: ${"x".repeat(9000)}`);
  assert.match(await wholeOf(big), /^HTTP\/1\.1 400 Bad Request\r\n/);
  const before = process.memoryUsage().arrayBuffers;
  const claims = await upgraded(porch);
  claims.write(Buffer.from("82ff0000000040000000" + "00000000" + "10", "hex"));
  assert.deepEqual(await take(porch.guests[0]!.stream, 1), Buffer.of(0x10));
  assert.ok(process.memoryUsage().arrayBuffers - before < 4 * 1024 * 1024);
  const over = wholeOf(claims);
  porch.guests[0]!.stream.destroy();
  await over;
});

test("an address that connects too often is closed before a byte is read, others are not, and the log says it once", async () => {
  const accepted = fakeNet();
  await using porch = await Porch.open({ listen: LISTEN, maxConnectRate: 1, maxLoginsPerAddress: 100 }, accepted.net);
  const streams = Array.from({ length: 30 }, () => accepted.arrives("10.0.0.66"));
  accepted.arrives("10.0.0.7");
  assert.deepEqual([porch.guests.length, porch.lost, porch.doors.refused], [11, 20, 20]);
  assert.deepEqual([streams[9]!.destroyed, streams[10]!.destroyed], [false, true]);
  assert.equal(porch.lines.filter(({ message }) => /more often than mqtt\.max_connect_rate/.test(message)).length, 1);
});

test("connections that are not let in yet are counted by address until the broker admits them or they leave", async () => {
  const accepted = fakeNet();
  await using porch = await Porch.open({ listen: LISTEN, maxLoginsPerAddress: 2 }, accepted.net);
  accepted.arrives("10.0.0.66");
  accepted.arrives("10.0.0.66");
  assert.equal(accepted.arrives("10.0.0.66").destroyed, true);
  porch.guests[0]!.facts.visit.admit();
  assert.equal(accepted.arrives("10.0.0.66").destroyed, false);
  assert.equal(accepted.arrives("10.0.0.66").destroyed, true);
  porch.guests[1]!.facts.visit.leave();
  assert.equal(accepted.arrives("10.0.0.66").destroyed, false);
});

test("when a TLS stream ends, the accepted connection below it is closed, which is what its address is counted by", async () => {
  const below: Promise<unknown>[] = [];
  const counting: Net = {
    ...systemNet(),
    listen: (endpoint, onStream) =>
      systemNet().listen(endpoint, (stream) => {
        below.push(once(stream, "close"));
        onStream(stream);
      }),
  };
  await using porch = await Porch.open(tlsSettings(), counting);
  const [ours, theirs] = [await dialTls(porch.port("tls")), await dialTls(porch.port("tls"))];
  await porch.until(() => porch.guests.length === 2);
  for (const { stream } of porch.guests) stream.resume();
  ours.destroy();
  porch.guests[1]!.stream.destroy();
  await Promise.all(below);
  theirs.destroy();
});

/** Streams without a network, from any address. */
function fakeNet() {
  let accept: (stream: ByteStream) => void = () => undefined;
  const network: Net = {
    ...systemNet(),
    listen: (endpoint, onStream) => {
      accept = onStream;
      return Promise.resolve({ endpoint, [Symbol.asyncDispose]: () => Promise.resolve() });
    },
  };
  const arrives = (remoteAddress: string): net.Socket => {
    const stream = Object.defineProperty(new net.Socket(), "remoteAddress", { value: remoteAddress });
    accept(stream);
    return stream;
  };
  return { net: network, arrives };
}
