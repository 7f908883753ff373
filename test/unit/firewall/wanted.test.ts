// Which packets may come in: the ruleset worked out from settings and doors, and no text of anybody's that becomes a rule.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decode } from "#base/decode.ts";
import { driftOf } from "#firewall/compare.ts";
import { objectsOf, transactionOf } from "#firewall/nft-json.ts";
import { firewallOptions } from "#firewall/options.ts";
import { KEY_BYTES_MAX } from "#firewall/ruleset.ts";
import { type Door, wantedRuleset } from "#firewall/wanted.ts";

const AT_HOME = { isBalena: false };
const MQTT: Door = { name: "mqtt", endpoint: { host: "0.0.0.0", port: 1883 } };

function options(document: object) {
  const decoded = decode(firewallOptions, document);
  assert.ok("value" in decoded, JSON.stringify(decoded.faults));
  return decoded.value;
}

function keys(document: object, doors: readonly Door[] = [MQTT], platform = AT_HOME): string[] {
  return wantedRuleset(options(document), doors, platform).rules.map(({ key }) => key);
}

test("the last rule drops everything, and answers, loopback and blocked senders are settled before any door", () => {
  const found = keys({});
  assert.equal(found.at(-1), "rest");
  assert.deepEqual(found.slice(0, 5), ["answers", "broken", "loopback", "blocked4", "blocked6"]);
  assert.ok(found.indexOf("flood mqtt 4") < found.indexOf("door mqtt"), "a flood is dropped before its door lets it in");
});

test("a door on loopback is not opened, one on every network is, on the local interfaces only", () => {
  const local: Door = { name: "nats", endpoint: { host: "127.0.0.1", port: 4222 } };
  const found = wantedRuleset(options({ lan_interfaces: ["eth0"] }), [MQTT, local], AT_HOME).rules;
  assert.deepEqual(
    found.filter(({ key }) => key.startsWith("door")).map(({ key }) => key),
    ["door mqtt"],
  );
  assert.deepEqual(found.find(({ key }) => key === "door mqtt")?.match.interfaces, ["eth0"]);
});

test("without a local interface no door is open, and the box's own needs still are", () => {
  const found = keys({ lan_interfaces: [] });
  assert.deepEqual(
    found.filter((key) => /door|flood|mdns|ssh/.test(key)),
    [],
  );
  assert.ok(found.includes("dhcp"));
});

test("on balenaOS the supervisor, the bridges' DNS and the VPN stay open, elsewhere nobody knows of them", () => {
  assert.ok(["supervisor", "dns", "vpn"].every((key) => keys({}, [], { isBalena: true }).includes(key)));
  assert.ok(!keys({}).includes("supervisor"));
});

test("null for new_connections leaves the limits out", () => {
  assert.deepEqual(
    keys({ new_connections: null }).filter((key) => key.startsWith("flood")),
    [],
  );
});

test("what is allowed besides names its port, its network and its interface", () => {
  const allow = [{ port: 5000, protocol: "udp", from: "10.1.0.0/16", interface: "wlan*" }, { port: 22 }];
  const rules = wantedRuleset(options({ allow, lan_interfaces: ["eth0"] }), [], AT_HOME).rules;
  const found = rules.filter(({ key }) => key.startsWith("allow")).map(({ match }) => match);
  const from = { family: 4, address: "10.1.0.0", prefixBits: 16 };
  assert.deepEqual(found[0], { interfaces: ["wlan*"], protocol: "udp", port: 5000, from });
  assert.deepEqual(found[1], { interfaces: ["eth0"], protocol: "tcp", port: 22 });
});

test("interface names and networks that are none are faults with path and remedy", () => {
  const cases: readonly (readonly [object, string])[] = [
    [{ lan_interfaces: ["eth0; drop"] }, "lan_interfaces[0]"],
    [{ lan_interfaces: ['a"b'] }, "lan_interfaces[0]"],
    [{ lan_interfaces: ["a-name-that-is-too-long"] }, "lan_interfaces[0]"],
    [{ lan_interfaces: ["e*h0"] }, "lan_interfaces[0]"],
    [{ allow: [{ port: 0 }] }, "allow[0].port"],
    [{ allow: [{ port: 80, from: "10.0.0.0/33" }] }, "allow[0].from"],
    [{ allow: [{ port: 80, from: "fe80::1%eth0" }] }, "allow[0].from"],
    [{ allow: [{ port: 80, from: "10.0.0.0/8/8" }] }, "allow[0].from"],
    [{ allow: [{ port: 80, from: "@blocked4" }] }, "allow[0].from"],
  ];
  for (const [document, path] of cases) {
    const { faults } = decode(firewallOptions, document);
    assert.deepEqual(
      faults.map((fault) => fault.path),
      [path],
      JSON.stringify(document),
    );
  }
});

test("whatever is written as an interface or a network: it is refused, or it stays one value of one match", () => {
  const name = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom('eth0"', "@set", "eth0\n", "a b", "{", "$x", "*", "eth0}", "lo"),
  );
  fc.assert(
    fc.property(name, fc.string({ maxLength: 30 }), (lan, from) => {
      const document = { lan_interfaces: [lan], allow: [{ port: 1, from }] };
      const decoded = decode(firewallOptions, document);
      if (!("value" in decoded)) return;
      const ruleset = wantedRuleset(decoded.value, [MQTT], AT_HOME);
      const again = JSON.parse(JSON.stringify(transactionOf(ruleset)));
      const known = new Set(["table", "set", "chain", "rule"]);
      for (const { add } of again.nftables.slice(2)) assert.ok(known.has(Object.keys(add)[0]!));
      assert.match(lan, /^[A-Za-z0-9_.:@-]+\*?$/);
    }),
    { numRuns: 500 },
  );
});

test("keys are unique and fit into a rule's comment", () => {
  const doors = Array.from({ length: 9 }, (_, i) => ({ ...MQTT, name: `mqtt-websocket-${i}` }));
  const found = keys({ allow: Array.from({ length: 64 }, (_, i) => ({ port: i + 1 })), host_ssh: true }, doors, {
    isBalena: true,
  });
  assert.equal(new Set(found).size, found.length);
  assert.ok(found.every((key) => Buffer.byteLength(key) <= KEY_BYTES_MAX));
});

test("drift: nothing when only counts, handles and the order within sets differ; else what is missing, foreign or moved", () => {
  const wanted = wantedRuleset(options({}), [MQTT], AT_HOME);
  const listed = () => {
    const objects = structuredClone(objectsOf(wanted)) as unknown as Record<string, { handle?: number; expr?: unknown[] }>[];
    for (const [i, object] of objects.entries()) {
      const body = Object.values(object)[0]!;
      body.handle = i;
      if (body.expr !== undefined)
        body.expr = body.expr.map((each) => ("counter" in (each as object) ? { counter: { packets: i, bytes: 9 } } : each));
    }
    return [{ metainfo: { version: "1.0.6" } }, ...objects] as never[];
  };
  assert.equal(driftOf(wanted, listed()), undefined);
  assert.deepEqual(driftOf(wanted, undefined)?.missing.length, objectsOf(wanted).length);
  assert.deepEqual(driftOf(wanted, listed().slice(0, -1)), { missing: ["rest"], foreign: [], isReordered: false });
  const stranger = { rule: { family: "inet", table: "petiole", chain: "input", handle: 99, expr: [{ accept: null }] } };
  assert.deepEqual(driftOf(wanted, [...listed(), stranger] as never[])?.foreign, ["rule"]);
  const swapped = listed();
  [swapped[6], swapped[7]] = [swapped[7]!, swapped[6]!];
  assert.equal(driftOf(wanted, swapped)?.isReordered, true);
  const twice = [...listed(), listed().at(-1)!] as never[];
  assert.notEqual(driftOf(wanted, twice), undefined);
});
