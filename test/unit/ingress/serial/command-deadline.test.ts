import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type DeadlineClock, deadlineOf } from "#ingress/serial/command-deadline.ts";

const NOON = Date.parse("2026-11-22T12:00:00Z");
const CLOCK: DeadlineClock = { now: 5000, wall: NOON, isWallTrusted: true, fallback: 30_000 };

function deadline(lines: readonly string[], clock: DeadlineClock = CLOCK): number | string {
  const block = lines.length === 0 ? "" : `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
  const found = deadlineOf(Buffer.from(block, "latin1"), clock);
  return "at" in found ? found.at : `${found.fault}: ${found.text}`;
}

test("without a word about it, a command has the port's own time", () => {
  assert.equal(deadline([]), 35_000);
  assert.equal(deadline(["Petiole-Deadlines: 5s", "X: Petiole-Deadline: 1s"]), 35_000);
});

test("an instant is reckoned by the calendar, whatever its zone and its fractions", () => {
  assert.equal(deadline(["Petiole-Deadline: 2026-11-22T12:00:05Z"]), 10_000);
  assert.equal(deadline(["petiole-deadline:2026-11-22T13:00:05.250+01:00"]), 10_250);
  assert.equal(deadline(["Petiole-Deadline: 2026-11-22T11:59:59Z"]), 4000, "over already");
});

test("a duration counts from the arrival, with or without a calendar", () => {
  assert.equal(deadline(["Petiole-Deadline: 5s"]), 10_000);
  assert.equal(deadline(["Petiole-Deadline: 250ms"], { ...CLOCK, isWallTrusted: false }), 5250);
});

test("what is left of an MQTT message's life counts too, and the earlier end rules", () => {
  assert.equal(deadline(["Nmqtt-Expiry: 7"]), 12_000);
  assert.equal(deadline(["Nmqtt-Expiry: 7", "Petiole-Deadline: 2s"]), 7000);
  assert.equal(deadline(["Nmqtt-Expiry: 1", "Petiole-Deadline: 2s"]), 6000);
});

test("an instant is refused while the calendar is not believed: it might be years off", () => {
  assert.match(
    String(deadline(["Petiole-Deadline: 2026-11-22T12:00:05Z"], { ...CLOCK, isWallTrusted: false })),
    /^SERIAL_CLOCK_UNSET: .*send a duration such as 5s$/,
  );
});

test("a deadline that cannot be read is none that could be kept", () => {
  for (const text of ["soon", "", "5", "2026-11-22", "2026-11-22T12:00:05", "2026-99-99T00:00:00Z", "-5s"])
    assert.match(String(deadline([`Petiole-Deadline: ${text}`])), /^SERIAL_COMMAND_INVALID: /, text);
});

test("no block of headers, however broken, throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const found = deadlineOf(Buffer.from(bytes), CLOCK);
      assert.ok("fault" in found || Number.isFinite(found.at));
    }),
  );
});
