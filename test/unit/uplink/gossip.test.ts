// What hubs tell of other hubs, and how little of it is believed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LEAF_DIAL_FAILED, LEAF_TLS_FAILED } from "#uplink/errors.ts";
import { tryGossipUrl } from "#uplink/gossip.ts";
import { A, B, GONE, listOf, tries, urlOf } from "../../support/url-lists.ts";

test("gossip comes behind what is configured, in the manner of the URL it was heard on, and never twice", () => {
  const heardOn = urlOf("tls://user:secret@a.example:7500");
  const list = listOf([heardOn, B]);
  list.next(0);
  assert.equal(
    list.onInfo(
      heardOn,
      ["n1.example:7422", "N1.Example:7422", "10.0.0.5:7423", "[2001:DB8:0::5]:7422", "b.example:7422", "a.example:7500"],
      "hubs",
    ),
    0,
  );
  list.onUp(heardOn, 0);
  const heard = Array.from({ length: 5 }, () => list.next(1));
  assert.deepEqual(
    heard.map(({ url, tlsHost, isConfigured }) => `${url.text} ${tlsHost} ${isConfigured}`),
    [
      "tls://b.example:7422 b.example true",
      "tls://a.example:7500 a.example true",
      "tls://n1.example:7422 n1.example false",
      "tls://10.0.0.5:7423 a.example false",
      "tls://[2001:db8::5]:7422 a.example false",
    ],
  );
  for (const { url } of heard.slice(2)) {
    assert.equal(url.isTls, true);
    assert.equal(url.login, heardOn.login);
  }
  assert.equal(list.roundSize, 5);
});

test("a name borrowed for a gossiped address is left when TLS fails, and taken again the time after", () => {
  const list = listOf([A]);
  list.next(0);
  list.onInfo(A, ["10.0.0.5:7422"], null);
  const names: string[] = [];
  for (let i = 0; i < 6; i++) {
    const choice = list.next(i);
    if (!choice.isConfigured) names.push(choice.tlsHost);
    list.onFailed(choice.url, i, { code: choice.isConfigured ? LEAF_DIAL_FAILED : LEAF_TLS_FAILED, message: "wrong name" });
  }
  assert.deepEqual(names, ["a.example", "10.0.0.5", "a.example"]);
});

test("a fleet that heard the same gossip does not run to the same node; with no_randomize the order is the hub's", () => {
  const told = ["n1:7422", "n2:7422", "n3:7422"];
  for (const [noRandomize, least] of [
    [false, 10],
    [true, 0],
  ] as const) {
    const counts = new Map(told.map((each) => [`tls://${each}`, 0]));
    for (let i = 0; i < 90; i++) {
      const list = listOf([A], { noRandomize });
      list.onUp(list.next(0).url, 0);
      list.onInfo(A, told, "hubs");
      list.onInfo(A, told, "hubs");
      assert.equal(list.next(1).url, A);
      const { text } = list.next(2).url;
      counts.set(text, counts.get(text)! + 1);
    }
    for (const count of counts.values()) assert.ok(count >= least, JSON.stringify([...counts]));
    if (noRandomize) assert.equal(counts.get("tls://n1:7422"), 90);
  }
});

test("newer gossip of a cluster replaces its older one, on whichever URL it is heard; other clusters keep theirs", () => {
  const list = listOf([A, B]);
  const gossiped = () =>
    list
      .health(0)
      .filter(({ isConfigured }) => !isConfigured)
      .map(({ url }) => url.replace("tls://", ""))
      .sort();
  list.onInfo(A, ["n1:7422", "n2:7422"], "east");
  list.onInfo(B, ["w1:7422"], "west");
  assert.deepEqual(gossiped(), ["n1:7422", "n2:7422", "w1:7422"]);
  list.onInfo(B, ["n2:7422", "n3:7422"], "east");
  assert.deepEqual(gossiped(), ["n2:7422", "n3:7422", "w1:7422"]);
  list.onInfo(A, [], "east");
  assert.deepEqual(gossiped(), ["n2:7422", "n3:7422", "w1:7422"]);
  list.onInfo(A, ["s1:7422"], null); // a hub without a cluster speaks for its own URL
  list.onInfo(A, ["s2:7422"], null);
  assert.deepEqual(gossiped(), ["n2:7422", "n3:7422", "s2:7422", "w1:7422"]);
});

test("what is known of a gossiped URL stays known when it is named again, and it may drop out while the link is on it", () => {
  const list = listOf([A]);
  list.onInfo(A, ["n1:7422"], "east");
  const n1 = [list.next(0), list.next(0)][1]!.url;
  assert.equal(n1.endpoint.host, "n1");
  list.onUp(n1, 5);
  list.onRoundTrip(n1, 80);
  list.onInfo(n1, ["n1:7422", "n2:7422"], "east");
  assert.deepEqual(list.health(15)[1], {
    url: "tls://n1:7422",
    isConfigured: false,
    failuresInRow: 0,
    lastFailure: null,
    lastUpAgoMs: 10,
    rttMs: 80,
  });
  list.onInfo(n1, ["n2:7422"], "east");
  list.onInfo(n1, ["n3:7422"], "east"); // still heard on the link that is up
  assert.deepEqual(
    list.health(15).map(({ url }) => url),
    ["tls://a.example:7422", "tls://n3:7422"],
  );
});

test("ignore_discovered_servers: gossip is nothing", () => {
  const list = listOf([A, B], { ignoreDiscoveredServers: true });
  assert.equal(list.onInfo(A, ["n1:7422", "rubbish"], "east"), 0);
  assert.equal(tries(list, 5), "a b a b a");
  assert.equal(list.health(0).length, 2);
});

test("a hub cannot gossip its way into a login, another scheme, this device, or nowhere", () => {
  const refused = [
    "",
    ":",
    "n1",
    "n1:",
    ":7422",
    "n1:0",
    "n1:65536",
    "n1:99999999",
    "n1:-1",
    "n1:+7",
    "n1: 7422",
    " n1:7422",
    "n1:7422 ",
    "n1:7422\n",
    "n1:7422/leafnode",
    "user@n1:7422",
    "user:pass@n1:7422",
    "tls://n1:7422",
    "nats-leaf://n1:7422",
    "n1:7422?x",
    "n1:7422#x",
    "n1%2e:7422",
    "n\u00e41:7422",
    "n1\u0000:7422",
    "[n1]:7422",
    "[::1:7422",
    "2001:db8::1:7422",
    "[1.2.3.4]:7422",
    "[fe80::1%eth0]:7422",
    "-n1:7422",
    "n1-:7422",
    "n1..x:7422",
    ".n1:7422",
    `${"x".repeat(64)}:7422`,
    `${"x.".repeat(140)}x:7422`,
    "x".repeat(100_000),
    "127.0.0.1:7422",
    "127.9.9.9:22",
    "localhost:7422",
    "x.localhost:7422",
    "LOCALHOST.:7422",
    "[::1]:7422",
    "[0:0:0:0:0:0:0:1]:7422",
    "[::ffff:127.0.0.1]:7422",
    "[::ffff:7f00:1]:22",
    "169.254.169.254:80",
    "[fe80::1]:7422",
    "0.0.0.0:7422",
    "[::]:7422",
    "[::ffff:0.0.0.0]:7422",
    "224.0.0.1:7422",
    "255.255.255.255:7422",
    "[ff02::1]:7422",
    "127.1:7422",
    "2130706433:7422",
    "0x7f.1:7422",
    "0x7f000001:7422",
    "1.2.3:7422",
    "1.2.3.4.5:7422",
    "01.2.3.4:7422",
    "256.1.1.1:7422",
  ];
  for (const entry of refused) assert.equal(tryGossipUrl(entry, A), undefined, JSON.stringify(entry.slice(0, 60)));
  const list = listOf([A]);
  assert.equal(list.onInfo(A, refused, "east"), refused.length);
  assert.equal(list.health(0).length, 1);
});

test("a hub that lives on this device may name its neighbours here", () => {
  for (const home of ["nats://127.0.0.1:7422", "nats://localhost:7422", "nats://[::1]:7422"]) {
    assert.equal(tryGossipUrl("127.0.0.1:7423", urlOf(home))?.text, "nats://127.0.0.1:7423", home);
  }
  assert.equal(tryGossipUrl("0.0.0.0:7423", urlOf("nats://127.0.0.1:7422")), undefined);
});

test("over WebSocket a gossiped URL has the path, the scheme and the login of the URL it was heard on", () => {
  const heardOn = urlOf("wss://token@hub.example:443/edge");
  const url = tryGossipUrl("10.0.0.5:8443", heardOn)!;
  assert.deepEqual(
    [url.text, url.path, url.isWebSocket, url.isTls],
    ["wss://10.0.0.5:8443/edge/leafnode", "/edge/leafnode", true, true],
  );
  assert.equal(url.login, heardOn.login);
});

test("a handshake that was cut off is no reason to sit out, a wrong certificate is", () => {
  for (const [remedy, wanted] of [
    ["retry", "a b a b a b"],
    ["backoff", "a b b a b b"],
  ] as const) {
    const list = listOf([A, B]);
    const names: string[] = [];
    for (let i = 0; i < 6; i++) {
      const { url } = list.next(i);
      names.push(url === A ? "a" : "b");
      list.onFailed(url, i, url === A ? { code: LEAF_TLS_FAILED, message: "tls", remedy } : GONE);
    }
    assert.equal(names.join(" "), wanted);
  }
});

test("an INFO without a list changes nothing", () => {
  const list = listOf([A]);
  list.onInfo(A, ["n1:7422"], "east");
  assert.deepEqual([list.onInfo(A, null, "east"), list.onInfo(A, [], "east"), list.health(0).length], [0, 0, 2]);
});

test("a thousand gossiped URLs: 64 are kept, four are tried in a round, those that failed least first", () => {
  const list = listOf([A, B]);
  assert.equal(
    list.onInfo(
      A,
      Array.from({ length: 1000 }, (_, i) => `n${i}:7422`),
      "east",
    ),
    936,
  );
  assert.equal(list.health(0).length, 66);
  assert.equal(tries(list, 12), "a b n0 n1 n2 n3 a b n4 n5 n6 n7");
  for (let i = 0; i < 100; i++) list.onInfo(A, [`m${i}:7422`], `cluster ${i}`);
  assert.equal(list.health(0).length, 66);
});
