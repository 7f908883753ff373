import assert from "node:assert/strict";
import * as http from "node:http";
import * as path from "node:path";
import { test } from "node:test";
import { systemDisk } from "#base/disk.ts";
import { silentLog } from "#base/log.ts";
import { accountz } from "#monitor/accountz.ts";
import { accstatz } from "#monitor/accstatz.ts";
import { connz } from "#monitor/connz.ts";
import { goDuration, uptimeText } from "#monitor/go-text.ts";
import { openMonitor } from "#monitor/monitor.ts";
import { LIMIT_MAX, Query, QueryError } from "#monitor/query.ts";
import { RuntimeFigures } from "#monitor/runtime-figures.ts";
import { subsz } from "#monitor/subsz.ts";
import type { StatusReport } from "#status/report.ts";
import type { ClientReport, ClosedClientReport, ServerReport, ServerSource, SubscriptionReport } from "#status/server-report.ts";
import { tempFolder } from "../support/temp-folder.ts";

const NONE = { in_messages: 0, in_bytes: 0, out_messages: 0, out_bytes: 0 };

const SERVER: ServerReport = {
  id: "N1",
  name: "gw",
  version: "1.2.3",
  nats_version: "2.15.1",
  now: "2026-01-01T00:01:00.000Z",
  start: "2026-01-01T00:00:00.000Z",
  uptime_ms: 60_000,
  nats: { host: "127.0.0.1", port: 4222, tls: null },
  websocket: null,
  mqtt: null,
  auth_required: true,
  limits: {
    connections: 1000,
    payload_bytes: 1_048_576,
    pending_bytes: 1,
    write_deadline_ms: 10_000,
    control_line_bytes: 4096,
    ping_interval_ms: 120_000,
    pings: 2,
    connect_timeout_ms: 5000,
    tls_timeout_ms: 5000,
  },
  remotes: [{ account: "EDGE", urls: ["wss://hub.example.com:443/leafnode"] }],
  resident_bytes: 50_000_000,
  cores: 4,
  cpu_percent: 1.5,
  clients: { ...NONE, connections: 3, slow: 0, stale: 0 },
  leafs: NONE,
};

function client(number: number, more: Partial<ClientReport> = {}): ClientReport {
  return {
    ...NONE,
    number,
    type: "nats",
    address: "127.0.0.1",
    port: 40_000,
    start: "2026-01-01T00:00:00.000Z",
    last_activity: "2026-01-01T00:00:30.000Z",
    uptime_ms: 60_000,
    idle_ms: 30_000,
    rtt_ms: 0.25,
    pending_bytes: 0,
    subscriptions: 0,
    user: "ann",
    account: "EDGE",
    name: `client ${number}`,
    library: "",
    library_version: "",
    mqtt_client_id: null,
    tls: null,
    ...more,
  };
}

function source(
  clients: readonly ClientReport[],
  subscriptions: readonly SubscriptionReport[] = [],
  closed: readonly ClosedClientReport[] = [],
): ServerSource {
  return {
    server: () => SERVER,
    clients: () => clients,
    closedClients: () => closed,
    leafs: () => [],
    leafFilters: () => [],
    accounts: () => [
      {
        name: "EDGE",
        clients: clients.length,
        leafs: 0,
        subscriptions: 3,
        inserts: 4,
        removes: 1,
        routes: 2,
        receivers: 3,
        receivers_max: 2,
        client_traffic: { in_messages: 3, in_bytes: 30, out_messages: 5, out_bytes: 50 },
        leaf_traffic: { in_messages: 1, in_bytes: 10, out_messages: 2, out_bytes: 20 },
        slow: 1,
      },
      {
        name: "LAB",
        clients: 0,
        leafs: 0,
        subscriptions: 1,
        inserts: 1,
        removes: 0,
        routes: 0,
        receivers: 0,
        receivers_max: 0,
        client_traffic: NONE,
        leaf_traffic: NONE,
        slow: 0,
      },
    ],
    subscriptions: ({ account }) => subscriptions.filter((each) => account === undefined || each.account === account),
    isSubject: (text) => !text.includes("*"),
  };
}

function manySubscriptions(count: number): SubscriptionReport[] {
  return Array.from({ length: count }, (_, i) => ({
    client: 1,
    account: "EDGE",
    filter: `a.${i}`,
    queue: null,
    sid: String(i),
    messages: 0,
    messages_max: null,
  }));
}

test("durations read as Go writes them, at every unit's edge", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0s"],
    [-5, "0s"],
    [0.000_001, "1ns"],
    [0.277, "277µs"],
    [0.000_999, "999ns"],
    [7.344_915, "7.344915ms"],
    [999.999_999, "999.999999ms"],
    [1000, "1s"],
    [62_500, "1m2.5s"],
    [3_600_000, "1h0m0s"],
    [90_061_000, "25h1m1s"],
  ];
  for (const [ms, text] of cases) assert.equal(goDuration(ms), text);
});

test("uptime reads as nats-server writes it: no unit above the largest, every unit below it", () => {
  const cases: readonly (readonly [number, string])[] = [
    [-1, "0s"],
    [999, "0s"],
    [61_000, "1m1s"],
    [3_600_000, "1h0m0s"],
    [86_400_000, "1d0h0m0s"],
    [366 * 86_400_000, "1y1d0h0m0s"],
  ];
  for (const [ms, text] of cases) assert.equal(uptimeText(ms), text);
});

test("a parameter that is none is refused with its name and what was found, cut short", () => {
  const fault = (search: string, read: (query: Query) => unknown) => {
    try {
      read(new Query(search));
    } catch (error) {
      if (error instanceof QueryError) return error.message;
    }
    return assert.fail(`${search} was taken`);
  };
  assert.match(
    fault("?subs=yes", (query) => query.flag("subs")),
    /'subs'.*"yes"/,
  );
  assert.match(
    fault("?limit=1e9", (query) => query.limit()),
    /'limit'.*"1e9"/,
  );
  assert.match(
    fault(`?limit=${"9".repeat(400)}`, (query) => query.limit()),
    /'limit'.*…"$/,
  );
  assert.match(
    fault("?callback=x", () => undefined),
    /JSONP is not supported/,
  );
  assert.equal(new Query("?limit=99999999").limit(), LIMIT_MAX);
  assert.equal(new Query("?limit=0&offset=-3").limit(), 1024);
  assert.equal(new Query("?limit=0&offset=-3").offset(), 0);
});

test("/connz pages, filters by account, user and MQTT client, and hides who is logged in unless asked", () => {
  const clients = [
    client(1),
    client(2, { account: "LAB", user: "bob" }),
    client(3, { type: "mqtt", name: "", mqtt_client_id: "device-1" }),
  ];
  const cids = (search: string) => {
    const { connections, total } = connz(source(clients), SERVER, new Query(search)) as {
      connections: { cid: number }[];
      total: number;
    };
    return [connections.map(({ cid }) => cid), total];
  };
  assert.deepEqual(cids(""), [[1, 2, 3], 3]);
  assert.deepEqual(cids("?limit=1&offset=1"), [[2], 3]);
  assert.deepEqual(cids("?offset=7"), [[], 3]);
  assert.deepEqual(cids("?acc=LAB"), [[2], 1]);
  assert.deepEqual(cids("?user=ann"), [[1, 3], 2]);
  assert.deepEqual(cids("?mqtt_client=device-1"), [[3], 1]);
  assert.deepEqual(cids("?cid=2"), [[2], 3]);
  const plain = JSON.stringify(connz(source(clients), SERVER, new Query("")));
  assert.ok(!plain.includes("bob") && !plain.includes("EDGE"), plain);
  const [first] = (connz(source(clients), SERVER, new Query("?auth=1")) as { connections: Record<string, unknown>[] })
    .connections;
  assert.equal(first!["authorized_user"], "ann");
  assert.equal(first!["rtt"], "250µs");
});

test("/connz refuses unknown orders and states in a sentence, inherited names included, and orders of the closed for the open", () => {
  for (const search of ["?state=x", "?state=constructor", "?sort=stop", "?state=all&sort=reason", "?sort=constructor", "?cid=-1"])
    assert.throws(() => connz(source([]), SERVER, new Query(search)), QueryError, search);
});

test("/connz tells of closed connections with end and reason, alone or among the open ones", () => {
  const certificate = { subject: "CN=x", key_hash: "aa", hash: "bb" };
  const tls = { version: "1.3", cipher: "TLS_AES_128_GCM_SHA256", is_first: true, certificate };
  const closed = [
    { ...client(7, { tls }), stop: "2026-01-01T00:00:59.000Z", reason: "Stale Connection" },
    { ...client(5, { account: "", user: "eve" }), stop: "2026-01-01T00:00:50.000Z", reason: "Authentication Failure" },
  ];
  const ask = (search: string) => {
    const from = source([client(6, { tls })], [], closed);
    return (connz(from, SERVER, new Query(search)) as { connections: Record<string, unknown>[] }).connections;
  };
  const cids = (search: string) => ask(search).map(({ cid }) => cid);
  assert.deepEqual(cids("?state=open"), [6]);
  assert.deepEqual(cids("?state=CLOSED"), [5, 7]);
  assert.deepEqual(cids("?state=any"), [5, 6, 7]);
  assert.deepEqual(cids("?state=closed&sort=stop"), [7, 5]);
  assert.deepEqual(cids("?state=closed&sort=reason"), [5, 7]);
  assert.deepEqual(cids("?state=closed&user=ann"), [7]);
  assert.deepEqual(cids("?cid=7"), []);
  const [eve, stale] = ask("?state=closed&auth=1");
  assert.deepEqual([eve!["authorized_user"], eve!["account"], eve!["name_tag"]], ["eve", undefined, undefined]);
  assert.deepEqual([stale!["reason"], stale!["stop"]], ["Stale Connection", "2026-01-01T00:00:59.000Z"]);
  const { tls_version, tls_first, tls_peer_certs } = stale!;
  assert.deepEqual([tls_version, tls_first, tls_peer_certs], ["1.3", true, undefined]);
  const shown = [{ subject: "CN=x", spki_sha256: "aa", cert_sha256: "bb" }];
  assert.deepEqual(ask("?auth=1")[0]!["tls_peer_certs"], shown);
  assert.equal(ask("")[0]!["tls_peer_certs"], undefined, "with auth alone");
});

test("/accstatz adds up what clients and links of an account sent and received, and leaves out accounts without any", () => {
  const stats = (search: string) =>
    accstatz(source([client(1)]), SERVER, new Query(search))["account_statz"] as Record<string, unknown>[];
  assert.deepEqual(
    stats("").map(({ acc }) => acc),
    ["EDGE"],
  );
  assert.deepEqual(
    stats("?unused=1").map(({ acc }) => acc),
    ["EDGE", "LAB"],
  );
  const nothing = { msgs: 0, bytes: 0 };
  const [edge] = stats("");
  assert.deepEqual(edge!["sent"], { msgs: 7, bytes: 70, gateways: nothing, routes: nothing, leafs: { msgs: 2, bytes: 20 } });
  assert.deepEqual(edge!["received"], { msgs: 4, bytes: 40, gateways: nothing, routes: nothing, leafs: { msgs: 1, bytes: 10 } });
  assert.deepEqual([edge!["slow_consumers"], edge!["total_conns"]], [1, 1]);
});

test("lists of subscriptions are bounded, and /connz says how many it left out", () => {
  const from = source([client(1)], manySubscriptions(LIMIT_MAX + 5));
  const { connections, petiole } = connz(from, SERVER, new Query("?subs=1")) as {
    connections: { subscriptions_list: string[] }[];
    petiole: unknown;
  };
  assert.equal(connections[0]!.subscriptions_list.length, LIMIT_MAX);
  assert.deepEqual(petiole, { subscriptions_left_out: 5 });
  const all = subsz(from, SERVER, new Query("?subs=1&limit=1000000")) as { subscriptions_list: unknown[]; total: number };
  assert.equal(all.subscriptions_list.length, LIMIT_MAX);
  assert.equal(all.total, LIMIT_MAX + 5);
  const page = subsz(from, SERVER, new Query(`?subs=1&offset=${LIMIT_MAX + 3}`)) as { subscriptions_list: unknown[] };
  assert.equal(page.subscriptions_list.length, 2);
});

test("/subsz adds up the accounts, or shows one", () => {
  const all = subsz(source([]), SERVER, new Query(""));
  assert.equal(all["num_subscriptions"], 4);
  assert.equal(all["num_removes"], 1);
  assert.equal(all["avg_fanout"], 1.5);
  assert.equal(subsz(source([]), SERVER, new Query("?acc=LAB"))["avg_fanout"], 0);
  assert.equal(subsz(source([]), SERVER, new Query("?acc=NOPE"))["max_fanout"], 0);
  assert.throws(() => subsz(source([]), SERVER, new Query("?test=a.*")), /must be valid publish subject: "a\.\*"/);
});

test("/accountz names the accounts, one in detail, and an unknown one in a sentence", () => {
  assert.deepEqual(accountz(source([]), SERVER, new Query(""))["accounts"], ["EDGE", "LAB"]);
  const detail = accountz(source([]), SERVER, new Query("?acc=EDGE"))["account_detail"] as Record<string, unknown>;
  assert.equal(detail["account_name"], "EDGE");
  assert.throws(() => accountz(source([]), SERVER, new Query("?acc=x")), /Account "x" does not exist/);
});

test("the process's figures: delay since the last look without the look itself, CPU that grows", async () => {
  using figures = new RuntimeFigures();
  const first = await figures.report();
  assert.equal(first.eventLoopDelay, null);
  let second = first;
  // On a busy machine it has looked before, and a report in between takes the look with it: then once more.
  for (let tries = 0; (second.eventLoopDelay?.max ?? 0) <= 0.1 && tries < 10; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 130)); // it has looked once
    const held = performance.now();
    while (performance.now() - held < 320); // nothing else runs meanwhile
    await new Promise((resolve) => setTimeout(resolve, 1)); // and looks again, late
    second = await figures.report();
  }
  assert.ok(second.eventLoopDelay !== null && second.eventLoopDelay.max > 0.1, JSON.stringify(second));
  assert.ok(second.eventLoopDelay.max < 5 && second.eventLoopDelay.p50 <= second.eventLoopDelay.max);
  assert.ok(second.cpuSeconds.user > first.cpuSeconds.user);
});

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

async function ask(port: number, address: string, options: http.RequestOptions = {}): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  http
    .request({ host: "127.0.0.1", port, path: address, agent: false, ...options }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode!, body, headers: response.headers }));
    })
    .on("error", reject)
    .end();
  return await promise;
}

const WELL = { health: { verdict: "ok", reasons: [] } } as unknown as StatusReport; // all that /healthz looks at

async function opened(server: ServerSource | null) {
  const folder = await tempFolder();
  const places = { listen: { host: "127.0.0.1", port: 0 }, socketPath: path.join(folder.path, "control.sock") };
  const monitor = await openMonitor(places, () => WELL, { disk: systemDisk(), log: silentLog() }, server);
  return {
    port: monitor.endpoint!.port,
    socketPath: places.socketPath,
    async [Symbol.asyncDispose]() {
      await monitor[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("HEAD has GET's headers and no body; a bad parameter is 400; requests are counted per known path", async () => {
  await using open = await opened(source([client(1)]));
  const get = await ask(open.port, "/connz");
  const head = await ask(open.port, "/connz", { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.body, "");
  assert.equal(head.headers["content-length"], get.headers["content-length"]);
  const bad = await ask(open.port, "/connz?limit=x");
  assert.equal(bad.status, 400);
  assert.match(bad.body, /^Error decoding int for 'limit'/);
  await ask(open.port, "/__proto__");
  const varz = JSON.parse((await ask(open.port, "/varz")).body) as Record<string, unknown>;
  assert.deepEqual(varz["http_req_stats"], { "/connz": 3, "/varz": 1 });
  assert.equal(varz["http_port"], open.port);
  assert.equal(varz["uptime"], "1m0s");
  assert.deepEqual(varz["leaf"], { remotes: [{ local_account: "EDGE", urls: ["hub.example.com:443"] }] });
  assert.deepEqual(JSON.parse((await ask(open.port, "/healthz?js-enabled-only=zz")).body), {
    status: "ok",
    petiole: { verdict: "ok", reasons: [] },
  });
});

test("a loopback port answers to addresses and localhost alone, so that no web page reaches it under another name", async () => {
  await using open = await opened(source([]));
  const statusFor = async (host: string) => (await ask(open.port, "/varz", { headers: { host } })).status;
  for (const host of ["127.0.0.1:8222", "localhost", "LOCALHOST:1", "[::1]:8222"]) assert.equal(await statusFor(host), 200, host);
  for (const host of ["evil.example.com", "127.0.0.1.evil.example.com:8222", "localhost.evil.example.com"])
    assert.equal(await statusFor(host), 403, host);
  assert.equal((await ask(open.port, "/varz", { socketPath: open.socketPath, headers: { host: "petiole" } })).status, 200);
});

test("without a source nats-server's endpoints are not there, and health still is", async () => {
  await using open = await opened(null);
  assert.equal((await ask(open.port, "/varz")).status, 404);
  assert.equal((await ask(open.port, "/healthz")).status, 200);
  assert.equal((await ask(open.port, "/")).body.split("\n")[0], "/varz");
});
