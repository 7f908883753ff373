import assert from "node:assert/strict";
import { test } from "node:test";
import { PetioleError } from "#base/errors.ts";
import { explainStreamFault, type Handshake, tlsFault } from "#uplink/tls-faults.ts";

const NOW = Date.UTC(2026, 5, 1, 12);
const GOOD = { begins: Date.UTC(2026, 0, 1), ends: Date.UTC(2027, 0, 1), names: ["hub.example"], issuer: "CN=ca" };
const HANDSHAKE: Handshake = { names: ["hub.example"], wall: NOW, certificate: GOOD, hasClientCertificate: false, way: "first" };

const fault = (code: string) => Object.assign(new Error("a text of OpenSSL's"), { code });
const words = (code: string, more: Partial<Handshake> = {}) => tlsFault(fault(code), { ...HANDSHAKE, ...more }).words;

test("an expired certificate is told from an expired CA above it", () => {
  const ended = { ...GOOD, ends: Date.UTC(2026, 4, 31) };
  assert.equal(
    words("CERT_HAS_EXPIRED", { certificate: ended }),
    "its certificate has expired on 2026-05-31 00:00 UTC (this device's clock: 2026-06-01 12:00 UTC); renew it at the hub, or set this device's clock",
  );
  assert.match(words("CERT_HAS_EXPIRED"), /^a certificate that signed its certificate has expired/);
  assert.match(words("CERT_HAS_EXPIRED", { certificate: null }), /^its certificate has expired \(this device's clock/);
});

test("a certificate of the future is the hub's fault or the clock's, and the clock says which", () => {
  const future = { ...GOOD, begins: Date.UTC(2026, 6, 1) };
  assert.match(
    words("CERT_NOT_YET_VALID", { certificate: future }),
    /not valid yet before 2026-07-01 00:00 UTC; check this device's clock/,
  );
  const unset = tlsFault(fault("CERT_NOT_YET_VALID"), { ...HANDSHAKE, wall: 0 });
  assert.equal(unset.code, "LEAF_TLS_CLOCK");
  assert.match(unset.words, /this device's clock says 1970-01-01 00:00 UTC, which cannot be/);
});

test("a wrong name is shown beside the names it carries, the first five of many", () => {
  const carrying = (names: string[]) =>
    words("ERR_TLS_CERT_ALTNAME_INVALID", { certificate: { ...GOOD, names }, names: ["10.0.0.1", "hub"] });
  assert.match(carrying(["a", "b"]), /another name than 10.0.0.1 or hub: it carries a, b; dial a name that it carries/);
  assert.match(carrying([]), /it carries no name at all/);
  assert.match(carrying(["a", "b", "c", "d", "e", "f", "g"]), /it carries a, b, c, d, e and 2 more;/);
});

test("alerts about our certificate are told by whether we have one, however OpenSSL spells them", () => {
  for (const code of [
    "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE",
    "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
  ]) {
    assert.match(words(code), /^it wants a certificate from us, and we have none/, code);
    assert.match(words(code, { hasClientCertificate: true }), /^it does not accept our certificate/, code);
    assert.equal(tlsFault(fault(code), HANDSHAKE).code, "LEAF_TLS_CLIENT");
  }
  assert.match(words("ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED", { hasClientCertificate: true }), /was revoked/);
});

test("what answers without TLS is told by the way TLS was to begin", () => {
  assert.match(words("ERR_SSL_WRONG_VERSION_NUMBER"), /set tls.handshake_first to false/);
  assert.match(words("ERR_SSL_WRONG_VERSION_NUMBER", { way: "after-info" }), /leafnodes block has a tls block/);
  assert.match(words("ERR_SSL_WRONG_VERSION_NUMBER", { way: "websocket" }), /websocket block has a tls block/);
});

test("a name that the hub has no certificate for, and a fault nobody has met, still get words", () => {
  assert.match(words("ERR_SSL_TLSV1_UNRECOGNIZED_NAME"), /has no certificate for the name hub.example/);
  for (const code of ["ERR_SSL_SOMETHING_NEW", "WHATEVER", ""]) assert.equal(words(code), "the TLS handshake failed");
  assert.equal(tlsFault("a text", HANDSHAKE).words, "the TLS handshake failed");
});

test("a network that fails is tried again at once, a fault that wants a person with back-off", () => {
  for (const code of ["ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH"])
    assert.equal(tlsFault(fault(code), HANDSHAKE).remedy, "retry", code);
  for (const code of ["CERT_HAS_EXPIRED", "ERR_SSL_WRONG_VERSION_NUMBER"])
    assert.equal(tlsFault(fault(code), HANDSHAKE).remedy, "backoff", code);
});

const AT = { hub: "tls://h", hasClientCertificate: false, wantsCertificate: false, isJoined: false };
const closed = (cause?: Error) => new PetioleError("LEAF_CLOSED", "the connection failed", cause === undefined ? {} : { cause });

test("an alert behind the handshake is explained, bare or inside LEAF_CLOSED, and OpenSSL's text is left out", () => {
  const alert = fault("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
  for (const error of [alert, closed(alert)]) {
    const explained = explainStreamFault(error, AT)!;
    assert.equal(explained.code, "LEAF_TLS_CLIENT");
    assert.match(explained.message, /^hub tls:\/\/h: it wants a certificate from us/);
    assert.equal((explained.cause as Error).message, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
  }
});

test("a mere end before the hub has answered CONNECT is explained where a certificate may be the reason", () => {
  for (const end of [null, closed(), closed(fault("ECONNRESET"))]) {
    assert.equal(explainStreamFault(end, AT), undefined);
    assert.equal(explainStreamFault(end, { ...AT, wantsCertificate: true })?.code, "LEAF_TLS_CLIENT");
    assert.match(explainStreamFault(end, { ...AT, hasClientCertificate: true })!.message, /pinned_certs/);
    assert.equal(explainStreamFault(end, { ...AT, hasClientCertificate: true, isJoined: true }), undefined);
  }
});

test("faults that are not the stream's stay as they are; damaged records are named", () => {
  assert.equal(explainStreamFault(new PetioleError("LEAF_STALE", "silence"), { ...AT, wantsCertificate: true }), undefined);
  assert.equal(explainStreamFault(closed(fault("ETIMEDOUT")), { ...AT, hasClientCertificate: true }), undefined);
  const damaged = explainStreamFault(closed(fault("ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC")), { ...AT, isJoined: true });
  assert.match(damaged!.message, /was no TLS, or damaged on the way/);
});
