// A gateway with everything a dashboard can show: a hub behind a cable that can be cut, MQTT and NATS doors, a serial device on a pty.

import type { NatsConnection } from "@nats-io/transport-node";
import type { MqttClient } from "mqtt";
import type { StatusReport } from "#status/report.ts";
import { type Hub, LEAF, startHub } from "../../../support/hub.ts";
import { LinkCutter } from "../../../support/link-cutter.ts";
import { natsJs } from "../../../support/nats-client.ts";
import { Pty } from "../../../support/pty.ts";
import { DEVICE, mqttDevice } from "../../../support/spoke.ts";
import type { Browser } from "../../../support/web-device.ts";
import { type Gateway, startGateway } from "./gateway.ts";

const UNTIL_MS = 20_000;

export interface BusyGateway extends Gateway {
  readonly hub: Hub;
  /** Somebody at the hub who listens to everything below `sensors` and `alarms`. */
  readonly listener: NatsConnection;
  readonly cable: LinkCutter;
  /** The serial device of port `weather`: lines of JSON. */
  readonly pty: Pty;
  readonly api: Browser;
  mqtt(clientId: string, options?: { readonly clean?: boolean }): Promise<MqttClient & AsyncDisposable>;
  nats(name: string): Promise<NatsConnection & AsyncDisposable>;
  status(): Promise<StatusReport>;
  until(what: string, isTrue: (report: StatusReport) => boolean): Promise<StatusReport>;
}

export async function startBusyGateway(settings: { readonly [key: string]: unknown } = {}): Promise<BusyGateway> {
  await using scope = new AsyncDisposableStack();
  const hub = scope.use(await startHub({ version: "2.10" }));
  const cable = scope.use(await LinkCutter.before(hub.server.port("leaf")));
  const pty = scope.use(await Pty.open());
  const listener = await hub.connect();
  scope.defer(() => listener.close());
  for (const subject of ["sensors.>", "alarms.>"]) listener.subscribe(subject, { callback: () => undefined });
  await listener.flush();
  const gateway = scope.use(
    await startGateway({
      settings: {
        accounts: [{ name: "EDGE", users: [{ ...DEVICE, nats: true }] }],
        listen: "127.0.0.1:0",
        mqtt: { listen: "127.0.0.1:0" },
        leafnodes: {
          remotes: [
            {
              urls: [cable.through(hub.leafUrl)],
              user: LEAF.user,
              password: LEAF.password,
              reconnect: { min: "100ms", max: "500ms" },
              ignore_discovered_servers: true,
            },
          ],
        },
        outbox: {
          free_reserve: "0B",
          rules: [
            { subjects: ["alarms.>"], class: "alarm", keep: "always" },
            { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
            { subjects: [">"], class: "state", keep: "durable" },
          ],
        },
        serial: [
          {
            name: "weather",
            match: { path: pty.path },
            baud_rate: 9600,
            framing: { type: "line" },
            decode: { type: "json" },
            subject: "sensors.weather.{field}",
            silence_after: null,
          },
        ],
        ...settings,
      },
    }),
  );
  const api = await gateway.owner();
  const status = async () => (await api.get("/api/status")).json as StatusReport;
  const portOf = (listen: string | undefined) => Number(listen!.split(":").at(-1));
  const until = async (what: string, isTrue: (report: StatusReport) => boolean): Promise<StatusReport> => {
    const end = performance.now() + UNTIL_MS;
    for (;;) {
      const report = await status();
      if (isTrue(report)) return report;
      if (performance.now() > end) throw new Error(`never: ${what}\n${JSON.stringify(report.remotes, null, 1)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await until("the link is ready", ({ remotes }) => remotes[0]!.link.state === "ready");
  const open = scope.move();
  return {
    ...gateway,
    hub,
    listener,
    cable,
    pty,
    api,
    status,
    until,
    mqtt: async (clientId, { clean = true } = {}) =>
      await mqttDevice(portOf((await status()).mqtt?.listen), { clientId, clean, protocolVersion: 4 }),
    nats: async (name) => await natsJs(portOf((await status()).nats?.listen), { name, user: DEVICE.user, pass: DEVICE.password }),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
