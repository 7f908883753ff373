// Hubs that are set up wrong for real, or rightly for somebody else, and what the doctor calls them. No daemon runs unless a test says so.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { suite, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import type { Json } from "#base/schema.ts";
import { assertNamed, doctorOn, findingOf, type Named } from "../support/doctor.ts";
import { Fleet } from "../support/failover.ts";
import { CLIENT, type Hub, type HubOptions, LEAF, startHub } from "../support/hub.ts";
import { TestOperator, type TestUser } from "../support/jwt.ts";
import { NatsServer } from "../support/nats-server.ts";
import { startSpoke } from "../support/spoke.ts";
import { tempFolder } from "../support/temp-folder.ts";

type Block = { readonly [key: string]: Json };
type Version = HubOptions["version"];

interface Case {
  readonly name: string;
  readonly arrange: (
    version: Version,
    scope: AsyncDisposableStack,
  ) => Promise<{ readonly remote: Block; readonly settings?: Block }>;
  readonly named: Named;
}

const plain = (options: Omit<HubOptions, "version">, remote: (hub: Hub) => Block): Case["arrange"] => {
  return async (version, scope) => ({ remote: remote(scope.use(await startHub({ version, ...options }))) });
};
const STORED = {
  outbox: { free_reserve: "0B", rules: [{ subjects: ["sensors.>"], keep: "always", confirm: "stored" }, { subjects: [">"] }] },
};

/** A hub in operator mode, and a user's file in a folder of its own. */
async function withCreds(
  version: Version,
  scope: AsyncDisposableStack,
  make: (operator: TestOperator) => { readonly user: TestUser; readonly accounts: ReturnType<TestOperator["account"]>[] },
  file: (user: TestUser) => string = ({ creds }) => creds,
): Promise<Block> {
  const operator = new TestOperator();
  const { user, accounts } = make(operator);
  const config = { ...operator.serverConfig(accounts), leafnodes: {} };
  const server = scope.use(await NatsServer.start({ version, config }));
  const folder = scope.use(await tempFolder("petiole-creds")).path;
  await fs.writeFile(path.join(folder, "hub.creds"), file(user), { mode: 0o600 });
  return { urls: [server.leafUrl], credentials: path.join(folder, "hub.creds") };
}

const CASES: readonly Case[] = [
  {
    name: "the client port instead of the leaf port",
    arrange: plain({}, (hub) => ({ urls: [`nats-leaf://127.0.0.1:${hub.server.port("client")}`] })),
    named: {
      step: "greeting",
      code: "LEAF_WRONG_PORT",
      cause: /this is not its leaf port/,
      remedy: /leafnodes block \(usually 7422\)/,
    },
  },
  {
    name: "the monitoring port instead of the leaf port",
    arrange: plain({}, (hub) => ({ urls: [`nats-leaf://127.0.0.1:${hub.server.port("monitor")}`] })),
    named: {
      step: "greeting",
      code: "DOCTOR_HTTP_THERE",
      cause: /a web server answers/,
      remedy: /leafnodes block \(usually 7422\)/,
    },
  },
  {
    name: "a leaf port where a WebSocket port is wanted",
    arrange: plain({}, (hub) => ({ urls: [`ws://127.0.0.1:${hub.server.port("leaf")}`] })),
    named: {
      step: "login",
      code: "LEAF_WRONG_PORT",
      cause: /is a plain NATS port, not a WebSocket one/,
      remedy: /use nats:\/\/ or tls:\/\//,
    },
  },
  {
    name: "a wrong password",
    arrange: plain({}, (hub) => ({ urls: [hub.leafUrl], user: LEAF.user, password: "wrong" })),
    named: {
      step: "login",
      code: "LEAF_AUTH_REJECTED",
      cause: /refused: Authorization Violation/,
      remedy: /check user and password/,
    },
  },
  {
    name: "a user the hub does not know",
    arrange: plain({}, (hub) => ({ urls: [hub.leafUrl], user: "nobody", password: LEAF.password })),
    named: {
      step: "login",
      code: "LEAF_AUTH_REJECTED",
      cause: /Authorization Violation/,
      remedy: /does not accept these credentials/,
    },
  },
  {
    name: "a credentials file that was cut off",
    arrange: async (version, scope) => ({
      remote: await withCreds(
        version,
        scope,
        (operator) => {
          const account = operator.account("APP");
          return { user: account.user("gw-1"), accounts: [account] };
        },
        ({ creds }) => creds.slice(0, 300),
      ),
    }),
    named: { step: "login", code: "LEAF_CREDENTIALS", cause: /hub\.creds (was cut off|is damaged)/, remedy: /./ },
  },
  {
    name: "a credentials file that is not there",
    arrange: plain({}, (hub) => ({ urls: [hub.leafUrl], credentials: "secrets/none.creds" })),
    named: {
      step: "login",
      code: "LEAF_CREDENTIALS",
      cause: /there is no file .*none\.creds/,
      remedy: /put it there or correct the path/,
    },
  },
  {
    name: "a credentials file that cannot be read",
    arrange: async (version, scope) => {
      const hub = scope.use(await startHub({ version }));
      return { remote: { urls: [hub.leafUrl], credentials: scope.use(await tempFolder()).path } };
    },
    named: {
      step: "login",
      code: "LEAF_CREDENTIALS",
      detail: "EISDIR",
      cause: /is a folder where a file is wanted/,
      remedy: /move it away/,
    },
  },
  {
    name: "a JWT that has expired",
    arrange: async (version, scope) => ({
      remote: await withCreds(version, scope, (operator) => {
        const account = operator.account("APP");
        return { user: account.user("gw-1", { exp: 1_700_000_000 }), accounts: [account] };
      }),
    }),
    named: {
      step: "login",
      code: "LEAF_CREDENTIALS",
      cause: /holds a JWT that expired on 2023-11-14 22:13 UTC/,
      remedy: /get a new one and put it in the old one's place/,
    },
  },
  {
    name: "a user whose JWT was revoked",
    arrange: async (version, scope) => ({
      remote: await withCreds(version, scope, (operator) => {
        const account = operator.account("APP", { revocations: { "*": Math.floor(Date.now() / 1000) + 3600 } });
        return { user: account.user("gw-1"), accounts: [account] };
      }),
    }),
    named: {
      step: "login",
      code: "LEAF_CREDENTIALS",
      cause: /is for user gw-1 of account A/,
      remedy: /must know this account, and must not have revoked the user/,
    },
  },
  {
    name: "a user of an account that the hub does not know",
    arrange: async (version, scope) => ({
      remote: await withCreds(version, scope, (operator) => {
        const stranger = operator.account("STRANGER");
        return { user: stranger.user("gw-1"), accounts: [operator.account("APP")] };
      }),
    }),
    named: { step: "login", code: "LEAF_CREDENTIALS", cause: /is for user gw-1 of account A/, remedy: /must know this account/ },
  },
  {
    name: "a hub whose cluster has our name",
    arrange: plain({ config: { cluster: { name: "gw-1", host: "127.0.0.1", port: -1 } } }, (hub) => ({ urls: [hub.leafUrl] })),
    named: {
      step: "login",
      code: "LEAF_SAME_CLUSTER",
      cause: /same cluster name/,
      remedy: /give this device another server_name/,
    },
  },
  {
    name: "a hub that wants a later version",
    arrange: plain({ leafnodes: { min_version: "3.0.0" } }, (hub) => ({ urls: [hub.leafUrl] })),
    named: {
      step: "login",
      code: "LEAF_MIN_VERSION",
      cause: /minimum version required/,
      remedy: /min_version is higher than what we speak/,
    },
  },
  {
    name: "an account that has all the leaves it may have",
    arrange: async (version, scope) => {
      const hub = scope.use(await startHub({ version, account: { limits: { max_leafnodes: 1 } } }));
      const other = scope.use(new Fleet(1, { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password }));
      await other.ready();
      return { remote: { urls: [hub.leafUrl] } };
    },
    named: {
      step: "login",
      code: "DOCTOR_HUB_FULL",
      cause: /takes no more: maximum account active connections/,
      remedy: /max_leafnodes; in a JWT: leaf/,
    },
  },
  {
    name: "a subject that our user may not send",
    arrange: async (version, scope) => {
      const leaf = { ...LEAF, permissions: { publish: ["alarms.>"], subscribe: [">"] } };
      const hub = scope.use(await startHub({ version, users: [CLIENT, leaf] }));
      (await hub.connect()).subscribe(">");
      return {
        remote: { urls: [hub.leafUrl] },
        settings: { outbox: { rules: [{ subjects: ["sensors.>"], keep: "always" }, { subjects: [">"] }] } },
      };
    },
    named: {
      step: "permissions",
      code: "DOCTOR_SUBJECT_DENIED",
      cause: /does not let us send sensors\.> \(outbox\.rules\[0\]\)/,
      remedy: /widen them at the hub or narrow the subjects here/,
    },
  },
  {
    name: "the wrong account: the login is good, and nobody there listens",
    arrange: async (version, scope) => {
      const other = { users: [{ user: "other", password: "other-password" }] };
      const accounts = { APP: { users: [CLIENT, LEAF] }, OTHER: other, SYS: { users: [] } };
      const hub = scope.use(await startHub({ version, config: { accounts } }));
      (await hub.connect()).subscribe(">");
      return {
        remote: { urls: [hub.leafUrl], user: "other", password: "other-password" },
        settings: { outbox: { rules: [{ subjects: ["sensors.>"], keep: "always" }, { subjects: [">"] }] } },
      };
    },
    named: {
      verdict: "warning",
      step: "interest",
      code: "DOCTOR_NOBODY_LISTENS",
      cause: /nobody in account OTHER .* listens to sensors\.>/,
      remedy: /check that our user belongs to the same account/,
    },
  },
  {
    name: "no JetStream for a rule that waits for a stream",
    arrange: async (version, scope) => {
      const hub = scope.use(await startHub({ version }));
      return { remote: { urls: [hub.leafUrl] }, settings: STORED };
    },
    named: {
      step: "streams",
      code: "DOCTOR_NO_JETSTREAM",
      cause: /has no JetStream for our account/,
      remedy: /enable JetStream for the account/,
    },
  },
  {
    name: "no stream for a rule that waits for one",
    arrange: async (version, scope) => {
      const hub = scope.use(await startHub({ version, jetstream: true }));
      await addStream(hub, { name: "OTHER", subjects: ["other.>"] });
      return { remote: { urls: [hub.leafUrl] }, settings: STORED };
    },
    named: {
      step: "streams",
      code: "DOCTOR_NO_STREAM",
      cause: /no stream .* stores sensors\.>/,
      remedy: /make a stream with this subject/,
    },
  },
  {
    name: "a stream that never answers",
    arrange: async (version, scope) => {
      const hub = scope.use(await startHub({ version, jetstream: true }));
      await addStream(hub, { name: "SENSORS", subjects: ["sensors.>"], no_ack: true });
      return { remote: { urls: [hub.leafUrl] }, settings: STORED };
    },
    named: {
      step: "streams",
      code: "DOCTOR_STREAM_STORES_NOT",
      cause: /stream SENSORS .* never answers \(no_ack\)/,
      remedy: /change the stream's configuration/,
    },
  },
  {
    name: "a stream that is full and takes nothing new",
    arrange: async (version, scope) => {
      const hub = scope.use(await startHub({ version, jetstream: true }));
      await addStream(hub, { name: "SENSORS", subjects: ["sensors.>"], max_msgs: 1, discard: "new" });
      await (await hub.connect()).request("sensors.a", "1");
      return { remote: { urls: [hub.leafUrl] }, settings: STORED };
    },
    named: {
      step: "streams",
      code: "DOCTOR_STREAM_STORES_NOT",
      cause: /is full and refuses what is new/,
      remedy: /change the stream's configuration/,
    },
  },
  {
    name: "a stream for a part of a rule's subjects",
    arrange: async (version, scope) => {
      const hub = scope.use(await startHub({ version, jetstream: true }));
      await addStream(hub, { name: "HALF", subjects: ["sensors.a"] });
      return { remote: { urls: [hub.leafUrl] }, settings: STORED };
    },
    named: {
      verdict: "warning",
      step: "streams",
      code: "DOCTOR_STREAM_PARTLY",
      cause: /take only a part of sensors\.>/,
      remedy: /give a stream all of this subject/,
    },
  },
];

async function addStream(hub: Hub, config: { readonly name: string; readonly [key: string]: unknown }): Promise<void> {
  const manager = await jetstreamManager(await hub.connect());
  await manager.streams.add(config as Parameters<typeof manager.streams.add>[0]);
}

/** The hub takes a moment to see that somebody has gone. */
async function leavesAre(hub: Hub, names: readonly string[]): Promise<void> {
  for (let tries = 0; ; tries++) {
    const { leafs } = (await hub.server.monitor("/leafz")) as { leafs: readonly { name: string }[] };
    const found = leafs.map(({ name }) => name);
    if (found.join() === names.join()) return;
    assert.ok(tries < 100, `leaves at the hub: ${found}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const version of ["2.10", "2.15"] as const) {
  suite(`hub ${version}`, { concurrency: 4 }, () => {
    for (const { name, arrange, named } of CASES)
      test(`${name}: ${named.code}`, async () => {
        await using scope = new AsyncDisposableStack();
        assertNamed(await doctorOn(await arrange(version, scope)), named);
      });

    test("a hub as it should be: nothing is broken, and every step at it is fine", async () => {
      await using hub = await startHub({ version, jetstream: true });
      await addStream(hub, { name: "SENSORS", subjects: ["sensors.>"] });
      const report = await doctorOn({ remote: { urls: [hub.leafUrl], isolated: version !== "2.10" }, settings: STORED });
      for (const step of ["reach", "greeting", "login", "permissions", "interest", "streams"])
        assert.equal(findingOf(report, step).verdict, "fine", step);
      assert.equal(findingOf(report, "isolation").verdict, version === "2.10" ? "skipped" : "fine");
      assert.deepEqual(
        report.findings.filter(({ verdict }) => verdict === "broken" || verdict === "warning").map(({ code }) => code),
        ["DOCTOR_DAEMON_STOPPED"],
      );
    });

    test("a hub's WebSocket port as it should be", async () => {
      await using hub = await startHub({ version, webSocket: "clear" });
      const report = await doctorOn({ remote: { urls: [hub.webSocketUrl] } });
      assert.equal(findingOf(report, "login").verdict, "fine");
    });

    test("isolation that the hub does not give is a warning, and named", async () => {
      await using hub = await startHub({ version });
      const report = await doctorOn({ remote: { urls: [hub.leafUrl] } });
      const { verdict, code, cause } = findingOf(report, "isolation");
      if (version === "2.15") assert.equal(verdict, "fine");
      else {
        assert.deepEqual([verdict, code], ["warning", "DOCTOR_NOT_ISOLATED"]);
        assert.match(cause, /too old for isolation \(wants 2\.12\)/);
      }
    });

    test("beside a running daemon: its link is left alone, nothing is published, nobody stays behind", async () => {
      await using hub = await startHub({ version, jetstream: true });
      await addStream(hub, { name: "SENSORS", subjects: ["sensors.>"] });
      const heard: string[] = [];
      (await hub.connect()).subscribe(">", { callback: (_, { subject }) => void heard.push(subject) });
      const login = { user: LEAF.user, password: LEAF.password };
      await using spoke = await startSpoke({ remote: { urls: [hub.leafUrl], ...login }, settings: STORED });
      await spoke.untilReady();
      heard.length = 0;
      const report = await doctorOn({ dataDir: spoke.dataDir });
      const status = spoke.spoke.report().remotes[0]!.link;
      assert.deepEqual([status.state, status.connects], ["ready", 1]);
      assert.equal(findingOf(report, "login").facts["daemon_linked"], true);
      assert.equal(findingOf(report, "same_name").verdict, "fine");
      const ours = heard.filter((subject) => !/^(\$JS\.|_INBOX\.|_R_\.)/.test(subject)); // JetStream tells of what it is asked
      assert.deepEqual(ours, []);
      await leavesAre(hub, ["gw-test"]);
      const { messages } = (await (await jetstreamManager(await hub.connect())).streams.info("SENSORS")).state;
      assert.equal(messages, 0);
    });

    test("two devices of one name: the daemon knows, and the doctor says it", async () => {
      await using hub = await startHub({ version });
      const remote = { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password };
      await using ours = await startSpoke({ remote });
      await ours.untilReady();
      await using _theirs = await startSpoke({ remote });
      await ours.until("the other one has thrown us out", ({ remotes }) => remotes[0]!.link.urls[0]!.last_error !== null);
      const report = await doctorOn({ dataDir: ours.dataDir });
      const { verdict, code, cause, remedy } = findingOf(report, "same_name");
      assert.deepEqual([verdict, code], ["broken", "LEAF_DUPLICATE"]);
      assert.match(cause, /Duplicate Remote LeafNode/);
      assert.match(remedy!, /give each device its own server_name/);
    });

    test("a daemon that has the only link its account may have: nothing is broken by our asking for another", async () => {
      await using hub = await startHub({ version, account: { limits: { max_leafnodes: 1 } } });
      await using spoke = await startSpoke({ remote: { urls: [hub.leafUrl], user: LEAF.user, password: LEAF.password } });
      await spoke.untilReady();
      const report = await doctorOn({ dataDir: spoke.dataDir });
      assert.equal(findingOf(report, "login").verdict, "skipped");
      assert.equal(report.findings.filter(({ verdict }) => verdict === "broken").length, 0);
      assert.equal(spoke.spoke.report().remotes[0]!.link.connects, 1);
    });
  });
}
