import assert from "node:assert/strict";
import { test } from "node:test";
import { identityOf, TlsSessions } from "#uplink/tls-sessions.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const HOUR_MS = 3_600_000;
const SESSION = Buffer.from("session");

function opened() {
  const clock = new FakeClock();
  const sessions = new TlsSessions(clock);
  const verified = { identity: "i", at: clock.now(), certificateEnds: clock.wall() + 12 * HOUR_MS };
  return { clock, sessions, verified };
}

test("a session is found for its hub and its identity, and forgotten at the first other identity", () => {
  const { sessions, verified } = opened();
  sessions.keep("a", SESSION, verified);
  assert.equal(sessions.find("b", "i"), undefined);
  assert.equal(sessions.find("a", "i")!.session, SESSION);
  assert.equal(sessions.find("a", "other"), undefined);
  assert.equal(sessions.find("a", "i"), undefined);
});

test("a session ends with its certificate, and a day after the full handshake even when it was renewed", () => {
  const { clock, sessions, verified } = opened();
  sessions.keep("a", SESSION, verified);
  clock.advance(13 * HOUR_MS);
  assert.equal(sessions.find("a", "i"), undefined);
  const lasting = { ...verified, certificateEnds: Number.MAX_VALUE };
  sessions.keep("a", SESSION, lasting);
  clock.advance(10 * HOUR_MS);
  sessions.keep("a", SESSION, sessions.find("a", "i")!);
  clock.advance(HOUR_MS);
  assert.equal(sessions.find("a", "i"), undefined);
});

test("no number of hubs and no size of session grows without bound", () => {
  const { sessions, verified } = opened();
  for (let i = 0; i < 200; i++) sessions.keep(`hub-${i}`, SESSION, verified);
  assert.equal(sessions.size, 64);
  assert.ok(sessions.find("hub-199", "i"));
  assert.equal(sessions.find("hub-0", "i"), undefined);
  sessions.keep("huge", Buffer.alloc(17 * 1024), verified);
  assert.equal(sessions.find("huge", "i"), undefined);
});

test("an identity changes with every file, name and pin, and not with how they are cut", () => {
  const tls = { handshakeFirst: true, caFile: null, certFile: null, keyFile: null, serverName: null, pinnedSpki: [] as string[] };
  const none = { ca: undefined, cert: undefined, key: undefined };
  const a = Buffer.from("a");
  const all = [
    identityOf(tls, none, ["h"]),
    identityOf(tls, { ...none, ca: a }, ["h"]),
    identityOf(tls, { ...none, cert: a }, ["h"]),
    identityOf(tls, { ...none, key: a }, ["h"]),
    identityOf(tls, { ...none, ca: Buffer.alloc(0) }, ["h"]),
    identityOf(tls, none, ["i"]),
    identityOf(tls, none, ["h", "i"]),
    identityOf({ ...tls, pinnedSpki: ["i"] }, none, ["h"]),
    identityOf({ ...tls, pinnedSpki: ["h"] }, none, []),
    identityOf({ ...tls, pinnedSpki: ["a", "b"] }, none, ["h"]),
    identityOf({ ...tls, pinnedSpki: ["ab"] }, none, ["h"]),
  ];
  assert.equal(new Set(all).size, all.length);
  assert.equal(identityOf(null, none, ["h"]), all[0]);
});
