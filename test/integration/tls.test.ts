// TLS towards real hubs: what is resumed and what is not, every fault in its words, client certificates, pins, and hubs whose
// handshake_first is "auto". Where no hub can be made to misbehave so, a server of Node's stands in.

import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import * as net from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import * as tls from "node:tls";
import { systemClock } from "#base/clock.ts";
import { PetioleError } from "#base/errors.ts";
import { TlsMemory } from "#uplink/secure.ts";
import { explainStreamFault } from "#uplink/tls-faults.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { type Certificates, certificates } from "../support/certificates.ts";
import { LEAF, startHub } from "../support/hub.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { dialTls, type TlsDial, tlsFaultOf } from "../support/tls-dial.ts";

/** Every hub of this file shows certificates of one set, so that clients' certificates fit. */
const run = await tempFolder("petiole-tls");
process.env["TEST_RUN_FOLDER"] ??= run.path;
const certs: Certificates = await certificates();
test.after(async () => {
  await certs[Symbol.asyncDispose]();
  await run[Symbol.asyncDispose]();
});

const WAYS = ["first", "upgrade"] as const;
type Way = (typeof WAYS)[number];
const block = (way: Way, more: TlsDial["tls"] = {}) => ({ handshake_first: way === "first", ca_file: certs.ca, ...more });
const asClient = (who: "client" | "expiredClient" | "strangerClient") => ({
  cert_file: certs[who].cert,
  key_file: certs[who].key,
});

async function pinOf(file: string): Promise<string> {
  const { publicKey } = new X509Certificate(await fs.readFile(file));
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
}

/** One connection with a remote's memory: was it resumed? Stays until a full handshake has brought a ticket for the next one. */
async function isResumed(dial: TlsDial & { readonly memory: TlsMemory }): Promise<boolean> {
  const socket = await dialTls(dial);
  try {
    socket.on("error", () => undefined).resume();
    const bringsTicket = socket.getProtocol() === "TLSv1.3" && !socket.isSessionReused();
    if (bringsTicket) await once(socket, "session", { signal: AbortSignal.timeout(5_000) });
    return socket.isSessionReused();
  } finally {
    socket.destroy();
  }
}

/** What the hub says over a secured stream, or how it ends: explained as a link explains it. */
async function outcomeOf(dial: TlsDial): Promise<string | PetioleError> {
  const socket = await dialTls(dial);
  const { promise, resolve } = Promise.withResolvers<string | Error | null>();
  socket.on("data", (chunk) => resolve(String(chunk))).on("error", resolve);
  socket.on("close", () => resolve(null));
  socket.write('CONNECT {"version":"2.15.1","name":"gw","user":"leaf","pass":"leaf-password"}\r\n');
  const said = await promise;
  socket.destroy();
  if (typeof said === "string") return said;
  const at = { hub: "h", hasClientCertificate: dial.tls["cert_file"] !== undefined, wantsCertificate: false, isJoined: false };
  return explainStreamFault(said, at) ?? assert.fail(`not explained: ${said}`);
}

for (const version of TESTED_LINES) {
  for (const way of WAYS) {
    test(`hub ${version}, TLS ${way}: the second connection is resumed, and the third from the second`, async () => {
      await using hub = await startHub({ version, tls: way });
      const dial = { port: hub.server.port("leaf"), tls: block(way), memory: new TlsMemory(systemClock()) };
      assert.deepEqual([await isResumed(dial), await isResumed(dial), await isResumed(dial)], [false, true, true]);
      await hub.server.restart();
      assert.equal(await isResumed(dial), false, "a hub that forgot its keys: a full handshake, and no fault");
      assert.equal(await isResumed(dial), true);
    });

    test(`hub ${version}, TLS ${way}: without a client certificate, or with a bad one, the hub's verdict is said in plain words`, async () => {
      await using hub = await startHub({ version, tls: way, verifyClients: true });
      const port = hub.server.port("leaf");
      const refusals: readonly (readonly [more: TlsDial["tls"], words: RegExp])[] = [
        [{}, /wants a certificate from us, and we have none; set tls.cert_file/],
        [asClient("expiredClient"), /our certificate \(tls.cert_file\) has expired; get a new one/],
        [asClient("strangerClient"), /does not know the CA that signed our certificate/],
      ];
      for (const [more, words] of refusals) {
        const error = await outcomeOf({ port, tls: block(way, more) });
        assert.ok(error instanceof PetioleError, String(error));
        assert.equal(error.code, "LEAF_TLS_CLIENT");
        assert.match(error.message, words);
      }
      const memory = new TlsMemory(systemClock());
      const good = { port, tls: block(way, asClient("client")), memory };
      assert.match(String(await outcomeOf(good)), /^INFO /);
      assert.deepEqual([await isResumed(good), await isResumed(good)].includes(true), true, "mutual TLS is resumed as well");
    });
  }

  test(`hub ${version}: a session is not resumed once CA, pins, certificate or name are others`, async () => {
    await using hub = await startHub({ version, tls: "first" });
    await using folder = await tempFolder("petiole-tls-ca");
    const port = hub.server.port("leaf");
    const memory = new TlsMemory(systemClock());
    const otherCa = path.join(folder.path, "ca.pem");
    await fs.writeFile(otherCa, Buffer.concat([await fs.readFile(certs.ca), Buffer.from("# a comment\n")]));
    const variants: readonly TlsDial["tls"][] = [
      block("first"),
      block("first", { pinned_spki: [await pinOf(certs.server.cert)] }),
      block("first", asClient("client")),
      block("first", { server_name: "localhost" }),
      { ...block("first"), ca_file: otherCa },
    ];
    for (const variant of variants) {
      assert.equal(await isResumed({ port, tls: variant, memory }), false, JSON.stringify(variant));
      assert.equal(await isResumed({ port, tls: variant, memory }), true, JSON.stringify(variant));
    }
    const wrong = block("first", { pinned_spki: ["0".repeat(64)] });
    assert.equal((await tlsFaultOf({ port, tls: wrong, memory })).code, "LEAF_TLS_PIN");
    assert.equal((await tlsFaultOf({ port, tls: wrong, memory })).code, "LEAF_TLS_PIN", "the refused one left no session behind");
  });

  const shown = {
    expired: /its certificate has expired on 2021-01-01 00:00 UTC \(this device's clock: 20\d\d-/,
    notYet: /its certificate is not valid yet before 2099-01-01 00:00 UTC; check this device's clock \(20\d\d-/,
    wrongName: /for another name than 127.0.0.1: it carries elsewhere.example; dial a name that it carries/,
    stranger: /is signed by "CN=stranger-ca", which is nobody we trust; set tls.ca_file/,
    selfSigned: /is self-signed, and nobody we trust vouches for it/,
  } as const;
  for (const [certificate, words] of Object.entries(shown)) {
    test(`hub ${version}: its certificate is bad (${certificate}), and the words name what it carries`, async () => {
      await using hub = await startHub({ version, tls: "first", certificate: certificate as keyof typeof shown });
      const error = await tlsFaultOf({ port: hub.server.port("leaf"), tls: block("first") });
      assert.deepEqual([error.code, error.remedy], ["LEAF_TLS_FAILED", "backoff"]);
      assert.match(error.message, words);
    });
  }

  test(`hub ${version}: a certificate of the future under a clock of 1970 is the clock's fault`, async () => {
    await using hub = await startHub({ version, tls: "first", certificate: "notYet" });
    const memory = new TlsMemory({ ...systemClock(), wall: () => 60_000 });
    const error = await tlsFaultOf({ port: hub.server.port("leaf"), tls: block("first"), memory });
    assert.equal(error.code, "LEAF_TLS_CLOCK");
    assert.match(error.message, /this device's clock says 1970-01-01 00:01 UTC, which cannot be; give it the time/);
  });

  test(`hub ${version}: dialed by address, it may show the name of a configured URL; a name nobody configured does not count`, async () => {
    await using hub = await startHub({ version, tls: "first", certificate: "wrongName" });
    const port = hub.server.port("leaf");
    (await dialTls({ port, tls: block("first"), borrowedName: "elsewhere.example" })).destroy();
    (await dialTls({ port, tls: block("first", { server_name: "elsewhere.example" }) })).destroy();
    const other = await tlsFaultOf({ port, tls: block("first"), borrowedName: "hub.example" });
    assert.match(other.message, /another name than 127.0.0.1 or hub.example: it carries elsewhere.example/);
    const named = await tlsFaultOf({ port, host: "localhost", tls: block("first"), borrowedName: "elsewhere.example" });
    assert.match(named.message, /another name than localhost:/, "a URL with a name stands for that name alone");
    const explicit = await tlsFaultOf({
      port,
      tls: block("first", { server_name: "localhost" }),
      borrowedName: "elsewhere.example",
    });
    assert.match(explicit.message, /another name than localhost:/, "tls.server_name wins");
  });

  test(`hub ${version}: a pin is the hub's own key, beside the CA and not instead of it`, async () => {
    await using hub = await startHub({ version, tls: "first" });
    await using strange = await startHub({ version, tls: "first", certificate: "stranger" });
    const port = hub.server.port("leaf");
    const pins = [await pinOf(certs.renewed.cert), await pinOf(certs.server.cert)];
    (await dialTls({ port, tls: block("first", { pinned_spki: pins }) })).destroy();
    const wrong = await tlsFaultOf({ port, tls: block("first", { pinned_spki: [pins[0]!, await pinOf(certs.ca)] }) });
    assert.equal(wrong.code, "LEAF_TLS_PIN");
    assert.match(wrong.message, new RegExp(`its public key ${pins[1]} is none of tls.pinned_spki`));
    const untrusted = block("first", { pinned_spki: [await pinOf(certs.stranger.cert)] });
    assert.match((await tlsFaultOf({ port: strange.server.port("leaf"), tls: untrusted })).message, /nobody we trust/);
  });

  test(`hub ${version}: our digests are the hub's pinned_certs, and a hub that pins another key hangs up explained`, async () => {
    const files = {
      cert_file: certs.server.cert,
      key_file: certs.server.key,
      ca_file: certs.ca,
      verify: true,
      handshake_first: true,
    };
    for (const [pin, outcome] of [
      [await pinOf(certs.client.cert), /^INFO /],
      ["a".repeat(64), /closed the connection right behind the TLS handshake.*pinned_certs/],
    ] as const) {
      await using hub = await startHub({ version, tls: "first", leafnodes: { tls: { ...files, pinned_certs: [pin] } } });
      assert.match(String(await outcomeOf({ port: hub.server.port("leaf"), tls: block("first", asClient("client")) })), outcome);
    }
  });

  test(`hub ${version}: TLS first at a hub that does it later, or not at all, is told from a bad certificate`, async () => {
    await using later = await startHub({ version, tls: "upgrade" });
    await using never = await startHub({ version });
    const first = /answers without TLS; if it speaks TLS only after INFO, set tls.handshake_first to false/;
    assert.match((await tlsFaultOf({ port: later.server.port("leaf"), tls: block("first") })).message, first);
    assert.match((await tlsFaultOf({ port: never.server.port("leaf"), tls: block("first") })).message, first);
    assert.match((await tlsFaultOf({ port: never.server.port("monitor"), tls: block("first") })).message, first);
    const { message } = await tlsFaultOf({ port: never.server.port("leaf"), tls: block("upgrade") });
    assert.match(message, /answers without TLS; check the port, and whether the hub's leafnodes block has a tls block/);
  });
}

for (const version of TESTED_LINES) {
  test(`hub ${version} that takes our certificate for a login does so on a resumed connection, too`, async () => {
    const files = { cert_file: certs.server.cert, key_file: certs.server.key, ca_file: certs.ca, verify_and_map: true };
    const users = [{ user: "CN=petiole-test", account: "APP" }];
    const leafnodes = { tls: { ...files, handshake_first: true }, authorization: { users }, compression: "off" };
    await using hub = await startHub({ version, tls: "first", leafnodes });
    const dial = { port: hub.server.port("leaf"), tls: block("first", asClient("client")), memory: new TlsMemory(systemClock()) };
    assert.deepEqual([await isResumed(dial), await isResumed(dial)], [false, true]);
    const socket = await dialTls(dial);
    assert.equal(socket.isSessionReused(), true);
    socket.write('CONNECT {"version":"2.15.1","name":"gw"}\r\n');
    let said = "";
    for await (const chunk of socket) if (/"connect_info":true|-ERR/.test((said += String(chunk)))) break;
    assert.match(said, /"remote_account":"APP"/);
  });
}

for (const handshakeFirst of ["auto", "300ms"]) {
  for (const way of WAYS) {
    test(`hub 2.15 with handshake_first ${handshakeFirst}: a link with TLS ${way} becomes ready`, async () => {
      const files = { cert_file: certs.server.cert, key_file: certs.server.key, ca_file: certs.ca };
      const leafnodes = { tls: { ...files, handshake_first: handshakeFirst } };
      await using hub = await startHub({ version: "2.15", tls: "upgrade", leafnodes });
      const remote = { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password, tls: block(way) };
      await using spoke = new LinkHarness(remoteFrom(remote));
      spoke.link.start();
      await spoke.hears(/^ready$/);
      assert.deepEqual([spoke.link.status().isTls, spoke.link.status().lastError], [true, null]);
    });
  }
}

interface StandIn extends AsyncDisposable {
  readonly port: number;
}

async function listening(server: net.Server): Promise<StandIn> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => sockets.add(socket.on("error", () => undefined)));
  server.on("tlsClientError", () => undefined).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as net.AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function tlsServer(options: tls.TlsOptions): Promise<StandIn> {
  const [cert, key] = await Promise.all([fs.readFile(certs.server.cert), fs.readFile(certs.server.key)]);
  return await listening(tls.createServer({ cert, key, ...options }));
}

/** Answers the first bytes of a connection. */
function answering(answer: (socket: net.Socket, first: Buffer) => void): Promise<StandIn> {
  return listening(net.createServer((socket) => socket.once("data", (first) => answer(socket, first as Buffer))));
}

test("a server with TLS older than 1.2 is refused by version", async () => {
  await using server = await tlsServer({ minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" });
  assert.match(
    (await tlsFaultOf({ port: server.port, tls: block("first") })).message,
    /speaks only TLS older than 1.2; update the hub/,
  );
});

test("a server with no cipher of ours is refused by that name", async () => {
  await using server = await tlsServer({ maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256" });
  assert.match((await tlsFaultOf({ port: server.port, tls: block("first") })).message, /shares no cipher with us/);
});

test("TLS 1.2 is spoken and resumed", async () => {
  await using server = await tlsServer({ maxVersion: "TLSv1.2" });
  const dial = { port: server.port, tls: block("first"), memory: new TlsMemory(systemClock()) };
  assert.deepEqual([await isResumed(dial), await isResumed(dial), await isResumed(dial)], [false, true, true]);
});

test("a session is not resumed after a day however often the hub renewed it, nor after its certificate has ended", async () => {
  await using hub = await startHub({ version: "2.15", tls: "first" });
  let [now, wall] = [0, Date.now()];
  const memory = new TlsMemory({ ...systemClock(), now: () => now, wall: () => wall });
  const resumes = async () => {
    const socket = await dialTls({ port: hub.server.port("leaf"), tls: block("first"), memory });
    await once(socket, "data"); // INFO, behind the hub's ticket
    const wasResumed = socket.isSessionReused();
    socket.destroy();
    return wasResumed;
  };
  assert.deepEqual([await resumes(), await resumes()], [false, true]);
  now += 23 * 3_600_000;
  assert.equal(await resumes(), true);
  now += 2 * 3_600_000;
  assert.deepEqual([await resumes(), await resumes()], [false, true]);
  wall = Date.UTC(2100, 0, 1);
  assert.equal(await resumes(), false);
});

test("an HTTP server, an echo and a hub that hangs up are told apart", async () => {
  await using web = await listening(http.createServer());
  await using echo = await answering((socket, first) => socket.write(first));
  await using closing = await answering((socket) => socket.end());
  await using resetting = await answering((socket) => socket.resetAndDestroy());
  for (const { port } of [web, echo]) {
    const error = await tlsFaultOf({ port, tls: block("first") });
    assert.deepEqual([error.code, error.remedy], ["LEAF_TLS_FAILED", "backoff"]);
    assert.match(error.message, /answers without TLS/);
  }
  for (const { port } of [closing, resetting]) {
    const error = await tlsFaultOf({ port, tls: block("first", asClient("client")) });
    assert.deepEqual([error.code, error.remedy], ["LEAF_TLS_FAILED", "retry"]);
    assert.match(
      error.message,
      /ended during the TLS handshake; if that goes on, check that it does TLS first.*, the port, that it accepts our/,
    );
  }
});

test("certificate files that do not fit together or do not decode are named", async () => {
  await using server = await tlsServer({});
  await using folder = await tempFolder("petiole-tls-files");
  const cut = async (name: string, file: string, length: number) => {
    const target = path.join(folder.path, name);
    await fs.writeFile(target, (await fs.readFile(file)).subarray(0, length));
    return target;
  };
  const cases: readonly (readonly [code: string, words: RegExp, tls: TlsDial["tls"]])[] = [
    [
      "LEAF_TLS_CLIENT",
      /tls.key_file is not the key of tls.cert_file/,
      { cert_file: certs.client.cert, key_file: certs.server.key },
    ],
    [
      "LEAF_TLS_CLIENT",
      /tls.key_file does not decode/,
      { cert_file: certs.client.cert, key_file: await cut("cut.key", certs.client.key, 100) },
    ],
    [
      "LEAF_CREDENTIALS",
      /tls.cert_file: .* does not decode \(number 1 of 1\)/,
      { cert_file: await cut("cut.pem", certs.client.cert, 200), key_file: certs.client.key },
    ],
    ["LEAF_CREDENTIALS", /tls.cert_file: .* holds no certificate/, { cert_file: certs.client.key, key_file: certs.client.key }],
    ["LEAF_CREDENTIALS", /tls.ca_file: .* does not decode/, { ca_file: await cut("ca.pem", certs.ca, 300) }],
    ["LEAF_CREDENTIALS", /tls.ca_file: there is no file/, { ca_file: `${folder.path}/none.pem` }],
  ];
  for (const [code, words, files] of cases) {
    const error = await tlsFaultOf({ port: server.port, tls: block("first", files) });
    assert.match(error.message, words);
    assert.equal(error.code, code);
  }
});
