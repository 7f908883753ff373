import assert from "node:assert/strict";
import { test } from "node:test";
import { certificates } from "../support/certificates.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakeHub } from "../support/fake-hub.ts";
import { LinkHarness, remoteFrom } from "../support/link-harness.ts";

const INFO =
  '> INFO {"server_id":"H1","server_name":"hub1","version":"2.15.1","client_id":7,"nonce":"n","max_payload":1048576,"info_on_connect":true,"leafnode_urls":["127.0.0.1:7422"]} ';
const JOINED =
  '> INFO {"server_id":"H1","server_name":"hub1","version":"2.15.1","client_id":7,"connect_info":true,"remote_account":"ACC","info_on_connect":true} ';
const INTRODUCED = `
  ${INFO}
  < CONNECT …
  ${JOINED}
  < /^LS\\+ \\$LDS\\.[0-9a-f]{32}$/`;

test("a spoke introduces itself, announces its loop subject and its interest, and is ready at the PONG", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url], user: "ann", password: "pw" }));
  spoke.interest.push("plant.7.cmd.>");
  spoke.link.start();
  await hub.plays(`
    ${INFO}
    < /^CONNECT .*"name":"gw-1","cluster":"gw-1","headers":true,"remote_account":"EDGE","compress_mode":"not supported","protocol":1,"isolate":true,"user":"ann","pass":"pw"}$/
    ${JOINED}
    > LS+ cmd.hub
    < LS+ $LDS.…
    < LS+ plant.7.cmd.>
    < PING`);
  assert.ok(!spoke.heard.includes("ready"), "not before the PONG");
  await hub.plays("> PONG");
  await spoke.hears(/^ready$/);
  assert.deepEqual(spoke.heard, ["ls+ cmd.hub null", "ready"]);
  assert.deepEqual([spoke.link.status().hub?.name, spoke.link.status().hub?.account], ["hub1", "ACC"]);
});

test("messages, PINGs and an -ERR in one segment are all taken, in order", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  await hub.plays(`${INTRODUCED}
    < PING
    > PONG\\r\\nLMSG a 1\\r\\nx\\r\\nPING\\r\\nLMSG b 1\\r\\ny\\r\\n-ERR 'Invalid Subscription'
    < PONG`);
  await spoke.hears(/msg b=y/);
  assert.deepEqual(spoke.heard, ["ready", "msg a=x", "msg b=y"]);
  assert.equal(spoke.link.status().state, "ready", "an invalid subscription keeps the link");
});

test("after a lost link everything is announced again", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.interest.push("cmd");
  spoke.link.start();
  for (let i = 0; i < 3; i++) {
    await hub.plays(`${INTRODUCED}
      < LS+ cmd
      < PING
      > PONG`);
    await spoke.hears(/^ready$/);
    spoke.forget();
    await hub.plays(">!");
    await spoke.hears(/^down$/);
  }
  assert.equal(spoke.link.status().connects, 3);
});

test("a hub that dies in the middle of a line ends the link, and the rest of the line is not carried into the next one", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  await hub.plays(`${INTRODUCED}
    < PING
    > PONG\\r\\nLMSG a 10\\r\\nhalf
    >!`);
  await spoke.hears(/^down$/);
  await hub.plays(`${INTRODUCED}
    < PING
    > PONG\\r\\nLMSG b 2\\r\\nok`);
  await spoke.hears(/msg b=ok/);
  assert.ok(!spoke.heard.some((line) => line.startsWith("msg a")));
});

for (const [name, line, code] of [
  ["a client port", '> INFO {"server_id":"H1","client_id":7,"max_payload":1048576} ', "LEAF_WRONG_PORT"],
  ["a route port", '> INFO {"server_id":"H1","leafnode_urls":[]} ', "LEAF_WRONG_PORT"],
  ["a web server", "> HTTP/1.1 400 Bad Request", "LEAF_NOT_NATS"],
  ["an INFO that is not JSON", "> INFO nonsense", "LEAF_NOT_NATS"],
  ["an INFO that is a list", "> INFO [1]", "LEAF_NOT_NATS"],
] as const) {
  test(`${name} is recognised, named ${code}, and no credential is sent to it`, async () => {
    await using hub = await FakeHub.listen();
    await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url], user: "ann", password: "secret-pw" }));
    spoke.link.start();
    await hub.plays(`${line}
      <!`);
    await spoke.hears(/^down$/);
    assert.equal(spoke.link.status().lastError?.code, code);
    assert.doesNotMatch(JSON.stringify(spoke.link.status()), /secret-pw/);
  });
}

for (const [text, code, leastMs] of [
  ["Authorization Violation", "LEAF_AUTH_REJECTED", 0],
  ["Duplicate Remote LeafNode Connection", "LEAF_DUPLICATE", 0],
  ['Loop detected for leafnode account="EDGE". Delaying attempt to reconnect for 30s', "LEAF_LOOP", 30_000],
  ["remote leafnode has same cluster name", "LEAF_SAME_CLUSTER", 30_000],
  ['connection rejected since minimum version required is "9.0.0"', "LEAF_MIN_VERSION", 5_000],
  ['Permissions Violation for Subscription to "x"', "LEAF_PERMISSION", 30_000],
] as const) {
  test(`-ERR '${text}' is named ${code} and keeps us away for ${leastMs} ms at least`, async () => {
    await using hub = await FakeHub.listen();
    const clock = new FakeClock();
    await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }), { clock });
    spoke.link.start();
    await hub.plays(`${INFO}
      < CONNECT …
      > -ERR '${text}'
      <!`);
    await spoke.hears(/^down$/);
    const status = spoke.link.status();
    assert.equal(status.lastError?.code, code);
    assert.ok(status.lastError.message.includes(text));
    clock.advance(Math.max(0, leastMs - 1));
    assert.equal(spoke.link.status().state, "waiting");
    clock.advance(60_000);
    await hub.nextConnection(); // it never stops trying
  });
}

test("a spoke that hears its own loop subject says so and stays away for 30 s", async () => {
  await using hub = await FakeHub.listen({ ignores: [/^PING$/] });
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }));
  spoke.link.start();
  await hub.plays(`${INFO}
    < CONNECT …
    ${JOINED}`);
  const line = await (await hub.connection()).nextLine("LS+ $LDS.…");
  await hub.plays(`> ${line}
    < -ERR 'Loop detected for leafnode account="EDGE". Delaying attempt to reconnect for 30s'
    <!`);
  await spoke.hears(/^down$/);
  assert.equal(spoke.link.status().lastError?.code, "LEAF_LOOP");
});

test("with two URLs the second is tried within the same second when the first is dead", async () => {
  await using dead = await FakeHub.listen();
  const url = dead.url;
  await dead[Symbol.asyncDispose]();
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [url, hub.url], no_randomize: true }));
  spoke.link.start();
  await hub.plays(`${INTRODUCED}
    < PING
    > PONG`);
  await spoke.hears(/^ready$/);
  assert.equal(spoke.link.status().url, hub.url);
});

test("a hub that says nothing is given up with words about TLS first", async () => {
  await using hub = await FakeHub.listen();
  const clock = new FakeClock();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }), { clock });
  spoke.link.start();
  await hub.nextConnection();
  while (spoke.link.status().state === "dialing") await new Promise((done) => setImmediate(done));
  clock.advance(10_001);
  assert.equal(spoke.link.status().lastError?.code, "LEAF_TIMEOUT");
  assert.match(spoke.link.status().lastError!.message, /TLS first/);
});

test("a hub that goes silent is asked for a sign of life, then given up", async () => {
  await using hub = await FakeHub.listen();
  const clock = new FakeClock();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url] }), { clock });
  spoke.link.start();
  await hub.plays(`${INTRODUCED}
    < PING
    > PONG`);
  await spoke.hears(/^ready$/);
  for (let i = 0; i < 23; i++) clock.advance(2_500);
  await hub.plays("< PING");
  for (let i = 0; i < 9; i++) clock.advance(2_500);
  await spoke.hears(/^down$/);
  assert.equal(spoke.link.status().lastError?.code, "LEAF_STALE");
});

// ── TLS or no connection ──────────────────────────────────────────────────────────────────────────────────────────────

test("tls:// at a hub without TLS: no CONNECT leaves, and the words say what to do", async () => {
  await using hub = await FakeHub.listen();
  const url = hub.url.replace("nats-leaf:", "tls:");
  await using spoke = new LinkHarness(remoteFrom({ urls: [url], user: "ann", password: "secret-pw" }));
  spoke.link.start();
  const connection = await hub.connection();
  await hub.plays(INFO); // no tls_required in it
  while (spoke.link.status().state !== "securing" || connection.received.length === 0)
    await new Promise((done) => setImmediate(done));
  connection.sends("-ERR 'Authorization Violation'\r\n");
  await spoke.hears(/^down$/);
  assert.equal(connection.received[0], 0x16, "a TLS ClientHello");
  assert.doesNotMatch(connection.received.toString("latin1"), /CONNECT|secret-pw/);
  assert.equal(spoke.link.status().lastError?.code, "LEAF_TLS_FAILED");
  assert.match(spoke.link.status().lastError!.message, /answers without TLS/);
});

test("handshake_first speaks TLS before anything else, and the whole introduction runs inside", async () => {
  await using certs = await certificates();
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(
    remoteFrom({ urls: [hub.url.replace("nats-leaf:", "tls:")], tls: { handshake_first: true, ca_file: certs.ca } }),
  );
  spoke.link.start();
  await (await hub.connection()).startsTls(certs.server);
  await hub.plays(`${INTRODUCED}
    < PING
    > PONG`);
  await spoke.hears(/^ready$/);
  assert.equal(spoke.link.status().isTls, true);
});

test("a tls block without handshake_first: TLS after INFO, CONNECT inside it", async () => {
  await using certs = await certificates();
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url], tls: { ca_file: certs.ca, handshake_first: false } }));
  spoke.link.start();
  await hub.plays(INFO.replace("{", '{"tls_required":true,'));
  await (await hub.connection()).startsTls(certs.server);
  await hub.plays(`
    < CONNECT …
    ${JOINED}
    < LS+ …
    < PING
    > PONG`);
  await spoke.hears(/^ready$/);
});

for (const [name, which, words] of [
  ["an expired certificate", "expired", /expired/],
  ["a certificate for another name", "wrongName", /another name/],
] as const) {
  test(`${name} is refused in plain words, and CONNECT never leaves`, async () => {
    await using certs = await certificates();
    await using hub = await FakeHub.listen();
    await using spoke = new LinkHarness(remoteFrom({ urls: [hub.url], tls: { handshake_first: true, ca_file: certs.ca } }));
    spoke.link.start();
    const connection = await hub.connection();
    await connection.startsTls(certs[which]).catch(() => undefined); // the spoke leaves in the middle of it
    await spoke.hears(/^down$/);
    assert.equal(spoke.link.status().lastError?.code, "LEAF_TLS_FAILED");
    assert.match(spoke.link.status().lastError!.message, words);
  });
}

test("a network that fails in the middle of the handshake is tried again within the ordinary back-off", async () => {
  await using hub = await FakeHub.listen();
  const remote = { urls: [hub.url], tls: { handshake_first: true }, reconnect: { min: "10ms", max: "20ms" } };
  await using spoke = new LinkHarness(remoteFrom(remote));
  spoke.link.start();
  for (let i = 0; i < 6; i++) {
    const connection = await hub.nextConnection();
    while (connection.received.length === 0) await new Promise((done) => setImmediate(done));
    connection.resets();
  }
  assert.equal(spoke.link.status().lastError?.code, "LEAF_TLS_FAILED");
});

test("an unreadable CA file is named, with the setting it stands in", async () => {
  await using hub = await FakeHub.listen();
  await using spoke = new LinkHarness(
    remoteFrom({ urls: [hub.url], tls: { handshake_first: true, ca_file: "/nowhere/ca.pem" } }),
  );
  spoke.link.start();
  await spoke.hears(/^down$/);
  assert.equal(spoke.link.status().lastError?.code, "LEAF_CREDENTIALS");
  assert.match(spoke.link.status().lastError!.message, /tls\.ca_file.*\/nowhere\/ca\.pem/);
});
