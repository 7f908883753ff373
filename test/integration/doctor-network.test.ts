// What can stand between a device and its hub, built for real: nobody there, somebody else there, DNS, proxies, and a network of its own
// where packets get lost.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import * as net from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import type { DoctorReport } from "#doctor/report.ts";
import { certificates } from "../support/certificates.ts";
import { assertNamed, type DoctorSetup, doctorOn, findingOf } from "../support/doctor.ts";
import { FakeDns } from "../support/fake-dns.ts";
import { freePorts } from "../support/free-ports.ts";
import { HttpProxy, type ProxyManners } from "../support/http-proxy.ts";
import { startHub } from "../support/hub.ts";
import { cannotMakeNamespaces, NetNamespaces } from "../support/net-namespaces.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** Whoever accepts, and what he does then. */
async function peer(onStream: (socket: net.Socket) => void): Promise<{ readonly url: string } & AsyncDisposable> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    onStream(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `nats-leaf://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const HUB_STEPS = ["settings", "daemon", "dns", "reach", "greeting", "certificate", "login"];
const lookAt = (setup: DoctorSetup) => doctorOn({ steps: HUB_STEPS, ...setup });

test("nothing listens: LEAF_DIAL_FAILED", async () => {
  const [port] = await freePorts(1);
  const report = await lookAt({ remote: { urls: [`tls://127.0.0.1:${port}`] } });
  assertNamed(report, {
    step: "reach",
    code: "LEAF_DIAL_FAILED",
    detail: "ECONNREFUSED",
    cause: /refused: nothing listens on that port, or a firewall says no/,
    remedy: /that its leafnodes block listens there/,
  });
  assert.equal(findingOf(report, "login").facts["because"], "reach");
});

test("a web server there: DOCTOR_HTTP_THERE", async () => {
  await using scope = new AsyncDisposableStack();
  const server = http.createServer((_, response) => response.end("hello"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.defer(() => void server.close());
  const { port } = server.address() as net.AddressInfo;
  for (const url of [`tls://127.0.0.1:${port}`, `nats-leaf://127.0.0.1:${port}`]) {
    const named = {
      step: "greeting",
      code: "DOCTOR_HTTP_THERE",
      cause: /a web server answers .* \(HTTP \d+/,
      remedy: /usually 7422/,
    };
    assertNamed(await lookAt({ remote: { urls: [url] } }), named);
  }
});

test("another protocol there: LEAF_NOT_NATS", async () => {
  await using ssh = await peer((socket) => socket.write("SSH-2.0-OpenSSH_9.2p1\r\n"));
  const named = {
    step: "greeting",
    code: "LEAF_NOT_NATS",
    cause: /does not speak NATS: found "SSH-2\.0-OpenSSH/,
    remedy: /check host and port/,
  };
  assertNamed(await lookAt({ remote: { urls: [ssh.url] } }), named);
});

test("somebody who floods us, or whose INFO is none: LEAF_NOT_NATS, in a short sentence", async () => {
  await using flood = await peer((socket) => void socket.write(Buffer.alloc(1024 * 1024, "A")));
  await using broken = await peer((socket) => void socket.write('INFO {"server_id": \u001b[2J\r\n'));
  const named = {
    step: "greeting",
    code: "LEAF_NOT_NATS",
    cause: /does not speak NATS: found "(A{40}|INFO \{"server_id": \?\[2J)"/,
    remedy: /check host and port/,
  };
  for (const { url } of [flood, broken]) {
    const { cause } = assertNamed(await lookAt({ remote: { urls: [url] } }), named);
    assert.ok(cause.length < 200);
  }
});

test("somebody who says nothing, whatever he is asked: DOCTOR_SAYS_NOTHING", async () => {
  await using mute = await peer(() => undefined);
  const named = {
    step: "greeting",
    code: "DOCTOR_SAYS_NOTHING",
    cause: /says nothing, whatever it is asked/,
    remedy: /the hub hangs, or a firewall/,
  };
  assertNamed(await lookAt({ remote: { urls: [mute.url] } }), named);
});

test("somebody who hangs up at once: LEAF_CLOSED", async () => {
  await using rude = await peer((socket) => socket.end());
  const named = {
    step: "greeting",
    code: "LEAF_CLOSED",
    cause: /closes it without a word/,
    remedy: /port forwarding|look into the hub's log/,
  };
  assertNamed(await lookAt({ remote: { urls: [rude.url] } }), named);
});

test("a hub that has as many connections as it may says so to whoever listens: DOCTOR_HUB_FULL", async () => {
  await using full = await peer((socket) => socket.end("-ERR 'maximum connections exceeded'\r\n"));
  const named = {
    step: "greeting",
    code: "DOCTOR_HUB_FULL",
    cause: /maximum connections exceeded/,
    remedy: /max_leafnodes; in a JWT: leaf/,
  };
  assertNamed(await lookAt({ remote: { urls: [full.url] } }), named);
});

test("of two URLs the dead one is named, and the good one is fine", async () => {
  await using hub = await startHub({ version: "2.15" });
  const [port] = await freePorts(1);
  const report = await lookAt({ remote: { urls: [hub.leafUrl, `nats-leaf://127.0.0.1:${port}`] } });
  const named = { step: "reach", code: "LEAF_DIAL_FAILED", cause: /refused/, remedy: /address and port/ };
  const { ref } = assertNamed(report, named);
  assert.equal(ref, "0.1");
  assert.match(report.compact, / B reach@0\.1=LEAF_DIAL_FAILED\/ECONNREFUSED/);
  assert.equal(report.findings.find(({ step, ref }) => step === "login" && ref === "0.0")!.verdict, "fine");
});

// ── DNS ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function dnsPlaces(scope: AsyncDisposableStack, port: number, servers: readonly string[]): Promise<DoctorSetup["places"]> {
  const folder = scope.use(await tempFolder()).path;
  await fs.writeFile(path.join(folder, "resolv.conf"), servers.map((server) => `nameserver ${server}\n`).join(""));
  await fs.writeFile(path.join(folder, "hosts"), "127.0.0.1 localhost\n");
  return { resolvConf: path.join(folder, "resolv.conf"), hosts: path.join(folder, "hosts"), dnsPort: port };
}

test("a name that DNS does not know: DNS_NO_NAME", async () => {
  await using scope = new AsyncDisposableStack();
  const dns = scope.use(await FakeDns.listen("127.0.0.1"));
  const places = await dnsPlaces(scope, dns.port, ["127.0.0.1"]);
  const report = await lookAt({ remote: { urls: ["tls://hub.nowhere.example:7422"] }, places: places! });
  assertNamed(report, {
    step: "dns",
    code: "DNS_NO_NAME",
    cause: /knows no such name: hub\.nowhere\.example/,
    remedy: /check the spelling/,
  });
  assert.match(findingOf(report, "reach").cause, /not tried, for hub\.nowhere\.example has no address/);
});

test("DNS that is silent: DNS_NO_ANSWER", async () => {
  await using scope = new AsyncDisposableStack();
  const dns = scope.use(await FakeDns.listen("127.0.0.1"));
  for (const type of ["A", "AAAA"] as const) dns.says("hub.example", type, "silence");
  const places = await dnsPlaces(scope, dns.port, ["127.0.0.1"]);
  const patient = (await import("#base/resolver.ts")).systemResolver;
  const report = await lookAt({
    remote: { urls: ["tls://hub.example:7422"] },
    places: places!,
    // As the daemon's, but for the nine seconds it takes to be sure.
    probe: (probe) => ({
      ...probe,
      resolver: patient({
        ...probe.env,
        hostsPath: places!.hosts!,
        resolvConfPath: places!.resolvConf!,
        dnsPort: dns.port,
        patience: 100,
      }),
    }),
  });
  assertNamed(report, {
    step: "dns",
    code: "DNS_NO_ANSWER",
    cause: /asked for hub\.example, does not answer/,
    remedy: /check the network/,
  });
});

test("a hub that says INFO once and then hangs is left without a connection of ours open", { timeout: 20_000 }, async () => {
  const closed: Promise<unknown>[] = [];
  await using hub = await peer((socket) => {
    closed.push(once(socket.resume(), "close"));
    const info = {
      server_id: "N",
      server_name: "hub",
      version: "2.10.27",
      port: 7422,
      tls_required: true,
      max_payload: 1,
      proto: 1,
    };
    if (closed.length === 2) socket.write(`INFO ${JSON.stringify({ ...info, client_id: 1, leafnode_urls: [], nonce: "n" })}\r\n`);
  });
  const limits = { greeting: 100, phase: 200, dial: 500 };
  const report = await lookAt({ remote: { urls: [hub.url] }, steps: ["reach", "greeting", "certificate"], limits });
  assert.equal(findingOf(report, "greeting").verdict, "fine", JSON.stringify(report.findings));
  assert.equal(findingOf(report, "certificate").verdict, "broken");
  assert.ok(closed.length >= 4, `${closed.length} connections`);
  await Promise.all(closed);
});

test("a key of ours that belongs to another certificate leaves no connection to the hub open", { timeout: 20_000 }, async () => {
  const closed: Promise<unknown>[] = [];
  await using hub = await peer((socket) => closed.push(once(socket.resume(), "close")));
  await using made = await certificates();
  const tls = { handshake_first: true, cert_file: made.client.cert, key_file: made.strangerClient.key };
  const limits = { greeting: 100, phase: 200, dial: 500 };
  for (const step of ["certificate", "login"]) {
    const report = await lookAt({ remote: { urls: [hub.url], tls }, steps: [step], limits });
    assert.equal(findingOf(report, step).verdict, "broken", JSON.stringify(report.findings));
  }
  await Promise.all(closed);
});

test("no DNS server at all: DNS_NO_SERVER", async () => {
  await using scope = new AsyncDisposableStack();
  const places = await dnsPlaces(scope, 1, []);
  const report = await lookAt({ remote: { urls: ["tls://hub.example:7422"] }, places: places! });
  const named = { step: "dns", code: "DNS_NO_SERVER", cause: /no DNS server is configured/, remedy: /./ };
  assertNamed(report, named);
});

test("one of two DNS servers is dead: a warning that names it, and the way goes on", async () => {
  await using scope = new AsyncDisposableStack();
  const good = scope.use(await FakeDns.listen("127.0.0.1"));
  good.says("hub.example", "A", "127.0.0.1");
  good.says("hub.example", "AAAA", "no-data");
  const dead = scope.use(await FakeDns.listen("127.0.0.2", good.port));
  for (const type of ["A", "AAAA"] as const) dead.says("hub.example", type, "silence");
  const hub = scope.use(await startHub({ version: "2.15" }));
  const places = await dnsPlaces(scope, good.port, ["127.0.0.1", "127.0.0.2"]);
  const report = await lookAt({ remote: { urls: [`nats-leaf://hub.example:${hub.server.port("leaf")}`] }, places: places! });
  assertNamed(report, {
    verdict: "warning",
    step: "dns",
    code: "DOCTOR_DNS_SERVER_BAD",
    cause: /DNS server 127\.0\.0\.2 does not answer/,
    remedy: /take it out of the list/,
  });
  assert.equal(findingOf(report, "login").verdict, "fine");
});

// ── proxies ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const PROXIES: readonly (readonly [name: string, manners: ProxyManners, code: string, cause: RegExp, remedy: RegExp])[] = [
  [
    "forbids the port",
    { answers: "HTTP/1.1 403 Forbidden\r\n\r\n" },
    "LEAF_PROXY_REFUSED",
    /refused the way .* HTTP 403/,
    /allow CONNECT to it at the proxy/,
  ],
  [
    "wants a login",
    { login: { username: "gw", password: "pw" } },
    "LEAF_PROXY_REFUSED",
    /HTTP 407/,
    /set proxy\.username and proxy\.password/,
  ],
  [
    "does not get through",
    { answers: "HTTP/1.1 502 Bad Gateway\r\n\r\n" },
    "LEAF_PROXY_FAILED",
    /did not get through/,
    /it cannot reach the hub/,
  ],
  [
    "is no proxy",
    { answers: "220 mail.example ESMTP\r\n" },
    "LEAF_PROXY_FAILED",
    /does not speak HTTP/,
    /wanted an HTTP proxy that does CONNECT/,
  ],
];

for (const [name, manners, code, cause, remedy] of PROXIES) {
  test(`a proxy that ${name}: ${code}`, async () => {
    await using proxy = await HttpProxy.listen(manners);
    const report = await lookAt({ remote: { urls: ["tls://192.0.2.9:7422"], proxy: { url: proxy.url } } });
    assertNamed(report, { step: "reach", code, cause, remedy });
  });
}

test("a proxy that works: the hub behind it is fine", async () => {
  await using proxy = await HttpProxy.listen();
  await using hub = await startHub({ version: "2.10" });
  const report = await lookAt({ remote: { urls: [hub.leafUrl], proxy: { url: proxy.url } } });
  assert.equal(findingOf(report, "login").verdict, "fine");
  assert.match(findingOf(report, "reach").cause, /through the proxy http:\/\/127\.0\.0\.1/);
});

// ── a network of its own ─────────────────────────────────────────────────────────────────────────────────────────────

const RUNNER = path.resolve(import.meta.dirname, "../support/doctor-runner.ts");

/** The doctor, run on the box of two machines that are none. */
async function doctorInside(places: NetNamespaces, url: string): Promise<DoctorReport> {
  const steps = ["settings", "interfaces", "gateway", "dns", "reach", "greeting"];
  const setup: DoctorSetup = { remote: { urls: [url] }, steps, limits: { dial: 1_500, neighbour: 1_200 } };
  const text = await places.run("box", process.execPath, RUNNER, JSON.stringify(setup));
  return JSON.parse(text) as DoctorReport;
}

test("a firewall that drops what we send, and a way out that is none", { skip: cannotMakeNamespaces ?? false }, async (t) => {
  await using places = await NetNamespaces.make();
  const ip = (...args: string[]) => places.run("box", "ip", ...args);

  await t.test("packets to the hub's port are dropped: no answer, and the firewall is suspected", async () => {
    await places.run(
      "peer",
      "nft",
      "add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c tcp dport 7422 drop",
    );
    const named = {
      step: "reach",
      code: "LEAF_DIAL_FAILED",
      detail: "ETIMEDOUT",
      cause: /no answer within/,
      remedy: /a firewall on the way or the provider drops this port/,
    };
    const report = await doctorInside(places, "tls://10.77.0.2:7422");
    assertNamed(report, named);
    assert.equal(findingOf(report, "gateway").code, "DOCTOR_NO_GATEWAY");
    assert.equal(findingOf(report, "interfaces").verdict, "fine");
  });

  await t.test("no route to a hub far away: ENETUNREACH, and the missing gateway is named before", async () => {
    const report = await doctorInside(places, "tls://198.51.100.7:7422");
    assertNamed(report, {
      step: "reach",
      code: "LEAF_DIAL_FAILED",
      detail: "ENETUNREACH",
      cause: /no route/,
      remedy: /an address and a gateway/,
    });
    assert.equal(findingOf(report, "gateway").code, "DOCTOR_NO_GATEWAY");
  });

  await t.test("a gateway that is not there: DOCTOR_GATEWAY_SILENT", async () => {
    await ip("route", "add", "default", "via", "10.77.0.99");
    const report = await doctorInside(places, "tls://198.51.100.7:7422");
    const { verdict, code, cause, remedy } = findingOf(report, "gateway");
    assert.deepEqual([verdict, code], ["broken", "DOCTOR_GATEWAY_SILENT"]);
    assert.match(cause, /the gateway 10\.77\.0\.99 does not answer on lan0/);
    assert.match(remedy!, /see that the router is on/);
    await ip("route", "replace", "default", "via", "10.77.0.2");
    assert.match(
      findingOf(await doctorInside(places, "tls://198.51.100.7:7422"), "gateway").cause,
      /the gateway 10\.77\.0\.2 answers on lan0/,
    );
  });

  await t.test("an interface without an address: DOCTOR_NO_ADDRESS", async () => {
    await ip("addr", "flush", "dev", "lan0");
    const report = await doctorInside(places, "tls://198.51.100.7:7422");
    const codes = report.findings.filter(({ step }) => step === "interfaces").map(({ verdict, code }) => `${verdict} ${code}`);
    assert.deepEqual(codes, ["warning DOCTOR_NO_ADDRESS", "broken DOCTOR_NO_ADDRESS"]);
  });
});
