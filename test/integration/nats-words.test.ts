// What a local NATS client is told, word for word: INFO, -ERR, user info, limits of a JWT. Each asked of nats-server 2.15 as well: a
// difference is a finding, and those that are meant stand here.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { credsAuthenticator } from "@nats-io/transport-node";
import { TestOperator } from "../support/jwt.ts";
import { natsJs } from "../support/nats-client.ts";
import { accounts, PLACES } from "../support/nats-places.ts";

const USERS = [
  { user: "ann", password: "x" },
  { user: "writer", password: "x", permissions: { publish: ["a", "$SYS.REQ.USER.INFO"] } },
  {
    user: "sensor",
    password: "x",
    permissions: {
      publish: { allow: ["plant.>", "$SYS.REQ.USER.INFO"], deny: ["plant.secret"] },
      subscribe: ["cmd.>", "_INBOX.>"],
    },
  },
];

/** Both with users, nobody without one, and small limits. */
function strict() {
  const { ours, theirs } = accounts(USERS);
  const { no_auth_user: _, ...closed } = theirs as typeof theirs & { readonly no_auth_user: string };
  return {
    ours: { ...ours, no_auth_user: null, limits: { max_payload: "1KiB", max_connections: 3 } },
    theirs: { ...closed, max_payload: 1024, max_connections: 3, authorization: { timeout: 5 } },
  };
}

type Words = Record<string, string>;

async function inTurn(ask: (open: (typeof PLACES)[string]) => Promise<unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const open of Object.values(PLACES)) found.push(await ask(open));
  return found;
}

async function hearing(port: number) {
  const socket = net.connect(port, "127.0.0.1");
  let heard = "";
  socket.on("error", () => undefined).on("data", (chunk: Buffer) => (heard += chunk.toString("latin1")));
  const isOver = once(socket, "close");
  while (!heard.includes("\r\n")) await once(socket, "data");
  const info = heard.slice(0, heard.indexOf("\r\n"));
  heard = heard.slice(info.length + 2);
  return {
    socket,
    info: JSON.parse(info.slice("INFO ".length)) as Record<string, unknown>,
    async until(text: string) {
      while (!heard.includes(text)) await once(socket, "data");
      return heard;
    },
    async over() {
      await isOver;
      return heard;
    },
  };
}

const CONNECT = 'CONNECT {"verbose":false,"headers":true,"user":"ann","pass":"x"}\r\n';
const SENSOR = 'CONNECT {"verbose":false,"user":"sensor","pass":"x"}\r\n';

/** Each ends the connection. */
const ENDS: Readonly<Record<string, string>> = {
  "a wrong password": 'CONNECT {"user":"ann","pass":"wrong"}\r\n',
  "no login": "CONNECT {}\r\n",
  "something before CONNECT": "SUB a 1\r\n",
  "an operation made up": `${CONNECT}FOO\r\n`,
  "too much": `${CONNECT}PUB a 1025\r\n`,
  "a line without end": `${CONNECT}PUB ${"a".repeat(5_000)} 1\r\nx\r\n`,
  "no_responders without headers": 'CONNECT {"no_responders":true,"user":"ann","pass":"x"}\r\n',
  "a protocol of tomorrow": CONNECT.replace("{", '{"protocol":2,'),
  "nothing at all, for 5 s": "",
};

/** Each is told and harms nothing. */
const STAYS: Readonly<Record<string, string>> = {
  "publish without permission": `${SENSOR}PUB elsewhere 1\r\nx\r\n`,
  "publish what is denied": `${SENSOR}PUB plant.secret 1\r\nx\r\n`,
  "publish with a reply and without permission": `${SENSOR}PUB elsewhere reply 1\r\nx\r\n`,
  "subscribe without permission": `${SENSOR}SUB elsewhere 1\r\n`,
  "subscribe to more than is allowed": `${SENSOR}SUB > 1\r\n`,
  "subscribe as a group without permission": `${SENSOR}SUB elsewhere group 1\r\n`,
  "subscribe to no subject": `${CONNECT}SUB a..b 1\r\n`,
  // (nats-server says +OK to a PUB before what it brings about, we behind it: libraries count them, and that is all they do)
  verbose: `${CONNECT.replace("false", "true")}SUB a 1\r\nPUB b 1\r\nx\r\nUNSUB 1\r\n`,
  "UNSUB of nothing": `${CONNECT}UNSUB 77\r\n`,
  "two messages, UNSUB after one": `${CONNECT}SUB a 1\r\nUNSUB 1 1\r\nPUB a 1\r\nx\r\nPUB a 1\r\ny\r\n`,
  headers: `${CONNECT}SUB a 1\r\nHPUB a reply 17 18\r\nNATS/1.0\r\nK:v\r\n\r\nx\r\n`,
  "headers and nothing else": `${CONNECT}SUB a g 9\r\nHPUB a 17 17\r\nNATS/1.0\r\nK:v\r\n\r\n\r\n`,
  "lower case and blanks": `${CONNECT}sub  a\t1 \r\npub   a   1\r\nx\r\n`,
  "a request that nobody hears": `${CONNECT.replace("{", '{"no_responders":true,')}SUB inbox 1\r\nPUB nobody inbox 0\r\n\r\n`,
};

test("what ends a connection is told in the same words", async () => {
  const [ours, theirs] = await inTurn(async (open) => {
    await using place = await open(strict());
    const words: Words = {};
    for (const [what, bytes] of Object.entries(ENDS)) {
      const { socket, over } = await hearing(place.port);
      socket.write(bytes);
      words[what] = (await over()).replace(/^\+OK\r\n/, "");
    }
    const crowd = await Promise.all([1, 2, 3].map(() => hearing(place.port)));
    const { over } = await hearing(place.port);
    words["one too many"] = await over();
    for (const { socket } of crowd) socket.destroy();
    return words;
  });
  assert.deepEqual(ours, theirs);
});

test("what harms nothing is answered in the same bytes", async () => {
  const [ours, theirs] = await inTurn(async (open) => {
    await using place = await open(strict());
    const words: Words = {};
    for (const [what, bytes] of Object.entries(STAYS)) {
      const { socket, until } = await hearing(place.port);
      socket.write(`${bytes}PING\r\n`);
      words[what] = await until("PONG\r\n");
      socket.destroy();
      await once(socket, "close");
    }
    return words;
  });
  assert.deepEqual(ours, theirs);
});

/** What nats-server says of its build and of JetStream, which is not here. */
const NOT_OURS: ReadonlySet<string> = new Set([
  "git_commit",
  "go",
  "jetstream",
  "domain",
  "xkey",
  "api_lvl",
  "cluster",
  "connect_urls",
]);

test("INFO has nats-server's fields, each of its type, and none of its own", async () => {
  const [ours, theirs] = (await inTurn(async (open) => {
    await using place = await open(strict());
    const { info, socket } = await hearing(place.port);
    socket.destroy();
    return info;
  })) as Record<string, unknown>[];
  const typesOf = (info: Record<string, unknown>, left: ReadonlySet<string>) =>
    Object.fromEntries(Object.entries(info).flatMap(([key, value]) => (left.has(key) ? [] : [[key, typeof value]])));
  assert.deepEqual(typesOf(ours!, new Set()), typesOf(theirs!, NOT_OURS));
  const said = ({ headers: takes, auth_required, max_payload, proto, client_ip }: Record<string, unknown>) => {
    return { takes, auth_required, max_payload, proto, client_ip };
  };
  assert.deepEqual(said(ours!), said(theirs!));
});

test("user info names user, account and permissions alike", async () => {
  const [ours, theirs] = await inTurn(async (open) => {
    await using place = await open(accounts(USERS));
    const found: unknown[] = [];
    for (const { user } of USERS) {
      await using connection = await natsJs(place.port, { user, pass: "x" });
      const answer = await connection.request("$SYS.REQ.USER.INFO", "", { timeout: 5_000 });
      const { data } = answer.json<{ data: Record<string, unknown> }>();
      const permissions = data["permissions"] as Record<string, { allow?: string[] } | null> | undefined;
      for (const list of Object.values(permissions ?? {})) list?.allow?.sort(); // nats-server's are in no order
      found.push({ user: data["user"], account: data["account"], permissions });
    }
    return found;
  });
  assert.deepEqual(ours, theirs);
});

test("a JWT's limits hold: subscriptions at a time, and bytes of a message", async () => {
  const operator = new TestOperator();
  const app = operator.account("APP");
  const [ours, theirs] = await inTurn(async (open) => {
    await using place = await open({ ours: accounts([], [app.key.publicKey]).ours, theirs: operator.serverConfig([app]) });
    const creds = app.user("gw", {}, { subs: 2, payload: 100 }).creds;
    const authenticator = credsAuthenticator(new TextEncoder().encode(creds));
    await using connection = await natsJs(place.port, { authenticator, reconnect: false });
    const faults: string[] = [];
    void (async () => {
      for await (const status of connection.status()) if (status.type === "error") faults.push(status.error.message);
    })();
    for (const subject of ["a", "b", "c"]) connection.subscribe(subject, { callback: () => undefined });
    await connection.flush();
    assert.throws(() => connection.publish("a", "x".repeat(101)), /max_payload/);
    return [faults.filter((text) => /subscriptions/i.test(text)).length, connection.info?.max_payload];
  });
  assert.deepEqual(ours, theirs);
});
