// Coming in: INFO, CONNECT, who is let in, and what a client hears before its connection is closed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CONNECT_TIMEOUT_MS } from "#ingress/nats/connection.ts";
import { PING_INTERVAL_MS } from "#ingress/nats/heartbeat.ts";
import { RawNatsClient } from "../../support/nats-client.ts";
import { NatsDoor, PASSWORD } from "./harness.ts";

const QUIET = '"verbose":false';

test("a client is told who we are before it says anything", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await RawNatsClient.dial(door.port);
  const { server_id, ...info } = await natsClient.info();
  assert.match(String(server_id), /^N[0-9A-Z]{55}$/);
  assert.deepEqual(info, {
    server_name: "gw-test",
    version: "2.15.1",
    proto: 1,
    host: "127.0.0.1",
    port: door.port,
    headers: true,
    auth_required: false,
    max_payload: 1_048_576,
    client_id: 1,
    client_ip: "127.0.0.1",
  });
  await using strict = await NatsDoor.open({ noAuthUser: null });
  await using other = await RawNatsClient.dial(strict.port);
  assert.equal((await other.info())["auth_required"], true);
});

test("a client that says nothing of itself gets +OK for everything", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.dial();
  natsClient.send("CONNECT {}\r\nSUB a 1\r\nPUB a 2\r\nhi\r\nPUB b 0\r\n\r\nUNSUB 1\r\nPING\r\n");
  await natsClient.receives("+OK\r\n+OK\r\nMSG a 1 2\r\nhi\r\n+OK\r\n+OK\r\n+OK\r\nPONG\r\n");
});

test("without CONNECT a client comes in as no_auth_user, if there is one", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.dial();
  natsClient.send("SUB a 1\r\nPUB a 2\r\nhi\r\nPING\r\n");
  await natsClient.receives("+OK\r\nMSG a 1 2\r\nhi\r\n+OK\r\nPONG\r\n");
  await using strict = await NatsDoor.open({ noAuthUser: null });
  await using other = await strict.dial();
  other.send("SUB a 1\r\n");
  await other.isClosed("-ERR 'Authorization Violation'\r\n");
});

test("what came together with CONNECT waits until the password was checked, in order", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.dial();
  natsClient.send(`CONNECT {"user":"ann","pass":"${PASSWORD}",${QUIET}}\r\nSUB a 1\r\nPUB a 2\r\nhi\r\nPING\r\n`);
  await natsClient.receives("MSG a 1 2\r\nhi\r\nPONG\r\n");
});

const LOGINS: readonly (readonly [string, string, string])[] = [
  ["a wrong password", '{"user":"ann","pass":"wrong"}', "the password is wrong"],
  ["an unknown user", `{"user":"eve","pass":"${PASSWORD}"}`, "no such user"],
  ["no password", '{"user":"ann"}', "the password is wrong"],
  ["a password without a user", `{"pass":"${PASSWORD}"}`, "no user name"],
  ["a user of another door", `{"user":"mqtt-only","pass":"${PASSWORD}"}`, "may not come in by nats"],
  ["a user whose account is gone", `{"user":"homeless","pass":"${PASSWORD}"}`, 'no account \\"GONE\\"'],
  ["a token", '{"auth_token":"secret-token"}', "the token is wrong"],
  ["a JWT", '{"jwt":"eyJ","sig":"x"}', "no account has trusted_keys"],
  ["an nkey", '{"nkey":"UABC","sig":"x"}', "no user's public key"],
];

for (const [what, connect, words] of LOGINS) {
  test(`${what} is an authorization violation, and the log says why`, async () => {
    await using door = await NatsDoor.open();
    await using natsClient = await door.dial();
    natsClient.send(`CONNECT ${connect}\r\nSUB a 1\r\nPING\r\n`);
    await natsClient.isClosed("-ERR 'Authorization Violation'\r\n");
    assert.ok(
      door.lines.some((line) => line.message.includes(words.replaceAll("\\", ""))),
      JSON.stringify(door.lines),
    );
    assert.doesNotMatch(JSON.stringify(door.lines), /secret-token|correct horse/);
    assert.equal(door.ingress.status().endings.refused, 1);
    assert.equal(door.router.subscriptions, 0);
  });
}

const BAD: readonly (readonly [string, string])[] = [
  ["CONNECT\r\n", "Parser Error"],
  ["CONNECT {\r\n", "Parser Error"],
  ["CONNECT []\r\n", "Parser Error"],
  ['CONNECT {"user":7}\r\n', "Parser Error"],
  ['CONNECT {"verbose":"yes"}\r\n', "Parser Error"],
  ['CONNECT {"protocol":2}\r\n', "invalid client protocol"],
  ['CONNECT {"protocol":-1}\r\n', "invalid client protocol"],
  ['CONNECT {"no_responders":true}\r\n', "no responders requires headers support"],
  [`CONNECT {"name":"${"x".repeat(4096)}"}\r\n`, "maximum control line exceeded"],
  ["CONNECTED {}\r\n", "Unknown Protocol Operation"],
];

for (const [line, text] of BAD) {
  test(`${line.slice(0, 40).trim()} ends with ${text}`, async () => {
    await using door = await NatsDoor.open();
    await using natsClient = await door.dial();
    natsClient.send(line);
    await natsClient.isClosed(`-ERR '${text}'\r\n`);
  });
}

test("a second CONNECT ends the connection", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected();
  natsClient.send("CONNECT {}\r\n");
  await natsClient.isClosed("-ERR 'Parser Error'\r\n");
});

test("TLS on the plain port is named in the log", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.dial();
  natsClient.send(Buffer.from([0x16, 3, 1, 2, 0, 1, 0]));
  await natsClient.isClosed("-ERR 'Authorization Violation'\r\n");
  assert.ok(door.said("that of TLS"));
});

test("each user lives in the account it belongs to", async () => {
  await using door = await NatsDoor.open();
  await using here = await door.connected({ user: "ann", pass: PASSWORD });
  await using there = await door.connected({ user: "elsewhere", pass: PASSWORD });
  here.send("SUB > 1\r\n");
  there.send("SUB > 1\r\nPUB a 5\r\nthere\r\n");
  await there.receives("MSG a 1 5\r\nthere\r\n");
  await here.isIdle();
  assert.deepEqual([door.router.subscriptions, door.lab.subscriptions], [1, 1]);
});

test("a client that sends no CONNECT in time is told and closed, even if it sends a byte now and then", async () => {
  await using door = await NatsDoor.open();
  await using silent = await door.dial();
  await using slow = await door.dial();
  slow.send("CONN");
  await door.clock.pass(CONNECT_TIMEOUT_MS / 2);
  slow.send("ECT");
  await door.clock.pass(CONNECT_TIMEOUT_MS / 2);
  await silent.isClosed("-ERR 'Authentication Timeout'\r\n");
  await slow.isClosed("-ERR 'Authentication Timeout'\r\n");
  assert.equal(door.ingress.status().endings.silent, 2);
});

test("one connection too many is told and closed, and there is room again when another leaves", async () => {
  await using door = await NatsDoor.open({ limits: { maxConnections: 2 } });
  await using first = await door.connected();
  await using second = await door.connected();
  await using third = await door.dial();
  await third.isClosed("-ERR 'maximum connections exceeded'\r\n");
  await first[Symbol.asyncDispose]();
  await door.until(() => door.ingress.status().clients === 1);
  await using fourth = await door.connected();
  await fourth.isIdle();
  await second.isIdle();
});

test("a silent client is pinged, lives while it answers, and is closed as stale when it does not", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected();
  await door.clock.pass(PING_INTERVAL_MS);
  await natsClient.receives("PING\r\n");
  natsClient.send("PONG\r\n");
  await natsClient.isIdle();
  await door.clock.pass(PING_INTERVAL_MS);
  await natsClient.receives("PING\r\n");
  await door.clock.pass(PING_INTERVAL_MS);
  await natsClient.receives("PING\r\n");
  await door.clock.pass(PING_INTERVAL_MS);
  await natsClient.isClosed("-ERR 'Stale Connection'\r\n");
  assert.equal(door.ingress.status().endings.stale, 1);
});

test("closing tells the clients, lets them finish for a moment, and then closes them", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected();
  natsClient.send("SUB a 1\r\n");
  await natsClient.isIdle();
  const closing = door.ingress[Symbol.asyncDispose]();
  const info = await natsClient.info();
  assert.equal(info["ldm"], true);
  natsClient.send("PUB a 4\r\nlast\r\n");
  await natsClient.receives("MSG a 1 4\r\nlast\r\n");
  await assert.rejects(RawNatsClient.dial(door.port), /ECONNREFUSED/);
  await door.clock.pass(5_000);
  await natsClient.isClosed();
  await closing;
  assert.equal(door.router.subscriptions, 0);
  assert.equal(door.clock.pending, 0);
});

test("closing waits for messages to become safe, so that their answers still go out", async () => {
  await using door = await NatsDoor.open({ stages: true });
  await using natsClient = await door.connected();
  natsClient.send("SUB _INBOX.> 1\r\nHPUB a _INBOX.1 31 33\r\nNATS/1.0\r\nPetiole-Ack: safe\r\n\r\nhi\r\n");
  await door.until(() => door.upstream.tickets.length === 1);
  const closing = door.ingress[Symbol.asyncDispose]();
  await natsClient.info();
  await door.clock.pass(1_000);
  door.slot.onSafe(door.upstream.tickets[0]!);
  await natsClient.receives('MSG _INBOX.1 1 13\r\n{"safe":true}\r\n');
  await natsClient.isClosed();
  await closing;
});
