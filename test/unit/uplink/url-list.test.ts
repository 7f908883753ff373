import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LEAF_AUTH_REJECTED, LEAF_CLOSED, LEAF_DIAL_FAILED, LEAF_TLS_FAILED } from "#uplink/errors.ts";
import { tryGossipUrl } from "#uplink/gossip.ts";
import { parseRemoteUrl, type RemoteUrl } from "#uplink/remote-url.ts";
import { UrlList, type UrlListOptions } from "#uplink/url-list.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function urlOf(text: string): RemoteUrl {
  const parsed = parseRemoteUrl(text);
  assert.ok("value" in parsed, JSON.stringify(parsed));
  return parsed.value;
}

const DEFAULTS = { noRandomize: true, ignoreDiscoveredServers: false, reconnect: { returnToFirst: null } };
const [A, B, C] = [urlOf("tls://a.example:7422"), urlOf("tls://b.example:7422"), urlOf("tls://c.example:7422")];
const GONE = { code: LEAF_DIAL_FAILED, message: "cannot reach it" };
const REJECTED = { code: LEAF_AUTH_REJECTED, message: "wrong password" };
const entropy = { random: seededRandom(7) };

function listOf(urls: readonly RemoteUrl[], options: Partial<UrlListOptions> = {}): UrlList {
  return new UrlList({ urls, ...DEFAULTS, ...options }, entropy);
}

/** The next `count` URLs, each failing as it is tried: "a b c". */
function tries(list: UrlList, count: number, failure = GONE): string {
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const { url } = list.next(i);
    names.push(url.endpoint.host.replace(".example", ""));
    list.onFailed(url, i, failure);
  }
  return names.join(" ");
}

test("in the order given with no_randomize, over and over", () => {
  const list = listOf([A, B, C]);
  assert.equal(list.roundSize, 3);
  assert.equal(tries(list, 7), "a b c a b c a");
  assert.equal(tries(listOf([A]), 3), "a a a");
});

test("without it in an order of our own, each once a round", () => {
  const orders = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const list = listOf([A, B, C], { noRandomize: false });
    const first = tries(list, 3);
    assert.equal(tries(list, 3), first);
    assert.deepEqual(first.split(" ").sort(), ["a", "b", "c"]);
    orders.add(first);
  }
  assert.equal(orders.size, 6);
});

test("a link that ends is followed by the next URL, and its own comes last", () => {
  const list = listOf([A, B, C]);
  assert.equal(tries(list, 1), "a");
  const { url } = list.next(0);
  list.onUp(url, 0);
  list.onFailed(url, 100, { code: LEAF_CLOSED, message: "closed" });
  assert.equal(tries(list, 4), "c a b c");
});

test("a URL that is left early is followed by another one: configured before gossiped, and none that needs a person", () => {
  const list = listOf([A, B, C]);
  const { url } = list.next(0);
  list.onUp(url, 0);
  assert.equal(list.other()?.url, B);
  list.leave();
  assert.equal(tries(list, 4), "b c a b");

  const rejecting = listOf([A, B]);
  assert.equal(rejecting.next(0).url, A);
  rejecting.onFailed(B, 0, REJECTED);
  rejecting.onUp(A, 0);
  assert.equal(rejecting.other(), undefined);
  rejecting.onInfo(A, ["a.example:7422", "n1.example:7422"], "hubs");
  assert.equal(rejecting.other()?.url.text, "tls://n1.example:7422");
  rejecting.leave();
  const n1 = rejecting.next(0).url;
  assert.equal(n1.text, "tls://n1.example:7422");
  rejecting.onUp(n1, 0);
  rejecting.onInfo(n1, ["a.example:7422", "n1.example:7422"], "hubs");
  assert.equal(rejecting.other()?.url, A, "not the one in use, however often it is named");
});

test("with one URL and no gossip there is no other, and leaving goes back to it", () => {
  const list = listOf([A]);
  assert.equal(list.next(0).url, A);
  list.onUp(A, 0);
  assert.equal(list.other(), undefined);
  list.leave();
  assert.equal(list.next(0).url, A);
});

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

test("a URL that needs a person sits out longer and longer while others have no such trouble, and comes back at once after a link", () => {
  const list = listOf([A, B]);
  const log: string[] = [];
  for (let i = 0; i < 40; i++) {
    const { url } = list.next(i);
    log.push(url === A ? "a" : "b");
    list.onFailed(url, i, url === A ? REJECTED : GONE);
  }
  assert.equal(log.join(""), "abbabbbbabbbbbbbbabbbbbbbbabbbbbbbbabbbb");
  list.onUp(A, 50);
  list.onFailed(A, 60, GONE);
  assert.equal(tries(list, 3).split(" ").includes("a"), true);
});

test("when every configured URL needs a person, none sits out", () => {
  assert.equal(tries(listOf([A, B, C]), 9, REJECTED), "a b c a b c a b c");
  const list = listOf([A]);
  list.onInfo(A, ["n1:7422"], "east");
  assert.equal(tries(list, 6, REJECTED), "a n1 a n1 a n1"); // gossip that works, or not, is no reason to leave a configured one out
});

test("health tells of each URL what it last did", () => {
  const list = listOf([A, B]);
  assert.equal(tries(list, 3), "a b a");
  list.onUp(B, 100);
  list.onRoundTrip(B, 42.5);
  const secretless = { failuresInRow: 2, lastFailure: { ...GONE, agoMs: 498 }, lastUpAgoMs: null, rttMs: null };
  assert.deepEqual(list.health(500), [
    { url: "tls://a.example:7422", isConfigured: true, ...secretless },
    {
      url: "tls://b.example:7422",
      isConfigured: true,
      failuresInRow: 0,
      lastFailure: { ...GONE, agoMs: 499 },
      lastUpAgoMs: 400,
      rttMs: 42.5,
    },
  ]);
  list.onFailed(A, 500, { code: "LEAF_X", message: "x".repeat(10_000) });
  assert.equal(list.health(500)[0]!.lastFailure!.message.length, 500);
});

// ── whatever happens ────────────────────────────────────────────────────────────────────────────────────────────────────

type Event =
  | { readonly do: "next" }
  | { readonly do: "up" }
  | { readonly do: "fail"; readonly code: string }
  | { readonly do: "info"; readonly entries: readonly string[]; readonly cluster: string | null }
  | { readonly do: "probe"; readonly hasAnswered: boolean };

const entry = fc.oneof(
  fc.nat(300).map((n) => `n${n}.example:7422`),
  fc.constantFrom("a.example:7422", "user:pass@n:1", "127.0.0.1:22", "10.0.0.1:7422"),
  fc.string({ maxLength: 40 }),
);
const event = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Event>({ do: "next" }) },
  fc.constant<Event>({ do: "up" }),
  fc.constantFrom<string>(LEAF_AUTH_REJECTED, LEAF_TLS_FAILED, LEAF_DIAL_FAILED).map<Event>((code) => ({ do: "fail", code })),
  fc
    .tuple(fc.array(entry, { maxLength: 80 }), fc.option(fc.string({ maxLength: 3 })))
    .map<Event>(([entries, cluster]) => ({ do: "info", entries, cluster })),
  fc.boolean().map<Event>((hasAnswered) => ({ do: "probe", hasAnswered })),
);
const world = fc.record({
  count: fc.integer({ min: 1, max: 6 }),
  noRandomize: fc.boolean(),
  ignoreDiscoveredServers: fc.boolean(),
  returnToFirst: fc.option(fc.constantFrom(1, 10)),
  events: fc.array(event, { maxLength: 400 }),
});

/** Plays the events; calls `check` after each, with what was dialed. */
function play(
  given: typeof world extends fc.Arbitrary<infer W> ? W : never,
  check: (list: UrlList, dialed: RemoteUrl | null, urls: readonly RemoteUrl[]) => void,
): void {
  const urls = Array.from({ length: given.count }, (_, i) => urlOf(`tls://${"abcdef"[i]}.example:7422`));
  const { noRandomize, ignoreDiscoveredServers } = given;
  const list = new UrlList(
    { urls, noRandomize, ignoreDiscoveredServers, reconnect: { returnToFirst: given.returnToFirst } },
    { random: seededRandom(3) },
  );
  let url = urls[0]!;
  for (const [now, each] of given.events.entries()) {
    let dialed: RemoteUrl | null = null;
    switch (each.do) {
      case "next":
        dialed = url = list.next(now).url;
        break;
      case "up":
        list.onUp(url, now);
        break;
      case "fail":
        list.onFailed(url, now, { code: each.code, message: "no" });
        break;
      case "info":
        list.onInfo(url, each.entries, each.cluster);
        break;
      case "probe":
        if (list.returnDue(now) !== undefined) list.onProbe(now, each.hasAnswered);
    }
    check(list, dialed, urls);
  }
}

test("whatever hubs do and say, every configured URL is dialed again within a bounded number of tries", () => {
  fc.assert(
    fc.property(world, (given) => {
      const waits = new Map<string, number>();
      const bound = 9 * (given.count + 4);
      play(given, (_list, dialed, urls) => {
        if (dialed === null) return;
        for (const { text } of urls) {
          const waited: number = text === dialed.text ? 0 : (waits.get(text) ?? 0) + 1;
          waits.set(text, waited);
          assert.ok(waited < bound, `${text} waits since ${waited} dials`);
        }
      });
    }),
    { numRuns: 300 },
  );
});

test("whatever hubs do and say, nothing gossiped is dialed when gossip is ignored, and never without TLS where TLS is configured", () => {
  fc.assert(
    fc.property(world, (given) =>
      play(given, (list, dialed, urls) => {
        if (given.ignoreDiscoveredServers) assert.equal(list.health(0).length, urls.length);
        if (dialed === null) return;
        assert.ok(dialed.isTls && dialed.text.startsWith("tls://") && dialed.login === null);
        if (given.ignoreDiscoveredServers) assert.ok(urls.includes(dialed), dialed.text);
      }),
    ),
    { numRuns: 200 },
  );
});

test("whatever hubs do and say, the list stays bounded and keeps every configured URL", () => {
  fc.assert(
    fc.property(world, (given) =>
      play(given, (list, _dialed, urls) => {
        const health = list.health(0);
        assert.ok(health.length <= urls.length + 64);
        assert.deepEqual(
          health
            .filter(({ isConfigured }) => isConfigured)
            .map(({ url }) => url)
            .sort(),
          urls.map(({ text }) => text).sort(),
        );
        assert.equal(new Set(health.map(({ url }) => url)).size, health.length);
        assert.ok(list.roundSize >= 1 && list.roundSize <= urls.length + 4);
      }),
    ),
    { numRuns: 200 },
  );
});
