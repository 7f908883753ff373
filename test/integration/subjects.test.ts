// Subjects between a spoke and real hubs: who hears what, who may say what, and what nobody answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type NatsConnection, headers as newHeaders } from "@nats-io/transport-node";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { CLIENT, LEAF, startHub, type User } from "../support/hub.ts";
import { announced, answering, interested, isUnheard, record, requestUntilServed, taken } from "../support/hub-probes.ts";
import { openRig } from "../support/uplink-rig.ts";

const LIMITED: User = {
  user: "limited",
  password: "limited-password",
  permissions: { publish: { allow: ["sensors.>"] }, subscribe: { allow: ["cmd.>", "_INBOX.local.>"] } },
};
const RESPONDER: User = {
  user: "responder",
  password: "responder-password",
  permissions: { publish: { allow: ["sensors.>"] }, subscribe: { allow: ["cmd.>"] }, allow_responses: true },
};
const ONLY_ANSWERS: User = { user: "only", password: "only-password", permissions: { allow_responses: true } };

for (const version of TESTED_LINES) {
  const enforces = version !== "2.10";

  test(`hub ${version}: a weight of 3 gets three times the work of a weight of 1, in both ways of joining the group`, async () => {
    await using hub = await startHub({ version });
    await using light = await openRig({ urls: [hub.leafUrlAs(LEAF)] }, { name: "light" });
    await using heavy = await openRig({ urls: [hub.leafUrlAs(LEAF)] }, { name: "heavy" });
    const nats = await hub.connect();
    const one = light.client();
    one.subscribe("jobs.>", "workers");
    const many = [heavy.client(), heavy.client(), heavy.client(), heavy.client()];
    const subscriptions = many.map((each) => each.subscribe("jobs.>", "workers"));
    many[3]!.unsubscribe(subscriptions[3]!); // weights go down as well as up
    await taken(light, nats);
    await taken(heavy, nats);
    for (let i = 0; i < 1200; i++) nats.publish("jobs.a", String(i));
    await nats.flush();
    const count = () => many.reduce((sum, each) => sum + each.heard.length, one.heard.length);
    await heavy.until("all jobs are done", () => count() === 1200);
    const share = one.heard.length / 1200;
    assert.ok(share > 0.17 && share < 0.33, `the light one got ${one.heard.length} of 1200, wanted about 300`);
    for (const each of many.slice(0, 3)) assert.ok(each.heard.length > 200, `${each.heard.length} of about 300`);
    assert.equal(many[3]!.heard.length, 0);
    assert.deepEqual(
      new Set([...one.heard, ...many.flatMap((each) => each.heard)].map(({ text }) => text)).size,
      1200,
      "each once",
    );
  });

  test(`hub ${version}: the group is empty again when its last local member leaves, and the hub serves it`, async () => {
    await using hub = await startHub({ version });
    await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
    const nats = await hub.connect();
    const [member, publisher] = [rig.client(), rig.client()];
    const subscription = member.subscribe("jobs.>", "workers");
    const atHub = record(nats, "jobs.>", "workers");
    await announced(rig, nats);
    for (let i = 0; i < 50; i++) publisher.publish("jobs.a", String(i));
    assert.equal(member.heard.length, 50, "local members first");
    member.unsubscribe(subscription);
    for (let i = 0; i < 50; i++) publisher.publish("jobs.b", String(i));
    await rig.until("the hub's member has the rest", () => atHub.length === 50);
    assert.deepEqual([member.heard.length, new Set(atHub.map(({ subject }) => subject))], [50, new Set(["jobs.b"])]);
  });

  test(`hub ${version}: of two groups at the hub, the one with a local member is served here and the other there`, async () => {
    await using hub = await startHub({ version });
    await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
    const nats = await hub.connect();
    const [first, second, plain] = [record(nats, "q.a", "g1"), record(nats, "q.a", "g2"), record(nats, "q.*")];
    await announced(rig, nats);
    const member = rig.client();
    member.subscribe("q.a", "g1");
    for (let i = 0; i < 20; i++) rig.client().publish("q.a", String(i));
    await rig.until("group g2 and the plain listener have all", () => second.length === 20 && plain.length === 20);
    assert.deepEqual([member.heard.length, first.length], [20, 0]);
  });

  test(`hub ${version}: requests and headers go both ways, and an import's reply is answered verbatim`, async () => {
    await using hub = await startHub({
      version,
      config: {
        accounts: {
          APP: { users: [CLIENT, LEAF], exports: [{ service: "svc.y" }] },
          OTHER: {
            users: [{ user: "other", password: "other" }],
            imports: [{ service: { account: "APP", subject: "svc.y" }, to: "remote.y" }],
          },
          SYS: { users: [{ user: "sys", password: "sys-password" }] },
        },
      },
    });
    await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
    const nats = await hub.connect();
    nats.subscribe("hub.echo", {
      callback: (_, message) => {
        const answer = newHeaders();
        answer.set("Answer", `${message.headers?.get("Question")}!`);
        message.respond(message.data, { headers: answer });
      },
    });
    await announced(rig, nats);
    const client = rig.client();
    const answer = await client.request("hub.echo", "ping", Buffer.from("NATS/1.0\r\nQuestion: why\r\n\r\n"));
    assert.equal(answer.text, "ping");
    assert.match(answer.headers, /^NATS\/1\.0\r\nAnswer: why!\r\n\r\n$/);

    const replies: string[] = [];
    answering(rig, "svc.y", (reply) => replies.push(reply));
    answering(rig, "cmd.x", (reply) => replies.push(reply));
    await interested(nats, "cmd.x");
    const question = newHeaders();
    question.set("Question", "how");
    const response = await nats.request("cmd.x", "go", { timeout: 5000, headers: question });
    assert.deepEqual([response.string(), response.headers?.get("Echo")], ["go", "NATS/1.0|Question: how||"]);
    const other = await hub.connect({ user: "other", pass: "other" });
    assert.equal((await requestUntilServed(other, "remote.y", "import")).string(), "import");
    assert.match(replies.at(-1)!, /^_R_\./);
    assert.deepEqual(replies.filter((reply) => reply.startsWith("_R_.")).length, 1);
  });

  test(`hub ${version}: a request that nobody hears fails at once, here and, when its responder has left, at the hub`, async () => {
    await using hub = await startHub({ version });
    await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
    const nats = await hub.connect();
    const client = rig.client();
    await assert.rejects(client.request("nobody.here"), /no responders/);
    await assert.rejects(client.request("$SYS.REQ.USER.INFO"), /no responders/, "the hub's own services are not for devices");
    const deaf = client.subscribe("half.>", null, (subject) => subject !== "half.no"); // announced, but not all of it is taken
    await interested(nats, "half.yes");
    await assert.rejects(nats.request("half.no", "", { timeout: 300 }), /timeout/, "others may have heard it: we say nothing");
    client.unsubscribe(deaf);

    const member = client.subscribe("svc.>", "workers", (subject) => subject !== "svc.no");
    await taken(rig, nats);
    await requestFails(nats, "svc.no");
    client.unsubscribe(member);
    await hub.server.stop();
    await rig.until("the link is down", () => !rig.uplink.link.isReady);
    await assert.rejects(client.request("hub.echo"), /no responders/);
  });

  test(`hub ${version}: the hub's lists are kept by us: nothing else leaves, no literal beside them is announced, the link stays`, async () => {
    await using hub = await startHub({ version, users: [CLIENT, LIMITED] });
    const nats = await hub.connect();
    const atHub = record(nats, ">");
    await nats.flush();
    await using rig = await openRig({ urls: [hub.leafUrlAs(LIMITED)] });
    const client = rig.client();
    client.subscribe("elsewhere.literal");
    client.subscribe("elsewhere.group", "workers");
    client.subscribe("_INBOX.abc.def");
    client.subscribe("elsewhere.*");
    client.subscribe("cmd.literal");
    client.subscribe(">");
    client.publish("sensors.a", "allowed");
    client.publish("secret.a", "not allowed");
    client.publish("cmd.a", "not allowed either");
    await rig.until("what is allowed is there", () => atHub.some(({ subject }) => subject === "sensors.a"));
    await taken(rig, nats);
    assert.deepEqual(
      atHub.map(({ subject }) => subject).filter((subject) => !subject.startsWith("$")),
      ["sensors.a"],
    );
    nats.publish("elsewhere.literal", "withheld by the hub");
    nats.publish("cmd.literal", "go");
    const command = await client.next(({ text }) => text === "go");
    assert.equal(command.subject, "cmd.literal");
    assert.ok(!client.heard.some(({ text }) => text === "withheld by the hub"));
    assert.equal(rig.uplink.link.status().connects, 1, "the link was never lost");
    assert.equal(rig.uplink.outbox.losses.count("not_permitted"), 2);
  });

  test(`hub ${version}: with allow_responses a request is answered once, and a second answer stays here`, async () => {
    await using hub = await startHub({ version, users: [CLIENT, RESPONDER] });
    const nats = await hub.connect();
    await using rig = await openRig({ urls: [hub.leafUrlAs(RESPONDER)] });
    const client = rig.client();
    client.subscribe("cmd.>");
    await interested(nats, "cmd.probe");
    const inbox = record(nats, "_INBOX.app.1");
    nats.publish("cmd.x", "go", { reply: "_INBOX.app.1" });
    const { reply } = await client.next(({ subject }) => subject === "cmd.x");
    client.publish(reply, "first");
    client.publish(reply, "second");
    client.publish("_INBOX.app.2", "never asked");
    await taken(rig, nats);
    assert.deepEqual(
      inbox.map((message) => message.string()),
      ["first"],
    );
    assert.equal(rig.uplink.link.status().connects, 1);
  });

  test(`hub ${version}: ${enforces ? "a refused answer ends the link, and what it teaches is told" : "an answer beyond the list passes, once"}`, async () => {
    await using hub = await startHub({ version, users: [CLIENT, LIMITED] });
    const nats = await hub.connect();
    await using rig = await openRig({ urls: [hub.leafUrlAs(LIMITED)] });
    const client = rig.client();
    client.subscribe("cmd.>");
    await interested(nats, "cmd.probe");
    const inbox = record(nats, "_INBOX.app.1");
    nats.publish("cmd.x", "1", { reply: "_INBOX.app.1" });
    client.publish((await client.next(({ text }) => text === "1")).reply, "answer");
    if (enforces) {
      await rig.until("the refusal is told", () => rig.log.some((line) => line.includes("allow_responses")));
      return;
    }
    await taken(rig, nats);
    assert.deepEqual([inbox.map((message) => message.string()), rig.uplink.link.status().connects], [["answer"], 1]);
  });

  test(`hub ${version}: a user who may only answer sends nothing else, although INFO shows an empty list`, async () => {
    await using hub = await startHub({ version, users: [CLIENT, ONLY_ANSWERS] });
    const nats = await hub.connect();
    const atHub = record(nats, "sensors.>");
    await nats.flush();
    await using rig = await openRig({ urls: [hub.leafUrlAs(ONLY_ANSWERS)] });
    rig.client().publish("sensors.a", "no");
    await taken(rig, nats);
    assert.deepEqual([atHub.length, rig.uplink.link.status().connects], [0, 1]);
    assert.equal(rig.uplink.outbox.losses.count("not_permitted"), 1);
  });

  test(`hub ${version}: deny_imports and deny_exports hold, with wildcards, whatever else is announced or wanted`, async () => {
    await using hub = await startHub({ version });
    const nats = await hub.connect();
    const atHub = record(nats, "up.>");
    await nats.flush();
    await using rig = await openRig({
      urls: [hub.leafUrlAs(LEAF)],
      deny_imports: ["down.secret.>", "down.*.key"],
      deny_exports: ["up.secret.>", "up.*.key"],
    });
    const client = rig.client();
    client.subscribe("down.>");
    client.subscribe("down.secret.a");
    await interested(nats, "down.probe");
    for (const subject of ["down.secret.a", "down.secret.b.c", "down.a.key", "down.a.open"]) nats.publish(subject, subject);
    await client.next(({ text }) => text === "down.a.open");
    assert.deepEqual(
      client.heard.filter(({ text }) => text !== "").map(({ text }) => text),
      ["down.a.open"],
    );
    for (const subject of ["up.secret.a", "up.a.key", "up.secret.b.c", "up.a.open"]) client.publish(subject, subject);
    await rig.until("the open one is there", () => atHub.length > 0);
    await taken(rig, nats);
    assert.deepEqual(
      atHub.map(({ subject }) => subject),
      ["up.a.open"],
    );
  });

  test(`hub ${version}: a message over the hub's max_payload stays here and is counted; the link stays`, async () => {
    await using hub = await startHub({ version, config: { max_payload: 1024 } });
    const nats = await hub.connect();
    const atHub = record(nats, "sensors.>");
    await nats.flush();
    await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
    const client = rig.client();
    client.publish("sensors.a", "x".repeat(1025), { reply: "_INBOX.local.1" });
    client.publish("sensors.a", "x".repeat(1024), { reply: "_INBOX.local.1" });
    await rig.until("the smaller one is there", () => atHub.length > 0);
    await taken(rig, nats);
    assert.deepEqual(
      atHub.map(({ data }) => data.length),
      [1024],
    );
    assert.equal(rig.uplink.outbox.losses.count("too_large"), 1);
    assert.equal(rig.uplink.link.status().connects, 1);
  });

  test(`hub ${version}: what is reserved to the servers reaches nobody here who asked for everything`, async () => {
    await using hub = await startHub({ version });
    const nats = await hub.connect();
    await using rig = await openRig({ urls: [hub.leafUrlAs(LEAF)] });
    const client = rig.client();
    client.subscribe(">");
    await interested(nats, "probe");
    for (const subject of ["$SYS.foo", "$LDS.foo", "$MY.own", "plain.a"]) nats.publish(subject, subject);
    await client.next(({ text }) => text === "plain.a");
    assert.deepEqual(
      client.heard.filter(({ text }) => text !== "").map(({ subject }) => subject),
      ["$MY.own", "plain.a"],
    );
  });
}

async function requestFails(nats: NatsConnection, subject: string): Promise<void> {
  const started = performance.now();
  await assert.rejects(nats.request(subject, "", { timeout: 5000 }), isUnheard);
  assert.ok(performance.now() - started < 2500, "at once");
}
