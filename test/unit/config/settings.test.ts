import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatFault } from "#base/fault.ts";
import { type Config, parseConfig } from "#config/config.ts";
import { TestNkey } from "../../support/jwt.ts";

const CONTEXT = { deviceId: "0123456789", dataDir: "/data" };

function configOf(document: unknown): Config {
  const { config, faults } = parseConfig(document, CONTEXT);
  assert.deepEqual(faults.map(formatFault), []);
  return config!;
}

function faultsOf(document: unknown): string[] {
  return parseConfig(document, CONTEXT).faults.map(formatFault);
}

function pathsOf(document: unknown): string[] {
  return parseConfig(document, CONTEXT).faults.map((fault) => `${fault.path} ${fault.kind}`);
}

const remote = (more: object = {}) => ({ leafnodes: { remotes: [{ urls: ["tls://hub"], ...more }] } });

test("no settings at all are settings: an account, no open door but the monitor's on loopback", () => {
  const config = configOf({});
  assert.equal(config.serverName, "petiole-0123456789");
  assert.deepEqual(config.accounts, [{ name: "EDGE", users: [], trustedKeys: [], revocations: [] }]);
  assert.deepEqual([config.mqtt, config.listen, config.web, config.noAuthUser], [null, null, null, null]);
  assert.equal(config.host?.interval, 30_000);
  assert.deepEqual(config.monitor, { listen: { host: "127.0.0.1", port: 8222 } });
  assert.deepEqual([config.leafnodes.remotes, config.serial, config.firewall.enabled], [[], [], false]);
});

test("MQTT has a plain door, one for TLS and one for WebSocket, each with its own settings, and at least one of them", () => {
  const { mqtt } = configOf({
    mqtt: {
      listen: null,
      tls: { cert_file: "gw.pem", key_file: "gw.key" },
      websocket: { listen: "0.0.0.0:8083", path: "/mqtt", allowed_origins: ["https://panel.example.com"] },
    },
  });
  assert.equal(mqtt?.listen, null);
  assert.deepEqual(mqtt.tls?.listen, { host: "0.0.0.0", port: 8883 });
  assert.match(mqtt.tls.certFile, /\/gw\.pem$/);
  assert.deepEqual([mqtt.websocket?.path, mqtt.websocket?.tls, mqtt.websocket?.sameOrigin], ["/mqtt", null, false]);
  assert.deepEqual(pathsOf({ mqtt: { listen: null } }), ["mqtt.listen invalid"]);
  assert.deepEqual(pathsOf({ mqtt: { tls: {} } }), ["mqtt.tls.cert_file missing", "mqtt.tls.key_file missing"]);
  assert.deepEqual(pathsOf({ mqtt: { websocket: {} } }), ["mqtt.websocket.listen missing"]);
  assert.deepEqual(pathsOf({ mqtt: { websocket: { listen: "0.0.0.0:1", path: "mqtt?x" } } }), ["mqtt.websocket.path invalid"]);
  const tls = { cert_file: "a", key_file: "b", verify_and_map: true };
  assert.deepEqual(pathsOf({ mqtt: { tls } }), ["mqtt.tls.ca_file invalid"]);
});

test("an mqtt block opens the port on loopback unless it says otherwise", () => {
  assert.deepEqual(configOf({ mqtt: {} }).mqtt?.listen, { host: "127.0.0.1", port: 1883 });
  assert.deepEqual(configOf({ mqtt: { listen: "0.0.0.0:1883" } }).mqtt?.listen, { host: "0.0.0.0", port: 1883 });
});

test("a whole document decodes: units, camelCase, latin1 subjects, absolute paths", () => {
  const config = configOf({
    $schema: "./settings.schema.json",
    server_name: "gw-0042",
    accounts: [
      {
        name: "EDGE",
        users: [
          { user: "sensor-7", password: "plain", permissions: { publish: ["sensors.7.>"], subscribe: { deny: ["secret.>"] } } },
          { user: "guest", mqtt: true, permissions: { publish: [] } },
        ],
      },
      { name: "LAB" },
    ],
    no_auth_user: "guest",
    leafnodes: {
      remotes: [
        {
          urls: ["tls://hub1.example.com", "nats-leaf://hub2.example.com:7500"],
          user: "spoke",
          password: "pw",
          tls: { handshake_first: true, ca_file: "secrets/ca.pem" },
          deny_exports: ["größe.>"],
          reconnect: { min: "250ms", max: "2m" },
        },
        { urls: ["tls://lab"], account: "LAB", compression: { mode: "off" } },
      ],
    },
    outbox: { max_bytes: "2GiB", rules: [{ subjects: ["alarms.>"], keep: "always" }, { subjects: [">"] }] },
    mqtt: { max_packet: "1MiB" },
    serial: [{ name: "weather", match: { vendor_id: "0403" }, parity: "even", silence_after: null }],
    limits: { write_deadline: "5s" },
  });
  assert.equal(config.serverName, "gw-0042");
  assert.deepEqual(config.accounts[0]!.users[0]!.permissions, {
    publish: { allow: ["sensors.7.>"], deny: [] },
    subscribe: { allow: null, deny: ["secret.>"] },
    responses: null,
  });
  assert.deepEqual(config.accounts[0]!.users[1]!.permissions.publish.allow, []);
  const [first, second] = config.leafnodes.remotes;
  assert.deepEqual(first!.reconnect, { min: 250, max: 120_000, jitter: 0.5, returnToFirst: 600_000 });
  assert.equal(first!.tls?.caFile, "/data/secrets/ca.pem");
  assert.deepEqual(first!.denyExports, [Buffer.from("größe.>").toString("latin1")]);
  assert.equal(second!.compression.mode, "off");
  assert.deepEqual(
    config.outbox.rules.map((rule) => [rule.keep, rule.noInterest]),
    [
      ["always", "hold"],
      ["durable", "drop"],
    ],
  );
  assert.equal(config.mqtt?.maxPacket, 1_048_576);
  assert.deepEqual([config.serial[0]!.parity, config.serial[0]!.silenceAfter, config.serial[0]!.baudRate], ["even", null, 9600]);
  assert.equal(config.limits.writeDeadline, 5000);
  assert.ok(!JSON.stringify(config).includes('"pw"'));
});

test("what does not exist yet is refused in so many words, and its off value is not", () => {
  const off = { host: null, web: null, firewall: { enabled: false, lan_interfaces: ["eth0", "wlan0"], allow: [] } };
  configOf({
    ...off,
    ...remote({
      compression: "off",
      credentials: null,
      nkey: null,
      proxy: null,
      flush_delay: "0ms",
      tls: { pinned_spki: [] },
      reconnect: { return_to_first: null },
    }),
    mqtt: { websocket: null, tls: null },
    serial: [{ name: "a", match: { path: "/dev/ttyUSB0" }, write_subject: null }],
    outbox: { rules: [{ subjects: [">"], max_age: null, thin_after: null }], when_full: "drop_oldest" },
  });
});

test("every key of the design is known: what is not there yet is unsupported, never unknown", () => {
  const document = {
    server_name: "gw-0042",
    listen: "127.0.0.1:4222",
    accounts: [
      {
        name: "EDGE",
        users: [
          {
            user: "sensor-7",
            password: "x",
            mqtt: true,
            nats: false,
            permissions: { publish: ["sensors.7.>"], subscribe: ["cmd.7.>"] },
          },
        ],
      },
    ],
    no_auth_user: null,
    leafnodes: {
      remotes: [
        {
          urls: ["tls://hub1.example.com:7422", "tls://hub2.example.com:7422", "wss://hub3.example.com/leafnode"],
          account: "EDGE",
          credentials: "secrets/hub.creds",
          nkey: null,
          user: null,
          password: null,
          tls: { handshake_first: true, ca_file: null, cert_file: null, key_file: null, server_name: null, pinned_spki: [] },
          compression: { mode: "s2_auto", rtt_thresholds: ["10ms", "50ms", "100ms"] },
          isolated: true,
          deny_imports: [],
          deny_exports: [],
          no_randomize: false,
          ignore_discovered_servers: false,
          reconnect: { min: "1s", max: "60s", jitter: 0.5, return_to_first: "10m" },
          proxy: null,
          flush_delay: "0ms",
        },
      ],
    },
    outbox: {
      max_bytes: "1GiB",
      max_messages: 10_000_000,
      max_age: "14d",
      free_reserve: "512MiB",
      commit_interval: "25ms",
      rules: [
        { subjects: ["alarms.>"], class: "alarm", keep: "always", confirm: "stored", order: "strict" },
        {
          subjects: ["sensors.>"],
          class: "telemetry",
          keep: "always",
          confirm: "accepted",
          order: "live_first",
          max_age: "7d",
          thin_after: null,
        },
        { subjects: [">"], class: "state", keep: "durable", confirm: "accepted", order: "strict", no_interest: "drop" },
      ],
      when_full: "drop_oldest",
    },
    mqtt: { listen: "0.0.0.0:1883", websocket: null, tls: null, account: "EDGE", max_packet: "256KiB", max_clients: 1000 },
    serial: [
      {
        name: "weather",
        match: { vendor_id: "0403", product_id: "6001", serial_number: null, usb_port: null, path: null },
        baud_rate: 9600,
        data_bits: 8,
        parity: "none",
        stop_bits: 1,
        rtscts: false,
        framing: { type: "line", max_frame: "4KiB" },
        decode: { type: "json" },
        subject: "sensors.weather.{field}",
        write_subject: "cmd.weather",
        silence_after: "60s",
      },
    ],
    host: { interval: "30s", subject: "host.{server_name}" },
    web: { listen: "0.0.0.0:80", tls: null },
    monitor: { listen: "127.0.0.1:8222" },
    firewall: { enabled: true, lan_interfaces: ["eth0", "wlan0"], allow: [] },
    limits: { max_payload: "1MiB", max_connections: 1000, max_pending: "16MiB", write_deadline: "10s" },
  };
  assert.deepEqual(pathsOf(document), []);
});

test("names that refer to something must find it, and names must be their own", () => {
  const document = {
    accounts: [
      { name: "A", users: [{ user: "u" }, { user: "v" }] },
      { name: "A", users: [{ user: "u" }] },
    ],
    no_auth_user: "w",
    mqtt: {},
    leafnodes: {
      remotes: [
        { urls: ["tls://h", "TLS://H:7422"], account: "A" },
        { urls: ["tls://i"], account: "A" },
        { urls: ["tls://j"], account: "B" },
      ],
    },
    serial: [
      { name: "p", match: { path: "/dev/a" } },
      { name: "p", match: { vendor_id: null } },
    ],
  };
  assert.deepEqual(pathsOf(document).sort(), [
    "accounts[1].name invalid",
    "accounts[1].users[0].user invalid",
    "leafnodes.remotes[0].urls[1] invalid",
    "leafnodes.remotes[1].name invalid",
    "leafnodes.remotes[2].account invalid",
    "mqtt.account invalid",
    "no_auth_user invalid",
    "serial[1].match invalid",
    "serial[1].name invalid",
  ]);
});

test("a remote has one login, whole, and a certificate has its key", () => {
  assert.deepEqual(pathsOf(remote({ user: "u" })), ["leafnodes.remotes[0].password invalid"]);
  assert.deepEqual(pathsOf(remote({ password: "p" })), ["leafnodes.remotes[0].user invalid"]);
  assert.deepEqual(pathsOf(remote({ urls: ["tls://a:b@h"], user: "u", password: "p" })), [
    "leafnodes.remotes[0].urls[0] invalid",
  ]);
  assert.deepEqual(pathsOf(remote({ tls: { cert_file: "a.pem" } })), ["leafnodes.remotes[0].tls.key_file invalid"]);
  configOf(remote({ tls: { cert_file: "a.pem", key_file: "b.pem" } }));
});

test("ranges that contradict each other are told", () => {
  assert.deepEqual(pathsOf(remote({ reconnect: { min: "2m" } })), ["leafnodes.remotes[0].reconnect.max invalid"]);
});

test("every message must find a rule", () => {
  assert.match(
    faultsOf({ outbox: { rules: [{ subjects: ["a.>"] }] } })[0]!,
    /^outbox\.rules: wants a rule for every message.*add one at the end/,
  );
});

test("one fault does not hide another", () => {
  const document = { ...remote({ account: "NONE", urls: ["hub"] }), outbox: { rules: [{ subjects: ["a..b"] }] }, server_nam: 1 };
  assert.deepEqual(pathsOf(document), [
    "server_nam unknown",
    "leafnodes.remotes[0].urls[0] invalid",
    "outbox.rules[0].subjects[0] invalid",
    "leafnodes.remotes[0].account invalid",
  ]);
});

test("no JSON makes the decoder throw", () => {
  const keys = fc.constantFrom(
    "accounts",
    "leafnodes",
    "outbox",
    "mqtt",
    "serial",
    "users",
    "remotes",
    "urls",
    "rules",
    "match",
    "permissions",
    "publish",
    "name",
    "x",
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 6 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(keys, tie("value"), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(value, (document) => {
      const { config, faults } = parseConfig(document, CONTEXT);
      return (config === undefined) === faults.length > 0;
    }),
    { numRuns: 500 },
  );
});

test("a serial port that decodes text needs a subject without {field}, and the words say so", () => {
  const port = { name: "scale", match: { path: "/dev/ttyUSB0" }, decode: { type: "text" } };
  const { faults } = parseConfig({ serial: [port] }, CONTEXT);
  assert.deepEqual(
    faults.map(({ path }) => path),
    ["serial[0].subject"],
  );
  assert.deepEqual(parseConfig({ serial: [{ ...port, subject: "scale.{name}" }] }, CONTEXT).faults, []);
});

const USER_KEY = new TestNkey("user").publicKey;
const ACCOUNT_KEY = new TestNkey("account").publicKey;
const BCRYPT = "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
const users = (...list: readonly object[]) => ({ accounts: [{ name: "EDGE", users: list }] });

test("a user may be known by its nkey alone, by a token, by a bcrypt hash", () => {
  const [byKey, byToken, byHash] = configOf(
    users({ nkey: USER_KEY }, { user: "panel", token: "a-long-token" }, { user: "old", password: BCRYPT }),
  ).accounts[0]!.users;
  assert.deepEqual([byKey!.user, byKey!.nkey, byKey!.nats], [USER_KEY, USER_KEY, true]);
  assert.deepEqual([byToken!.token?.reveal(), byToken!.nats, byToken!.mqtt], ["a-long-token", true, true]);
  assert.deepEqual([byHash!.password?.reveal(), byHash!.nats], [BCRYPT, false]);
});

test("a user without a name, a second token, a seed in place of a key, the same key twice and a cut-off hash are faults", () => {
  const seed = new TestNkey("user").seed;
  assert.deepEqual(pathsOf(users({ password: "x" })), ["accounts[0].users[0] invalid"]);
  assert.deepEqual(pathsOf(users({ user: "a", token: "x" }, { user: "b", token: "y" })), ["accounts[0].users[1].token invalid"]);
  assert.deepEqual(pathsOf(users({ nkey: seed })), ["accounts[0].users[0].nkey invalid"]);
  assert.doesNotMatch(faultsOf(users({ nkey: seed })).join(), new RegExp(seed));
  assert.deepEqual(pathsOf(users({ user: "a", nkey: USER_KEY }, { user: "b", nkey: USER_KEY })), [
    "accounts[0].users[1].nkey invalid",
  ]);
  assert.deepEqual(pathsOf(users({ user: "a", password: BCRYPT.slice(0, -1) })), ["accounts[0].users[0].password invalid"]);
  const trusting = { accounts: [{ name: "EDGE", trusted_keys: [ACCOUNT_KEY, USER_KEY, ACCOUNT_KEY] }] };
  assert.deepEqual(pathsOf(trusting), ["accounts[0].trusted_keys[1] invalid", "accounts[0].trusted_keys[2] invalid"]);
  const revoked = [
    { user: "*", until: "2026-11-22T10:00:00Z" },
    { user: USER_KEY },
    { user: ACCOUNT_KEY },
    { user: "*", until: "2026-13-01T00:00:00Z" },
    { user: "*", until: "yesterday" },
  ];
  assert.deepEqual(pathsOf({ accounts: [{ name: "EDGE", revocations: revoked }] }), [
    "accounts[0].revocations[2].user invalid",
    "accounts[0].revocations[3].until invalid",
    "accounts[0].revocations[4].until invalid",
  ]);
  const good = configOf({ accounts: [{ name: "EDGE", revocations: revoked.slice(0, 2) }] }).accounts[0]!.revocations;
  assert.deepEqual(good, [
    { user: "*", until: Date.UTC(2026, 10, 22, 10) },
    { user: USER_KEY, until: null },
  ]);
});

test("allow_responses is a flag or a block, and takes the right to publish anything from a user with no allow list", () => {
  const responsesOf = (allow_responses: unknown, publish?: unknown) =>
    configOf(users({ user: "a", permissions: { allow_responses, ...(publish === undefined ? {} : { publish }) } })).accounts[0]!
      .users[0]!.permissions;
  assert.deepEqual(responsesOf(true).responses, { max: 1, expires: 120_000 });
  assert.deepEqual(responsesOf(true).publish, { allow: [], deny: [] });
  assert.deepEqual(responsesOf(true, ["a"]).publish, { allow: ["a"], deny: [] });
  assert.deepEqual(responsesOf({ max: -1, expires: "5s" }).responses, { max: Number.POSITIVE_INFINITY, expires: 5_000 });
  assert.deepEqual(responsesOf(false), {
    publish: { allow: null, deny: [] },
    subscribe: { allow: null, deny: [] },
    responses: null,
  });
  assert.deepEqual(pathsOf(users({ user: "a", permissions: { allow_responses: "yes" } })), [
    "accounts[0].users[0].permissions.allow_responses invalid",
  ]);
});

test("no two doors may have one address, and port 0 is in nobody's way", () => {
  const web = { listen: "0.0.0.0:8222" };
  assert.deepEqual(pathsOf({ web }), ["monitor.listen invalid"]);
  assert.deepEqual(pathsOf({ web, monitor: null }), []);
  assert.deepEqual(pathsOf({ listen: "[::]:1883", mqtt: { listen: "127.0.0.1:1883" } }), ["listen invalid"]);
  assert.deepEqual(pathsOf({ listen: "127.0.0.2:1883", mqtt: { listen: "127.0.0.1:1883" } }), []);
  assert.deepEqual(pathsOf({ listen: "[::1]:1883", mqtt: { listen: "0.0.0.0:1883" } }), []);
  const free = "127.0.0.1:0";
  assert.deepEqual(pathsOf({ listen: free, mqtt: { listen: free }, monitor: { listen: free } }), []);
  const faults = pathsOf({ mqtt: { listen: "1.2.3.4:80", websocket: { listen: "1.2.3.4:80" } }, web: { listen: "0.0.0.0:80" } });
  assert.deepEqual(faults, ["mqtt.listen invalid", "mqtt.websocket.listen invalid"]);
});

test("tls and websocket stand beside listen, and verify needs a CA", () => {
  const tls = { cert_file: "certs/gw.pem", key_file: "certs/gw.key" };
  const config = configOf({ listen: "127.0.0.1:4222", tls, websocket: { listen: "0.0.0.0:8080", tls } });
  assert.deepEqual(config.tls, {
    certFile: "/data/certs/gw.pem",
    keyFile: "/data/certs/gw.key",
    caFile: null,
    verify: false,
    verifyAndMap: false,
    handshakeFirst: false,
  });
  const { listen, sameOrigin, allowedOrigins } = config.websocket!;
  assert.deepEqual([listen, sameOrigin, allowedOrigins], [{ host: "0.0.0.0", port: 8080 }, false, []]);
  assert.deepEqual(pathsOf({ tls, websocket: { listen: "0.0.0.0:8080" } }), ["tls invalid", "websocket invalid"]);
  assert.deepEqual(pathsOf({ listen: "127.0.0.1:4222", tls: { ...tls, verify: true } }), ["tls.ca_file invalid"]);
  assert.deepEqual(pathsOf({ listen: "127.0.0.1:4222", tls: { ...tls, verify_and_map: true } }), ["tls.ca_file invalid"]);
  const origins = ["https://panel.example", "panel.example", "https://panel.example/x", "ftp://a", "https://u:p@a", "null", "*"];
  const asked = { listen: "127.0.0.1:4222", websocket: { listen: "0.0.0.0:8080", allowed_origins: origins } };
  assert.deepEqual(
    pathsOf(asked),
    [1, 2, 3, 4, 5, 6].map((i) => `websocket.allowed_origins[${i}] invalid`),
  );
});
