// The settings form's logic over the device's real schema: no browser, no daemon.

import assert from "node:assert/strict";
import { test } from "node:test";
import { settingsJsonSchema } from "#config/json-schema.ts";
import { blankOf, effectiveAt, moveItem, resetAt, reshaped, setAt } from "#web/page/settings/edit-document.ts";
import { findSettings } from "#web/page/settings/find-settings.ts";
import { groupOfPath, groupsOf } from "#web/page/settings/groups.ts";
import { formatPath, type Json, parsePath } from "#web/page/settings/json.ts";
import { readJson } from "#web/page/settings/json-text.ts";
import { addressAfter } from "#web/page/settings/new-address.ts";
import { placeFaults } from "#web/page/settings/place-faults.ts";
import { formatQuantity, parseQuantity } from "#web/page/settings/quantity.ts";
import { rebase } from "#web/page/settings/rebase.ts";
import { secretName } from "#web/page/settings/secret-name.ts";
import { formOf, type ObjectShape, type Shape, shapeOf } from "#web/page/settings/shape.ts";
import { isInFront, isMeant } from "#web/page/settings/what-matters.ts";

const SCHEMA = shapeOf(settingsJsonSchema()) as ObjectShape;
const HERE = { protocol: "http:", hostname: "10.0.0.7", port: "" };

function shapeAt(path: string): Shape {
  let shape: Shape = SCHEMA;
  for (const step of parsePath(path)) {
    while (shape.kind === "nullable") shape = shape.inner;
    if (shape.kind === "list") shape = shape.item;
    else if (shape.kind === "object") shape = shape.fields.find(({ key }) => key === step)!.shape;
  }
  return shape;
}

test("every setting of the device has a form of its own: none falls back to JSON", () => {
  const bad: string[] = [];
  const walk = (shape: Shape, path: string): void => {
    switch (shape.kind) {
      case "object":
        for (const { key, shape: inner } of shape.fields) walk(inner, `${path}.${key}`);
        break;
      case "list":
        walk(shape.item, `${path}[]`);
        break;
      case "nullable":
        walk(shape.inner, path);
        break;
      case "union":
        for (const form of shape.forms) walk(form, path);
        break;
      case "other":
        bad.push(path);
        break;
      default:
        break;
    }
  };
  walk(SCHEMA, "");
  assert.deepEqual(bad, []);
});

test("the schema's patterns and nulls become durations, sizes, secrets, choices and parts that can be off", () => {
  assert.deepEqual([shapeAt("outbox.max_age").kind, shapeAt("outbox.max_bytes").kind], ["quantity", "quantity"]);
  assert.equal(shapeAt("mqtt").kind, "nullable");
  const password = shapeAt("leafnodes.remotes[0].password");
  assert.ok(password.kind === "nullable" && password.inner.kind === "text" && password.inner.isSecret);
  const compression = shapeAt("leafnodes.remotes[0].compression");
  assert.ok(compression.kind === "union");
  assert.deepEqual(
    compression.forms.map(({ kind }) => kind),
    ["choice", "object"],
  );
  assert.equal(formOf(compression.forms, "s2_fast"), 0);
  assert.equal(formOf(compression.forms, { mode: "s2_fast" }), 1);
  const tls = shapeAt("web.tls");
  assert.ok(tls.kind === "nullable" && tls.inner.kind === "union", "three forms: off, self-signed, files");
});

test("what is not supported yet is not shown, and what the schema says in ways unknown here is edited as JSON", () => {
  const schema = {
    type: "object",
    properties: { later: { const: false, default: false, description: "x (not supported yet)" } },
  };
  const later = shapeOf(schema);
  assert.ok(later.kind === "object" && later.fields.length === 0);
  assert.equal(shapeOf({ type: "object", patternProperties: {} }).kind, "object");
  assert.equal(shapeOf({ oneOf: [] }).kind, "other");
  assert.equal(shapeOf("nonsense").kind, "other");
});

test("what is set is written, and nothing else: defaults stay unwritten", () => {
  const set = setAt(SCHEMA, {}, ["outbox", "max_age"], "7d");
  assert.deepEqual(set, { outbox: { max_age: "7d" } });
  assert.equal(effectiveAt(SCHEMA, set, ["outbox", "max_bytes"]), "1GiB");
  assert.deepEqual(resetAt(SCHEMA, set, ["outbox", "max_age"]), {}, "nor is an object left behind that says nothing");
});

test("a part that can be off stays on when its last own value is taken back", () => {
  const on = setAt(SCHEMA, { mqtt: {} }, ["mqtt", "max_clients"], 5);
  assert.deepEqual(resetAt(SCHEMA, on, ["mqtt", "max_clients"]), { mqtt: {} });
});

test("changing an item of a default list writes the list", () => {
  const named = setAt(SCHEMA, {}, ["accounts", 0, "users"], [{ user: "a" }]);
  assert.deepEqual(named, { accounts: [{ name: "EDGE", users: [{ user: "a" }] }] });
});

test("a null is a value: off, where the default is on", () => {
  assert.equal(effectiveAt(SCHEMA, { host: null }, ["host"]), null);
  assert.deepEqual(effectiveAt(SCHEMA, {}, ["host"]), {});
  const remotes: Json = { leafnodes: { remotes: [{ urls: ["tls://a"], reconnect: { return_to_first: null } }] } };
  assert.equal(effectiveAt(SCHEMA, remotes, ["leafnodes", "remotes", 0, "reconnect", "return_to_first"]), null);
});

test("a new item has what it must have, and no more", () => {
  const remotes = shapeAt("leafnodes.remotes");
  assert.ok(remotes.kind === "list");
  assert.deepEqual(blankOf(remotes.item), { urls: [""] });
  const rules = shapeAt("outbox.rules");
  assert.ok(rules.kind === "list");
  assert.deepEqual(blankOf(rules.item), { subjects: [""] });
});

test("items move up and down, and not beyond the ends", () => {
  assert.deepEqual(moveItem(["a", "b", "c"], 2, 1), ["a", "c", "b"]);
  assert.deepEqual(moveItem(["a", "b"], 0, -1), ["a", "b"]);
  assert.deepEqual(moveItem(["a", "b"], 1, 2), ["a", "b"]);
});

test("another form of a union keeps what fits", () => {
  const publish = shapeAt("accounts[0].users[0].permissions.publish");
  assert.ok(publish.kind === "union");
  const [list, object] = publish.forms as [Shape, Shape];
  assert.deepEqual(reshaped(["a.>"], object), { allow: ["a.>"] });
  assert.deepEqual(reshaped({ allow: ["a.>"], deny: ["b"] }, list), ["a.>"]);
  const compression = shapeAt("leafnodes.remotes[0].compression");
  assert.ok(compression.kind === "union");
  assert.deepEqual(reshaped("s2_fast", compression.forms[1]!), { mode: "s2_fast" });
  assert.equal(reshaped({ mode: "s2_fast" }, compression.forms[0]!), "s2_fast");
});

test("paths are those of the device, there and back", () => {
  for (const path of ["", "web", "leafnodes.remotes[0].urls[1]", "accounts[12].users[3].permissions.publish.allow[0]"])
    assert.equal(formatPath(parsePath(path)), path);
});

test("durations and sizes come apart and together again; what is no quantity stays as it was typed", () => {
  assert.deepEqual(parseQuantity("250ms", "duration", "s"), { count: "250", unit: "ms" });
  assert.deepEqual(parseQuantity("7d", "duration", "s"), { count: "7", unit: "d" });
  assert.deepEqual(parseQuantity("512MiB", "size", "B"), { count: "512", unit: "MiB" });
  assert.deepEqual(parseQuantity("9B", "size", "MiB"), { count: "9", unit: "B" });
  assert.deepEqual(parseQuantity("soon", "duration", "s"), { count: "soon", unit: "s" });
  assert.equal(formatQuantity({ count: " 30 ", unit: "s" }), "30s");
  assert.equal(formatQuantity({ count: "", unit: "s" }), "");
});

test("a fault stands at its own setting, or at the nearest one above that is shown", () => {
  const document: Json = { leafnodes: { remotes: [{ urls: ["x"], bogus: 1 }] }, web: {} };
  const at = (path: string) =>
    placeFaults(SCHEMA, document, [{ path, kind: "invalid", wanted: "", found: "", remedy: "" }])[0]!.at;
  assert.equal(at("leafnodes.remotes[0].urls[0]"), "leafnodes.remotes[0].urls[0]");
  assert.equal(at("leafnodes.remotes[0].bogus"), "leafnodes.remotes[0]");
  assert.equal(at("leafnodes.remotes[7].urls"), "leafnodes.remotes");
  assert.equal(at("web.tls.cert_file"), "web.tls");
  assert.equal(at("nonsense.deeper"), "");
  assert.equal(at("outbox.max_age"), "outbox.max_age", "defaults are shown, so they can be at fault");
});

test("every top-level setting has a group, and one that no group knows comes last", () => {
  const groups = groupsOf(SCHEMA);
  const keys = groups.flatMap(({ fields }) => fields.map(({ key }) => key));
  assert.deepEqual(keys.toSorted(), SCHEMA.fields.map(({ key }) => key).toSorted());
  const newer: ObjectShape = { kind: "object", fields: [...SCHEMA.fields, { ...SCHEMA.fields[0]!, key: "brand_new" }] };
  assert.deepEqual(groupsOf(newer).at(-1)?.id, "other");
  assert.equal(groupOfPath(groups, "leafnodes.remotes[0].urls")?.id, "hub");
});

test("search finds by name, by words of the help and in each item, names first", () => {
  const document: Json = { serial: [{ name: "a" }, { name: "b" }] };
  const paths = (query: string) => findSettings(SCHEMA, document, query).hits.map(({ path }) => formatPath(path));
  assert.deepEqual(paths("baud"), ["serial[0].baud_rate", "serial[1].baud_rate"]);
  assert.equal(paths("max age")[0], "outbox.max_age");
  assert.ok(paths("how often staged").includes("outbox.commit_interval"));
  assert.deepEqual(paths("no such thing at all"), []);
  assert.deepEqual(paths("  "), []);
  assert.ok(findSettings(SCHEMA, document, "e").more > 0, "what is too much is counted");
});

test("JSON is read as the browser reads it", () => {
  for (const text of [
    '{"a":[1,-2.5e3,true,false,null,"x\\n\\u00e9\\"\\\\ü"],"b":{}}',
    " [ ] ",
    '"\\ud83d\\ude00"',
    "0",
    '{"__proto__":1}',
  ]) {
    const read = readJson(text);
    assert.ok(read.mistake === undefined, text);
    assert.deepEqual(JSON.stringify(read.value), JSON.stringify(JSON.parse(text)));
  }
});

test("a mistake in JSON is told with line, column and what stands there", () => {
  const told = (text: string) => {
    const { mistake } = readJson(text);
    return mistake === undefined ? "none" : `${mistake.line}:${mistake.column} ${mistake.code} ${mistake.found}`;
  };
  assert.equal(told('{\n  "a": 1,\n}'), "3:1 name }");
  assert.equal(told('{"a" 1}'), "1:6 colon 1");
  assert.equal(told('{"a": 1 "b": 2}'), '1:9 comma "');
  assert.equal(told('{"a": tru}'), "1:7 value tru");
  assert.equal(told('{"a": 01}'), "1:7 number 01");
  assert.equal(told('{"a": "x\ny"}'), '1:9 text "\\n"');
  assert.equal(told('{"a": "\\x"}'), "1:8 escape \\");
  assert.equal(told('{"a": 1, "a": 2}'), '1:10 doubled "');
  assert.equal(told('{"a": [1, 2'), "1:12 end ");
  assert.equal(told("{} {}"), "1:4 rest {");
  assert.equal(told(""), "1:1 value ");
  assert.equal(told("[".repeat(100)), "1:66 deep [");
});

test("every place of the text is known, for the faults that the device finds", () => {
  const read = readJson('{\n  "outbox": {\n    "rules": [\n      {},\n      { "keep": 1 }\n    ]\n  }\n}');
  assert.ok(read.mistake === undefined);
  assert.deepEqual(read.places.get("outbox.rules[1].keep"), { line: 5, column: 17 });
  assert.deepEqual(read.places.get("outbox.rules[0]"), { line: 4, column: 7 });
});

test("a large document is read in linear time", () => {
  const text = JSON.stringify(
    Array.from({ length: 20_000 }, (_, i) => ({ user: `u${i}` })),
    null,
    2,
  );
  const start = performance.now();
  assert.ok(readJson(text).mistake === undefined);
  assert.ok(performance.now() - start < 2000);
});

test("the page's next address is told from its settings", () => {
  const after = (web: Json | undefined) => addressAfter(web, HERE);
  assert.equal(after({}), "http://10.0.0.7/");
  assert.equal(after({ listen: "0.0.0.0:8080" }), "http://10.0.0.7:8080/");
  assert.equal(after({ listen: "0.0.0.0:443", tls: "self-signed" }), "https://10.0.0.7/");
  assert.equal(after({ listen: "192.168.4.1:80" }), "http://192.168.4.1/");
  assert.equal(after({ listen: "[::]:8443", tls: { cert_file: "a", key_file: "b" } }), "https://10.0.0.7:8443/");
  assert.equal(after({ listen: "[fd00::1]:8080" }), "http://[fd00::1]:8080/");
  assert.equal(after(null), undefined, "no page at all");
});

test("two people's changes come together; where both changed the same, one's own stands", () => {
  const base: Json = { a: 1, b: { c: 1, d: 1 }, list: [1] };
  assert.deepEqual(rebase(base, { ...(base as object), a: 2 }, { a: 1, b: { c: 5, d: 1 }, list: [1, 2] }), {
    a: 2,
    b: { c: 5, d: 1 },
    list: [1, 2],
  });
  assert.deepEqual(rebase(base, { a: 1, b: { c: 9, d: 1 }, list: [1] }, { a: 1, b: { c: 5, d: 7 }, list: [1] }), {
    a: 1,
    b: { c: 9, d: 7 },
    list: [1],
  });
  assert.deepEqual(rebase({ a: 1 }, {}, { a: 1, b: 2 }), { b: 2 }, "what one took out stays out");
  assert.deepEqual(rebase({ list: [1] }, { list: [1, 2] }, { list: [3] }), { list: [1, 2] });
});

test("what means nothing beside the chosen type is folded away, and what is needed stands in front", () => {
  const serial = shapeAt("serial");
  assert.ok(serial.kind === "list" && serial.item.kind === "object");
  const framing = serial.item.fields.find(({ key }) => key === "framing")!.shape;
  assert.ok(framing.kind === "object");
  const meant = (type: string) => framing.fields.filter((field) => isMeant(field, framing, type)).map(({ key }) => key);
  assert.ok(meant("length_prefix").includes("length_bytes") && meant("length_prefix").includes("gap"));
  assert.ok(!meant("line").includes("length_bytes") && !meant("line").includes("delimiter"));
  assert.ok(meant("delimiter").includes("delimiter"));
  assert.ok(meant("line").includes("checksum"), "most types have one");
  const remote = shapeAt("leafnodes.remotes");
  assert.ok(remote.kind === "list" && remote.item.kind === "object");
  const front = remote.item.fields.filter((field) => isInFront("leafnodes.remotes[3]", field)).map(({ key }) => key);
  assert.ok(front.includes("urls") && front.includes("credentials") && !front.includes("flush_delay"));
});

test("a file keeps its name on the device as far as it can, and takes nobody else's place", () => {
  const none = new Set<string>();
  assert.equal(secretName("Hub Site 7.creds", none), "hub-site-7.creds");
  assert.equal(secretName("../../etc/passwd", none), "etc-passwd");
  assert.equal(secretName("证书.pem", none), "pem");
  assert.equal(secretName("…", none), "file");
  assert.equal(secretName("hub.creds", new Set(["hub.creds", "hub-2.creds"])), "hub-3.creds");
  assert.ok(/^[a-z0-9][a-z0-9._-]{0,63}$/.test(secretName(`${"x".repeat(300)}.pem`, none)));
});
