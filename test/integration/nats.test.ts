// The door for NATS clients against nats.js, each test also against a real nats-server: a difference is a finding.

import assert from "node:assert/strict";
import { test } from "node:test";
import { headers, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { natsJs } from "../support/nats-client.ts";
import { NatsServer } from "../support/nats-server.ts";
import { NatsDoor, PASSWORD } from "../wire/nats/harness.ts";

const SENSOR = { user: "sensor", pass: PASSWORD };
const ANN = { user: "ann", pass: PASSWORD };

interface Place extends AsyncDisposable {
  connect(options?: NodeConnectionOptions): Promise<NatsConnection & AsyncDisposable>;
}

const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  async ours() {
    const door = await NatsDoor.open({ limits: { maxPayload: 65_536 } });
    return {
      connect: (options) => natsJs(door.port, options),
      [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
    };
  },
  async "nats-server 2.15"() {
    const server = await NatsServer.start({
      version: "2.15",
      config: {
        max_payload: 65_536,
        no_auth_user: "anyone",
        accounts: {
          EDGE: {
            users: [
              { user: "anyone", password: PASSWORD },
              { user: "ann", password: PASSWORD },
              {
                user: "sensor",
                password: PASSWORD,
                permissions: {
                  publish: ["plant.7.>"],
                  subscribe: { allow: ["cmd.7.>", "_INBOX.>"], deny: ["cmd.7.secret"] },
                },
              },
            ],
          },
        },
      },
    });
    return {
      connect: (options) => natsJs(server.port("client"), options),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
};

/** The messages of a subscription as text, at most `count` of them. */
async function texts(
  messages: AsyncIterable<{ readonly subject: string; readonly sid: number; string(): string }>,
  count: number,
): Promise<string[]> {
  const found: string[] = [];
  if (count === 0) return found;
  for await (const each of messages) {
    found.push(`${each.subject}=${each.string()}`);
    if (found.length === count) break;
  }
  return found;
}

/** Errors that arrive as status, not as the answer to a call. */
function faultsOf(connection: NatsConnection): () => Promise<string> {
  const status = connection.status()[Symbol.asyncIterator]();
  return async () => {
    for (;;) {
      const { value, done } = await status.next();
      if (done) return "closed";
      if (value.type === "error") return value.error.message;
    }
  };
}

for (const [name, open] of Object.entries(PLACES)) {
  test(`${name}: publish and subscribe, with wildcards, in the publisher's order`, async () => {
    await using place = await open();
    await using reader = await place.connect(ANN);
    await using writer = await place.connect();
    const one = reader.subscribe("a.*.c");
    const rest = reader.subscribe("a.>");
    await reader.flush();
    for (let i = 0; i < 1000; i++) writer.publish(`a.${i % 3}.c`, String(i));
    writer.publish("a.b", "last");
    const wanted = Array.from({ length: 1000 }, (_, i) => `a.${i % 3}.c=${i}`);
    assert.deepEqual(await texts(one, 1000), wanted);
    assert.deepEqual(await texts(rest, 1001), [...wanted, "a.b=last"]);
  });

  test(`${name}: request and reply, many at once`, async () => {
    await using place = await open();
    await using responder = await place.connect();
    await using requestor = await place.connect();
    responder.subscribe("double", { callback: (_, message) => void message.respond(String(Number(message.string()) * 2)) });
    await responder.flush();
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, i) => requestor.request("double", String(i), { timeout: 5_000 })),
    );
    assert.deepEqual(
      answers.map((answer) => answer.string()),
      Array.from({ length: 500 }, (_, i) => String(i * 2)),
    );
  });

  test(`${name}: requestMany gathers the answers of several responders`, async () => {
    await using place = await open();
    await using responder = await place.connect();
    await using requestor = await place.connect();
    for (const answer of ["one", "two", "three"]) {
      responder.subscribe("who", { callback: (_, message) => void message.respond(answer) });
    }
    await responder.flush();
    const found: string[] = [];
    for await (const answer of await requestor.requestMany("who", "", { strategy: "count", maxMessages: 3, maxWait: 5_000 })) {
      found.push(answer.string());
    }
    assert.deepEqual(found.sort(), ["one", "three", "two"]);
  });

  test(`${name}: a request that nobody hears is told so at once`, async () => {
    await using place = await open();
    await using requestor = await place.connect();
    await assert.rejects(requestor.request("nobody", "", { timeout: 10_000 }), {
      name: "RequestError",
      message: /no responders/,
    });
    await assert.rejects(requestor.request("nobody", "", { timeout: 10_000, noMux: true, reply: "_INBOX.own" }), /no responders/);
  });

  test(`${name}: a queue group shares the work`, async () => {
    await using place = await open();
    await using worker = await place.connect();
    await using other = await place.connect();
    await using writer = await place.connect();
    const counts = [0, 0];
    for (const [i, connection] of [worker, other].entries()) {
      connection.subscribe("jobs", {
        queue: "workers",
        callback: (_, message) => {
          counts[i]! += 1;
          message.respond();
        },
      });
      await connection.flush();
    }
    await Promise.all(Array.from({ length: 200 }, () => writer.request("jobs", "", { timeout: 5_000 })));
    assert.equal(counts[0]! + counts[1]!, 200);
    assert.ok(
      counts.every((count) => count > 20),
      `shared as ${counts}`,
    );
  });

  test(`${name}: headers come back as they were sent`, async () => {
    await using place = await open();
    await using connection = await place.connect();
    const subscription = connection.subscribe("h");
    const sent = headers();
    sent.append("Trace", "one");
    sent.append("Trace", "two");
    sent.set("Unit", "°C");
    connection.publish("h", "21.5", { headers: sent });
    connection.publish("h", "", { headers: sent });
    const found: string[] = [];
    for await (const message of subscription) {
      found.push(`${message.headers?.values("Trace")} ${message.headers?.get("Unit")} ${message.string()}`);
      if (found.length === 2) break;
    }
    assert.deepEqual(found, ["one,two °C 21.5", "one,two °C "]);
  });

  test(`${name}: auto-unsubscribe, and no echo`, async () => {
    await using place = await open();
    await using connection = await place.connect();
    await using deaf = await place.connect({ noEcho: true });
    const three = connection.subscribe("a", { max: 3 });
    const own = deaf.subscribe("a");
    await connection.flush();
    for (let i = 0; i < 5; i++) deaf.publish("a", String(i));
    await deaf.flush();
    assert.deepEqual(await texts(three, 5), ["a=0", "a=1", "a=2"]);
    assert.equal(three.isClosed(), true);
    assert.equal(own.getProcessed(), 0);
    assert.equal(own.getPending(), 0);
  });

  test(`${name}: drain delivers what was under way, then closes`, async () => {
    await using place = await open();
    await using reader = await place.connect();
    await using writer = await place.connect();
    const subscription = reader.subscribe("a");
    await reader.flush();
    for (let i = 0; i < 500; i++) writer.publish("a", String(i));
    await writer.drain();
    const found = texts(subscription, 1000);
    await reader.drain();
    assert.equal((await found).length, 500);
    assert.equal(await reader.closed(), undefined);
  });

  test(`${name}: permissions are told to nats.js in its own words`, async () => {
    await using place = await open();
    await using sensor = await place.connect(SENSOR);
    await using ann = await place.connect(ANN);
    const fault = faultsOf(sensor);
    sensor.publish("plant.8.temp", "x");
    assert.equal(await fault(), `Permissions Violation for Publish to "plant.8.temp"`);
    const refused = sensor.subscribe("cmd.8.go");
    await assert.rejects(texts(refused, 1), /Permissions Violation for Subscription to "cmd.8.go"/);
    const granted = sensor.subscribe("cmd.7.>");
    await sensor.flush();
    ann.publish("cmd.7.secret", "no");
    ann.publish("cmd.7.go", "yes");
    assert.deepEqual(await texts(granted, 1), ["cmd.7.go=yes"]);
  });

  test(`${name}: a wrong password is an authorization error`, async () => {
    await using place = await open();
    await assert.rejects(place.connect({ user: "ann", pass: "wrong" }), { name: "AuthorizationError" });
    await assert.rejects(place.connect({ user: "eve", pass: PASSWORD }), { name: "AuthorizationError" });
    await assert.rejects(place.connect({ token: "a-token" }), { name: "AuthorizationError" });
  });

  test(`${name}: max_payload is known to nats.js, and one byte more is refused by it`, async () => {
    await using place = await open();
    await using connection = await place.connect();
    assert.equal(connection.info?.max_payload, 65_536);
    const subscription = connection.subscribe("big");
    connection.publish("big", new Uint8Array(65_536).fill(120));
    for await (const message of subscription) {
      assert.equal(message.data.length, 65_536);
      break;
    }
    assert.throws(() => connection.publish("big", new Uint8Array(65_537)), /max_payload/);
  });

  test(`${name}: verbose and pedantic clients get along`, async () => {
    await using place = await open();
    await using connection = await place.connect({ verbose: true, pedantic: true });
    const subscription = connection.subscribe("a", { max: 2 });
    connection.publish("a", "1");
    connection.publish("a", "2");
    assert.deepEqual(await texts(subscription, 2), ["a=1", "a=2"]);
    assert.ok((await connection.rtt()) >= 0);
  });
}

test("nats.js asks who it is", async () => {
  await using door = await NatsDoor.open();
  await using connection = await natsJs(door.port, SENSOR);
  const answer = await connection.request("$SYS.REQ.USER.INFO");
  const { data } = answer.json<{ data: { user: string; account: string } }>();
  assert.deepEqual([data.user, data.account], ["sensor", "EDGE"]);
});

test("nats.js reconnects after the spoke was away, and its subscriptions are back", async () => {
  const door = await NatsDoor.open();
  const { port } = door;
  await using connection = await natsJs(port, { reconnect: true, reconnectTimeWait: 20, maxReconnectAttempts: -1 });
  const subscription = connection.subscribe("a");
  await connection.flush();
  const seen: string[] = [];
  const isBack = (async () => {
    for await (const { type } of connection.status()) {
      seen.push(type);
      if (type === "reconnect") return;
    }
  })();
  await door[Symbol.asyncDispose]();
  await using again = await NatsDoor.open({ port });
  await isBack;
  assert.ok(seen.includes("ldm") && seen.includes("disconnect"), seen.join());
  await connection.flush(); // so that its subscriptions have been read
  again.publish("a", "still here");
  assert.deepEqual(await texts(subscription, 1), ["a=still here"]);
});

test("five hundred clients at once are let in, and all hear the same", async () => {
  await using door = await NatsDoor.open({ limits: { maxConnections: 600 } });
  const clients = await Promise.all(Array.from({ length: 500 }, () => natsJs(door.port)));
  const heard = clients.map((connection) => texts(connection.subscribe("all"), 1));
  await Promise.all(clients.map((connection) => connection.flush()));
  door.publish("all", "hello");
  assert.ok((await Promise.all(heard)).every(([text]) => text === "all=hello"));
  await Promise.all(clients.map((connection) => connection.close()));
});
