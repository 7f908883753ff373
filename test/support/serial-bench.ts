// A bench for serial ports: a router, somebody who hears everything, and devices of the mind on a fake clock.

import assert from "node:assert/strict";
import { createLog } from "#base/log.ts";
import { type Batch, flagsOf, payloadOf, subjectOf } from "#core/batch.ts";
import type { Origin, Sink, Subscription } from "#core/sink.ts";
import type { SerialPortOptions } from "#ingress/serial/options.ts";
import type { SerialPortStatus } from "#ingress/serial/port-status.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { AccountRouter } from "#router/router.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeTty } from "./fake-tty.ts";
import { serialPort } from "./serial-options.ts";

const NOBODY = { vendorId: null, productId: null, serialNumber: null, usbPort: null, path: null };
export const FTDI = { vendorId: "0403", productId: "6001" };

type Wanted = Partial<Omit<SerialPortOptions, "match">> & { readonly match?: Partial<SerialPortOptions["match"]> };

export function portOptions(wanted: Wanted = {}): SerialPortOptions {
  return {
    ...serialPort({ name: "weather", match: { vendor_id: "0403" }, silence_after: null, error_budget: null }),
    framing: { type: "line", maxFrame: 64 },
    ...wanted,
    match: { ...NOBODY, ...(wanted.match ?? FTDI) },
  };
}

/** A bench with a router, somebody who hears everything, and devices of the mind. */
export class SerialBench implements Sink {
  readonly clock = new FakeClock();
  readonly tty = new FakeTty();
  readonly log: string[] = [];
  readonly messages: string[] = [];
  /** Messages per publish. */
  readonly batches: number[] = [];
  flags = 0;
  readonly account = new AccountRouter("EDGE", { random: () => 0, bytes: (count) => Buffer.alloc(count) });
  #count = 0;

  constructor() {
    this.account.subscribe({ filter: ">", queue: null, sink: this, mayReceive: () => true });
  }

  open(...ports: readonly SerialPortOptions[]): Promise<SerialIngress> {
    const log = createLog(this.clock, "info", (line) => this.log.push(`${line.level} ${line.message}`));
    return openSerial(
      ports,
      { account: this.account, env: { clock: this.clock, tty: this.tty, log } },
      AbortSignal.timeout(60_000),
    );
  }

  deliver(batch: Batch, index: number, _: readonly Subscription[], origin: Origin): void {
    assert.equal(origin.kind, "serial");
    this.messages.push(`${subjectOf(batch, index)} ${payloadOf(batch, index)}`);
    this.flags = flagsOf(batch, index);
    this.#count += 1;
  }

  flush(): void {
    this.batches.push(this.#count);
    this.#count = 0;
  }

  plugFtdi(path = "/dev/ttyUSB0", serialNumber: string | null = null) {
    return this.tty.plug({ path, ...FTDI, serialNumber, usbPort: `1-1.${path.at(-1)}` });
  }
}

/** The only port's status, once it is as wanted. */
export async function until(
  ingress: SerialIngress,
  isWanted: (status: SerialPortStatus) => boolean,
  index = 0,
): Promise<SerialPortStatus> {
  const look = () => ingress.status()[index]!;
  if (!isWanted(look())) {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _ = ingress.watch(() => isWanted(look()) && resolve());
    await promise;
  }
  return look();
}

export const isOpen = (status: SerialPortStatus) => status.state === "open";

/** Past the moment in which a first byte may lie in the middle of a frame. */
export const SETTLED_MS = 100;
