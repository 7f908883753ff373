// TLS at the door for NATS clients: after INFO and before it, with client certificates, with renewed files.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { after, before, test } from "node:test";
import * as tls from "node:tls";
import { type Certificates, certificates, type KeyPair } from "../../support/certificates.ts";
import { RawNatsClient } from "../../support/nats-client.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { type DoorOptions, NatsDoor } from "./harness.ts";

let made: Certificates;
before(async () => {
  made = await certificates();
});
after(() => made[Symbol.asyncDispose]());

function tlsOf(
  more: { readonly verify?: boolean; readonly handshakeFirst?: boolean; readonly pair?: KeyPair } = {},
): DoorOptions {
  const { verify = false, handshakeFirst = false, pair = made.server } = more;
  return {
    tls: { certFile: pair.cert, keyFile: pair.key, caFile: verify ? made.ca : null, verify, verifyAndMap: false, handshakeFirst },
  };
}

async function trust(): Promise<tls.ConnectionOptions> {
  return { ca: await fs.readFile(made.ca), host: "localhost" };
}

async function clientPair(pair: KeyPair) {
  return { cert: await fs.readFile(pair.cert), key: await fs.readFile(pair.key) };
}

/** TLS over a connection that has read INFO, or at once. */
async function secured(
  raw: RawNatsClient,
  more: tls.ConnectionOptions = {},
): Promise<RawNatsClient & { readonly tls: tls.TLSSocket }> {
  const socket = tls.connect({ ...(await trust()), ...more, socket: raw.release() });
  await once(socket, "secureConnect");
  return Object.assign(RawNatsClient.over(socket), { tls: socket });
}

test("INFO says that TLS is wanted, and after the handshake the client goes on with CONNECT", async () => {
  await using door = await NatsDoor.open(tlsOf());
  const raw = await door.dialUnread();
  const info = await raw.info();
  assert.deepEqual([info["tls_required"], info["tls_verify"]], [true, undefined]);
  await using natsClient = await secured(raw);
  natsClient.send('CONNECT {"verbose":false}\r\nSUB a 1\r\nPUB a 2\r\nhi\r\nPING\r\n');
  await natsClient.receives("MSG a 1 2\r\nhi\r\nPONG\r\n");
  assert.equal(door.ingress.status().clients, 1);
});

test("with handshake_first nothing is said before TLS, and INFO comes inside of it", async () => {
  await using door = await NatsDoor.open(tlsOf({ handshakeFirst: true }));
  await using natsClient = await secured(await door.dialUnread());
  assert.equal((await natsClient.info())["tls_required"], true);
  natsClient.send('CONNECT {"verbose":false}\r\nPING\r\n');
  await natsClient.receives("PONG\r\n");
});

test("a client that goes on in clear is put out, and nothing of what it says counts", async () => {
  for (const handshakeFirst of [false, true]) {
    await using door = await NatsDoor.open(tlsOf({ handshakeFirst }));
    await using natsClient = await door.dialUnread();
    if (!handshakeFirst) await natsClient.info();
    natsClient.send('CONNECT {"verbose":false}\r\nSUB a 1\r\nPING\r\n');
    assert.doesNotMatch(await natsClient.isOver(), /PONG/);
    await door.until(() => door.ingress.status().endings.refused === 1);
    assert.equal(door.router.subscriptions, 0);
    assert.ok(door.said("NATS connection refused"));
  }
});

test("with verify a client needs a certificate of our CA", async () => {
  await using door = await NatsDoor.open(tlsOf({ verify: true }));
  {
    const raw = await door.dialUnread();
    assert.equal((await raw.info())["tls_verify"], true);
    await using natsClient = await secured(raw, await clientPair(made.client));
    natsClient.send('CONNECT {"verbose":false}\r\nPING\r\n');
    await natsClient.receives("PONG\r\n");
  }
  for (const pair of [undefined, made.strangerClient, made.expiredClient]) {
    const raw = await door.dialUnread();
    await raw.info();
    const own = pair === undefined ? {} : await clientPair(pair);
    const socket = tls.connect({ ...(await trust()), ...own, socket: raw.release() });
    socket.on("error", () => undefined);
    socket.on("secureConnect", () => socket.write('CONNECT {"verbose":false}\r\nPING\r\n'));
    let heard = "";
    socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    await new Promise((resolve) => socket.once("close", resolve)); // `once` of node:events would reject at the alert
    assert.equal(heard, "");
  }
  await door.until(() => door.ingress.status().endings.refused === 3);
});

test("renewed files are taken for new connections; broken ones are told of, and the good ones stay", async () => {
  await using folder = await tempFolder("petiole-nats-tls");
  const pair = { cert: path.join(folder.path, "gw.pem"), key: path.join(folder.path, "gw.key") };
  const put = async (from: KeyPair) => {
    await fs.copyFile(from.cert, pair.cert);
    await fs.copyFile(from.key, pair.key);
  };
  await put(made.server);
  await using door = await NatsDoor.open(tlsOf({ handshakeFirst: true, pair }));
  const fingerprint = async () => {
    await using natsClient = await secured(await door.dialUnread());
    return natsClient.tls.getPeerCertificate().fingerprint256;
  };
  const first = await fingerprint();
  await put(made.renewed);
  assert.equal(await fingerprint(), first, "not looked at again so soon");
  door.clock.advance(10_000);
  const second = await fingerprint();
  assert.notEqual(second, first);
  await fs.copyFile(made.server.key, pair.key);
  door.clock.advance(10_000);
  assert.equal(await fingerprint(), second);
  assert.ok(door.said("the earlier ones stay in use"));
});

test("files that are missing or no pair keep the door from opening, in words that name them", async () => {
  const missing = tlsOf({ pair: { cert: "/nowhere/gw.pem", key: made.server.key } });
  await assert.rejects(NatsDoor.open(missing), {
    code: "DOOR_TLS_FILES",
    message: /tls\.cert_file: there is no file \/nowhere\/gw\.pem/,
  });
  const mixed = tlsOf({ pair: { cert: made.server.cert, key: made.renewed.key } });
  await assert.rejects(NatsDoor.open(mixed), { code: "DOOR_TLS_FILES", message: /do not make a certificate and its key/ });
});

test("who never finishes the handshake is put out in time, and counts against the limit until then", async () => {
  await using door = await NatsDoor.open({ ...tlsOf({ handshakeFirst: true }), limits: { maxConnections: 2 } });
  await using one = await door.dialUnread();
  await using two = await door.dialUnread();
  await door.until(() => door.ingress.status().connections === 2);
  await using three = await door.dialUnread();
  await three.isClosed();
  door.clock.advance(5_000);
  await one.isClosed();
  await two.isClosed();
  await using natsClient = await secured(await door.dialUnread());
  await natsClient.info();
});

test("closing ends handshakes that are under way", async () => {
  const door = await NatsDoor.open(tlsOf());
  await using natsClient = await door.dialUnread();
  await natsClient.info();
  await door[Symbol.asyncDispose]();
  await natsClient.isClosed();
});
