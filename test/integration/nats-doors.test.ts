// The ways in for local NATS clients, as nats.js takes them: TLS, WebSocket, nkeys, JWTs, tokens, bcrypt; and what users may do by
// allow_responses. Ours from a settings document, nats-server 2.15 from its configuration: a difference is a finding.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type ConnectionOptions,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
  nkeyAuthenticator,
  wsconnect,
} from "@nats-io/transport-node";
import { type Certificates, certificates } from "../support/certificates.ts";
import { type Claims, TestNkey, TestOperator } from "../support/jwt.ts";
import { natsJs } from "../support/nats-client.ts";
import { accounts, PLACES, type Place } from "../support/nats-places.ts";

const BCRYPT = "$2a$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2"; // correct horse
const ROBOT = new TestNkey("user");
const OPERATOR = new TestOperator();
const APP = OPERATOR.account("APP");
const LOOPBACK = "127.0.0.1:0";

let made: Certificates;
before(async () => {
  made = await certificates();
});
after(() => made[Symbol.asyncDispose]());

async function echoes(connection: NatsConnection): Promise<void> {
  const subscription = connection.subscribe("a", { max: 1 });
  connection.publish("a", "hello");
  for await (const message of subscription) assert.equal(message.string(), "hello");
}

function credsOf(top: Claims = {}, nats: Claims = {}): NodeConnectionOptions {
  return { authenticator: credsAuthenticator(new TextEncoder().encode(APP.user("gw", top, nats).creds)) };
}

for (const [name, open] of Object.entries(PLACES)) {
  const secured = (more: object = {}) => {
    const { ours, theirs } = accounts([]);
    const tls = { cert_file: made.server.cert, key_file: made.server.key, ...more };
    return open({ ours: { ...ours, tls }, theirs: { ...theirs, tls } });
  };
  const tlsJs = (place: Place, tls: NodeConnectionOptions["tls"]) =>
    natsJs(place.port, { servers: `localhost:${place.port}`, tls: { caFile: made.ca, ...tls } });

  test(`${name}: TLS after INFO`, async () => {
    await using place = await secured();
    await using connection = await tlsJs(place, {});
    await echoes(connection);
    assert.deepEqual([connection.info?.tls_required, connection.info?.tls_verify ?? false], [true, false]);
    await assert.rejects(natsJs(place.port, { servers: `localhost:${place.port}`, tls: {} }), /certificate|self-signed|issuer/i);
  });

  test(`${name}: TLS before INFO`, async () => {
    await using place = await secured({ handshake_first: true });
    await using connection = await tlsJs(place, { handshakeFirst: true });
    await echoes(connection);
  });

  test(`${name}: a client's certificate is wanted where verify is on`, async () => {
    await using place = await secured({ verify: true, ca_file: made.ca });
    await using connection = await tlsJs(place, { certFile: made.client.cert, keyFile: made.client.key });
    await echoes(connection);
    assert.equal(connection.info?.tls_verify, true);
    await assert.rejects(tlsJs(place, {}));
    await assert.rejects(tlsJs(place, { certFile: made.strangerClient.cert, keyFile: made.strangerClient.key }));
  });

  test(`${name}: WebSocket`, async () => {
    const { ours, theirs } = accounts([]);
    const blocks = { ours: { ...ours, websocket: { listen: LOOPBACK } }, theirs: { ...theirs, websocket: { no_tls: true } } };
    await using place = await open(blocks);
    const options: ConnectionOptions = { servers: `ws://127.0.0.1:${place.webSocketPort}`, reconnect: false };
    const connection = await wsconnect(options);
    await using plain = await natsJs(place.port);
    await echoes(connection);
    const big = new Uint8Array(900_000).fill(120);
    plain.subscribe("size", { callback: (_, message) => void message.respond(message.data) });
    await plain.flush();
    const answer = await connection.request("size", big, { timeout: 10_000 });
    assert.deepEqual(answer.data, big);
    await connection.drain();
    assert.equal(await connection.closed(), undefined);
  });

  test(`${name}: an nkey proves who a client is`, async () => {
    await using place = await open(accounts([{ nkey: ROBOT.publicKey, permissions: { publish: ["robot.>"] } }]));
    const seedOf = (key: TestNkey) => ({ authenticator: nkeyAuthenticator(new TextEncoder().encode(key.seed)) });
    await using connection = await natsJs(place.port, seedOf(ROBOT));
    await assert.rejects(connection.request("elsewhere", "", { timeout: 2_000 }), /Permissions Violation/i);
    await connection.flush();
    await assert.rejects(natsJs(place.port, seedOf(new TestNkey("user"))), { name: "AuthorizationError" });
  });

  const trusting = () => open({ ours: accounts([], [APP.key.publicKey]).ours, theirs: OPERATOR.serverConfig([APP]) });

  test(`${name}: a user JWT of a trusted account, with its permissions`, async () => {
    await using place = await trusting();
    await using connection = await natsJs(place.port, credsOf({}, { pub: { allow: ["a", "b.>"] } }));
    await echoes(connection);
    await assert.rejects(connection.request("c", "", { timeout: 2_000 }), /Permissions Violation/i);
    const stranger = credsAuthenticator(new TextEncoder().encode(OPERATOR.account("OTHER").user("gw").creds));
    await assert.rejects(natsJs(place.port, { authenticator: stranger }), { name: "AuthorizationError" });
    await assert.rejects(natsJs(place.port, credsOf({ exp: 1_700_000_000 })), { name: /Authorization|Expired/ });
    await assert.rejects(natsJs(place.port, credsOf({}, { src: ["192.168.0.0/16"] })), { name: "AuthorizationError" });
    await assert.rejects(natsJs(place.port, credsOf({}, { allowed_connection_types: ["MQTT"] })), { name: "AuthorizationError" });
  });

  test(`${name}: when a JWT expires its client is told so and put out`, async () => {
    await using place = await trusting();
    await using connection = await natsJs(place.port, credsOf({ exp: Math.floor(Date.now() / 1000) + 2 }));
    await echoes(connection);
    const fault = await connection.closed();
    assert.match(String(fault), /User Authentication Expired/i);
  });

  test(`${name}: a token`, async () => {
    const ours = { accounts: [{ name: "EDGE", users: [{ user: "panel", token: "a long token" }] }] };
    await using place = await open({ ours, theirs: { authorization: { token: "a long token" } } });
    await using connection = await natsJs(place.port, { token: "a long token" });
    await echoes(connection);
    await assert.rejects(natsJs(place.port, { token: "another" }), { name: "AuthorizationError" });
    await assert.rejects(natsJs(place.port), { name: "AuthorizationError" });
  });

  test(`${name}: a password kept as a bcrypt hash`, async () => {
    await using place = await open(accounts([{ user: "old", password: BCRYPT }]));
    await using connection = await natsJs(place.port, { user: "old", pass: "correct horse" });
    await echoes(connection);
    await assert.rejects(natsJs(place.port, { user: "old", pass: "wrong" }), { name: "AuthorizationError" });
  });

  test(`${name}: with allow_responses a service may answer, and publish nothing else`, async () => {
    const service = (user: string, allow_responses: unknown) => ({ user, password: "x", permissions: { allow_responses } });
    await using place = await open(accounts([service("once", true), service("thrice", { max: 3, expires: "1m" })]));
    await using asking = await natsJs(place.port);
    for (const [user, allowed] of [
      ["once", 1],
      ["thrice", 3],
    ] as const) {
      await using connection = await natsJs(place.port, { user, pass: "x" });
      const faults: string[] = [];
      void (async () => {
        for await (const status of connection.status()) if (status.type === "error") faults.push(status.error.message);
      })();
      connection.subscribe(user, {
        callback: (_, message) => {
          for (let i = 0; i < 5; i++) message.respond(String(i));
          connection.publish("elsewhere", "x");
        },
      });
      await connection.flush();
      const answers: string[] = [];
      const replies = asking.subscribe(`answers.${user}`, { callback: (_, message) => void answers.push(message.string()) });
      asking.publish(user, "?", { reply: `answers.${user}` });
      await asking.flush();
      const end = performance.now() + 5_000;
      while (faults.length < 5 - allowed + 1 && performance.now() < end) await connection.flush();
      await asking.flush();
      assert.deepEqual(answers, ["0", "1", "2", "3", "4"].slice(0, allowed));
      assert.equal(faults.filter((fault) => fault.includes(`"answers.${user}"`)).length, 5 - allowed);
      assert.equal(faults.filter((fault) => fault.includes('"elsewhere"')).length, 1);
      replies.unsubscribe();
    }
  });

  test(`${name}: a member of a queue group that wants no echo leaves its own messages to the others`, async () => {
    await using place = await open(accounts([]));
    await using deaf = await natsJs(place.port, { noEcho: true });
    await using other = await natsJs(place.port);
    let [own, theirs] = [0, 0];
    deaf.subscribe("jobs", { queue: "workers", callback: () => void (own += 1) });
    await deaf.flush();
    await assert.rejects(deaf.request("jobs", "", { timeout: 2_000 }), /no responders/i);
    other.subscribe("jobs", { queue: "workers", callback: () => void (theirs += 1) });
    await other.flush();
    for (let i = 0; i < 100; i++) deaf.publish("jobs", String(i));
    await deaf.flush();
    await other.flush();
    assert.deepEqual([own, theirs], [0, 100]);
  });
}
