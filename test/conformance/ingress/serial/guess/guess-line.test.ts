// The guess against lines that are really sampled at the wrong speed: what comes out is what a receiver would hear.

import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMON_RATES, guessLine, type Proposal } from "#ingress/serial/guess/guess-line.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { withCrc } from "../../../../support/modbus-units.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";
import { type Burst, UartLine, type UartSettings, UartTty } from "../../../../support/uart.ts";

const random = seededRandom(7);
const next = (below: number) => Math.floor(random() * below);
const EIGHT_N_1 = { dataBits: 8, parity: "none", stopBits: 1 } as const;
const QUICK = { timeout: 20_000 };

async function guess(settings: UartSettings, bursts: readonly Burst[], rates = COMMON_RATES): Promise<readonly Proposal[]> {
  const clock = new FakeClock();
  const tty = new UartTty(new UartLine(settings, bursts), clock);
  const guessing = guessLine({ path: "/dev/ttyX", rates, dwell: 1500 }, { tty, clock }, AbortSignal.timeout(20_000));
  let isDone = false;
  const done = guessing.finally(() => (isDone = true));
  for (let i = 0; i < 40 && !isDone; i++) await clock.pass(1500);
  const proposals = await done;
  assert.equal(clock.pending, 0, "a timer was left behind");
  return proposals;
}

const json: Burst[] = Array.from({ length: 12 }, (_, i) => ({
  bytes: Buffer.from(`{"t":${20 + next(900) / 100},"h":${30 + next(500) / 10},"n":${i}}\r\n`),
  pauseMs: 80,
}));

for (const baudRate of COMMON_RATES) {
  test(`JSON lines at ${baudRate} baud are found at that rate and no other`, QUICK, async () => {
    const [best] = await guess({ ...EIGHT_N_1, baudRate }, json);
    assert.equal(best?.settings.baudRate, baudRate);
    assert.deepEqual([best.framing, best.decode], [{ type: "line" }, { type: "json" }]);
    assert.ok(best.score > 0.85, `${best.score}`);
  });
}

const NMEA = ["$IIMWV,084.0,R,10.4,N,A*04", "$PGRMZ,93,f,3*21", "$GPGLL,4916.45,N,12311.12,W,225444,A*31"];

for (const baudRate of [4800, 9600, 38_400, 115_200]) {
  test(`NMEA sentences at ${baudRate} baud are proved by their checksums`, QUICK, async () => {
    const bursts = NMEA.map((line) => ({ bytes: Buffer.from(`${line}\r\n`), pauseMs: 60 }));
    const [best] = await guess({ ...EIGHT_N_1, baudRate }, bursts);
    assert.equal(best?.settings.baudRate, baudRate);
    assert.equal(best.framing["type"], "nmea");
    assert.match(best.why, /right checksum/);
  });
}

for (const baudRate of [2400, 9600, 19_200, 57_600]) {
  test(`rows of numbers at ${baudRate} baud are csv with their columns`, QUICK, async () => {
    const bursts = Array.from({ length: 20 }, () => ({
      bytes: Buffer.from(`${next(3000) / 100};${next(99)};${next(2000) / 10}\r\n`),
      pauseMs: 40,
    }));
    const [best] = await guess({ ...EIGHT_N_1, baudRate }, bursts);
    assert.equal(best?.settings.baudRate, baudRate);
    assert.deepEqual(best.decode, { type: "csv", columns: ["c1", "c2", "c3"], separator: ";" });
  });
}

const modbusTraffic: Burst[] = Array.from({ length: 6 }, (_, i) => [
  { bytes: withCrc([i + 1, 3, 0, 16, 0, 2]), pauseMs: 12 },
  { bytes: withCrc([i + 1, 3, 4, next(256), next(256), next(256), next(256)]), pauseMs: 30 },
]).flat();

for (const [baudRate, parity] of [
  [9600, "none"],
  [19_200, "even"],
  [38_400, "odd"],
  [115_200, "even"],
] as const) {
  test(`Modbus traffic at ${baudRate} baud with parity ${parity} is proved by its checksums`, QUICK, async () => {
    const [best] = await guess({ baudRate, dataBits: 8, parity, stopBits: 1 }, modbusTraffic);
    assert.equal(best?.settings.baudRate, baudRate);
    assert.equal(best.settings.parity, parity === "none" ? "none" : "even", "odd reads as even does");
    assert.deepEqual(best.framing, { type: "modbus_rtu" });
    assert.deepEqual(best.decode["registers"], [
      { name: "holding_16", table: "holding", address: 16, type: "u16" },
      { name: "holding_17", table: "holding", address: 17, type: "u16" },
    ]);
  });
}

test("text in seven bits with even parity is found with them", QUICK, async () => {
  const [best] = await guess({ baudRate: 9600, dataBits: 7, parity: "even", stopBits: 1 }, json);
  assert.deepEqual(best?.settings, { baudRate: 9600, dataBits: 7, parity: "even", stopBits: 1 });
  assert.equal(best.decode["type"], "json");
});

function cobs(payload: Buffer): Buffer {
  const out = [0];
  let code = 0;
  for (const byte of payload) {
    if (byte === 0) {
      out[code] = out.length - code;
      code = out.push(0) - 1;
    } else out.push(byte);
  }
  out[code] = out.length - code;
  return Buffer.from([...out, 0]);
}

for (const baudRate of [9600, 115_200]) {
  test(`COBS frames at ${baudRate} baud are found whole`, QUICK, async () => {
    const bursts = Array.from({ length: 16 }, (_, i) => ({
      bytes: cobs(Buffer.from([i, 0, next(256), next(256), 0, next(256), next(256), next(256), 17])),
      pauseMs: 25,
    }));
    const [best] = await guess({ ...EIGHT_N_1, baudRate }, bursts);
    assert.equal(best?.settings.baudRate, baudRate);
    assert.deepEqual(best.framing, { type: "cobs" });
  });

  test(`SLIP frames at ${baudRate} baud are found by their escapes`, QUICK, async () => {
    const bursts = Array.from({ length: 16 }, (_, i) => ({
      bytes: Buffer.from([0xc0, i + 1, 0xdb, 0xdc, next(180) + 4, next(180) + 4, 0xdb, 0xdd, next(180) + 4, 9, 0xc0]),
      pauseMs: 25,
    }));
    const [best] = await guess({ ...EIGHT_N_1, baudRate }, bursts);
    assert.equal(best?.settings.baudRate, baudRate);
    assert.deepEqual(best.framing, { type: "slip" });
  });

  test(`frames of a fixed length at ${baudRate} baud are found by their marks and their sum`, QUICK, async () => {
    const bursts = Array.from({ length: 16 }, (_, i) => {
      const body = [0xaa, 0x55, i, next(256), next(256), next(256), next(256), next(256), next(256)];
      return { bytes: Buffer.from([...body, body.reduce((sum, byte) => (sum + byte) & 0xff, 0)]), pauseMs: 20 };
    });
    const [best] = await guess({ ...EIGHT_N_1, baudRate }, bursts);
    assert.equal(best?.settings.baudRate, baudRate);
    assert.deepEqual(best.framing, { type: "fixed", length: 10, start: "hex:aa55", checksum: "sum8" });
    assert.match(best.why, /each ends with the sum8 of the rest/);
  });
}

test("a silent line gives no proposal, and the port is closed after each try", QUICK, async () => {
  assert.deepEqual(await guess({ ...EIGHT_N_1, baudRate: 9600 }, [{ bytes: Buffer.alloc(0), pauseMs: 1000 }]), []);
});

test("noise is not taken for anything sure", QUICK, async () => {
  const bursts = Array.from({ length: 20 }, () => ({
    bytes: Buffer.from(Array.from({ length: 40 }, () => next(256))),
    pauseMs: 20,
  }));
  for (const proposal of await guess({ ...EIGHT_N_1, baudRate: 9600 }, bursts)) {
    assert.ok(proposal.score < 0.6, `${proposal.score}: ${proposal.why}`);
  }
});
