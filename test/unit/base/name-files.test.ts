import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addressesInHosts } from "#base/hosts-file.ts";
import { namesToAsk, parseResolvConf } from "#base/resolv-conf.ts";

test("/etc/hosts: names in any case, comments, blanks and nonsense", () => {
  const text =
    "127.0.0.1 localhost\r\n\n#10.0.0.9 hub\n  10.0.0.1   Hub.Example.com hub # hub2\n10.0.0.2\thub\nrubbish hub\n::1 hub\n10.0.0.1 hub\n";
  assert.deepEqual(addressesInHosts(text, "HUB"), ["10.0.0.1", "10.0.0.2", "::1"]);
  assert.deepEqual(addressesInHosts(text, "hub.example.com"), ["10.0.0.1"]);
  assert.deepEqual(addressesInHosts(text, "hub2"), []);
  assert.deepEqual(addressesInHosts(text, "rubbish"), []);
  assert.deepEqual(addressesInHosts("", "hub"), []);
});

test("resolv.conf: the last of domain and search counts, numbers are bounded", () => {
  const conf = parseResolvConf(
    "domain a.example\nsearch b.example. c.example\nnameserver 10.0.0.1 # first\nnameserver fe80::1%eth0\noptions rotate ndots:99\n; end",
  );
  assert.deepEqual(conf, { nameservers: ["10.0.0.1", "fe80::1%eth0"], search: ["b.example", "c.example"], ndots: 15 });
  assert.deepEqual(parseResolvConf(""), { nameservers: [], search: [], ndots: 1 });
  assert.deepEqual(parseResolvConf("nameserver\noptions\nsearch\n"), { nameservers: [], search: [], ndots: 1 });
});

test("names with enough dots are asked for as they stand first; a trailing dot forbids the search", () => {
  const conf = { search: ["lan"], ndots: 1 };
  assert.deepEqual(namesToAsk("hub", conf), ["hub.lan", "hub"]);
  assert.deepEqual(namesToAsk("hub.example.com", conf), ["hub.example.com", "hub.example.com.lan"]);
  assert.deepEqual(namesToAsk("hub.", conf), ["hub"]);
  assert.deepEqual(namesToAsk("hub", { search: [], ndots: 1 }), ["hub"]);
  assert.deepEqual(namesToAsk("hub", { search: ["lan"], ndots: 0 }), ["hub", "hub.lan"]);
});

test("no text makes either file throw or grow without bound", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.string(), (text, name) => {
      assert.ok(addressesInHosts(text, name).length <= 16);
      const conf = parseResolvConf(text);
      assert.ok(conf.nameservers.length <= 8 && conf.search.length <= 8 && conf.ndots <= 15);
      assert.ok(namesToAsk("hub", conf).includes("hub"));
    }),
  );
});
