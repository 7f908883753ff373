import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import type { Clock } from "#base/clock.ts";
import { PetioleError } from "#base/errors.ts";
import { LEAF_DIAL_FAILED } from "#uplink/errors.ts";
import { Relocation } from "#uplink/relocation.ts";
import { parseRemoteUrl, type RemoteUrl } from "#uplink/remote-url.ts";
import { type UrlChoice, UrlList } from "#uplink/url-list.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function urlOf(text: string): RemoteUrl {
  const parsed = parseRemoteUrl(text);
  assert.ok("value" in parsed);
  return parsed.value;
}

const [A, B] = [urlOf("tls://a:7422"), urlOf("tls://b:7422")];

/** A ready link, URLs that answer, refuse or are silent, and what it was told. */
class World {
  readonly clock = new FakeClock();
  readonly urls: UrlList;
  readonly relocation: Relocation;
  readonly manners = new Map<string, "answers" | "refuses" | "silent">();
  readonly dials: string[] = [];
  readonly gone: string[] = [];
  readonly streams: Duplex[] = [];

  constructor(urls: readonly RemoteUrl[], returnToFirst: number | null = null, timersEarlyBy = 0) {
    const { clock } = this;
    const earlyClock: Clock = {
      now: () => clock.now(),
      wall: () => clock.wall(),
      after: (delay, action) => clock.after(delay > 2 * timersEarlyBy ? delay - timersEarlyBy : delay, action),
      every: (period, action) => clock.every(period, action),
    };
    const entropy = { random: seededRandom(3), bytes: (count: number) => Buffer.alloc(count) };
    this.urls = new UrlList(
      { urls, noRandomize: true, ignoreDiscoveredServers: false, reconnect: { returnToFirst } },
      { random: entropy.random },
    );
    this.relocation = new Relocation(
      {
        urls: this.urls,
        connect: (choice, signal) => this.#connect(choice, signal),
        timeout: () => 5000,
        go: ({ url }, why) => this.gone.push(`${url.endpoint.host}: ${why}`),
      },
      { clock: earlyClock, entropy },
    );
  }

  up(url: RemoteUrl): void {
    let choice = this.urls.next(this.clock.now());
    while (choice.url !== url) {
      this.urls.onFailed(choice.url, this.clock.now(), { code: LEAF_DIAL_FAILED, message: "gone" });
      choice = this.urls.next(this.clock.now());
    }
    this.urls.onUp(url, this.clock.now());
    this.relocation.onUp(choice);
  }

  async #connect({ url }: UrlChoice, signal: AbortSignal): Promise<Duplex> {
    const { host } = url.endpoint;
    this.dials.push(host);
    const manner = this.manners.get(host) ?? "answers";
    if (manner === "refuses") throw new PetioleError(LEAF_DIAL_FAILED, "refused");
    if (manner === "silent")
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    this.streams.push(stream);
    return stream;
  }
}

test("our node takes nothing new, the other does: it goes there, and leaves no timer behind", async () => {
  const world = new World([A, B]);
  world.up(A);
  world.manners.set("a", "refuses");
  world.relocation.onInterestGone("orders.>");
  await world.clock.pass(10_000);
  assert.deepEqual(world.dials, ["a", "a", "b"]);
  assert.equal(world.gone.length, 1);
  assert.match(world.gone[0]!, /^b: our node .* leaving it early$/);
  assert.equal(world.urls.next(world.clock.now()).url, B);
  assert.equal(world.clock.pending, 0);
  assert.ok(world.streams.every((stream) => stream.destroyed));
});

test("a timer that comes a little early is no reason to forget about it", async () => {
  const world = new World([A, B], null, 0.4);
  world.up(A);
  world.manners.set("a", "refuses");
  world.relocation.onInterestGone("orders.>");
  await world.clock.pass(10_000);
  assert.deepEqual([world.dials, world.gone.length], [["a", "a", "b"], 1]);
});

test("a deleted stream, a node that answers: nothing happens but one look", async () => {
  const world = new World([A, B]);
  world.up(A);
  for (const subject of ["a.>", "b.>"]) world.relocation.onInterestGone(subject);
  await world.clock.pass(50_000);
  assert.deepEqual([world.dials, world.gone, world.clock.pending], [["a"], [], 0]);
});

test("a node that does not answer within the limit counts as one that refuses", async () => {
  const world = new World([A, B]);
  world.up(A);
  world.manners.set("a", "silent");
  world.relocation.onInterestGone("orders.>");
  await world.clock.pass(20_000);
  assert.deepEqual([world.dials, world.gone.length], [["a", "a", "b"], 1]);
});

test("with one URL nobody looks", async () => {
  const world = new World([A]);
  world.up(A);
  world.relocation.onInterestGone("orders.>");
  await world.clock.pass(20_000);
  assert.deepEqual([world.dials, world.clock.pending], [[], 0]);
});

test("a link that ends ends the looking, and what comes of a look under way is for nobody", async () => {
  for (const manner of ["silent", "answers", "refuses"] as const) {
    const world = new World([A, B], 1000);
    world.up(B);
    world.manners.set("a", manner).set("b", manner);
    world.relocation.onInterestGone("orders.>");
    world.clock.advance(2_500);
    const tick = world.relocation.onTick();
    world.relocation.onDown();
    await tick;
    await turn();
    assert.equal(world.clock.pending, 0);
    await world.clock.pass(60_000);
    assert.deepEqual([world.gone, world.dials.length], [[], 2]);
    assert.ok(world.streams.every((stream) => stream.destroyed));
  }
});

test("the first URL that has answered for the soak draws the link back, one look at a time", async () => {
  const world = new World([A, B], 1000);
  world.up(B);
  world.manners.set("a", "silent");
  const ticks = Array.from({ length: 4 }, () => world.clock.pass(1_000).then(() => world.relocation.onTick()));
  await world.clock.pass(1_000);
  assert.deepEqual(world.dials, ["a"], "not a second one beside it");
  await world.clock.pass(10_000);
  await Promise.all(ticks);
  world.manners.set("a", "answers");
  for (let i = 0; i < 3; i++) {
    await world.clock.pass(2_500);
    await world.relocation.onTick();
  }
  assert.deepEqual(world.gone, ["a: going back to the first URL"]);
  assert.equal(world.urls.next(world.clock.now()).url, A);
});

test("after a new link everything begins anew, also where a look was under way when the old one ended", async () => {
  const world = new World([A, B], 1000);
  world.up(B);
  world.manners.set("a", "silent");
  world.clock.advance(2_500);
  const tick = world.relocation.onTick();
  world.relocation.onDown();
  world.urls.onFailed(B, world.clock.now(), { code: LEAF_DIAL_FAILED, message: "gone" });
  world.up(B);
  await tick;
  world.manners.set("a", "answers");
  for (let i = 0; i < 3; i++) {
    await world.clock.pass(2_500);
    await world.relocation.onTick();
  }
  assert.equal(world.gone.length, 1);
});
