// Publishing and receiving, byte for byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SUBSCRIPTIONS_MAX } from "#ingress/nats/subscriptions.ts";
import { Ear, hpub, NatsDoor, PASSWORD } from "./harness.ts";

const SENSOR = { user: "sensor", pass: PASSWORD };
const HEADERS = "NATS/1.0\r\nK: v\r\n\r\n";

test("a message reaches each subscription under its own sid, reply and headers with it", async () => {
  await using door = await NatsDoor.open();
  await using reader = await door.connected();
  await using writer = await door.connected();
  reader.send("SUB a.* 1\r\nSUB a.b two\r\nSUB > 3\r\nSUB x 4\r\n");
  await reader.isIdle();
  writer.send(`PUB a.b 5\r\nhello\r\n${hpub("a.b", "r.1", HEADERS, "hi")}PUB a.c r.2 0\r\n\r\n`);
  const all: string[] = [];
  for (let i = 0; i < 8; i++) {
    const line = await reader.line();
    const body = await reader.take(Number(line.split(" ").at(-1)) + 2);
    all.push(`${line} ${JSON.stringify(body.toString())}`);
  }
  const withHeaders = JSON.stringify(`${HEADERS}hi\r\n`);
  assert.deepEqual(all.sort(), [
    `HMSG a.b 1 r.1 18 20 ${withHeaders}`,
    `HMSG a.b 3 r.1 18 20 ${withHeaders}`,
    `HMSG a.b two r.1 18 20 ${withHeaders}`,
    'MSG a.b 1 5 "hello\\r\\n"',
    'MSG a.b 3 5 "hello\\r\\n"',
    'MSG a.b two 5 "hello\\r\\n"',
    'MSG a.c 1 r.2 0 "\\r\\n"',
    'MSG a.c 3 r.2 0 "\\r\\n"',
  ]);
  await reader.isIdle();
});

test("a client that knows no headers gets the payload alone, and may not send any", async () => {
  await using door = await NatsDoor.open();
  await using reader = await door.connected({ headers: false, no_responders: false });
  await using writer = await door.connected();
  reader.send("SUB a 1\r\n");
  await reader.isIdle();
  writer.send(hpub("a", "", HEADERS, "hi"));
  await reader.receives("MSG a 1 2\r\nhi\r\n");
  reader.send(hpub("a", "", HEADERS, "hi"));
  await reader.isClosed("-ERR 'message headers not supported'\r\n");
});

test("messages of every size arrive whole, over one slab or many", async () => {
  await using door = await NatsDoor.open({ limits: { maxPayload: 4_194_304 } });
  await using reader = await door.connected();
  await using writer = await door.connected();
  reader.send("SUB a 1\r\n");
  await reader.isIdle();
  const sizes = [0, 1, 31, 33, 2047, 2048, 2049, 4000, 4090, 4097, 65_400, 65_536, 65_537, 200_000, 1_048_576, 4_194_304, 7];
  for (const [i, size] of sizes.entries()) {
    const payload = Buffer.alloc(size, String.fromCharCode(97 + i));
    writer.send(`PUB a ${size}\r\n`, payload, "\r\n");
  }
  for (const [i, size] of sizes.entries()) {
    assert.equal(await reader.line(), `MSG a 1 ${size}`);
    const body = await reader.take(size + 2);
    assert.equal(body.length, size + 2);
    assert.ok(
      body.subarray(0, size).every((byte) => byte === 97 + i),
      `payload of ${size}`,
    );
  }
  await reader.isIdle();
});

test("one member of a queue group gets each message, and plain subscribers get all", async () => {
  await using door = await NatsDoor.open();
  await using one = await door.connected();
  await using two = await door.connected();
  await using plain = await door.connected();
  one.send("SUB jobs.* workers 1\r\n");
  two.send("SUB jobs.* workers 1\r\n");
  plain.send("SUB jobs.> 1\r\n");
  for (const each of [one, two, plain]) await each.isIdle();
  await using writer = await door.connected();
  writer.send("PUB jobs.a 1\r\nx\r\n".repeat(200));
  await writer.isIdle();
  const counts = await Promise.all(
    [one, two, plain].map(async (each) => {
      each.send("PING\r\n");
      let count = 0;
      while ((await each.line()) !== "PONG") {
        await each.line();
        count += 1;
      }
      return count;
    }),
  );
  assert.equal(counts[0]! + counts[1]!, 200);
  assert.ok(Math.min(counts[0]!, counts[1]!) > 50, `shared as ${counts}`);
  assert.equal(counts[2], 200);
});

test("a group's member that has had its last message is passed over in the same chunk", async () => {
  await using door = await NatsDoor.open();
  const ear = new Ear(door.router, "jobs", "g");
  await using brief = await door.connected();
  brief.send("SUB jobs g 1\r\nUNSUB 1 1\r\n");
  await brief.isIdle();
  await using writer = await door.connected();
  writer.send("PUB jobs 1\r\nx\r\n".repeat(100));
  await writer.isIdle();
  assert.equal(door.ingress.clients()[0]!.messagesOut + ear.heard.length, 100);
});

test("a group's member that is cut off in the middle of a chunk is passed over in the rest of it", async () => {
  await using door = await NatsDoor.open({ limits: { maxPending: 8192 } });
  const ear = new Ear(door.router, "jobs", "g");
  await using stuck = await door.connected();
  stuck.send("SUB jobs g 1\r\n");
  await stuck.isIdle();
  stuck.socket.pause();
  await using writer = await door.connected();
  writer.send(`PUB jobs 800\r\n${"x".repeat(800)}\r\n`.repeat(60));
  await writer.isIdle();
  const [cut] = door.ingress.closed();
  assert.equal(cut?.reason, "Slow Consumer (Pending Bytes)");
  assert.equal(cut.messagesOut + ear.heard.length, 60);
});

test("with echo off a client does not hear itself, but hears others", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected({ echo: false });
  await using other = await door.connected();
  natsClient.send("SUB a 1\r\nPUB a 4\r\nmine\r\n");
  await natsClient.isIdle();
  other.send("PUB a 6\r\ntheirs\r\n");
  await natsClient.receives("MSG a 1 6\r\ntheirs\r\n");
});

test("UNSUB ends a subscription now, or after so many messages counted from its beginning", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected();
  const pub = "PUB a 1\r\nx\r\n";
  const msg = (sid: number) => `MSG a ${sid} 1\r\nx\r\n`;
  natsClient.send(`SUB a 1\r\n${pub}UNSUB 1\r\n${pub}`);
  await natsClient.isIdle(msg(1));
  natsClient.send(`SUB a 2\r\n${pub}UNSUB 2 3\r\n${pub.repeat(5)}`);
  await natsClient.isIdle(msg(2).repeat(3));
  natsClient.send(`SUB a 3\r\n${pub}${pub}UNSUB 3 2\r\n${pub}`);
  await natsClient.isIdle(msg(3).repeat(2));
  natsClient.send("UNSUB 77\r\nUNSUB 77 5\r\n");
  await natsClient.isIdle();
  assert.equal(door.router.subscriptions, 0);
});

test("a sid that is in use keeps its subscription", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected();
  natsClient.send("SUB a 1\r\nSUB b 1\r\nPUB a 1\r\nx\r\nPUB b 1\r\ny\r\n");
  await natsClient.isIdle("MSG a 1 1\r\nx\r\n");
});

test("invalid subjects are refused and the connection stays", async () => {
  await using door = await NatsDoor.open();
  const ear = new Ear(door.router, ">");
  await using natsClient = await door.connected();
  natsClient.send("SUB a..b 1\r\nSUB .a 2\r\nSUB a.>.b 3\r\n");
  await natsClient.isIdle("-ERR 'Invalid Subject'\r\n".repeat(3));
  natsClient.send("PUB a.* 1\r\nx\r\nPUB ok 1\r\ny\r\nPUB a. 1\r\nx\r\nPUB a r.> 1\r\nz\r\n");
  await natsClient.isIdle("-ERR 'Invalid Publish Subject'\r\n".repeat(3));
  assert.deepEqual(ear.heard, ["ok=y"]);
  assert.equal(door.ingress.status().refused, 3);
});

test("permissions are asked on the concrete subject, both ways, and the connection stays", async () => {
  await using door = await NatsDoor.open();
  const ear = new Ear(door.router, ">");
  await using natsClient = await door.connected(SENSOR);
  natsClient.send(
    "PUB plant.7.temp 2\r\nok\r\nPUB plant.8.temp 2\r\nno\r\nPUB plant.8.temp 2\r\nno\r\nPUB plant.7.b 2\r\nok\r\n",
  );
  await natsClient.isIdle(`-ERR 'Permissions Violation for Publish to "plant.8.temp"'\r\n`.repeat(2));
  assert.deepEqual(ear.heard, ["plant.7.temp=ok", "plant.7.b=ok"]);
  natsClient.send("SUB cmd.8.x 1\r\nSUB cmd.> 2\r\nSUB cmd.7.secret 3\r\nSUB cmd.8.y workers 4\r\nSUB cmd.7.* 5\r\n");
  await natsClient.isIdle(
    [
      `-ERR 'Permissions Violation for Subscription to "cmd.8.x"'\r\n`,
      `-ERR 'Permissions Violation for Subscription to "cmd.>"'\r\n`,
      `-ERR 'Permissions Violation for Subscription to "cmd.7.secret"'\r\n`,
      `-ERR 'Permissions Violation for Subscription to "cmd.8.y" using queue "workers"'\r\n`,
    ].join(""),
  );
  door.publish("cmd.7.secret", "no");
  door.publish("cmd.7.go", "yes");
  await natsClient.isIdle("MSG cmd.7.go 5 3\r\nyes\r\n");
  assert.equal(door.ingress.status().refused, 2);
});

test("one subscription too many is refused and the connection stays", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected();
  natsClient.send(Array.from({ length: SUBSCRIPTIONS_MAX + 1 }, (_, i) => `SUB a.${i} ${i}\r\n`).join(""));
  await natsClient.isIdle("-ERR 'maximum subscriptions exceeded'\r\n");
  assert.equal(door.ingress.status().subscriptions, SUBSCRIPTIONS_MAX);
});

test("subjects of a client's subscriptions may have 1 MiB together, and room comes back", async () => {
  await using door = await NatsDoor.open();
  await using natsClient = await door.connected();
  const long = ".a".repeat(1021);
  natsClient.send(Array.from({ length: 512 }, (_, i) => `SUB ${1000 + i}${long}.a ${i}\r\n`).join("")); // 2,048 bytes each
  await natsClient.isIdle();
  natsClient.send("SUB b more\r\n");
  await natsClient.isIdle("-ERR 'maximum subscriptions exceeded'\r\n");
  natsClient.send("UNSUB 7\r\nSUB b more\r\n");
  await natsClient.isIdle();
  assert.equal(door.ingress.status().subscriptions, 512);
});

test("a message larger than max_payload ends the connection at its line", async () => {
  await using door = await NatsDoor.open({ limits: { maxPayload: 1024 } });
  const ear = new Ear(door.router, ">");
  await using natsClient = await door.connected();
  natsClient.send("PUB a 1\r\nx\r\nPUB a 1025\r\n");
  await natsClient.isClosed("-ERR 'Maximum Payload Violation'\r\n");
  assert.deepEqual(ear.heard, ["a=x"]);
});

test("a session means the same however the network cuts it", async () => {
  await using door = await NatsDoor.open();
  const session = `SUB a.> 1\r\nPUB a.b 5\r\nhello\r\n${hpub("a.c", "", HEADERS, "hi")}PUB a.* 0\r\n\r\nUNSUB 1\r\nPUB a.b 1\r\nx\r\n`;
  const answer = `MSG a.b 1 5\r\nhello\r\nHMSG a.c 1 18 20\r\n${HEADERS}hi\r\n-ERR 'Invalid Publish Subject'\r\n`;
  await using natsClient = await door.connected();
  for (let cut = 0; cut <= session.length; cut++) {
    natsClient.send(session.slice(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    natsClient.send(session.slice(cut));
    await natsClient.isIdle(answer);
  }
});

test("a request that nobody hears is answered with 503, to those who asked for such answers", async () => {
  await using door = await NatsDoor.open({ hears: false });
  await using natsClient = await door.connected();
  natsClient.send("SUB _INBOX.1.* 9\r\nPUB nobody _INBOX.1.x 2\r\nhi\r\n");
  await natsClient.isIdle("HMSG _INBOX.1.x 9 38 38\r\nNATS/1.0 503\r\nNats-Subject: nobody\r\n\r\n\r\n");
  natsClient.send("PUB nobody 2\r\nhi\r\nPUB nobody elsewhere 2\r\nhi\r\n");
  await natsClient.isIdle();
  await using old = await door.connected({ no_responders: false });
  old.send("SUB _INBOX.1.* 9\r\nPUB nobody _INBOX.1.x 2\r\nhi\r\n");
  await old.isIdle();
  await using heard = await NatsDoor.open({ hears: true });
  await using other = await heard.connected();
  other.send("SUB _INBOX.1.* 9\r\nPUB at.the.hub _INBOX.1.x 2\r\nhi\r\n");
  await other.isIdle();
});

test("an answer counts towards the end of its subscription", async () => {
  await using door = await NatsDoor.open({ hears: false });
  await using natsClient = await door.connected();
  natsClient.send("SUB r 1\r\nUNSUB 1 1\r\nPUB nobody r 0\r\n\r\nPUB nobody r 0\r\n\r\n");
  await natsClient.isIdle("HMSG r 1 38 38\r\nNATS/1.0 503\r\nNats-Subject: nobody\r\n\r\n\r\n");
  assert.equal(door.router.subscriptions, 0);
});

test("the servers' own subjects are not routed: user info is answered, other requests have no responders", async () => {
  await using door = await NatsDoor.open({ hears: true });
  const ear = new Ear(door.router, ">");
  await using natsClient = await door.connected(SENSOR);
  natsClient.send("SUB _INBOX.1 1\r\nPUB $SYS.REQ.USER.INFO _INBOX.1 0\r\n\r\n");
  const line = await natsClient.line();
  const body = await natsClient.take(Number(line.split(" ").at(-1)) + 2);
  const { data, server } = JSON.parse(body.toString()) as Record<string, Record<string, unknown>>;
  assert.equal(server!["name"], "gw-test");
  assert.deepEqual(data, {
    user: "sensor",
    account: "EDGE",
    permissions: {
      publish: { allow: ["plant.7.>"] },
      subscribe: { allow: ["cmd.7.>", "_INBOX.>"], deny: ["cmd.7.secret"] },
    },
  });
  natsClient.send("PUB $SYS.REQ.SERVER.PING _INBOX.1 0\r\n\r\nPUB $SYS.X 0\r\n\r\nPUB $LDS.abc 0\r\n\r\n");
  const refused = `-ERR 'Permissions Violation for Publish to "$LDS.abc"'\r\n`;
  await natsClient.isIdle(`HMSG _INBOX.1 1 52 52\r\nNATS/1.0 503\r\nNats-Subject: $SYS.REQ.SERVER.PING\r\n\r\n\r\n${refused}`);
  assert.deepEqual(ear.heard, []);
  assert.deepEqual(door.upstream.taken, []);
});

test("figures of clients that left are kept", async () => {
  await using door = await NatsDoor.open();
  {
    await using natsClient = await door.connected();
    natsClient.send("SUB a 1\r\nPUB a 2\r\nhi\r\n");
    await natsClient.isIdle("MSG a 1 2\r\nhi\r\n");
    assert.equal(door.ingress.status().clients, 1);
  }
  await door.until(() => door.ingress.status().clients === 0);
  const { messagesIn, messagesOut, bytesIn, bytesOut, connections, accepted, endings } = door.ingress.status();
  assert.deepEqual([messagesIn, messagesOut, connections, accepted], [1, 1, 1, 1]);
  assert.ok(bytesIn > 60 && bytesOut > 200, `${bytesIn} in, ${bytesOut} out`);
  assert.deepEqual(endings, { closed: 1 });
});
