import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Flow, WINDOW_BYTES_MAX, WINDOW_START_BYTES } from "#uplink/flow.ts";

/** A link of `rate` bytes/ms and `rtt` ms; the sender always has more than the window takes. Returns the flow after `rounds` PONGs. */
function saturate(flow: Flow, link: { readonly rate: number; readonly rtt: number }, rounds: number, start = 0): { now: number } {
  let now = start;
  let lineFreeAt = now;
  const pongs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    while (flow.underWay < flow.window) {
      const bytes = Math.max(1, Math.ceil(flow.window / 4));
      flow.onSent(bytes, now);
      lineFreeAt = Math.max(now, lineFreeAt) + bytes / link.rate;
      flow.onPing(now);
      pongs.push(lineFreeAt + link.rtt);
    }
    flow.onFull();
    now = pongs.shift()!;
    flow.onPong(now);
  }
  return { now };
}

test("a link that has shown nothing gets a small window, and a fast one opens it within a few round trips", () => {
  const flow = new Flow(0);
  assert.equal(flow.window, WINDOW_START_BYTES);
  const { now } = saturate(flow, { rate: 12_500, rtt: 20 }, 60);
  assert.equal(flow.window, WINDOW_BYTES_MAX);
  assert.ok(now < 1500, `after ${Math.round(now)} ms`);
});

test("on 50 kbit/s and 500 ms a PONG comes back within two seconds and the line is kept busy", () => {
  const flow = new Flow(0);
  const link = { rate: 6.25, rtt: 500 };
  flow.onSent(100, 0); // the introduction
  flow.onPing(0);
  flow.onPong(516);
  const { now } = saturate(flow, link, 2000, 516);
  assert.ok(now > 600_000, "ten minutes and more: nothing drifts");
  assert.ok(Math.abs(flow.rate - 6250) < 700, `${flow.rate} bytes/s measured`);
  assert.ok(flow.window >= 6.25 * 500, "less than the line holds by itself");
  assert.ok(flow.window / 6.25 <= 1900, `${flow.window} bytes take ${flow.window / 6.25} ms`);
  assert.ok(flow.rtt! < 2000, `round trips of ${flow.rtt} ms`);
});

test("a line that becomes slow closes the window again", () => {
  const flow = new Flow(0);
  const { now } = saturate(flow, { rate: 125, rtt: 50 }, 100);
  assert.ok(flow.window > 100_000);
  while (flow.pings > 0) flow.onPong(now);
  saturate(flow, { rate: 6.25, rtt: 50 }, 60, now);
  assert.ok(flow.window < 12_000, `${flow.window}`);
});

test("having little to say closes nothing", () => {
  const flow = new Flow(0);
  const { now } = saturate(flow, { rate: 125, rtt: 50 }, 100);
  const { window } = flow;
  while (flow.pings > 0) flow.onPong(now);
  for (let i = 0; i < 50; i++) {
    flow.onSent(20, now + i * 1000);
    flow.onPing(now + i * 1000);
    flow.onPong(now + i * 1000 + 50);
  }
  assert.ok(flow.window >= window * 0.9, `${window} became ${flow.window}`);
});

test("patience gives what is under way its time, twice over", () => {
  const flow = new Flow(0);
  assert.equal(flow.patience, 20_000);
  flow.onSent(1024 * 1024, 0); // one large message on a link that has shown nothing
  flow.onPing(0);
  assert.ok(flow.patience > 2_000_000, "1 KiB/s is all it is trusted with");
  flow.onPong(100);
  assert.ok(flow.patience < 21_000, `${flow.patience}`);
});

test("PINGs in the middle of a flush confirm what stood before them, no more", () => {
  const flow = new Flow(0);
  flow.onSent(1000, 0);
  flow.onPing(0, 400);
  assert.equal(flow.unmarked, 400);
  flow.onPong(10);
  assert.equal(flow.underWay, 400);
});

test("whatever comes in whatever order, the numbers stay sane", () => {
  const event = fc.oneof(
    fc.record({ do: fc.constant("send" as const), n: fc.integer({ min: 0, max: 2_000_000 }) }),
    fc.record({
      do: fc.constantFrom("ping" as const, "pong" as const, "full" as const),
      n: fc.integer({ min: 0, max: 100_000 }),
    }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), (events) => {
      const flow = new Flow(0);
      let now = 0;
      for (const { do: what, n } of events) {
        if (what === "send") flow.onSent(n, now);
        else if (what === "ping") flow.onPing(now);
        else if (what === "full") flow.onFull();
        else {
          now += n;
          flow.onPong(now);
        }
        assert.ok(flow.underWay >= 0 && flow.unmarked >= 0 && flow.unmarked <= flow.underWay + 1e-6);
        assert.ok(flow.window >= 1024 && flow.window <= WINDOW_BYTES_MAX);
        assert.ok(flow.patience >= 20_000 && Number.isFinite(flow.patience));
      }
    }),
  );
});
