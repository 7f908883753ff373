// Which URL is next: order, rounds, those that need a person, and the rest when they do.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LEAF_AUTH_REJECTED, LEAF_CLOSED, LEAF_DIAL_FAILED, LEAF_TLS_FAILED } from "#uplink/errors.ts";
import type { RemoteUrl } from "#uplink/remote-url.ts";
import { UrlList } from "#uplink/url-list.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { A, B, C, GONE, listOf, REJECTED, tries, urlOf } from "../../support/url-lists.ts";

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
