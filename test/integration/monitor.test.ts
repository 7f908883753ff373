// The monitor's endpoints beside those of a real nats-server that is a leaf itself, with the same clients: what both have looks the
// same, what only we have stands under `petiole`, what only nats-server has is named in src/monitor/README.md.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { connectAsync } from "mqtt";
import { createAuthenticator } from "#access/authenticator.ts";
import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import type { Env } from "#base/env.ts";
import { silentLog } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { systemResolver } from "#base/resolver.ts";
import { openTimeKeeper } from "#base/time-keeper.ts";
import { loadConfig } from "#config/load-config.ts";
import { openMqtt } from "#ingress/mqtt/mqtt-ingress.ts";
import { openNats } from "#ingress/nats/nats-ingress.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { openMonitor } from "#monitor/monitor.ts";
import { AccountRouter } from "#router/router.ts";
import { openS2Codec } from "#s2/codec.ts";
import { openUplink } from "#uplink/uplink.ts";
import { TESTED_LINES } from "../../scripts/lib/nats-server.ts";
import { openServerSource } from "../../src/server-source.ts";
import { reportOf } from "../../src/status-report.ts";
import { NatsServer, type ServerLine } from "../support/nats-server.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** What nats-server has and we do not. */
const LEFT_OUT = (await fs.readFile(path.resolve(import.meta.dirname, "../../src/monitor/README.md"), "utf8"))
  .split("## Left out")[1]!
  .split("\n## ")[0]!;
const PASSWORD = "monitor-password";
const UNTIL_MS = 15_000;

interface Place extends AsyncDisposable {
  readonly monitorUrl: string;
  readonly natsPort: number;
  readonly mqttPort: number;
}

async function startHub(version: ServerLine): Promise<NatsServer> {
  const config = { leafnodes: {}, accounts: { A: { users: [{ user: "a", password: PASSWORD }] } } };
  return await NatsServer.start({ version, name: "hub", config });
}

function leafUrl(hub: NatsServer): string {
  return hub.leafUrl.replace("://", `://a:${PASSWORD}@`);
}

/** nats-server as a spoke. JetStream, because its MQTT needs it. */
async function theirs(version: ServerLine, hub: NatsServer): Promise<Place> {
  const users = [
    { user: "ann", password: PASSWORD },
    { user: "dev", password: PASSWORD },
  ];
  const config = {
    jetstream: {},
    mqtt: {},
    accounts: { EDGE: { users, jetstream: "enabled" } },
    leafnodes: {
      remotes: [{ urls: [leafUrl(hub)], account: "EDGE", ...(version === "2.10" ? {} : { request_isolation: true }) }],
    },
  };
  const server = await NatsServer.start({ version, name: "gw", config });
  return {
    monitorUrl: server.monitorUrl,
    natsPort: server.port("client"),
    mqttPort: server.port("mqtt"),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The parts of a spoke that the monitor tells of, and the monitor. */
async function ours(hub: NatsServer): Promise<Place> {
  await using scope = new AsyncDisposableStack();
  const folder = scope.use(await tempFolder("petiole-monitor"));
  const clock = systemClock();
  const env: Env = {
    clock,
    disk: systemDisk(),
    net: systemNet(),
    tty: systemTty(),
    entropy: systemEntropy(),
    log: silentLog(),
  };
  const settings = {
    server_name: "gw",
    listen: "127.0.0.1:0",
    mqtt: { listen: "127.0.0.1:0" },
    monitor: { listen: "127.0.0.1:0" },
    accounts: [
      {
        name: "EDGE",
        users: [
          { user: "ann", password: PASSWORD, nats: true },
          { user: "dev", password: PASSWORD, mqtt: true },
        ],
      },
    ],
    leafnodes: { remotes: [{ urls: [leafUrl(hub)], account: "EDGE" }] },
    outbox: { free_reserve: "0B" },
  };
  await fs.writeFile(path.join(folder.path, "settings.json"), JSON.stringify(settings));
  const { config, faults } = await loadConfig({ dataDir: folder.path, env: {}, disk: env.disk, entropy: env.entropy });
  assert.ok(config !== undefined && faults.length === 0, JSON.stringify(faults));

  let lastNumber = 0;
  const nextNumber = () => ++lastNumber;
  const { signal } = new AbortController();
  const account = new AccountRouter("EDGE", env.entropy);
  const accounts = new Map([["EDGE", account]]);
  const { serverName, deviceId, outbox, limits } = config;
  const common = { account, outbox, serverName, deviceId, dataDir: folder.path, maxPayload: limits.maxPayload };
  const time = scope.use(await openTimeKeeper(folder.path, env));
  const uplinkDeps = { ...common, codec: openS2Codec(), resolver: systemResolver(env), time };
  const uplink = scope.use(await openUplink(config.leafnodes.remotes[0]!, uplinkDeps, env, signal));
  const authenticator = scope.use(createAuthenticator(config, env));
  const doorDeps = { accounts, authenticator, limits, env, nextNumber };
  const mqtt = scope.use(await openMqtt(config.mqtt!, doorDeps, signal));
  const nats = scope.use(await openNats(config.listen!, { ...doorDeps, serverName }, signal));
  const parts = { uplinks: [uplink], mqtt, nats, serial: null };
  const source = openServerSource(config, { version: "1.2.3", nextNumber }, { ...parts, accounts }, env);
  const report = () => reportOf(config, { version: "1.2.3" }, parts, { uptimeMs: clock.now(), wall: clock.wall() });
  const places = { listen: config.monitor!.listen, socketPath: path.join(folder.path, "control.sock") };
  const monitor = scope.use(await openMonitor(places, report, env, source));
  uplink.start();
  const owned = scope.move();
  return {
    monitorUrl: `http://127.0.0.1:${monitor.endpoint!.port}`,
    natsPort: nats.endpoint.port,
    mqttPort: mqtt.endpoint.port,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Json = Record<string, unknown>;

async function ask(
  place: Place,
  address: string,
): Promise<{ readonly status: number; readonly type: string; readonly body: string }> {
  const response = await fetch(new URL(address, place.monitorUrl), { headers: { connection: "close" } });
  return { status: response.status, type: response.headers.get("content-type") ?? "", body: await response.text() };
}

async function json(place: Place, address: string): Promise<Json> {
  const { status, type, body } = await ask(place, address);
  assert.equal(status, 200, `${address}: ${body}`);
  assert.match(type, /^application\/json/);
  return JSON.parse(body) as Json;
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + UNTIL_MS;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`waited ${UNTIL_MS} ms until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The same clients everywhere: one of NATS, one of MQTT, and a listener at the hub. */
async function settle(place: Place, hub: NatsServer): Promise<AsyncDisposable> {
  await using scope = new AsyncDisposableStack();
  const atHub = await hub.connect({ user: "a", pass: PASSWORD });
  atHub.subscribe("up.>", { callback: () => undefined });
  await atHub.flush();
  const nats = await connect({ servers: `127.0.0.1:${place.natsPort}`, user: "ann", pass: PASSWORD, name: "probe" });
  scope.defer(() => nats.close());
  nats.subscribe("down.a", { callback: () => undefined });
  nats.subscribe("down.>", { queue: "workers", callback: () => undefined });
  nats.publish("down.a", "hello");
  await nats.flush();
  const gone = await connect({ servers: `127.0.0.1:${place.natsPort}`, user: "ann", pass: PASSWORD, name: "gone" });
  await gone.close();
  await assert.rejects(connect({ servers: `127.0.0.1:${place.natsPort}`, user: "ann", pass: "wrong", reconnect: false }));
  const login = { username: "dev", password: PASSWORD, clientId: "device-1", reconnectPeriod: 0 };
  const device = await connectAsync(`mqtt://127.0.0.1:${place.mqttPort}`, login);
  scope.defer(() => device.endAsync(true));
  await device.subscribeAsync("set/device-1", { qos: 1 });
  await device.publishAsync("up/device-1", "21.5", { qos: 1 });
  await until("the leaf knows what the hub wants", async () => {
    const [leaf] = (await json(place, "/leafz?subs=1"))["leafs"] as { readonly subscriptions_list?: readonly string[] }[];
    return leaf?.subscriptions_list?.includes("up.>") === true;
  });
  return scope.move();
}

/** What a value is, as far as a reader of the field must know it. */
function formOf(value: unknown): string {
  if (typeof value !== "string") return value === null ? "null" : typeof value;
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value)) return "time";
  return /^(\d+(\.\d+)?(y|d|h|ms|m|s|µs|ns))+$/.test(value) ? "duration" : "text";
}

/** `connections[].rtt` → `duration`; of a list, what any of its members has. */
function fieldsOf(value: unknown, at = "", found = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(value)) for (const each of value) fieldsOf(each, `${at}[]`, found);
  else if (typeof value === "object" && value !== null) {
    for (const [key, each] of Object.entries(value)) fieldsOf(each, at === "" ? key : `${at}.${key}`, found);
  } else found.set(at, formOf(value));
  return found;
}

const COMPARED = [
  "/varz",
  "/connz",
  "/connz?subs=1&auth=1",
  "/connz?subs=detail",
  "/connz?state=closed&auth=1",
  "/connz?state=all",
  "/leafz?subs=1",
  "/subsz",
  "/subsz?subs=1&acc=EDGE",
  "/subsz?subs=1&test=down.a",
  "/accountz",
  "/accountz?acc=EDGE",
  "/accstatz",
  "/accstatz?unused=1",
  "/healthz",
];

/** Members of objects whose keys are data. */
const DATA_KEYS = /^http_req_stats\./;

test("what both have is alike, what is ours alone is called petiole, what is nats-server's alone is listed in the README", async (t) => {
  const newest = new Map<string, ReadonlySet<string>>();
  for (const line of [...TESTED_LINES].sort().reverse()) {
    await t.test(`nats-server ${line}`, async () => {
      await using hub = await startHub(line);
      await using otherHub = await startHub(line);
      await using spoke = await ours(hub);
      await using server = await theirs(line, otherHub);
      await using _ours = await settle(spoke, hub);
      await using _theirs = await settle(server, otherHub);
      const undocumented: string[] = [];
      for (const address of COMPARED) {
        const own = fieldsOf(await json(spoke, address));
        const real = fieldsOf(await json(server, address));
        const known = newest.get(address) ?? new Set(real.keys());
        newest.set(address, known);
        let shared = 0;
        for (const [field, form] of own) {
          if (field.split(/\.|\[\]\.?/).includes("petiole") || DATA_KEYS.test(field)) continue;
          assert.ok(real.has(field) || known.has(field), `${address}: ${field} is no field of nats-server's`);
          if (real.has(field)) assert.equal(form, real.get(field), `${address}: ${field}`);
          shared += 1;
        }
        assert.ok(shared > 0, address);
        for (const field of real.keys()) {
          const parts = [field, ...field.split(/\.|\[\]\.?/)];
          const isListed = parts.some((name) => LEFT_OUT.includes(`\`${name}\``));
          if (!own.has(field) && !DATA_KEYS.test(field) && !isListed) undocumented.push(`${address}: ${field}`);
        }
      }
      assert.deepEqual(undocumented, []);
    });
  }
});

test("the units are nats-server's, and so are the figures where both count the same", async () => {
  const line = "2.15";
  await using hub = await startHub(line);
  await using otherHub = await startHub(line);
  await using spoke = await ours(hub);
  await using server = await theirs(line, otherHub);
  await using _ours = await settle(spoke, hub);
  await using _theirs = await settle(server, otherHub);
  const [own, real] = [await json(spoke, "/varz"), await json(server, "/varz")];
  for (const field of ["proto", "ping_interval", "ping_max", "max_control_line", "max_payload", "write_deadline", "server_name"])
    assert.equal(own[field], real[field], field);
  for (const field of ["leafnodes", "routes", "remotes", "slow_consumers", "in_client_msgs", "total_connections"])
    assert.equal(own[field], real[field], field);
  assert.equal(own["connections"], 2);
  assert.deepEqual(own["leaf"], { remotes: [{ local_account: "EDGE", urls: [`127.0.0.1:${hub.port("leaf")}`] }] });
  assert.deepEqual(real["leaf"], { remotes: [{ local_account: "EDGE", urls: [`127.0.0.1:${otherHub.port("leaf")}`] }] });
  assert.ok((own["mem"] as number) > 10_000_000, "bytes");

  const facts = async (place: Place) => {
    const { connections } = (await json(place, "/connz?subs=detail&auth=1&sort=cid")) as { connections: Json[] };
    return connections
      .filter(({ kind }) => kind === "Client")
      .map(({ type, name, lang, version, authorized_user, account, in_msgs, out_msgs, mqtt_client }) => {
        return { type, name, lang, version, authorized_user, account, in_msgs, out_msgs, mqtt_client };
      });
  };
  assert.deepEqual(await facts(spoke), await facts(server));
  const leaf = async (place: Place) => ((await json(place, "/leafz")) as { leafs: Json[] }).leafs[0]!;
  const [ownLeaf, realLeaf] = [await leaf(spoke), await leaf(server)];
  for (const field of ["name", "is_spoke", "account", "ip"]) assert.equal(ownLeaf[field], realLeaf[field], field);
  const { subscriptions_list } = (await json(spoke, "/subsz?subs=1&test=down.a")) as { subscriptions_list: Json[] };
  const sorted = subscriptions_list.map(({ subject, qgroup, msgs }) => ({ subject, qgroup, msgs }));
  assert.deepEqual(sorted, [
    { subject: "down.a", qgroup: undefined, msgs: 1 },
    { subject: "down.>", qgroup: "workers", msgs: 1 },
  ]);
});

test("no answer holds a password or anything else to log in with", async () => {
  await using hub = await startHub("2.15");
  await using spoke = await ours(hub);
  await using _clients = await settle(spoke, hub);
  for (const address of [...COMPARED, "/statusz", "/metrics", "/"]) {
    const { body } = await ask(spoke, address);
    for (const secret of [PASSWORD, "$scrypt$", "a:"]) assert.ok(!body.includes(secret), `${address} has ${secret}`);
  }
});

test("bad parameters get the same status as from nats-server, and a sentence", async () => {
  await using hub = await startHub("2.15");
  await using spoke = await ours(hub);
  await using server = await theirs("2.15", hub);
  const same = [
    "/connz?sort=bogus",
    "/connz?sort=stop",
    "/connz?state=any&sort=reason",
    "/connz?state=closed&sort=stop",
    "/connz?state=closed&sort=reason",
    "/accstatz?unused=zz",
    "/connz?limit=x",
    "/connz?limit=-1",
    "/connz?offset=-1",
    "/connz?offset=1.5",
    "/connz?state=bogus",
    "/connz?state=open",
    "/connz?cid=x",
    "/connz?cid=-1",
    "/connz?cid=999999",
    "/connz?auth=zz",
    "/connz?auth=T",
    "/connz?subs=zz",
    "/connz?subs=DETAIL",
    "/connz?acc=NOPE",
    "/leafz?subs=zz",
    "/leafz?acc=NOPE",
    "/subsz?subs=zz",
    "/subsz?limit=q",
    "/subsz?test=a.*",
    "/subsz?test=a..b",
    "/subsz?acc=NOPE",
    "/subscriptionsz",
    "/accountz?acc=NOPE",
    "/healthz?js-enabled-only=true",
    "/nothing",
  ];
  for (const address of same) {
    const [own, real] = [await ask(spoke, address), await ask(server, address)];
    assert.equal(own.status, real.status, `${address}: ours says ${own.body}, nats-server ${real.body}`);
    if (own.status === 400) assert.match(own.body, /^[A-Za-z].{10,}\n$/, address);
  }
});

test("sorting goes in nats-server's direction", async (t) => {
  const sorts = ["cid", "start", "uptime", "subs", "msgs_to", "msgs_from", "bytes_to", "bytes_from"];
  const orders = async (place: Place) => {
    await using scope = new AsyncDisposableStack();
    const clients = [];
    for (const name of ["a", "b", "c"]) {
      const client = await connect({ servers: `127.0.0.1:${place.natsPort}`, user: "ann", pass: PASSWORD, name });
      scope.defer(() => client.close());
      clients.push(client);
    }
    const [a, b, c] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
    const listen = (client: typeof a, ...filters: string[]) => {
      for (const filter of filters) client.subscribe(filter, { callback: () => undefined });
    };
    listen(a, "t.none");
    listen(b, "t.1", "t.2", "t.c");
    listen(c, "t.c", "t.a");
    for (const client of clients) await client.flush();
    const payload = "x".repeat(4000);
    for (let i = 0; i < 4; i++) a.publish("t.a", payload);
    b.publish("t.void", payload);
    for (let i = 0; i < 2; i++) c.publish("t.c", payload);
    for (const client of clients) await client.flush();
    for (const client of clients) await client.flush(); // what came for it was written before its PONG
    const found: Record<string, unknown> = {};
    const order = async (sort: string) => {
      const { connections } = (await json(place, `/connz?sort=${sort}`)) as { connections: Json[] };
      return connections.flatMap(({ name, kind }) => (kind === "Client" ? [name] : [])).join("");
    };
    for (const sort of sorts) found[sort] = await order(sort);
    for (const client of [c, a, b]) {
      client.publish("t.void", "x");
      await client.flush();
      await new Promise((resolve) => setTimeout(resolve, 5)); // so that they differ in when they were last heard
    }
    for (const sort of ["idle", "last"]) found[sort] = await order(sort);
    const { connections } = (await json(place, "/connz?sort=subs&limit=1&offset=1")) as { connections: Json[] };
    found["page"] = connections.length;
    return found;
  };
  await using hub = await startHub("2.15");
  await using spoke = await ours(hub);
  await using server = await theirs("2.15", hub);
  const [own, real] = [await orders(spoke), await orders(server)];
  t.diagnostic(JSON.stringify(real));
  assert.deepEqual(own, real);
});

test("/metrics tells of the link, its URLs, the lanes and the process", async () => {
  await using hub = await startHub("2.15");
  await using spoke = await ours(hub);
  await using _clients = await settle(spoke, hub);
  let { body } = await ask(spoke, "/metrics");
  while (!body.includes("event_loop_delay")) ({ body } = await ask(spoke, "/metrics")); // there is none before the first look at it
  for (const line of [
    /^petiole_link_ready\{account="EDGE",remote="EDGE"\} 1$/m,
    /^petiole_link_url_in_use\{account="EDGE",remote="EDGE",url="nats-leaf:\/\/127\.0\.0\.1:\d+"\} 1$/m,
    /^petiole_link_url_failures\{.*\} 0$/m,
    /^petiole_link_url_rtt_seconds\{.*\} 0\.\d+$/m,
    /^petiole_link_compression_ratio\{.*direction="sent"\} [\d.]+$/m,
    /^petiole_outbox_lane_messages\{.*class="alarm"\} 0$/m,
    /^petiole_process_cpu_seconds_total\{mode="user"\} [\d.]+$/m,
    /^petiole_event_loop_delay_seconds\{quantile="0.99"\} [\d.e-]+$/m,
    /^petiole_heap_used_bytes \d+$/m,
    /^petiole_nats_clients 1$/m,
    /^petiole_mqtt_clients 1$/m,
  ])
    assert.match(body, line);
});
