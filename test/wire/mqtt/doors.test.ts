// The way from an accepted connection to a stream of MQTT bytes: plain and TLS, quotas of addresses. No broker is behind the doors here.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import * as path from "node:path";
import { after, before, test } from "node:test";
import * as tls from "node:tls";
import { type ByteStream, type Net, systemNet } from "#base/net.ts";
import { ARRIVAL_LIMIT_MS, HANDSHAKES_MAX } from "#doors/gate.ts";
import type { MqttOptions } from "#ingress/mqtt/options.ts";
import { type Certificates, certificates, type KeyPair } from "../../support/certificates.ts";
import { turn } from "../../support/fake-clock.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { CONNECT, dial, frame, LISTEN, Porch, take, upgrade, webSettings, wholeOf } from "./porch.ts";

let made: Certificates;
before(async () => {
  made = await certificates();
});
after(() => made[Symbol.asyncDispose]());
function tlsSettings(more: Partial<NonNullable<MqttOptions["tls"]>> = {}): Partial<MqttOptions> {
  const { cert: certFile, key: keyFile } = made.server;
  return { tls: { listen: LISTEN, certFile, keyFile, caFile: null, verify: false, verifyAndMap: false, ...more } };
}
async function dialTls(port: number, more: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  const socket = tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca: await fs.readFile(made.ca), ...more });
  socket.on("error", () => undefined);
  return socket;
}

async function pairOf({ cert, key }: KeyPair) {
  return { cert: await fs.readFile(cert), key: await fs.readFile(key) };
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
