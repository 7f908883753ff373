// Which hub is dialled next, and when: refusals that must not be hammered, and what hubs say of each other.

import assert from "node:assert/strict";
import { test } from "node:test";
import { certificates } from "../support/certificates.ts";
import { FakeClock, turn } from "../support/fake-clock.ts";
import { FakeHub } from "../support/fake-hub.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const FIRST =
  '{"server_id":"H1","server_name":"hub1","version":"2.15.1","client_id":7,"max_payload":1048576,"info_on_connect":true';
const INFO = `> INFO ${FIRST}} `;
const INTRODUCED = `
  ${INFO}
  < CONNECT …`;

/** The INFO that answers CONNECT, with these leaf URLs of a cluster. */
function joined(urls: readonly string[] = []): string {
  return `> INFO ${FIRST},"connect_info":true,"cluster":"hubs","leafnode_urls":${JSON.stringify(urls)}} `;
}

function ready(urls: readonly string[] = []): string {
  return `${INTRODUCED}
    ${joined(urls)}
    < LS+ $LDS.…
    < PING
    > PONG`;
}

function addressOf(hub: FakeHub): string {
  return `127.0.0.1:${hub.port}`;
}

async function settles(isTrue: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 5000;
  while (!isTrue()) {
    assert.ok(performance.now() < end, what);
    await turn();
  }
}

// ── never hammering ───────────────────────────────────────────────────────────────────────────────────────────────────

/** When a hub that plays `scene` to everybody (`isMember`: once the link has been ready for a while) is dialled within `window`. */
async function dialTimes(hub: FakeHub, scene: string, window: number, isMember: boolean): Promise<number[]> {
  const clock = new FakeClock();
  const remote = remoteFrom({ urls: [hub.url], reconnect: { min: "1s", max: "60s" } });
  await using spoke = new LinkHarness(remote, { clock });
  const times: number[] = [];
  const state = () => spoke.link.status().state;
  const start = clock.now();
  spoke.link.start();
  for (;;) {
    await settles(() => state() !== "dialing", "the dial goes through");
    times.push(clock.now() - start);
    if (isMember) {
      await hub.plays(ready());
      await spoke.hears(/^ready$/);
      spoke.forget();
      clock.advance(12 * SECOND); // longer than what counts as settled
    }
    await hub.plays(scene);
    await settles(() => state() === "waiting", "the hub's refusal is understood");
    assert.ok(clock.next !== undefined, "it never stops trying");
    if (clock.next - start > window) return times;
    clock.advance(clock.next - clock.now());
  }
}

function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, i) => time - times[i]!);
}

for (const [text, least, most] of [
  ['Loop detected for leafnode account="EDGE". Delaying attempt to reconnect for 30s', 30 * SECOND, 31 * SECOND],
  ["remote leafnode has same cluster name", 30 * SECOND, 31 * SECOND],
  ['Permissions Violation for Subscription to "x"', 30 * SECOND, 31 * SECOND],
  ['connection rejected since minimum version required is "3.0.0"', 5 * SECOND, 6 * SECOND],
] as const) {
  test(`-ERR '${text}' again and again: every ${least / SECOND} s, never sooner`, async () => {
    await using hub = await FakeHub.listen();
    const scene = `${INTRODUCED}
      > -ERR '${text}'
      <!`;
    const between = gaps(await dialTimes(hub, scene, 5 * MINUTE, false));
    assert.ok(between.length >= Math.floor((5 * MINUTE) / most) - 1, `only ${between.length + 1} dials in five minutes`);
    for (const gap of between) assert.ok(gap >= least && gap <= most, `gaps ${between}`);
  });
}

for (const text of [
  "Authorization Violation",
  "User Authentication Expired",
  "Account Authentication Expired",
  "maximum account active connections exceeded",
  "Duplicate Remote LeafNode Connection",
]) {
  test(`-ERR '${text}' again and again: rarer and rarer, up to 30 s with jitter`, async () => {
    await using hub = await FakeHub.listen();
    const scene = `${INTRODUCED}
      > -ERR '${text}'
      <!`;
    const between = gaps(await dialTimes(hub, scene, 10 * MINUTE, false));
    assert.ok(between.length < 45, `${between.length + 1} dials in ten minutes`);
    assert.ok(between[0]! <= 2 * SECOND && between[0]! >= SECOND, `begins with ${between[0]}`);
    for (const gap of between) assert.ok(gap <= 30 * SECOND, `never longer than 30 s: ${between}`);
    const late = between.slice(6);
    assert.ok(Math.min(...late) >= 15 * SECOND, `half of 30 s at least: ${late}`);
    assert.ok(new Set(late.map(Math.round)).size > late.length / 2, `jitter: ${late}`);
  });
}

test("a hub that ends every link after 12 s with 'Duplicate Remote LeafNode Connection' is dialled rarer and rarer", async () => {
  await using hub = await FakeHub.listen();
  const scene = `
    > -ERR 'Duplicate Remote LeafNode Connection'
    <!`;
  const between = gaps(await dialTimes(hub, scene, 10 * MINUTE, true)).map((gap) => gap - 12 * SECOND);
  assert.ok(Math.max(...between) >= 15 * SECOND, `waits ${between.map(Math.round)}`);
});

test("a hub that hangs up on everybody is dialled with a growing back-off up to its ceiling", async () => {
  await using hub = await FakeHub.listen();
  const between = gaps(await dialTimes(hub, `${INTRODUCED}\n>!`, 30 * MINUTE, false));
  assert.ok(between.length < 90, `${between.length + 1} dials in half an hour`);
  assert.ok(Math.max(...between) > 40 * SECOND && Math.max(...between) <= 60 * SECOND, `gaps ${between}`);
});

test("a hub that refuses our login does not keep us from the next one", async () => {
  await using hub = await FakeHub.listen();
  await using other = await FakeHub.listen();
  const clock = new FakeClock();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url, other.url], no_randomize: true }), { clock });
  spoke.link.start();
  await hub.plays(`${INTRODUCED}
    > -ERR 'Authorization Violation'
    <!`);
  await spoke.hears(/^down$/);
  clock.advance(2 * SECOND);
  await other.plays(ready());
  await spoke.hears(/^ready$/);
  assert.equal(spoke.link.status().url, other.url);
});

test("a hub that waited in vain for CONNECT has nothing against our login, and is asked again like after any slow moment", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url], user: "ann", password: "pw" }));
  spoke.link.start();
  await hub.plays(`
    > -ERR 'Authentication Timeout'
    <!`);
  await spoke.hears(/^down$/);
  const { lastError } = spoke.link.status();
  assert.doesNotMatch(lastError!.message, /credentials|password/);
  assert.match(lastError!.message, /slow/);
});

test("what a hub writes into -ERR is cut and cleaned before it stands in logs and on the page", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  await hub.plays(`${INTRODUCED}
    > -ERR 'no \\x1b[31m\\x07${"x".repeat(3000)}'
    <!`);
  await spoke.hears(/^down$/);
  const { code, message } = spoke.link.status().lastError!;
  assert.equal(code, "LEAF_HUB_ERROR");
  assert.match(message, /ended the link: no {2}\[31m x+$/);
  assert.ok(message.length < 400, `${message.length} characters`);
  assert.doesNotMatch(message, /\p{Cc}/u);
});

// ── gossip ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a gossiped hub is dialled when the configured one is gone, with the login of the URL it was heard on; then the configured one is first again", async () => {
  await using hub = await FakeHub.listen();
  await using told = await FakeHub.listen();
  const url = hub.url.replace("://", "://ann:secret-pw@");
  await using spoke = new LinkHarness(remoteFrom({ urls: [url] }));
  spoke.link.start();
  await hub.plays(ready([addressOf(hub), addressOf(told)]));
  await spoke.hears(/^ready$/);
  assert.deepEqual(
    spoke.link.status().urls.map(({ url, isConfigured }) => [url, isConfigured]),
    [
      [hub.url, true],
      [told.url, false],
    ],
  );
  spoke.forget();
  await hub.plays(">!");
  await hub.nextConnection(); // the configured one first; it hangs up before a word
  await hub.plays(">!");
  const second = await told.connection();
  second.sends(`INFO ${FIRST}} \r\n`);
  const connect = await second.nextLine("CONNECT");
  assert.match(connect, /"user":"ann","pass":"secret-pw"/);
  await told.plays(`
    ${joined([addressOf(told)])}
    < LS+ $LDS.…
    < PING
    > PONG`);
  await spoke.hears(/^ready$/);
  assert.equal(spoke.link.status().url, told.url);
  assert.doesNotMatch(JSON.stringify(spoke.link.status()), /secret-pw/);
  await told.plays(">!");
  await hub.plays(ready());
});

test("an INFO that comes later adds and removes what the cluster is; ignore_discovered_servers hears nothing of it", async () => {
  for (const ignores of [false, true]) {
    await using hub = await FakeHub.listen();
    await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url], ignore_discovered_servers: ignores }));
    const known = () => spoke.link.status().urls.map(({ url }) => url.replace("nats-leaf://", ""));
    spoke.link.start();
    await hub.plays(ready(["127.0.0.2:1", "127.0.0.2:2"]));
    await spoke.hears(/^ready$/);
    assert.deepEqual(known().slice(1), ignores ? [] : ["127.0.0.2:1", "127.0.0.2:2"]);
    await hub.plays(`> INFO ${FIRST},"cluster":"hubs","leafnode_urls":["127.0.0.2:2","127.0.0.2:3"]}
      > PING
      < PONG`);
    assert.deepEqual(known().slice(1), ignores ? [] : ["127.0.0.2:2", "127.0.0.2:3"]);
    await hub.plays(`> INFO ${FIRST},"cluster":"hubs","leafnode_urls":["not a place","http://x:1","127.0.0.2:0",7,null,"127.0.0.2:4"]}
      > PING
      < PONG`);
    assert.deepEqual(known().slice(1), ignores ? [] : ["127.0.0.2:4"]);
    assert.equal(spoke.link.status().state, "ready");
  }
});

test("a first INFO teaches no addresses: before TLS and before CONNECT anybody may have written it", async () => {
  await using evil = await FakeHub.listen();
  const hostile = `> INFO ${FIRST},"tls_required":true,"cluster":"hubs","leafnode_urls":["${addressOf(evil)}"]} `;
  for (const scheme of ["tls", "nats-leaf"]) {
    await using hub = await FakeHub.listen();
    await using spoke = new LinkHarness(
      remoteFrom({ urls: [hub.url.replace("nats-leaf", scheme)], user: "ann", password: "pw" }),
    );
    spoke.link.start();
    for (let i = 0; i < 5; i++) {
      await hub.plays(hostile);
      const connection = await hub.connection();
      await settles(() => connection.received.length > 0, "a ClientHello");
      connection.destroy();
      await spoke.hears(/^down$/);
      spoke.forget();
    }
    assert.deepEqual(
      spoke.link.status().urls.map(({ isConfigured }) => isConfigured),
      [true],
    );
  }
  assert.equal(evil.dials, 0);
});

test("in clear and without a login a first INFO teaches nothing either; the one behind CONNECT does", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  await hub.plays(`> INFO ${FIRST},"cluster":"hubs","leafnode_urls":["127.0.0.2:66"]}
    < CONNECT …`);
  assert.equal(spoke.link.status().urls.length, 1);
  await hub.plays(`${joined(["127.0.0.2:77"])}
    < LS+ $LDS.…`);
  assert.deepEqual(
    spoke.link.status().urls.map(({ url }) => url),
    [hub.url, "nats-leaf://127.0.0.2:77"],
  );
});

test("gossip cannot talk us out of TLS: a gossiped hub without it gets no CONNECT", async () => {
  await using certs = await certificates();
  await using hub = await FakeHub.listen();
  await using told = await FakeHub.listen();
  const tls = { handshake_first: true, ca_file: certs.ca };
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url], user: "ann", password: "secret-pw", tls }));
  spoke.link.start();
  await (await hub.connection()).startsTls(certs.server);
  await hub.plays(ready([addressOf(told)]));
  await spoke.hears(/^ready$/);
  await hub.plays(">!");
  await hub[Symbol.asyncDispose]();
  await told.plays(INFO);
  const connection = await told.connection();
  await settles(() => connection.received.length > 0, "a ClientHello");
  assert.equal(connection.received[0], 0x16);
  assert.doesNotMatch(connection.received.toString("latin1"), /CONNECT|secret-pw/);
});

test("a handshake that the network cut off does not make its URL sit out a round", async () => {
  await using first = await FakeHub.listen();
  const gone = await FakeHub.listen();
  await gone[Symbol.asyncDispose]();
  const remote = remoteFrom({ urls: [first.url, gone.url], no_randomize: true, tls: { handshake_first: true } });
  await using spoke = new LinkHarness(remote);
  spoke.link.start();
  const failures = (url: string) => spoke.link.status().urls.find((each) => each.url === url)!.failuresInRow;
  for (let i = 1; i <= 3; i++) {
    const connection = await first.nextConnection();
    await settles(() => connection.received.length > 0, "a ClientHello");
    connection.resets();
    await settles(() => failures(first.url) === i, "the reset is noticed");
    assert.ok(failures(gone.url) <= i, `the other was tried ${failures(gone.url)} times before round ${i} was over`);
  }
});
