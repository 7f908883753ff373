import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFault, formatPath } from "#base/fault.ts";
import { applyOverrides, settle } from "#config/apply-overrides.ts";
import { parseConfig } from "#config/config.ts";
import { type Environment, readOverrides } from "#config/overrides.ts";
import { settingsSchema } from "#config/settings.ts";
import type { SettingsDocument } from "#config/settings-file.ts";

const read = (env: Environment) => readOverrides(env, settingsSchema.node);
const lay = (document: SettingsDocument, env: Environment) => applyOverrides(document, read(env).list);

test("a variable names a key: two underscores a level, numbers for list entries, JSON values", () => {
  const { document, faults } = lay(
    {},
    {
      PETIOLE_LEAFNODES__REMOTES__0__URLS: '["tls://hub:7422"]',
      PETIOLE_LEAFNODES__REMOTES__0__TLS__HANDSHAKE_FIRST: "true",
      PETIOLE_MQTT__LISTEN: "0.0.0.0:1883",
      PETIOLE_LIMITS__MAX_CONNECTIONS: "50",
      HOME: "/root",
    },
  );
  assert.deepEqual(faults, []);
  assert.deepEqual(document, {
    leafnodes: { remotes: [{ urls: ["tls://hub:7422"], tls: { handshake_first: true } }] },
    mqtt: { listen: "0.0.0.0:1883" },
    limits: { max_connections: 50 },
  });
});

test("a key of a default list keeps the list's other keys, and the given document is not changed", () => {
  const given = {};
  const { document } = lay(given, { PETIOLE_OUTBOX__RULES__0__KEEP: "always", PETIOLE_ACCOUNTS__0__USERS: '[{"user":"u"}]' });
  assert.deepEqual(given, {});
  const { config, faults } = parseConfig(document, { deviceId: "0123456789", dataDir: "/data" });
  assert.deepEqual(faults, []);
  assert.deepEqual(
    [config!.outbox.rules[0]!.subjects, config!.outbox.rules[0]!.keep, config!.accounts[0]!.name],
    [[">"], "always", "EDGE"],
  );
});

test("a text is a text even when it looks like a number", () => {
  assert.deepEqual(lay({}, { PETIOLE_SERVER_NAME: "42" }).document, { server_name: "42" });
  assert.deepEqual(lay({}, { PETIOLE_SERVER_NAME: "0042" }).document, { server_name: "0042" });
  assert.deepEqual(lay({}, { PETIOLE_SERVER_NAME: '"gw"' }).document, { server_name: "gw" });
  assert.deepEqual(lay({ mqtt: {} }, { PETIOLE_MQTT: "null" }).document, { mqtt: null });
});

test("the short forms stand for their keys, and the long form wins over them", () => {
  assert.deepEqual(lay({}, { HUB_URLS: "tls://a, tls://b,", DEVICE_NAME: "gw-1" }).document, {
    leafnodes: { remotes: [{ urls: ["tls://a", "tls://b"] }] },
    server_name: "gw-1",
  });
  assert.deepEqual(lay({}, { HUB_URLS: '["tls://a"]' }).document, { leafnodes: { remotes: [{ urls: ["tls://a"] }] } });
  assert.deepEqual(lay({}, { DEVICE_NAME: "short", PETIOLE_SERVER_NAME: "long" }).document, { server_name: "long" });
  assert.deepEqual(
    read({ HUB_CREDENTIALS: "x" }).list.map((each) => formatPath(each.path)),
    ["leafnodes.remotes[0].credentials"],
  );
});

test("an empty variable counts as not set", () => {
  assert.deepEqual(read({ HUB_URLS: "", DEVICE_NAME: "", PETIOLE_MQTT: "", PETIOLE_NONSENSE: "" }), { list: [], faults: [] });
});

test("list entries are set in number order, however the environment is sorted", () => {
  const env = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`PETIOLE_SERIAL__${i}__NAME`, `p${i}`]).reverse());
  const { document, faults } = lay({}, env);
  assert.deepEqual(faults, []);
  assert.equal((document["serial"] as unknown[]).length, 12);
});

test("a variable that names no setting is a fault that knows better, and does not show its value", () => {
  const { faults } = read({
    PETIOLE_MQT__LISTEN: "hunter2",
    PETIOLE_ACCOUNTS__0__USERS__0__PASWORD: "hunter2",
    PETIOLE_: "x",
    PETIOLE___PROTO____X: "1",
  });
  const told = faults.map(formatFault);
  assert.equal(told.length, 4);
  assert.ok(told.some((text) => text.includes("did you mean PETIOLE_MQTT…?")));
  assert.ok(told.some((text) => text.includes("did you mean PETIOLE_ACCOUNTS__0__USERS__0__PASSWORD…?")));
  assert.ok(!JSON.stringify(faults).includes("hunter2"));
});

test("a gap in a list, or something else in the way, is a fault", () => {
  assert.match(formatFault(lay({}, { PETIOLE_SERIAL__3__NAME: "p" }).faults[0]!), /the next number is 0/);
  assert.match(formatFault(lay({ mqtt: "on" }, { PETIOLE_MQTT__LISTEN: "x" }).faults[0]!), /something else there/);
});

test("one bad variable costs its own key, not the others, and is named", () => {
  const validate = (document: SettingsDocument) => parseConfig(document, { deviceId: "0123456789", dataDir: "/data" }).faults;
  const env = {
    HUB_URLS: "tls://hub",
    PETIOLE_LEAFNODES__REMOTES__0__USER: "u",
    PETIOLE_LEAFNODES__REMOTES__0__PASSWORD: "p",
    PETIOLE_LEAFNODES__REMOTES__0__ACCOUNT: "LAB",
    PETIOLE_ACCOUNTS: '[{"name":"LAB"}]',
    PETIOLE_MQTT__LISTEN: "nowhere",
  };
  const settled = settle({}, read(env).list, validate);
  assert.deepEqual(
    settled.kept.map((each) => each.variable).sort(),
    Object.keys(env)
      .filter((name) => name !== "PETIOLE_MQTT__LISTEN")
      .sort(),
  );
  assert.match(settled.faults.map(formatFault).join("\n"), /^mqtt\.listen: .*environment variable PETIOLE_MQTT__LISTEN/m);
});
