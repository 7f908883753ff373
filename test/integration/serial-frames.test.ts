// Every framing over a real pseudo-terminal, with noise between the frames: each frame behind the noise arrives, and what was passed over
// is counted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as silence } from "node:timers/promises";
import { systemClock } from "#base/clock.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import type { Json } from "#base/schema.ts";
import { type Batch, payloadOf } from "#core/batch.ts";
import type { Sink } from "#core/sink.ts";
import type { SerialPortOptions } from "#ingress/serial/options.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { systemTty } from "#ingress/serial/system-tty.ts";
import { AccountRouter } from "#router/router.ts";
import { MAX_FRAME, SPEAKERS } from "../support/framings.ts";
import { Pty } from "../support/pty.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { serialPort } from "../support/serial-options.ts";

/** The same framings as the speakers', as an owner writes them. */
const SETTINGS: Readonly<Record<string, Json>> = {
  line: { type: "line" },
  delimiter: { type: "delimiter", delimiter: "=!#" },
  fixed: { type: "fixed", length: 8, gap: "50ms" },
  "fixed with a mark": { type: "fixed", length: 8, start: "hex:aa55", gap: "50ms" },
  "length prefix of 1 byte": { type: "length_prefix", start: "hex:7ea5", gap: "50ms" },
  "length prefix of 2 bytes": {
    type: "length_prefix",
    start: "hex:7ea5",
    length_bytes: 2,
    endian: "little",
    length_includes_header: true,
    gap: "50ms",
  },
  "length prefix of 4 bytes": {
    type: "length_prefix",
    start: "hex:7ea5",
    length_bytes: 4,
    length_includes_header: true,
    gap: "50ms",
  },
  "start and end": { type: "start_end", start: "\\x02", end: "\\x03" },
  "start and end alike": { type: "start_end", start: "~", end: "~" },
  cobs: { type: "cobs" },
  slip: { type: "slip" },
  "idle gap": { type: "idle_gap", gap: "50ms" },
  "line with its sum in hex": { type: "line", checksum: "crc16_modbus", checksum_as: "hex" },
  "cobs with a checksum": { type: "cobs", checksum: "crc16_modbus" },
  "fixed with a checksum": { type: "fixed", length: 10, checksum: "crc16_modbus", gap: "50ms" },
  "fixed with a mark and a checksum": { type: "fixed", length: 10, start: "hex:aa", checksum: "crc16_modbus", gap: "50ms" },
  "start and end with a sum in hex": {
    type: "start_end",
    start: "\\x02",
    end: "\\x03",
    checksum: "crc16_modbus",
    checksum_as: "hex",
  },
  nmea: { type: "nmea" },
  "modbus rtu": { type: "modbus_rtu", max_frame: "256B", gap: "50ms" },
};

/** A silence that is one for every framing here, and longer than that in which the first frame after opening is doubted. */
const SILENCE_MS = 150;

class Ear implements Sink {
  readonly heard: string[] = [];
  #woken: () => void = () => undefined;

  deliver(batch: Batch, index: number): void {
    this.heard.push(payloadOf(batch, index).toString("hex"));
  }

  flush(): void {
    this.#woken();
  }

  async hears(frame: string): Promise<void> {
    while (this.heard.at(-1) !== frame) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#woken = resolve;
      await promise;
    }
  }
}

function settings(path: string, framing: Json): SerialPortOptions {
  return serialPort({
    name: "bench",
    match: { path },
    baud_rate: 115_200,
    framing: { max_frame: `${MAX_FRAME}B`, ...(framing as object) },
    decode: { type: "raw" },
    subject: "frames",
    silence_after: null,
    error_budget: null,
  });
}

async function isOpen(serial: SerialIngress): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => void (serial.status()[0]?.state === "open" && resolve());
  using _watch = serial.watch(look);
  look();
  await promise;
}

for (const [name, speaker] of Object.entries(SPEAKERS)) {
  const isCutBySilence = speaker.options.type === "idle_gap";
  test(`${name}: over a pty, noise costs no frame that is whole`, { timeout: 20_000 }, async () => {
    await using pty = await Pty.open();
    const ear = new Ear();
    const account = new AccountRouter("EDGE", systemEntropy());
    account.subscribe({ filter: ">", queue: null, sink: ear, mayReceive: () => true });
    const env = { clock: systemClock(), tty: systemTty(), log: silentLog() };
    const options = settings(pty.path, SETTINGS[name]!);
    await using serial = await openSerial([options], { account, env }, AbortSignal.timeout(10_000));
    await isOpen(serial);

    const random = seededRandom(7);
    const sent: string[] = [];
    const bursts = isCutBySilence ? 3 : speaker.resync === null ? 4 : 20;
    await silence(SILENCE_MS);
    for (let burst = 0; burst < bursts; burst++) {
      pty.write(Buffer.from(Array.from({ length: 1 + Math.floor(random() * 100) }, () => Math.floor(random() * 256))));
      if (speaker.resync === null) await silence(SILENCE_MS);
      else pty.write(speaker.resync);
      const contents = Array.from({ length: isCutBySilence ? 1 : 20 }, () => speaker.content(random));
      for (const content of contents) pty.write(speaker.encode(content));
      sent.push(...contents.map((content) => speaker.frameOf(content).toString("hex")));
      await ear.hears(sent.at(-1)!);
    }

    let from = 0;
    for (const [i, frame] of sent.entries()) {
      const at = ear.heard.indexOf(frame, from);
      assert.notEqual(at, -1, `frame ${i} of ${sent.length} is lost`);
      from = at + 1;
    }
    const phantoms = ear.heard.length - sent.length;
    if (speaker.options.checked !== undefined || name === "nmea" || name === "modbus rtu")
      assert.equal(phantoms, 0, "frames with a checksum never come of noise");
    const status = serial.status()[0]!;
    assert.equal(status.frames, ear.heard.length);
    assert.equal(status.decodeErrors, 0);
  });
}
