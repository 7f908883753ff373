// TLS set-ups that are broken for real, and what the doctor calls them.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { suite, test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { type Certificates, certificates } from "../support/certificates.ts";
import { assertNamed, type DoctorSetup, doctorOn, findingOf, type Named } from "../support/doctor.ts";
import { type Hub, type HubOptions, startHub } from "../support/hub.ts";
import { Shaper } from "../support/shaper.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** Every hub of this file shows certificates of one set, so that clients' certificates fit. */
const run = await tempFolder("petiole-doctor-tls");
process.env["TEST_RUN_FOLDER"] ??= run.path;
const certs: Certificates = await certificates();
test.after(async () => {
  await certs[Symbol.asyncDispose]();
  await run[Symbol.asyncDispose]();
});

type Remote = NonNullable<DoctorSetup["remote"]>;

interface Case {
  readonly name: string;
  readonly hub: Omit<HubOptions, "version">;
  readonly remote: (hub: Hub, certs: Certificates) => Remote;
  readonly setup?: Omit<DoctorSetup, "remote">;
  readonly named: Named;
}

const leafTls = (hub: Hub, tls: Remote): Remote => ({
  urls: [hub.leafUrl],
  tls: { ca_file: hub.ca!, handshake_first: true, ...tls },
});
const first = (certificate: NonNullable<HubOptions["certificate"]>): Omit<HubOptions, "version"> => ({
  tls: "first",
  certificate,
});

/** What only the daemon's own TLS decides, and no version of the hub: each on one of them. */
const CERTIFICATES: readonly Case[] = [
  {
    name: "a CA that did not sign the hub's certificate",
    hub: first("stranger"),
    remote: (hub) => leafTls(hub, {}),
    named: {
      step: "certificate",
      code: "LEAF_TLS_FAILED",
      detail: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      cause: /signed by "CN=stranger-ca", which is nobody we trust/,
      remedy: /set tls\.ca_file to the CA that signed it/,
    },
  },
  {
    name: "no CA file for a hub of one's own CA",
    hub: first("server"),
    remote: (hub) => leafTls(hub, { ca_file: null }),
    named: {
      step: "certificate",
      code: "LEAF_TLS_FAILED",
      cause: /signed by "CN=ca", which is nobody we trust/,
      remedy: /set tls\.ca_file/,
    },
  },
  {
    name: "a self-signed certificate",
    hub: first("selfSigned"),
    remote: (hub) => leafTls(hub, {}),
    named: {
      step: "certificate",
      code: "LEAF_TLS_FAILED",
      detail: "DEPTH_ZERO_SELF_SIGNED_CERT",
      cause: /its certificate is self-signed/,
      remedy: /set tls\.ca_file to this very certificate or to a CA/,
    },
  },
  {
    name: "a certificate that has expired",
    hub: first("expired"),
    remote: (hub) => leafTls(hub, {}),
    named: {
      step: "certificate",
      code: "LEAF_TLS_FAILED",
      detail: "CERT_HAS_EXPIRED",
      cause: /has expired on 2021-01-01 00:00 UTC/,
      remedy: /renew it at the hub, or set this device's clock/,
    },
  },
  {
    name: "a certificate that is not valid yet",
    hub: first("notYet"),
    remote: (hub) => leafTls(hub, {}),
    named: {
      step: "certificate",
      code: "LEAF_TLS_FAILED",
      detail: "CERT_NOT_YET_VALID",
      cause: /is not valid yet before 2099-01-01 00:00 UTC/,
      remedy: /check this device's clock/,
    },
  },
  {
    name: "a certificate for another host",
    hub: first("wrongName"),
    remote: (hub) => leafTls(hub, {}),
    named: {
      step: "certificate",
      code: "LEAF_TLS_FAILED",
      detail: "ERR_TLS_CERT_ALTNAME_INVALID",
      cause: /for another name than 127\.0\.0\.1: it carries elsewhere\.example/,
      remedy: /dial a name that it carries, or set tls\.server_name/,
    },
  },
  {
    name: "a hub whose key is none of the pinned ones",
    hub: first("server"),
    remote: (hub) => leafTls(hub, { pinned_spki: ["0".repeat(64)] }),
    named: {
      step: "certificate",
      code: "LEAF_TLS_PIN",
      cause: /its public key [0-9a-f]{64} is none of tls\.pinned_spki/,
      remedy: /if the hub has a new key, add it there/,
    },
  },
  {
    name: "a WebSocket port with a certificate of a stranger",
    hub: { webSocket: "tls", certificate: "stranger" },
    remote: (hub) => ({ urls: [hub.webSocketUrl], tls: { ca_file: hub.ca! } }),
    named: {
      step: "certificate",
      code: "LEAF_TLS_FAILED",
      cause: /signed by "CN=stranger-ca", which is nobody we trust/,
      remedy: /set tls\.ca_file/,
    },
  },
  {
    name: "a WebSocket port that wants TLS, dialed without",
    hub: { webSocket: "tls" },
    remote: (hub) => ({ urls: [hub.webSocketUrl.replace("wss://", "ws://")] }),
    named: { step: "login", code: "LEAF_UPGRADE_REFUSED", cause: /./, remedy: /wss:\/\// },
  },
  {
    name: "a CA file that is not there",
    hub: first("server"),
    remote: (hub) => leafTls(hub, { ca_file: "/nowhere/ca.pem" }),
    named: {
      step: "certificate",
      code: "LEAF_CREDENTIALS",
      cause: /tls\.ca_file: there is no file \/nowhere\/ca\.pem/,
      remedy: /put it there or correct the path/,
    },
  },
  {
    name: "a client certificate that has expired",
    hub: { tls: "first", verifyClients: true },
    remote: (hub, { expiredClient: { cert, key } }) => leafTls(hub, { cert_file: cert, key_file: key }),
    named: {
      step: "certificate",
      code: "LEAF_TLS_CLIENT",
      cause: /certificate/,
      remedy: /get a new one|ca_file|not one for clients/,
    },
  },
];

/** When TLS begins is a matter of the hub: each on both. */
const MANNERS: readonly Case[] = [
  {
    name: "a client certificate that is missing",
    hub: { tls: "first", verifyClients: true },
    remote: (hub) => leafTls(hub, {}),
    named: {
      step: "certificate",
      code: "LEAF_TLS_CLIENT",
      cause: /it wants a certificate from us, and we have none/,
      remedy: /set tls\.cert_file and tls\.key_file/,
    },
  },
  {
    name: "a client certificate that is missing, TLS after INFO",
    hub: { tls: "upgrade", verifyClients: true },
    remote: (hub) => leafTls(hub, { handshake_first: false }),
    named: {
      step: "certificate",
      code: "LEAF_TLS_CLIENT",
      cause: /it wants a certificate from us, and we have none/,
      remedy: /set tls\.cert_file and tls\.key_file/,
    },
  },
  {
    name: "TLS first here, INFO first there",
    hub: { tls: "upgrade" },
    remote: (hub) => leafTls(hub, {}),
    named: {
      step: "greeting",
      code: "DOCTOR_INFO_FIRST",
      cause: /says INFO in clear before TLS/,
      remedy: /set tls\.handshake_first to false/,
    },
  },
  {
    name: "INFO first here, TLS first there",
    hub: { tls: "first" },
    remote: (hub) => leafTls(hub, { handshake_first: false }),
    named: {
      step: "greeting",
      code: "DOCTOR_TLS_FIRST",
      cause: /says nothing before TLS: it does TLS first/,
      remedy: /set tls\.handshake_first to true/,
    },
  },
  {
    name: "no TLS here, TLS first there",
    hub: { tls: "first" },
    remote: (hub) => ({ urls: [hub.leafUrl.replace("tls://", "nats-leaf://")] }),
    named: {
      step: "greeting",
      code: "DOCTOR_TLS_FIRST",
      cause: /it does TLS first/,
      remedy: /write tls:\/\/ in the URL/,
    },
  },
  {
    name: "TLS here, none there",
    hub: {},
    remote: (hub) => ({ urls: [hub.leafUrl.replace("nats-leaf://", "tls://")] }),
    named: {
      step: "certificate",
      code: "LEAF_TLS_FAILED",
      cause: /it answers without TLS/,
      remedy: /whether the hub's leafnodes block has a tls block/,
    },
  },
];

async function holds({ hub: options, remote, setup, named }: Case, version: HubOptions["version"]): Promise<void> {
  await using hub = await startHub({ version, ...options });
  const report = await doctorOn({ ...setup, remote: remote(hub, certs) });
  assertNamed(report, named);
  assert.equal(report.verdict, "broken");
}

suite("certificates", { concurrency: 3 }, () => {
  for (const [i, each] of CERTIFICATES.entries()) {
    const version = i % 2 === 0 ? "2.15" : "2.10";
    test(`${each.name} (hub ${version}): ${each.named.code}`, () => holds(each, version));
  }

  test("a certificate of the future under a clock of 1970 is the clock's fault, and both steps say so", async () => {
    await using hub = await startHub({ version: "2.15", tls: "first", certificate: "notYet" });
    const clock = { ...systemClock(), wall: () => 60_000 };
    const report = await doctorOn({ remote: leafTls(hub, {}), env: { clock } });
    const broken = report.findings.filter(({ verdict }) => verdict === "broken");
    assert.deepEqual(
      broken.map(({ step, code }) => [step, code]),
      [
        ["clock", "DOCTOR_CLOCK"],
        ["certificate", "LEAF_TLS_CLOCK"],
      ],
    );
    for (const { remedy } of broken) assert.match(remedy!, /give it the time \(NTP, or the page\)/);
  });

  test("a good certificate is shown whole: subject, issuer, dates, fingerprint", async () => {
    await using hub = await startHub({ version: "2.15", tls: "first" });
    const report = await doctorOn({ remote: leafTls(hub, {}) });
    const { verdict, facts } = findingOf(report, "certificate");
    assert.equal(verdict, "fine");
    const [own] = facts["chain"] as readonly Record<string, unknown>[];
    assert.equal(own!["subject"], "CN=localhost");
    assert.equal(own!["issuer"], "CN=ca");
    assert.match(String(own!["sha256"]), /^[0-9a-f]{64}$/);
    assert.deepEqual([own!["begins"], own!["ends"]], ["2020-01-01 00:00 UTC", "2099-12-31 00:00 UTC"]);
    assert.equal(findingOf(report, "login").verdict, "fine");
  });

  test("over a line with a third of a second to and fro nothing is called broken that is not, and what is broken is named the same", async () => {
    const line = { up: { delay: 150 }, down: { delay: 150 } };
    await using hub = await startHub({ version: "2.15", tls: "first", verifyClients: true });
    await using shaper = await Shaper.before(hub.server.port("leaf"), line);
    const { cert, key } = certs.client;
    const good = leafTls(hub, { cert_file: cert, key_file: key });
    const report = await doctorOn({ remote: { ...good, urls: [shaper.through(hub.leafUrl)] } });
    assert.equal(report.findings.filter(({ verdict }) => verdict === "broken").length, 0, report.compact);
    assert.ok(Number(findingOf(report, "login").facts["rtt_ms"]) >= 300);
    const without = await doctorOn({ remote: { ...leafTls(hub, {}), urls: [shaper.through(hub.leafUrl)] } });
    const named = { step: "certificate", code: "LEAF_TLS_CLIENT", cause: /we have none/, remedy: /set tls\.cert_file/ };
    assertNamed(without, named);
  });

  test("a certificate that ends within a fortnight is a warning, and the link still works", async () => {
    await using hub = await startHub({ version: "2.15", tls: "first" });
    const clock = { ...systemClock(), wall: () => Date.UTC(2099, 11, 24) };
    const report = await doctorOn({
      remote: leafTls(hub, {}),
      env: { clock },
      steps: ["settings", "reach", "greeting", "certificate", "login"],
    });
    const named = {
      step: "certificate",
      code: "DOCTOR_CERTIFICATE_ENDS",
      cause: /ends on 2099-12-31/,
      remedy: /renewed at the hub/,
    };
    assertNamed(report, { verdict: "warning", ...named });
    assert.equal(findingOf(report, "login").verdict, "fine");
  });

  test("a certificate that a broken handshake showed stands in the finding, and no key does", async () => {
    await using hub = await startHub({ version: "2.10", tls: "first", certificate: "expired" });
    const report = await doctorOn({ remote: leafTls(hub, { cert_file: certs.client.cert, key_file: certs.client.key }) });
    const { facts } = findingOf(report, "certificate");
    assert.equal((facts["chain"] as readonly Record<string, unknown>[])[0]!["ends"], "2021-01-01 00:00 UTC");
    const key = (await fs.readFile(certs.client.key, "utf8")).split("\n")[1]!;
    assert.ok(!JSON.stringify(report).includes(key), path.basename(certs.client.key));
  });
});

for (const version of ["2.10", "2.15"] as const) {
  suite(`hub ${version}`, { concurrency: 3 }, () => {
    for (const each of MANNERS) test(`${each.name}: ${each.named.code}`, () => holds(each, version));
  });
}
