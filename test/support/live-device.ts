// A device with a page whose messages, serial ports and doctor are there: a real router and real ports, devices of the mind, no hub. And a
// reader of its live views.

import { once } from "node:events";
import * as http from "node:http";
import { decode } from "#base/decode.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { openSerial } from "#ingress/serial/serial-ingress.ts";
import { outboxOptions } from "#outbox/options.ts";
import { AccountRouter } from "#router/router.ts";
import type { DoctorDesk } from "#web/server/live-desks.ts";
import { createMessageDesk } from "../../src/desks/message-desk.ts";
import { createSerialDesk } from "../../src/desks/serial-desk.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeTty } from "./fake-tty.ts";
import { batchOf, RecordingOrigin } from "./router-fixtures.ts";
import { serialPort } from "./serial-options.ts";
import { type Browser, startWebDevice, type WebDevice } from "./web-device.ts";

export interface LiveDevice extends AsyncDisposable {
  readonly device: WebDevice;
  readonly clock: FakeClock;
  readonly account: AccountRouter;
  readonly tty: FakeTty;
  /** Publishes as an MQTT device does. */
  publish(subject: string, payload?: string | Buffer, headers?: string): void;
}

export interface LiveDeviceOptions {
  /** Ports of the settings. */
  readonly serial?: readonly Readonly<Record<string, unknown>>[];
  readonly doctor?: DoctorDesk;
  readonly tty?: FakeTty;
}

/** Everything at once: routes that answer 503 would prove nothing. */
export async function startLiveDevice(options: LiveDeviceOptions = {}): Promise<LiveDevice> {
  await using scope = new AsyncDisposableStack();
  const clock = new FakeClock();
  const tty = options.tty ?? new FakeTty();
  const account = new AccountRouter("EDGE", systemEntropy());
  const ports = (options.serial ?? []).map(serialPort);
  const env = { clock, tty, log: silentLog() };
  const ingress = ports.length === 0 ? null : scope.use(await openSerial(ports, { account, env }, new AbortController().signal));
  const outbox = decode(outboxOptions, {}, "/data");
  if (!("value" in outbox)) throw new Error(JSON.stringify(outbox.faults));
  const limits = { maxPayload: 1024 * 1024, maxConnections: 10, maxPending: 1024 * 1024, writeDeadline: 10_000 };
  const config = { outbox: outbox.value, limits, serverName: "gw-test" };
  const status = () => ({ serial: (ingress?.status() ?? []).map((port) => ({ ...port, path: port.path })) as never });
  const live = {
    messages: createMessageDesk({ config, accounts: new Map([["EDGE", account]]), uplinks: () => [], clock }),
    serial: createSerialDesk({ tty, clock, ports: () => ports, ingress: () => ingress, status }),
    ...(options.doctor === undefined ? {} : { doctor: options.doctor }),
  };
  const device = scope.use(await startWebDevice({ clock, live }));
  const origin = new RecordingOrigin("mqtt");
  const door = account.open(origin);
  const owned = scope.move();
  return {
    device,
    clock,
    account,
    tty,
    publish(subject, payload = "", headers = "") {
      const block = headers === "" ? Buffer.alloc(0) : Buffer.from(`NATS/1.0\r\n${headers}\r\n\r\n`);
      door.publish(batchOf({ subject, payload: Buffer.from(payload), headers: block, flags: 0b1100 }));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export interface LiveEvent {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
  readonly data: any;
}

/** A live view as a browser reads it. */
export class LiveReader implements Disposable {
  readonly response: http.IncomingMessage;
  readonly ended: Promise<void>;
  readonly events: LiveEvent[] = [];
  readonly #request: http.ClientRequest;
  #text = "";

  /** `body`: POST. Does not read before `read` is called. */
  static async open(
    device: WebDevice,
    browser: Browser,
    path: string,
    body?: object,
    leaving: AbortSignal = new AbortController().signal,
  ): Promise<LiveReader> {
    const sent = body === undefined ? "" : JSON.stringify(body);
    const request = http.request({
      host: "127.0.0.1",
      port: device.port,
      path,
      method: body === undefined ? "GET" : "POST",
      agent: false,
      signal: leaving,
      headers: {
        Cookie: browser.cookie,
        ...(body === undefined
          ? {}
          : { "X-Petiole-CSRF": browser.csrf, "Content-Type": "application/json", "Content-Length": Buffer.byteLength(sent) }),
      },
    });
    request.end(sent);
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    return new LiveReader(request, response);
  }

  /** The same, and reads. */
  static async read(device: WebDevice, browser: Browser, path: string, body?: object): Promise<LiveReader> {
    const reader = await LiveReader.open(device, browser, path, body);
    reader.start();
    return reader;
  }

  private constructor(request: http.ClientRequest, response: http.IncomingMessage) {
    this.#request = request;
    this.response = response;
    // Not events.once: the server's end may be a reset, at which that rejects.
    this.ended = new Promise((resolve) => void response.on("error", () => undefined).once("close", () => resolve()));
  }

  start(): void {
    this.response.setEncoding("utf8");
    this.response.on("data", (chunk: string) => {
      this.#text += chunk;
      for (let end = this.#text.indexOf("\n\n"); end !== -1; end = this.#text.indexOf("\n\n")) {
        this.#take(this.#text.slice(0, end));
        this.#text = this.#text.slice(end + 2);
      }
    });
  }

  get status(): number {
    return this.response.statusCode ?? 0;
  }

  of(event: string): readonly LiveEvent["data"][] {
    return this.events.filter((each) => each.event === event).map(({ data }) => data);
  }

  /** Resolves with the `count`-th event of this name. */
  async until(event: string, count = 1): Promise<LiveEvent["data"]> {
    while (this.of(event).length < count) {
      if (this.response.closed) throw new Error(`the stream ended; there were ${JSON.stringify(this.events).slice(0, 500)}`);
      await Promise.race([once(this.response, "data"), this.ended]);
    }
    return this.of(event)[count - 1];
  }

  [Symbol.dispose](): void {
    this.#request.destroy();
    this.response.destroy();
  }

  #take(block: string): void {
    const event = /^event: (.*)$/m.exec(block)?.[1];
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (event === undefined || data === undefined) return; // a sign of life
    this.events.push({ event, data: data.startsWith("{") ? JSON.parse(data) : data });
  }
}
