// What the monitor tells of the ways in and of connections that have ended, side by side with nats-server 2.15: the same clients, the
// same mistakes, the same words.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import * as net from "node:net";
import { after, before, test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { WebSocket } from "ws";
import type { Json } from "#base/schema.ts";
import { type Certificates, certificates } from "../support/certificates.ts";
import { NatsServer, type ServerConfig } from "../support/nats-server.ts";
import { startSpoke } from "../support/spoke.ts";

const PASSWORD = "monitor-password";
const UNTIL_MS = 10_000;

let made: Certificates;
before(async () => {
  made = await certificates();
});
after(() => made[Symbol.asyncDispose]());

interface Place extends AsyncDisposable {
  readonly monitorUrl: string;
  readonly port: number;
}

type Fields = Record<string, unknown>;

interface Setup {
  readonly ours: { readonly [key: string]: Json };
  readonly theirs: ServerConfig;
}

const PLACES: Readonly<Record<string, (setup: Setup) => Promise<Place>>> = {
  async ours({ ours }) {
    const users = [{ user: "ann", password: PASSWORD, nats: true, mqtt: false }];
    const settings = { accounts: [{ name: "EDGE", users }], listen: "127.0.0.1:0", monitor: { listen: "127.0.0.1:0" }, ...ours };
    const { spoke, [Symbol.asyncDispose]: close } = await startSpoke({ settings });
    const monitorUrl = `http://127.0.0.1:${spoke.monitorEndpoint!.port}`;
    return { monitorUrl, port: spoke.natsEndpoint!.port, [Symbol.asyncDispose]: close };
  },
  async "nats-server 2.15"({ theirs }) {
    const accounts = { EDGE: { users: [{ user: "ann", password: PASSWORD }] } };
    const server = await NatsServer.start({ version: "2.15", config: { accounts, ...theirs } });
    return {
      monitorUrl: server.monitorUrl,
      port: server.port("client"),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
};

async function ask(place: Place, address: string): Promise<Fields> {
  const response = await fetch(new URL(address, place.monitorUrl), { headers: { connection: "close" } });
  assert.equal(response.status, 200, address);
  return (await response.json()) as Fields;
}

async function connections(place: Place, query: string): Promise<Fields[]> {
  return (await ask(place, `/connz?${query}`))["connections"] as Fields[];
}

/** Of the connection that has ended last, since there were `count` of them. */
async function reasonAfter(place: Place, count: number): Promise<unknown> {
  const end = performance.now() + UNTIL_MS;
  for (;;) {
    const closed = await connections(place, "state=closed&sort=stop");
    if (closed.length > count) return closed[0]!["reason"];
    if (performance.now() > end) throw new Error(`no connection ended within ${UNTIL_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The same for both: what does not depend on time, ports and versions. */
function lasting({
  type,
  name,
  lang,
  tls_version,
  tls_cipher_suite,
  tls_first,
  tls_peer_certs,
  authorized_user,
}: Fields): Fields {
  const certificate = (tls_peer_certs as Fields[] | undefined)?.[0]; // nats-server shows the rest of the chain, too
  const cipher = String(tls_cipher_suite).replace(/^TLS_AES_\d+_GCM_SHA\d+$/, "one of TLS 1.3"); // which one is a matter of taste
  return { type, name, lang, tls_version, cipher, tls_first, authorized_user, certificate };
}

test("TLS and WebSocket are told of alike, certificates of clients included", async () => {
  const pair = () => ({ cert_file: made.server.cert, key_file: made.server.key });
  const tls = { ...pair(), ca_file: made.ca, verify: true, handshake_first: true };
  const origins = { same_origin: true, allowed_origins: ["https://panel.example", "http://localhost:3000"] };
  const setup: Setup = {
    ours: { tls, websocket: { listen: "127.0.0.1:0", tls: pair(), ...origins } },
    theirs: { tls, websocket: { tls: pair(), ...origins } },
  };
  const seen: Record<string, unknown> = {};
  for (const [name, open] of Object.entries(PLACES)) {
    await using place = await open(setup);
    const varz = await ask(place, "/varz");
    const webSocket = varz["websocket"] as Fields & { readonly port: number };
    const natsClient = await connect({
      servers: `localhost:${place.port}`,
      user: "ann",
      pass: PASSWORD,
      name: "by TLS",
      reconnect: false,
      tls: { caFile: made.ca, certFile: made.client.cert, keyFile: made.client.key, handshakeFirst: true },
    });
    const socket = new WebSocket(`wss://localhost:${webSocket.port}`, { ca: await readFile(made.ca) });
    await once(socket, "message");
    const login = { verbose: false, user: "ann", pass: PASSWORD, name: "by page" };
    socket.send(Buffer.from(`CONNECT ${JSON.stringify(login)}\r\nPING\r\n`));
    await once(socket, "message");
    const { tls_required, tls_verify, tls_cert_not_after } = varz;
    const { same_origin, allowed_origins, tls_cert_not_after: ofWebSocket } = webSocket;
    const times = [tls_cert_not_after, ofWebSocket].map((time) => Date.parse(String(time)));
    const told = { tls_required, tls_verify, times, same_origin, allowed_origins };
    seen[name] = { told, listed: (await connections(place, "auth=1&sort=cid")).map(lasting) };
    await natsClient.close();
    socket.close();
    await once(socket, "close");
    const stranger = net.connect(place.port, "127.0.0.1");
    stranger.end("garbage\r\n");
    await once(stranger.resume(), "close");
    const closed = async () =>
      (await connections(place, "state=closed&auth=1&sort=cid")).map((one) => [lasting(one), one["reason"]]);
    const end = performance.now() + UNTIL_MS;
    while ((await closed()).length < 3 && performance.now() < end);
    seen[`${name}, closed`] = await closed();
  }
  assert.deepEqual(seen["ours"], seen["nats-server 2.15"]);
  assert.deepEqual(seen["ours, closed"], seen["nats-server 2.15, closed"]);
  assert.equal((seen["ours, closed"] as unknown[]).length, 3);
});

const CONNECT = `CONNECT {"verbose":false,"user":"ann","pass":"${PASSWORD}"}\r\n`;

/** What a client does after INFO. Each ends its connection, or has it ended. */
const MISTAKES: Readonly<Record<string, (socket: net.Socket) => void>> = {
  "leaves without a word": (socket) => socket.end(),
  "leaves after its login": (socket) => socket.end(CONNECT),
  "knows a wrong password": (socket) => socket.write('CONNECT {"user":"ann","pass":"wrong"}\r\n'),
  "shows nothing at all": (socket) => socket.write("CONNECT {}\r\n"),
  "begins with something else": (socket) => socket.write("PING\r\n"),
  "speaks another protocol": (socket) => socket.write("GET / HTTP/1.1\r\n\r\n"),
  "makes an operation up": (socket) => socket.write(`${CONNECT}FOO\r\n`),
  "forgets an argument": (socket) => socket.write(`${CONNECT}PUB a\r\n`),
  "publishes too much": (socket) => socket.write(`${CONNECT}PUB a 1025\r\n`),
  "has a line without end": (socket) => socket.write(`${CONNECT}PUB ${"a".repeat(5_000)} 1\r\nx\r\n`),
  "sends headers without having said so": (socket) => socket.write(`${CONNECT}HPUB a 12 12\r\nNATS/1.0\r\n\r\n\r\n`),
  "wants no_responders without headers": (socket) => socket.write(`${CONNECT.replace("{", '{"no_responders":true,')}`),
  "wants a protocol of tomorrow": (socket) => socket.write(`${CONNECT.replace("{", '{"protocol":2,')}`),
};

test("why a connection has ended is said in nats-server's words", async () => {
  const setup: Setup = { ours: { limits: { max_payload: "1KiB" } }, theirs: { max_payload: 1024 } };
  const reasons: Record<string, Record<string, unknown>> = {};
  for (const [name, open] of Object.entries(PLACES)) {
    await using place = await open(setup);
    reasons[name] = {};
    for (const [what, make] of Object.entries(MISTAKES)) {
      const { length } = await connections(place, "state=closed");
      const socket = net.connect(place.port, "127.0.0.1");
      socket.on("error", () => undefined); // a reset is an end, too
      await once(socket, "data");
      make(socket);
      reasons[name]![what] = await reasonAfter(place, length);
      socket.destroy();
    }
  }
  assert.deepEqual(reasons["ours"], reasons["nats-server 2.15"]);
});
