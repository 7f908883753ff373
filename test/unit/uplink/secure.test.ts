// The handshake over a pair of streams in memory; towards real hubs: test/integration/tls.test.ts.

import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import * as fs from "node:fs/promises";
import { type Duplex, duplexPair } from "node:stream";
import { test } from "node:test";
import * as tls from "node:tls";
import { PetioleError } from "#base/errors.ts";
import { createLog } from "#base/log.ts";
import { nameToBorrow, readTlsFiles, secure, TlsMemory } from "#uplink/secure.ts";
import { type Certificates, certificates, type KeyPair } from "../../support/certificates.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeDisk } from "../../support/fake-disk.ts";
import { tlsOptionsFrom } from "../../support/tls-dial.ts";

const certs: Certificates = await certificates();
const ca = await fs.readFile(certs.ca);
test.after(() => certs[Symbol.asyncDispose]());

const OPTIONS = tlsOptionsFrom({ handshake_first: true });
const TODAY = Date.UTC(2026, 10, 1);
const memory = () => new TlsMemory(new FakeClock(TODAY));
const never = () => new AbortController().signal;
const HUB = { host: "localhost", label: "tls://localhost:7422" };

/** A hub's end of a stream, doing TLS with the certificate; collects the names it was asked for. */
async function hubBehind(
  pair: KeyPair,
  asked: (string | false)[] = [],
): Promise<{ readonly stream: Duplex; readonly hub: tls.TLSSocket }> {
  const [stream, far] = duplexPair();
  const [cert, key] = await Promise.all([fs.readFile(pair.cert), fs.readFile(pair.key)]);
  asked.push(false);
  const SNICallback = (name: string, done: (error: Error | null) => void) => {
    asked[asked.length - 1] = name;
    done(null);
  };
  const hub = new tls.TLSSocket(far, { isServer: true, secureContext: tls.createSecureContext({ cert, key }), SNICallback });
  hub.on("error", () => undefined);
  return { stream, hub };
}

async function filesWithKey() {
  const [cert, key] = await Promise.all([fs.readFile(certs.client.cert), fs.readFile(certs.client.key)]);
  return { ca, cert, key };
}
const FILES = { ca, cert: undefined, key: undefined };

test("bytes go both ways through a handshake over any stream, and our key is wiped behind it", async () => {
  const { stream, hub } = await hubBehind(certs.server);
  const files = await filesWithKey();
  const socket = await secure(stream, HUB, OPTIONS, files, never(), memory());
  assert.ok(files.key.every((byte) => byte === 0));
  assert.ok(files.cert.includes("BEGIN CERTIFICATE"));
  socket.write("ping");
  assert.equal(String((await once(hub, "data"))[0]), "ping");
  hub.write("pong");
  assert.equal(String((await once(socket, "data"))[0]), "pong");
  socket.destroy();
});

test("our key is wiped behind a handshake that fails, too", async () => {
  const { stream } = await hubBehind(certs.stranger);
  const files = await filesWithKey();
  await assert.rejects(secure(stream, HUB, OPTIONS, files, never(), memory()), /nobody we trust/);
  assert.ok(files.key.every((byte) => byte === 0));
  assert.equal(stream.destroyed, true);
});

test("aborting in the middle destroys the stream and leaves no listener behind", async () => {
  const [stream] = duplexPair();
  const attempt = new AbortController();
  const result = secure(stream, HUB, OPTIONS, FILES, attempt.signal, memory());
  assert.equal(getEventListeners(attempt.signal, "abort").length, 1);
  attempt.abort(new Error("the attempt was given up"));
  await assert.rejects(result, /the attempt was given up/);
  assert.equal(stream.destroyed, true);
  assert.equal(getEventListeners(attempt.signal, "abort").length, 0);
});

test("a handshake that is done leaves no listener on the signal", async () => {
  const { stream } = await hubBehind(certs.server);
  const { signal } = new AbortController();
  (await secure(stream, HUB, OPTIONS, FILES, signal, memory())).destroy();
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a stream that has ended already is a connection that ended", async () => {
  const [stream] = duplexPair();
  stream.destroy();
  await assert.rejects(secure(stream, HUB, OPTIONS, FILES, never(), memory()), (error: unknown) => {
    assert.ok(error instanceof PetioleError);
    assert.equal(error.code, "LEAF_TLS_FAILED");
    return true;
  });
});

test("a name is sent as SNI, an address is not", async () => {
  const asked: (string | false)[] = [];
  for (const host of ["localhost", "127.0.0.1", "::1"]) {
    const { stream } = await hubBehind(certs.server, asked);
    (await secure(stream, { host, label: host }, OPTIONS, FILES, never(), memory())).destroy();
  }
  assert.deepEqual(asked, ["localhost", false, false]);
});

test("a borrowed name goes out as SNI until a hub shows another, and is then left away for that hub alone", async () => {
  const remembered = memory();
  const asked: (string | false)[] = [];
  const dial = async (label: string, pair: KeyPair) => {
    const { stream } = await hubBehind(pair, asked);
    const hub = { host: "127.0.0.1", label, borrowedName: "hub.example" };
    (await secure(stream, hub, OPTIONS, FILES, never(), remembered)).destroy();
  };
  await assert.rejects(dial("a", certs.wrongName), /another name than 127.0.0.1 or hub.example/);
  await dial("a", certs.server);
  await dial("b", certs.server); // carries the address: good enough
  assert.deepEqual(asked, ["hub.example", false, "hub.example"]);
});

test("NODE_TLS_REJECT_UNAUTHORIZED=0 opens no door", async () => {
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  try {
    const { stream } = await hubBehind(certs.stranger);
    await assert.rejects(secure(stream, HUB, OPTIONS, FILES, never(), memory()), /nobody we trust/);
  } finally {
    delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  }
});

test("without a CA file the public CAs are asked, and a private one is not among them", async () => {
  const { stream } = await hubBehind(certs.server);
  await assert.rejects(
    secure(stream, HUB, null, { ...FILES, ca: undefined }, never(), memory()),
    /signed by "CN=ca", which is nobody we trust/,
  );
});

test("a refused certificate's session is not kept", async () => {
  const remembered = memory();
  const { stream } = await hubBehind(certs.server);
  const pinned = tlsOptionsFrom({ pinned_spki: ["0".repeat(64)] });
  await assert.rejects(secure(stream, HUB, pinned, FILES, never(), remembered), /is none of tls.pinned_spki/);
  assert.equal(remembered.sessions.size, 0);
});

test("the first host name among the URLs is the one to borrow", () => {
  const urls = (...hosts: string[]) => hosts.map((host) => ({ endpoint: { host } }));
  assert.equal(nameToBorrow(urls("10.0.0.1", "::1", "b.example", "a.example")), "b.example");
  assert.equal(nameToBorrow(urls("10.0.0.1", "fe80::1")), null);
});

test("certificate files are read from the data directory, and the key is closed to others", async () => {
  const disk = new FakeDisk();
  const bundle = Buffer.concat([Buffer.from("# our CAs\n"), ca, Buffer.from("\n# and one more\n"), ca]);
  disk.plant("/data/secrets/ca.pem", bundle);
  disk.plant("/data/secrets/gw.pem", await fs.readFile(certs.client.cert));
  disk.plant("/data/secrets/gw.key", await fs.readFile(certs.client.key));
  for (const name of ["ca.pem", "gw.key"]) await disk.setMode(`/data/secrets/${name}`, 0o644);
  const said: string[] = [];
  const log = createLog(new FakeClock(), "info", (line) => said.push(`${line.level} ${line.message}`));
  const options = tlsOptionsFrom({ ca_file: "secrets/ca.pem", cert_file: "secrets/gw.pem", key_file: "secrets/gw.key" });
  const files = await readTlsFiles(
    disk,
    "/data",
    { ...options, caFile: "secrets/ca.pem", certFile: "secrets/gw.pem", keyFile: "secrets/gw.key" },
    log,
  );
  assert.deepEqual(files.ca, bundle);
  assert.equal(await disk.mode("/data/secrets/gw.key"), 0o600);
  assert.equal(await disk.mode("/data/secrets/ca.pem"), 0o644, "a CA is no secret");
  assert.deepEqual(said, ["info tls.key_file: others on this device could read the file; its mode is 0600 now"]);
});
