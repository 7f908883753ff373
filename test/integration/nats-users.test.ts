// Who a local NATS client is and what it may, in the finer print: users named by certificates, revoked JWTs, permissions of queue groups,
// web pages. Each test also against nats-server 2.15: a difference is a finding.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { WebSocket } from "ws";
import { type Certificates, certificates } from "../support/certificates.ts";
import { TestOperator } from "../support/jwt.ts";
import { natsJs } from "../support/nats-client.ts";
import { accounts, PLACES, type Place } from "../support/nats-places.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";

const run = promisify(execFile);
/** Clients by what their certificates hold, and the name nats-server tells them by. */
const NAMED = {
  email: { subject: "/CN=any", names: "email:sensor@plant.example,DNS:gw-9.plant.example" },
  dns: { subject: "/CN=any", names: "DNS:gw-7.plant.example" },
  uri: { subject: "/CN=any", names: "URI:spiffe://plant.example/gw/7" },
  subject: { subject: "/C=DE/O=Plant, Inc/OU=Sensors/CN=gw-8", names: undefined },
  reordered: { subject: "/C=DE/O=Plant/CN=gw-11", names: undefined },
  both: { subject: "/CN=any", names: "DNS:gw-12.plant.example" },
  nobody: { subject: "/CN=nobody", names: "DNS:nobody.example" },
} as const;
type Named = keyof typeof NAMED;

let made: Certificates;
let folder: TempFolder;
before(async () => {
  made = await certificates();
  folder = await tempFolder("petiole-names");
  const ca = ["-CA", made.ca, "-CAkey", path.join(path.dirname(made.ca), "ca.key")];
  for (const [name, { subject, names }] of Object.entries(NAMED)) {
    const file = (kind: string) => path.join(folder.path, `${name}.${kind}`);
    const more = names === undefined ? [] : ["-addext", `subjectAltName=${names}`];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file("key")];
    await run("openssl", ["req", ...key, "-subj", subject, ...more, "-out", file("csr")]);
    const signed = [
      "-req",
      "-in",
      file("csr"),
      "-out",
      file("pem"),
      "-days",
      "2",
      "-set_serial",
      "7",
      "-copy_extensions",
      "copy",
    ];
    await run("openssl", ["x509", ...signed, ...ca]);
  }
});
after(async () => {
  await folder[Symbol.asyncDispose]();
  await made[Symbol.asyncDispose]();
});

function certificateOf(name: Named) {
  return { certFile: path.join(folder.path, `${name}.pem`), keyFile: path.join(folder.path, `${name}.key`) };
}

/** What the user of this connection may publish, which tells who it is. */
async function isUser(connection: NatsConnection, subject: string): Promise<void> {
  const subscription = connection.subscribe(subject, { max: 1 });
  connection.publish(subject, "hello");
  for await (const message of subscription) assert.equal(message.string(), "hello");
  await assert.rejects(connection.request("elsewhere", "", { timeout: 2_000 }), /Permissions Violation/i);
}

/** Is a subscription taken? Asked in the client's own words. */
async function mayListen(connection: NatsConnection, subject: string, queue?: string): Promise<boolean> {
  let fault: Error | null = null;
  const subscription = connection.subscribe(subject, {
    ...(queue === undefined ? {} : { queue }),
    callback: (error) => {
      fault = error;
    },
  });
  await connection.flush();
  await connection.flush(); // the -ERR comes before the PONG, its callback perhaps behind it
  subscription.unsubscribe();
  return fault === null;
}

for (const [name, open] of Object.entries(PLACES)) {
  test(`${name}: with verify_and_map a client is the user that its certificate names`, async () => {
    const only = (subject: string) => ({ permissions: { publish: [subject] } });
    const users = [
      { user: "sensor@plant.example", ...only("by.email") },
      { user: "gw-7.plant.example", ...only("by.dns") },
      { user: "gw-9.plant.example", ...only("not.me") },
      { user: "spiffe://plant.example/gw/7", ...only("by.uri") },
      { user: "CN=gw-8,OU=Sensors,O=Plant\\, Inc,C=DE", ...only("by.subject") },
      { user: "C=DE, O=Plant, CN=gw-11", ...only("in.another.order") },
      { user: "gw-12.plant.example", password: "beside it", ...only("by.both") },
    ];
    const setup = accounts(users);
    const tls = { cert_file: made.server.cert, key_file: made.server.key, ca_file: made.ca, verify_and_map: true };
    await using place = await open({
      ours: { ...setup.ours, tls, no_auth_user: null },
      theirs: { accounts: { EDGE: { users } }, tls },
    });
    const come = (who: Named, more = {}) =>
      natsJs(place.port, { servers: `localhost:${place.port}`, tls: { caFile: made.ca, ...certificateOf(who) }, ...more });
    for (const [who, subject] of [
      ["email", "by.email"],
      ["dns", "by.dns"],
      ["uri", "by.uri"],
      ["subject", "by.subject"],
      ["reordered", "in.another.order"],
    ] as const) {
      await using connection = await come(who).catch((error: unknown) => {
        throw new Error(`as ${who}`, { cause: error });
      });
      assert.equal(connection.info?.tls_verify, true);
      await isUser(connection, subject);
    }
    await using named = await come("dns", { user: "sensor@plant.example" });
    await isUser(named, "by.dns");
    await using both = await come("both", { user: "ignored", pass: "beside it" });
    await isUser(both, "by.both");
    await assert.rejects(come("both"), { name: "AuthorizationError" });
    await assert.rejects(come("both", { user: "gw-12.plant.example", pass: "wrong" }), { name: "AuthorizationError" });
    await assert.rejects(come("nobody"), { name: "AuthorizationError" });
    await assert.rejects(
      natsJs(place.port, { servers: `localhost:${place.port}`, tls: { caFile: made.ca }, user: "anyone", pass: "correct horse" }),
    );
  });

  test(`${name}: a JWT that was issued before its revocation is refused, a newer one is good`, async () => {
    const operator = new TestOperator();
    const now = Math.floor(Date.now() / 1000);
    const app = operator.account("APP", { revocations: { "*": now - 100 } });
    const { ours } = accounts([], [app.key.publicKey]);
    const [account] = ours["accounts"] as unknown as [object];
    const revocations = [{ user: "*", until: new Date((now - 100) * 1000).toISOString() }];
    await using place = await open({
      ours: { ...ours, accounts: [{ ...account, revocations }] } as typeof ours,
      theirs: operator.serverConfig([app]),
    });
    const credsOf = (iat: number) => ({
      authenticator: credsAuthenticator(new TextEncoder().encode(app.user("gw", { iat }).creds)),
    });
    for (const iat of [now - 1_000, now - 100])
      await assert.rejects(natsJs(place.port, credsOf(iat)), { name: "AuthorizationError" }, String(iat));
    await using connection = await natsJs(place.port, credsOf(now - 99));
    await connection.flush();
  });

  test(`${name}: permissions name queue groups, with wildcards, and are about groups alone`, async () => {
    const user = (user: string, subscribe: unknown) => ({ user, password: "x", permissions: { subscribe } });
    await using place = await open(
      accounts([
        user("worker", { allow: ["jobs.> workers", "plain", "both", "both v1.*"] }),
        user("other", { deny: ["jobs.> *.dev", "jobs.> test"] }),
      ]),
    );
    await using worker = await natsJs(place.port, { user: "worker", pass: "x" });
    const answers = async (connection: NatsConnection, wishes: readonly (readonly [string, string?])[]) => {
      const found: Record<string, boolean> = {};
      for (const [subject, queue] of wishes) found[`${subject} ${queue ?? "-"}`] = await mayListen(connection, subject, queue);
      return found;
    };
    const asWorker = await answers(worker, [
      ["jobs.a", "workers"],
      ["jobs.a"],
      ["jobs.a", "idlers"],
      ["jobs.>", "workers"],
      ["plain"],
      ["plain", "anybody"],
      ["both"],
      ["both", "v1.x"],
      ["both", "v2.x"],
      ["elsewhere", "workers"],
    ]);
    assert.deepEqual(asWorker, {
      "jobs.a workers": true,
      "jobs.a -": false,
      "jobs.a idlers": false,
      "jobs.> workers": true,
      "plain -": true,
      "plain anybody": true,
      "both -": true,
      "both v1.x": true,
      "both v2.x": false,
      "elsewhere workers": false,
    });
    await using other = await natsJs(place.port, { user: "other", pass: "x" });
    const asOther = await answers(other, [
      ["jobs.a"],
      ["jobs.a", "prod"],
      ["jobs.a", "a.dev"],
      ["jobs.a", "test"],
      ["x", "a.dev"],
    ]);
    assert.deepEqual(asOther, {
      "jobs.a -": true,
      "jobs.a prod": true,
      "jobs.a a.dev": false,
      "jobs.a test": false,
      "x a.dev": true,
    });
    await using asking = await natsJs(place.port);
    worker.subscribe("jobs.>", { queue: "workers", callback: (_, message) => void message.respond("done") });
    await worker.flush();
    assert.equal((await asking.request("jobs.1", "", { timeout: 5_000 })).string(), "done");
  });

  test(`${name}: same_origin and allowed_origins keep other people's web pages out`, async () => {
    const { ours, theirs } = accounts([]);
    const statusOf = async (place: Place, origin: string | undefined) => {
      const socket = new WebSocket(`ws://127.0.0.1:${place.webSocketPort}`, origin === undefined ? {} : { origin });
      const refused = once(socket, "unexpected-response").then(([, response]) => (response as { statusCode: number }).statusCode);
      const taken = once(socket, "open").then(() => 101);
      socket.on("error", () => undefined);
      const status = await Promise.race([taken, refused]);
      refused.catch(() => undefined);
      taken.catch(() => undefined);
      socket.terminate();
      return status;
    };
    const rules = { same_origin: true };
    await using same = await open({
      ours: { ...ours, websocket: { listen: "127.0.0.1:0", ...rules } },
      theirs: { ...theirs, websocket: { no_tls: true, ...rules } },
    });
    const own = `http://127.0.0.1:${same.webSocketPort}`;
    const asked = [undefined, own, "http://127.0.0.1:1", "https://evil.example", "null"];
    assert.deepEqual(await Promise.all(asked.map((origin) => statusOf(same, origin))), [101, 101, 403, 403, 403]);
    const list = { allowed_origins: ["https://panel.example", "http://localhost:3000"] };
    await using listed = await open({
      ours: { ...ours, websocket: { listen: "127.0.0.1:0", ...list } },
      theirs: { ...theirs, websocket: { no_tls: true, ...list } },
    });
    const pages = [
      undefined,
      "https://panel.example",
      "https://PANEL.example:443",
      "http://panel.example",
      "http://localhost:3000",
    ];
    assert.deepEqual(await Promise.all(pages.map((origin) => statusOf(listed, origin))), [101, 101, 101, 403, 101]);
    assert.equal(await statusOf(listed, "http://localhost:3001"), 403);
  });
}
