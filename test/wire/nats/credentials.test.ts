// Coming in by token, nkey and user JWT; answers by allow_responses.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Claims } from "../../support/jwt.ts";
import { TestNkey } from "../../support/jwt.ts";
import { NatsDoor, PASSWORD, ROBOT_KEY, TOKEN, TRUSTED } from "./harness.ts";

const QUIET = { verbose: false, headers: true, no_responders: true };
const REFUSED = "-ERR 'Authorization Violation'\r\n";

test("INFO has a nonce only where somebody may sign it, and another for each connection", async () => {
  await using plain = await NatsDoor.open();
  await using one = await plain.dialUnread();
  assert.equal("nonce" in (await one.info()), false);
  await using door = await NatsDoor.open({ wantsSignatures: true });
  const nonces = new Set<unknown>();
  for (let i = 0; i < 3; i++) {
    await using natsClient = await door.dialUnread();
    const { nonce } = await natsClient.info();
    assert.match(String(nonce), /^[A-Za-z0-9_-]{15}$/);
    nonces.add(nonce);
  }
  assert.equal(nonces.size, 3);
});

test("a token lets its user in, a wrong one does not", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected({ auth_token: TOKEN });
  natsClient.send("SUB _I.> 1\r\nPUB $SYS.REQ.USER.INFO _I.1 0\r\n\r\n");
  assert.match(await natsClient.line(), /^MSG _I\.1 1 /);
  assert.match(await natsClient.line(), /"user":"panel","account":"EDGE"/);
  await using other = await door.dial();
  other.send('CONNECT {"auth_token":"a guess"}\r\n');
  await other.isClosed(REFUSED);
});

test("who signs the nonce with its nkey comes in; who signs something else, or with another key, does not", async () => {
  await using door = await NatsDoor.open({ wantsSignatures: true, noAuthUser: null });
  const show = async (key: TestNkey, signed?: string) => {
    const natsClient = await door.dialUnread();
    const { nonce } = await natsClient.info();
    const connect = { ...QUIET, nkey: ROBOT_KEY.publicKey, sig: key.sign(signed ?? String(nonce)) };
    natsClient.send(`CONNECT ${JSON.stringify(connect)}\r\nPING\r\n`);
    return natsClient;
  };
  await using good = await show(ROBOT_KEY);
  await good.receives("PONG\r\n");
  await using replayed = await show(ROBOT_KEY, "the nonce of another connection");
  await replayed.isClosed(REFUSED);
  await using stranger = await show(new TestNkey("user"));
  await stranger.isClosed(REFUSED);
  assert.ok(door.said("signature does not fit"));
});

async function withJwt(door: NatsDoor, top: Claims = {}, nats: Claims = {}) {
  const natsClient = await door.dialUnread();
  const { nonce } = await natsClient.info();
  const { jwt, key } = TRUSTED.user("gw", top, nats);
  natsClient.send(`CONNECT ${JSON.stringify({ ...QUIET, jwt, sig: key.sign(String(nonce)) })}\r\nPING\r\n`);
  return natsClient;
}

test("a user JWT of a trusted account comes in with the JWT's permissions and limits", async () => {
  await using door = await NatsDoor.open({ wantsSignatures: true, noAuthUser: null });
  await using natsClient = await withJwt(door, {}, { pub: { allow: ["a.>"] }, sub: { deny: ["secret"] }, subs: 2, payload: 4 });
  assert.equal((await natsClient.info())["max_payload"], 4, "it is told of its own limit");
  await natsClient.receives("PONG\r\n");
  natsClient.send("SUB secret 1\r\nSUB a.> 2\r\nSUB b 3\r\nSUB c 4\r\nPUB a.x 2\r\nhi\r\nPUB b 2\r\nhi\r\n");
  assert.equal(await natsClient.line(), `-ERR 'Permissions Violation for Subscription to "secret"'`);
  assert.equal(await natsClient.line(), "-ERR 'maximum subscriptions exceeded'");
  await natsClient.receives(`MSG a.x 2 2\r\nhi\r\n-ERR 'Permissions Violation for Publish to "b"'\r\n`);
  natsClient.send("PUB a.x 5\r\n");
  await natsClient.isClosed("-ERR 'Maximum Payload Violation'\r\n");
});

test("when a JWT expires its connection ends, and it does not come back", async () => {
  await using door = await NatsDoor.open({ wantsSignatures: true, noAuthUser: null });
  const exp = Math.floor(door.clock.wall() / 1000) + 30;
  await using natsClient = await withJwt(door, { exp });
  await natsClient.receives("PONG\r\n");
  door.clock.advance(28_000);
  await natsClient.isIdle();
  door.clock.advance(3_000);
  await natsClient.isClosed("-ERR 'User Authentication Expired'\r\n");
  await using again = await withJwt(door, { exp });
  await again.isClosed(REFUSED);
  assert.equal(door.ingress.status().endings.expired, 1);
});

test("a user with allow_responses may answer requests, so many times, and publish nothing else", async () => {
  await using door = await NatsDoor.open();
  await using asking = await door.connected();
  await using natsClient = await door.connected({ user: "responder", pass: PASSWORD });
  asking.send("SUB _I.> 1\r\n");
  await asking.isIdle();
  natsClient.send("SUB work 1\r\nPUB _I.a 2\r\nno\r\n");
  await natsClient.receives(`-ERR 'Permissions Violation for Publish to "_I.a"'\r\n`);
  asking.send("PUB work _I.a 1\r\n?\r\nPUB work _I.b 1\r\n?\r\nPUB work 1\r\n!\r\n");
  await natsClient.receives("MSG work 1 _I.a 1\r\n?\r\nMSG work 1 _I.b 1\r\n?\r\nMSG work 1 1\r\n!\r\n");
  natsClient.send("PUB _I.a 1\r\n1\r\nPUB _I.a 1\r\n2\r\nPUB _I.a 1\r\n3\r\n"); // in one batch
  await natsClient.receives(`-ERR 'Permissions Violation for Publish to "_I.a"'\r\n`);
  await asking.receives("MSG _I.a 1 1\r\n1\r\nMSG _I.a 1 1\r\n2\r\n");
  door.clock.advance(60_000);
  natsClient.send("PUB _I.b 1\r\n1\r\n");
  await natsClient.receives(`-ERR 'Permissions Violation for Publish to "_I.b"'\r\n`);
  await asking.isIdle();
});

test("a queue group's message goes past a publisher that wants no echo", async () => {
  await using door = await NatsDoor.open();
  await using deaf = await door.connected({ echo: false });
  await using other = await door.connected();
  deaf.send("SUB jobs workers 1\r\n");
  other.send("SUB jobs workers 1\r\n");
  await deaf.isIdle();
  await other.isIdle();
  for (let i = 0; i < 20; i++) deaf.send("PUB jobs 1\r\nx\r\n");
  await other.receives("MSG jobs 1 1\r\nx\r\n".repeat(20));
  await deaf.isIdle();
});
