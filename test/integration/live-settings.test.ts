// Settings changed by the page while the daemon runs: what is in force at once, what waits, what is put back, and that nothing is lost.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import { type Clock, systemClock } from "#base/clock.ts";
import { freePorts } from "../support/free-ports.ts";
import { CLIENT, LEAF, startHub } from "../support/hub.ts";
import { natsJs, RawNatsClient } from "../support/nats-client.ts";
import { change, startPageDaemon } from "../support/page-daemon.ts";
import { startSpoke } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

const MQTT = { listen: "127.0.0.1:0" };
const KEEP = [{ subjects: [">"], class: "telemetry", keep: "always" }];
const accounts = (...users: object[]) => [{ name: "EDGE", users }] as never;
const PUMP = { user: "pump", password: "pump-password" };

/** The trial of a change takes a second instead of a minute and a half. */
function hasty(): Clock {
  const clock = systemClock();
  return { ...clock, after: (delay, action) => clock.after(delay === 90_000 ? 1_500 : delay, action) };
}

test("a user is added, gets another password, and is taken away, and who is in by an old one is put out", async () => {
  await using folder = await tempFolder("petiole-live");
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings: { mqtt: MQTT, accounts: accounts(PUMP) } });
  const owner = await daemon.owner();
  await using pump = await daemon.mqtt("pump", "pump-password");
  const added = await change(owner, (document) => document.accounts[0].users.push({ user: "valve", password: "valve-password" }));
  assert.equal(added.json.applied, "now", added.text);
  assert.deepEqual([added.json.now, added.json.at_restart, added.json.restart_needed], [["accounts"], [], false]);
  await using valve = await daemon.mqtt("valve", "valve-password");
  assert.ok(pump.connected, "who did not change stays");
  const out = new Promise((resolve) => valve.once("close", () => resolve("out")));
  await change(owner, (document) => {
    document.accounts[0].users[1].password = "another-password";
  });
  assert.equal(await out, "out");
  await assert.rejects(daemon.mqtt("valve", "valve-password"), "the old password is remembered by nobody");
  await using again = await daemon.mqtt("valve", "another-password");
  const gone = new Promise((resolve) => again.once("close", () => resolve("out")));
  const narrowed = await change(owner, (document) => {
    document.accounts[0].users[1].permissions = { publish: ["valve.>"] };
  });
  assert.equal(narrowed.json.applied, "now");
  assert.equal(await gone, "out", "permissions are looked at anew");
  await change(owner, (document) => void document.accounts[0].users.pop());
  await assert.rejects(daemon.mqtt("valve", "another-password"));
  assert.ok(pump.connected);
});

test("MQTT is switched on, moved and switched off; where it cannot listen, it stays where it was and so do the settings", async () => {
  await using folder = await tempFolder("petiole-live");
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings: { accounts: accounts(PUMP) } });
  const owner = await daemon.owner();
  const on = await change(owner, (document) => {
    document.mqtt = { listen: "127.0.0.1:0" };
  });
  assert.equal(on.json.applied, "now", on.text);
  await using first = await daemon.mqtt("pump", "pump-password", { clean: false, clientId: "p1", protocolVersion: 4 });
  await first.subscribeAsync("cmd/#", { qos: 1 });
  const before = await fs.readFile(path.join(folder.path, "settings.json"), "utf8");
  const taken = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as net.AddressInfo;
  const refused = await change(owner, (document) => {
    document.mqtt.listen = `127.0.0.1:${port}`;
    document.outbox.max_age = "3d";
  });
  taken.close();
  assert.deepEqual([refused.status, refused.json.error.code], [409, "WEB_APPLY"], refused.text);
  assert.match(refused.json.error.message, /another program uses this port/);
  assert.equal(await fs.readFile(path.join(folder.path, "settings.json"), "utf8"), before, "as it was, byte by byte");
  const view = (await owner.get("/api/settings")).json;
  assert.deepEqual([view.restart_needed, view.pending], [false, null]);
  await using again = await daemon.mqtt("pump", "pump-password", { clean: false, clientId: "p1", protocolVersion: 4 });
  assert.ok(again.connected, "its door is open again");
  const { mqtt } = (await owner.get("/api/clients")).json;
  assert.deepEqual([mqtt[0].client_id, mqtt[0].subscriptions, mqtt[0].session_kept], ["p1", 1, true], "and its session is there");
  const off = await change(owner, (document) => {
    document.mqtt = null;
  });
  assert.equal(off.json.applied, "now");
  assert.equal((await daemon.status()).mqtt, null);
});

test("a hub is added and then moved: what was acknowledged before, meanwhile and after arrives, once", async () => {
  await using folder = await tempFolder("petiole-live");
  await using first = await startHub({ version: "2.10" });
  await using second = await startHub({ version: "2.10" });
  const settings = { mqtt: MQTT, accounts: accounts(PUMP), outbox: { free_reserve: "0B", rules: KEEP } } as never;
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings });
  const owner = await daemon.owner();
  const heard: string[] = [];
  for (const hub of [first, second]) {
    const client = await hub.connect({ user: CLIENT.user, pass: CLIENT.password });
    client.subscribe("sensors.>", { callback: (_, message) => void heard.push(message.string()) });
    await client.flush();
  }
  const added = await change(owner, (document) => {
    const reconnect = { min: "50ms", max: "500ms" };
    document.leafnodes = { remotes: [{ urls: [first.leafUrlAs(LEAF)], account: "EDGE", reconnect }] };
  });
  assert.equal(added.json.applied, "now", added.text);
  await daemon.until("the first hub", ({ remotes }) => remotes[0]?.link.state === "ready");
  await using pump = await daemon.mqtt("pump", "pump-password");
  let sent = 0;
  let isOver = false;
  const publishing = (async () => {
    while (!isOver) {
      sent += 1;
      await pump.publishAsync("sensors/pump", String(sent), { qos: 1 });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  const moved = await change(owner, (document) => {
    document.leafnodes.remotes[0].urls = [second.leafUrlAs(LEAF)];
  });
  assert.equal(moved.json.applied, "now", moved.text);
  const rules = await change(owner, (document) =>
    document.outbox.rules.unshift({ subjects: ["alarms.>"], class: "alarm", keep: "always" }),
  );
  assert.equal(rules.json.applied, "now", rules.text);
  const { port } = { port: second.server.port("leaf") };
  await daemon.until(
    "the second hub",
    ({ remotes }) => remotes[0]!.link.state === "ready" && remotes[0]!.link.url.includes(`:${port}`),
  );
  isOver = true;
  await publishing;
  const report = await daemon.until("all of it there", ({ remotes }) => remotes[0]!.outbox.depth === 0);
  await daemon.until("heard", () => new Set(heard).size === sent);
  assert.deepEqual(report.remotes[0]!.outbox.losses, []);
  const history = (await owner.get("/api/history")).json;
  const states = history.links.EDGE.map(({ state }: { state: string }) => state);
  assert.deepEqual(states.filter((state: string) => state === "ready").length, 2, JSON.stringify(history.links));
  assert.ok(history.outages.every(({ lost }: { lost: number }) => lost === 0));
});

test("rules and limits of the outbox change under what is kept, and none of it goes", async () => {
  await using folder = await tempFolder("petiole-live");
  const remotes = [{ urls: ["nats-leaf://127.0.0.1:9"], account: "EDGE" }];
  const outbox = { free_reserve: "0B", max_bytes: "64MiB", rules: KEEP };
  const settings = { mqtt: MQTT, accounts: accounts(PUMP), leafnodes: { remotes }, outbox } as never;
  {
    await using daemon = await startPageDaemon({ dataDir: folder.path, settings });
    const owner = await daemon.owner();
    await using pump = await daemon.mqtt("pump", "pump-password");
    for (let i = 0; i < 100; i++) await pump.publishAsync("sensors/pump", String(i), { qos: 1 });
    const changed = await change(owner, (document) => {
      document.outbox.max_bytes = "128MiB";
      document.outbox.rules = [
        { subjects: ["sensors.>"], class: "alarm", keep: "always" },
        { subjects: [">"], keep: "never" },
      ];
    });
    assert.equal(changed.json.applied, "now", changed.text);
    await pump.publishAsync("sensors/pump", "alarm now", { qos: 1 });
    await pump.publishAsync("other/pump", "kept no more", { qos: 1 });
    const { lanes } = (await daemon.status()).remotes[0]!.outbox;
    const depths = Object.fromEntries(lanes.map(({ class: name, depth }) => [name, depth]));
    assert.deepEqual([depths["telemetry"], depths["alarm"]], [100, 1]);
    const smaller = await change(owner, (document) => {
      document.outbox.max_bytes = "32MiB";
    });
    assert.deepEqual([smaller.json.applied, smaller.json.at_restart], ["at restart", ["outbox"]]);
    assert.equal(smaller.json.restart_needed, true);
  }
  await using daemon = await startPageDaemon({ dataDir: folder.path });
  assert.equal((await daemon.status()).remotes[0]!.outbox.depth, 101);
});

test("a page that moves is confirmed by who logs in where it is then; unconfirmed, it is back where it was", async () => {
  await using folder = await tempFolder("petiole-live");
  const [from, to, last] = (await freePorts(3)) as [number, number, number];
  await using daemon = await startPageDaemon({
    dataDir: folder.path,
    clock: hasty(),
    settings: { web: { listen: `127.0.0.1:${from}` } },
  });
  const owner = await daemon.owner();
  const moved = await change(owner, (document) => {
    document.web.listen = `127.0.0.1:${to}`;
  });
  assert.deepEqual([moved.json.applied, moved.json.pending.in_force], ["now", true], moved.text);
  assert.equal((await owner.post("/api/settings/confirm")).status, 409, "not by the way it was written");
  await daemon.until("the page is there", ({ page }) => page?.listen === `127.0.0.1:${to}` && page.state === "open");
  const confirming = await daemon.owner();
  assert.equal((await confirming.post("/api/settings/confirm")).status, 200);
  await change(confirming, (document) => {
    document.web.listen = `127.0.0.1:${last}`;
  });
  await daemon.until("it moves on", ({ page }) => page?.listen === `127.0.0.1:${last}`);
  await daemon.until("and back", ({ page }) => page?.listen === `127.0.0.1:${to}` && page.state === "open");
  const back = await daemon.owner();
  const view = (await back.get("/api/settings")).json;
  assert.deepEqual([view.document.web.listen, view.pending, view.restart_needed], [`127.0.0.1:${to}`, null, false]);
  assert.deepEqual(await fs.readdir(folder.path).then((names) => names.filter((name) => name.includes("unconfirmed"))), []);
  const taken = net.createServer().listen(last, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const blocked = await change(back, (document) => {
    document.web.listen = `127.0.0.1:${last}`;
  });
  assert.equal(blocked.status, 200);
  await daemon.until("told", () => daemon.log.some((line) => line.includes("the page cannot be opened as the change wants it")));
  await daemon.until("back at once", ({ page }) => page?.listen === `127.0.0.1:${to}` && page.state === "open");
  taken.close();
  assert.equal((await (await daemon.owner()).get("/api/settings")).json.pending, null);
});

test("a page that cannot be opened shows in status, and opens when the port is free", async () => {
  await using folder = await tempFolder("petiole-live");
  const taken = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as net.AddressInfo;
  const clock = systemClock();
  const quick = { ...clock, after: (delay: number, action: () => void) => clock.after(delay === 30_000 ? 50 : delay, action) };
  await using daemon = await startPageDaemon({
    dataDir: folder.path,
    clock: quick,
    settings: { web: { listen: `127.0.0.1:${port}` } },
  });
  const { page, health } = await daemon.status();
  assert.equal(page?.state, "failed");
  assert.match(page?.fault ?? "", /another program uses this port/);
  assert.ok(
    health.reasons.some((reason) => reason.includes("the page at")),
    health.reasons.join(),
  );
  taken.close();
  await daemon.until("open", (report) => report.page?.state === "open");
});

test("SIGHUP takes over what was written by hand, and leaves what is at fault alone", async () => {
  await using folder = await tempFolder("petiole-live");
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings: { accounts: accounts(PUMP) } });
  const file = path.join(folder.path, "settings.json");
  const document = JSON.parse(await fs.readFile(file, "utf8"));
  await fs.writeFile(file, JSON.stringify({ ...document, mqtt: { listen: "127.0.0.1:0" } }));
  daemon.signal("SIGHUP");
  await daemon.until("MQTT is open", ({ mqtt }) => mqtt !== null);
  await fs.writeFile(file, JSON.stringify({ ...document, mqtt: { listen: "nonsense" } }));
  daemon.signal("SIGHUP");
  await daemon.until("told", () => daemon.log.some((line) => line.includes("the settings file is not taken over")));
  assert.notEqual((await daemon.status()).mqtt, null);
});

test("SIGHUP says of a file that is no JSON what is wrong with it, and leaves no plain password on flash", async () => {
  await using folder = await tempFolder("petiole-live");
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings: { mqtt: MQTT, accounts: accounts(PUMP) } });
  const file = path.join(folder.path, "settings.json");
  const good = await fs.readFile(file, "utf8");
  await fs.writeFile(file, good.slice(0, -20));
  daemon.signal("SIGHUP");
  await daemon.until("told", () => daemon.log.some((line) => /the settings file is not taken over: .*settings.json/.test(line)));
  await using pump = await daemon.mqtt("pump", "pump-password");
  const document = JSON.parse(good);
  document.accounts[0].users[0].password = "pump-password"; // the same, by hand
  document.accounts[0].users.push({ user: "valve", password: "valve-password" });
  await fs.writeFile(file, JSON.stringify(document));
  daemon.signal("SIGHUP");
  await daemon.until("in force", () => daemon.log.some((line) => line.includes("settings are in force")));
  await using _valve = await daemon.mqtt("valve", "valve-password");
  const onFlash = await fs.readFile(file, "utf8");
  assert.ok(!onFlash.includes("valve-password") && !onFlash.includes("pump-password"), "hashes");
  daemon.signal("SIGHUP");
  const owner = await daemon.owner();
  const quieter = await change(owner, (each) => {
    each.outbox.max_age = "3d";
  });
  assert.deepEqual(quieter.json.now, ["outbox"]);
  await pump.publishAsync("a/b", "the password is the one it has come in with", { qos: 1 });
});

test("who has a password by an environment variable stays in when something else changes", async () => {
  await using folder = await tempFolder("petiole-live");
  const environment = { PETIOLE_ACCOUNTS__0__USERS__0__PASSWORD: '"password of the fleet"' };
  const settings = { mqtt: MQTT, accounts: accounts(PUMP, { user: "valve", password: "valve-password" }) };
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings, environment });
  const owner = await daemon.owner();
  await using pump = await daemon.mqtt("pump", "password of the fleet");
  const { document, revision } = (await owner.get("/api/settings")).json;
  document.outbox.max_age = "3d";
  const checked = (await owner.post("/api/settings/check", { document, revision })).json;
  assert.deepEqual(checked.now, ["outbox"], "nobody's password is another");
  const changed = await owner.put("/api/settings", { document, revision });
  assert.deepEqual(changed.json.now, ["outbox"], changed.text);
  const users = await change(owner, (each) => void each.accounts[0].users.pop());
  assert.deepEqual(users.json.now, ["accounts"], users.text);
  await pump.publishAsync("a/b", "still in", { qos: 1 });
});

test("a change that is refused lets nothing go that waits for the hub", async () => {
  await using folder = await tempFolder("petiole-live");
  const remotes = [{ urls: ["nats-leaf://127.0.0.1:9"], account: "EDGE" }];
  const outbox = { free_reserve: "0B", rules: KEEP };
  const settings = { mqtt: MQTT, accounts: accounts(PUMP), leafnodes: { remotes }, outbox } as never;
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings });
  const owner = await daemon.owner();
  await using pump = await daemon.mqtt("pump", "pump-password");
  for (let i = 0; i < 50; i++) await pump.publishAsync("sensors/pump", String(i), { qos: 1 });
  await new Promise((resolve) => setTimeout(resolve, 1_100)); // older than what is about to be asked for
  const taken = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as net.AddressInfo;
  const refused = await change(owner, (document) => {
    document.outbox.max_age = "1s";
    document.mqtt.listen = `127.0.0.1:${port}`;
  });
  taken.close();
  assert.equal(refused.json.error.code, "WEB_APPLY", refused.text);
  const [remote] = (await daemon.status()).remotes;
  assert.deepEqual([remote!.outbox.depth, remote!.outbox.losses], [50, []]);
});

test("while the link is down a remote is moved 1,000 times: the backlog stays whole, and nothing piles up", async () => {
  await using hub = await startHub({ version: "2.10" });
  const quick = { reconnect: { min: "10ms", max: "20ms" } };
  await using test = await startSpoke({
    remote: { urls: [hub.leafUrlAs(LEAF)], ...quick },
    settings: { outbox: { rules: KEEP } },
  });
  await test.untilReady();
  const { live } = test.spoke;
  const base = live.running;
  const [remote] = base.leafnodes.remotes;
  const move = (more: object) => live.apply({ ...base, leafnodes: { ...base.leafnodes, remotes: [{ ...remote!, ...more }] } });
  const nowhere = remote!.urls.map((url) => ({ ...url, port: 9, text: url.text.replace(/:\d+/, ":9") }));
  await move({ urls: nowhere });
  await using device = await test.device();
  for (let i = 0; i < 50; i++) await device.publishAsync("sensors/pump", String(i), { qos: 1 });
  const moveOften = async (times: number) => {
    for (let i = 0; i < times; i++) await move({ urls: nowhere, noRandomize: i % 2 === 0 });
    await new Promise((resolve) => setTimeout(resolve, 200)); // dials that were under way have ended
    return process.getActiveResourcesInfo().length;
  };
  const before = await moveOften(50);
  const after = await moveOften(1_000);
  assert.ok(after < before + 10, `${after} handles, ${before} before`);
  assert.equal(test.spoke.report().remotes[0]!.outbox.depth, 50);
  const client = await hub.connect({ user: CLIENT.user, pass: CLIENT.password });
  const heard = new Set<string>();
  client.subscribe("sensors.>", { callback: (_, message) => void heard.add(message.string()) });
  await client.flush();
  await move({});
  await test.until("all of it there", ({ remotes: [now] }) => now!.outbox.depth === 0);
  await test.until("heard", () => heard.size === 50);
});

test("under load, door, hub, users and rules change at once and again: what was acknowledged arrives, and two who change at once do not mix", async () => {
  await using folder = await tempFolder("petiole-live");
  await using first = await startHub({ version: "2.10" });
  await using second = await startHub({ version: "2.10" });
  const [port] = (await freePorts(1)) as [number];
  const reconnect = { min: "20ms", max: "100ms" };
  const remotes = [{ urls: [first.leafUrlAs(LEAF)], account: "EDGE", reconnect }];
  const settings = {
    mqtt: { listen: `127.0.0.1:${port}` },
    accounts: accounts(PUMP),
    leafnodes: { remotes },
    outbox: { free_reserve: "0B", rules: KEEP },
  } as never;
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings });
  const owner = await daemon.owner();
  const heard = new Set<string>();
  for (const hub of [first, second]) {
    const client = await hub.connect({ user: CLIENT.user, pass: CLIENT.password });
    client.subscribe("sensors.>", { callback: (_, message) => void heard.add(message.string()) });
    await client.flush();
  }
  await daemon.until("the link", ({ remotes: [now] }) => now?.link.state === "ready");
  await using pump = await daemon.mqtt("pump", "pump-password", { clean: false, clientId: "p1", reconnectPeriod: 20 });
  const acknowledged = new Set<string>();
  let isOver = false;
  const publishers = Array.from({ length: 8 }, async (_, who) => {
    for (let n = 0; !isOver; n++) {
      const text = `${who} ${n}`;
      const isSafe = await pump.publishAsync("sensors/pump", text, { qos: 1 }).then(
        () => true,
        () => false, // the door closed before it answered
      );
      if (isSafe) acknowledged.add(text);
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  for (let round = 0; round < 6; round++) {
    const both = await Promise.all([
      change(owner, (document) => {
        document.mqtt.max_clients = 50 + round;
        document.leafnodes.remotes[0].urls = [(round % 2 === 0 ? second : first).leafUrlAs(LEAF)];
        document.outbox.max_age = `${10 + round}d`;
      }),
      change(
        owner,
        (document) => void document.accounts[0].users.push({ user: `valve-${round}`, nkey: null, password: "valve-password" }),
      ),
    ]);
    const statuses = both.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 409], both.map(({ text }) => text).join());
  }
  isOver = true;
  await Promise.all(publishers);
  await daemon.until("all of it there", ({ remotes: [now] }) => now!.outbox.depth === 0);
  await daemon.until("heard", () => acknowledged.difference(heard).size === 0);
  assert.ok(acknowledged.size > 100, String(acknowledged.size));
});

test("SIGTERM in the middle of a change: the daemon ends, the file is one of the two, and what was acknowledged is there", async () => {
  await using folder = await tempFolder("petiole-live");
  const remotes = [{ urls: ["nats-leaf://127.0.0.1:9"], account: "EDGE" }];
  const outbox = { free_reserve: "0B", rules: KEEP };
  const settings = { mqtt: MQTT, accounts: accounts(PUMP), leafnodes: { remotes }, outbox } as never;
  let acknowledged = 0;
  for (let i = 0; i < 6; i++) {
    await using daemon = await startPageDaemon({ dataDir: folder.path, settings });
    const owner = await daemon.owner();
    await using pump = await daemon.mqtt("pump", "pump-password");
    for (let n = 0; n < 20; n++) {
      await pump.publishAsync("sensors/pump", String(n), { qos: 1 });
      acknowledged += 1;
    }
    const changing = change(owner, (document) => {
      document.mqtt.max_clients = 100 + i;
      document.leafnodes.remotes[0].urls = [`nats-leaf://127.0.0.1:${10 + i}`];
      document.outbox.max_age = `${20 + i}d`;
    }).catch((error: unknown) => error); // the page may have closed before it answered
    await new Promise((resolve) => setTimeout(resolve, 3 + i * 4));
    assert.equal(await daemon.stop(), 0, daemon.log.join("\n"));
    await changing;
    const { outbox: kept, mqtt } = JSON.parse(await fs.readFile(path.join(folder.path, "settings.json"), "utf8"));
    assert.equal(kept.max_age === `${20 + i}d`, mqtt.max_clients === 100 + i, "all of it or nothing");
  }
  await using daemon = await startPageDaemon({ dataDir: folder.path });
  assert.equal((await daemon.status()).remotes[0]!.outbox.depth, acknowledged);
});

test("a client is seen with its rate, shown the door, and its session forgotten where that is asked for", async () => {
  await using folder = await tempFolder("petiole-live");
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings: { mqtt: MQTT, accounts: accounts(PUMP) } });
  const owner = await daemon.owner();
  const id = "pump/1 <b>";
  const kept = { clientId: id, clean: false, protocolVersion: 4 };
  await using pump = await daemon.mqtt("pump", "pump-password", kept);
  await pump.subscribeAsync("cmd/#", { qos: 1 });
  for (let i = 0; i < 10; i++) await pump.publishAsync("a/b", "x", { qos: 1 });
  const [seen] = (await owner.get("/api/clients")).json.mqtt;
  assert.deepEqual(
    [seen.client_id, seen.user, seen.version, seen.messages_in, seen.subscriptions, seen.session_kept, seen.connected],
    [id, "pump", "3.1.1", 10, 1, true, true],
  );
  const out = new Promise((resolve) => pump.once("close", () => resolve("out")));
  assert.equal((await owner.delete(`/api/clients/mqtt/${encodeURIComponent(id)}`)).status, 200);
  assert.equal(await out, "out");
  const [away] = (await owner.get("/api/clients")).json.mqtt;
  assert.deepEqual([away.connected, away.subscriptions, away.address], [false, 1, null], "its session is kept");
  assert.equal((await owner.delete(`/api/clients/mqtt/${encodeURIComponent(id)}?session=1`)).status, 200);
  assert.deepEqual((await owner.get("/api/clients")).json.mqtt, []);
  assert.equal((await owner.delete(`/api/clients/mqtt/${encodeURIComponent(id)}`)).status, 404);
  const { flash } = (await owner.get("/api/history")).json;
  assert.ok(flash.bytes_today > 0 && flash.bytes_per_day[0].by_cause.mqtt > 0, JSON.stringify(flash));
});

test("a local NATS client whose user is another now is told so and put out; others stay", async () => {
  await using folder = await tempFolder("petiole-live");
  const tool = { user: "tool", password: "tool-password", nats: true };
  const other = { user: "other", password: "other-password", nats: true };
  const settings = { listen: "127.0.0.1:0", accounts: accounts(tool, other) } as never;
  await using daemon = await startPageDaemon({ dataDir: folder.path, settings });
  const owner = await daemon.owner();
  const port = Number((await daemon.status()).nats!.listen.split(":").at(-1));
  await using stays = await natsJs(port, { user: "other", pass: "other-password" });
  await using goes = await RawNatsClient.dial(port);
  await goes.info();
  goes.send('CONNECT {"user":"tool","pass":"tool-password","verbose":false}\r\nPING\r\n');
  assert.equal(await goes.line(), "PONG");
  const changed = await change(owner, (document) => {
    document.accounts[0].users[0].permissions = { subscribe: ["only.this"] };
  });
  assert.equal(changed.json.applied, "now", changed.text);
  assert.equal(await goes.line(), "-ERR 'User Authentication Revoked'");
  await stays.flush();
});
