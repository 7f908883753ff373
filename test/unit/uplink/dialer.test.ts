import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { Duplex } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { PetioleError } from "#base/errors.ts";
import { createLog } from "#base/log.ts";
import type { ByteStream, Endpoint } from "#base/net.ts";
import { DNS_NO_ANSWER } from "#base/resolver.ts";
import type { KnownAddress } from "#uplink/address-book.ts";
import { orderAddresses } from "#uplink/address-order.ts";
import { DIAL_FAILED, DIAL_GIVEN_UP, Dialer } from "#uplink/dialer.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { FakeResolver } from "../../support/fake-resolver.ts";

const DEAD_DNS = new PetioleError(DNS_NO_ANSWER, "DNS server 192.0.2.53 does not answer");
const HUB: Endpoint = { host: "hub", port: 7422 };

interface Call {
  readonly address: string;
  readonly at: number;
  readonly connect: () => Stream;
  readonly fail: (code: string) => void;
  isAborted: boolean;
}

class Stream extends Duplex {
  override _read(): void {
    // never anything to read
  }
}

/** Dials wait until the test says what becomes of them. */
class FakeNet {
  readonly calls: Call[] = [];
  readonly #clock: FakeClock;
  readonly signals: AbortSignal[] = [];

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  readonly dial = (endpoint: Endpoint, signal: AbortSignal): Promise<ByteStream> => {
    const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
    const call: Call = {
      address: endpoint.host,
      at: this.#clock.now(),
      connect: () => {
        const stream = new Stream();
        resolve(stream);
        return stream;
      },
      fail: (code) => reject(Object.assign(new Error(`connect ${code}`), { code })),
      isAborted: false,
    };
    this.signals.push(signal);
    signal.addEventListener("abort", () => {
      call.isAborted = true;
      reject(signal.reason);
    });
    this.calls.push(call);
    return promise;
  };

  call(address: string): Call {
    const call = this.calls.find((each) => each.address === address);
    assert.ok(call !== undefined, `${address} was not dialed; dialed ${this.calls.map((each) => each.address).join(" ")}`);
    return call;
  }

  get dialed(): string {
    return this.calls.map(({ address }) => address).join(" ");
  }
}

function world(known: readonly KnownAddress[] = []) {
  const clock = new FakeClock();
  const net = new FakeNet(clock);
  const resolver = new FakeResolver();
  const said: string[] = [];
  const remembered: string[] = [];
  const log = createLog(clock, "debug", ({ level, message }) => said.push(`${level} ${message}`));
  const book = { known: () => known, remember: (host: string, address: string) => void remembered.push(`${host} ${address}`) };
  return {
    clock,
    net,
    resolver,
    said,
    remembered,
    scope: new AbortController(),
    dialer: new Dialer({ clock, net, resolver, log }, book),
  };
}

const knownAt = (clock: FakeClock, address: string, ageDays: number): KnownAddress => ({
  address,
  family: address.includes(":") ? 6 : 4,
  goodAt: clock.wall() - ageDays * 86_400_000,
});

async function failure(promise: Promise<unknown>): Promise<PetioleError> {
  const error = await promise.then(
    () => assert.fail("it connected"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof PetioleError, String(error));
  return error;
}

test("an address is dialed as it stands, without DNS", async () => {
  const { dialer, net, scope, clock } = world();
  const dialing = dialer.dial({ host: "192.0.2.1", port: 7422 }, scope.signal);
  await turn();
  const stream = net.call("192.0.2.1").connect();
  assert.equal(await dialing, stream);
  assert.deepEqual([clock.pending, getEventListeners(scope.signal, "abort").length, dialer.underWay()], [0, 0, []]);
});

test("a slow address is not given up: the next starts beside it after two seconds, and the first that connects wins", async () => {
  const { dialer, net, resolver, scope, clock } = world();
  resolver.answers("hub", "192.0.2.1", "2001:db8::1", "192.0.2.2");
  const dialing = dialer.dial(HUB, scope.signal);
  await clock.pass(1_999);
  assert.equal(net.dialed, "192.0.2.1");
  await clock.pass(1);
  assert.equal(net.dialed, "192.0.2.1 2001:db8::1");
  await clock.pass(2_000);
  assert.equal(net.dialed, "192.0.2.1 2001:db8::1 192.0.2.2");
  assert.match(dialer.underWay().join(), /^hub:7422: 192\.0\.2\.1: no answer for 4\.0 s; 2001:db8::1: no answer for 2\.0 s; 192/);
  const stream = net.call("192.0.2.1").connect(); // an LTE modem woke up
  assert.equal(await dialing, stream);
  assert.deepEqual(
    net.calls.map(({ isAborted }) => isAborted),
    [false, true, true],
  );
  assert.deepEqual([clock.pending, getEventListeners(scope.signal, "abort").length, resolver.pending], [0, 0, 0]);
});

test("a refusal starts the next at once; when all have failed, one message names each and why", async () => {
  const { dialer, net, resolver, scope, clock } = world();
  resolver.answers("hub", "192.0.2.1", "192.0.2.2", "2001:db8::1");
  const failed = failure(dialer.dial(HUB, scope.signal));
  await turn();
  net.call("192.0.2.1").fail("ECONNREFUSED");
  await turn();
  net.call("2001:db8::1").fail("ENETUNREACH");
  await turn();
  assert.equal(net.calls.length, 3);
  await clock.pass(20_000);
  const error = await failed;
  assert.equal(error.code, DIAL_FAILED);
  assert.equal(
    error.message,
    "cannot connect to hub:7422: 192.0.2.1: refused: nothing listens on that port, or a firewall says no (ECONNREFUSED); " +
      "2001:db8::1: no route: this device has no network of that kind (ENETUNREACH); 192.0.2.2: no answer within 20 s",
  );
  assert.equal(clock.pending, 0);
});

test("a refusal makes room at once, also while another is still being tried", async () => {
  const { dialer, net, resolver, scope, clock } = world();
  resolver.answers("hub", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4");
  const dialing = dialer.dial(HUB, scope.signal);
  await clock.pass(2_000);
  net.call("192.0.2.2").fail("ECONNREFUSED");
  await turn();
  assert.equal(net.dialed, "192.0.2.1 192.0.2.2 192.0.2.3");
  await clock.pass(1_999);
  assert.equal(net.calls.length, 3);
  net.call("192.0.2.1").connect();
  await dialing;
});

test("two that connect in the same turn: one is handed over, the other destroyed", async () => {
  const { dialer, net, resolver, scope, clock } = world();
  resolver.answers("hub", "192.0.2.1", "192.0.2.2");
  const dialing = dialer.dial(HUB, scope.signal);
  await clock.pass(2_000);
  const [first, second] = [net.call("192.0.2.1").connect(), net.call("192.0.2.2").connect()];
  assert.equal(await dialing, first);
  await turn();
  assert.deepEqual([first.destroyed, second.destroyed], [false, true]);
  second.emit("error", new Error("late")); // and its late error hits nobody
});

test("DNS that fails: the remembered addresses are tried at once, and old ones are said to be old", async () => {
  const clock = new FakeClock();
  for (const [days, words] of [
    [2, /^info DNS server .* does not answer; trying the addresses remembered for hub$/],
    [45, /^warn .* remembered for hub \(the newest worked 45 days ago\)$/],
  ] as const) {
    const { dialer, net, resolver, scope, said } = world([knownAt(clock, "192.0.2.1", days)]);
    resolver.fails("hub", DEAD_DNS);
    const dialing = dialer.dial(HUB, scope.signal);
    await turn();
    const stream = net.call("192.0.2.1").connect();
    assert.equal(await dialing, stream);
    assert.match(said.join("|"), words);
  }
});

test("DNS that fails with nothing remembered: that is the failure", async () => {
  const { dialer, resolver, scope, clock } = world();
  resolver.fails("hub", DEAD_DNS);
  const error = await failure(dialer.dial(HUB, scope.signal));
  assert.equal(
    `${error.code}: ${error.message}`,
    "DIAL_FAILED: cannot connect to hub:7422: DNS server 192.0.2.53 does not answer",
  );
  assert.equal(clock.pending, 0);
});

test("DNS that is slow: after three seconds the remembered ones race, and its answer joins them", async () => {
  const clock = new FakeClock();
  const { dialer, net, resolver, scope, clock: time } = world([knownAt(clock, "192.0.2.1", 1)]);
  resolver.waits("hub");
  const dialing = dialer.dial(HUB, scope.signal);
  await time.pass(2_999);
  assert.equal(net.dialed, "");
  await time.pass(1);
  assert.equal(net.dialed, "192.0.2.1");
  await time.pass(500);
  resolver.answers("hub", "192.0.2.9", "192.0.2.1");
  await time.pass(1_500);
  assert.equal(net.dialed, "192.0.2.1 192.0.2.9"); // nothing is dialed twice
  const stream = net.call("192.0.2.9").connect();
  assert.equal(await dialing, stream);
  assert.deepEqual([net.call("192.0.2.1").isAborted, time.pending, resolver.pending], [true, 0, 0]);
});

test("remembered addresses that are dead do not end the dial while DNS may still answer", async () => {
  const clock = new FakeClock();
  const { dialer, net, resolver, scope, clock: time } = world([knownAt(clock, "192.0.2.1", 1)]);
  resolver.waits("hub");
  const failed = failure(dialer.dial(HUB, scope.signal));
  await time.pass(3_000);
  net.call("192.0.2.1").fail("EHOSTUNREACH");
  await time.pass(60_000);
  assert.match(dialer.underWay().join(), /the host cannot be reached \(EHOSTUNREACH\); DNS not answered yet$/);
  resolver.fails("hub", DEAD_DNS);
  const error = await failed;
  assert.match(
    error.message,
    /192\.0\.2\.1: the host cannot be reached \(EHOSTUNREACH\); DNS server 192\.0\.2\.53 does not answer$/,
  );
});

test("the caller's limit ends everything and says what was still waited for", async () => {
  const { dialer, net, resolver, scope, clock } = world();
  resolver.answers("hub", "192.0.2.1");
  const failed = failure(dialer.dial(HUB, scope.signal));
  await clock.pass(12_000);
  const reason = new Error("12 s are over");
  scope.abort(reason);
  const error = await failed;
  assert.equal(`${error.code}: ${error.message}`, "DIAL_GIVEN_UP: gave up on hub:7422: 192.0.2.1: no answer for 12.0 s");
  assert.equal(error.cause, reason);
  assert.deepEqual([net.calls[0]!.isAborted, clock.pending, getEventListeners(scope.signal, "abort").length], [true, 0, 0]);
  const again = await failure(dialer.dial(HUB, scope.signal));
  assert.deepEqual([again.code, net.calls.length, resolver.asked.length], [DIAL_GIVEN_UP, 1, 1]);
});

test("given up while DNS is asked: the question ends, too, and no address is dialed afterwards", async () => {
  const { dialer, net, resolver, scope, clock } = world([]);
  resolver.waits("hub");
  const failed = failure(dialer.dial(HUB, scope.signal));
  await turn();
  scope.abort(new Error("stop"));
  assert.match((await failed).message, /DNS not answered yet$/);
  await turn();
  assert.equal(resolver.pending, 0);
  resolver.answers("hub", "192.0.2.1");
  await clock.pass(10_000);
  assert.deepEqual([net.calls.length, clock.pending], [0, 0]);
});

test("what is learnt: a far hub gets more time before the next address starts, a near one less, within 1 and 5 seconds", async () => {
  for (const [took, delay] of [
    [100, 1_000],
    [700, 2_100],
    [9_000, 5_000],
  ] as const) {
    const { dialer, net, resolver, scope, clock } = world();
    resolver.answers("hub", "192.0.2.1", "192.0.2.2");
    const dialing = dialer.dial({ host: "192.0.2.7", port: 1 }, scope.signal);
    await clock.pass(took);
    net.call("192.0.2.7").connect();
    await dialing;
    const startedAt = clock.now();
    const second = dialer.dial(HUB, scope.signal);
    await clock.pass(6_000);
    assert.equal(net.call("192.0.2.2").at - startedAt, delay);
    net.call("192.0.2.2").connect();
    await second;
  }
});

test("an address is remembered once the caller says that the link over it is up", async () => {
  const { dialer, net, resolver, scope, remembered } = world();
  resolver.answers("hub", "192.0.2.1");
  const dialing = dialer.dial(HUB, scope.signal);
  await turn();
  net.call("192.0.2.1").connect();
  await dialing;
  assert.deepEqual(remembered, []);
  dialer.onUp(HUB);
  dialer.onUp({ host: "stranger", port: 1 });
  assert.deepEqual(remembered, ["hub 192.0.2.1"]);
});

test("order: the last good one, then the families in turn; IPv4 leads unless IPv6 worked last", () => {
  const answer = ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) => ({
    address,
    family: address.includes(":") ? (6 as const) : (4 as const),
  }));
  const order = (good: readonly string[], lastFamily: 4 | 6 | null) =>
    orderAddresses(answer, { good, lastFamily })
      .map(({ address }) => address.replace("192.0.2.", "").replace("2001:db8", ""))
      .join(" ");
  assert.equal(order([], null), "1 ::1 2 ::2 3");
  assert.equal(order([], 6), "::1 1 ::2 2 3");
  assert.equal(order(["192.0.2.3"], 4), "3 ::1 1 ::2 2");
  assert.equal(order(["10.9.9.9", "2001:db8::2"], 4), "::2 1 ::1 2 3");
});

test("order: whatever the answer, each address comes exactly once", () => {
  const address = fc
    .nat(12)
    .map((n) =>
      n % 2 === 0 ? { address: `192.0.2.${n}`, family: 4 as const } : { address: `2001:db8::${n}`, family: 6 as const },
    );
  fc.assert(
    fc.property(
      fc.array(address),
      fc.array(address),
      fc.constantFrom(4 as const, 6 as const, null),
      (answer, good, lastFamily) => {
        const ordered = orderAddresses(answer, { good: good.map((each) => each.address), lastFamily }).map(
          (each) => each.address,
        );
        assert.deepEqual(ordered.toSorted(), [...new Set(answer.map((each) => each.address))].sort());
      },
    ),
  );
});
