// A site as it is: two hubs behind lines of their own, one of them thin, and a Modbus bus on a real pty with a unit that does not answer.

import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { type Hub, LEAF, startHub } from "../../support/hub.ts";
import { ModbusLine } from "../../support/modbus-line.ts";
import { SpawnedProcess } from "../../support/processes.ts";
import { Shaper } from "../../support/shaper.ts";
import { DEVICE, mqttDevice } from "../../support/spoke.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { TECHNICIAN, VIEWER } from "../../support/web-device.ts";
import { type Chromium, openChromium } from "./support/chromium.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";

const BAUD = 9_600;
/** Bits a second of the thin line: what waits takes minutes. */
const THIN = 400_000;
const BACKLOG = 4_000;

const scope = new AsyncDisposableStack();
let chromium: Chromium;
let gateway: Gateway;
let thin: Shaper;
let plant: Hub;
before(async () => {
  chromium = scope.use(await openChromium());
  const [first, second] = await Promise.all([
    startHub({ version: "2.10", name: "plant" }),
    startHub({ version: "2.10", name: "office" }),
  ]);
  plant = scope.use(first);
  const office = scope.use(second);
  thin = scope.use(await Shaper.before(plant.server.port("leaf")));
  const listener = await plant.connect();
  scope.defer(() => listener.close());
  listener.subscribe("sensors.>", { callback: () => undefined });
  await listener.flush();
  const folder = scope.use(await tempFolder("petiole-bus"));
  const [near, far] = [`${folder.path}/near`, `${folder.path}/far`];
  const end = (link: string) => `pty,raw,echo=0,link=${link}`;
  const cable = scope.use(await SpawnedProcess.start("socat", ["-d", "-d", end(near), end(far)]));
  await cable.says(/starting data transfer loop/);
  scope.use(
    await ModbusLine.open(far, { baudRate: BAUD, units: [1, 2], thinkMs: () => 1, noise: () => Buffer.alloc(0) }), // 3 is not there
  );
  const remote = (name: string, account: string, url: string) => ({
    name,
    account,
    urls: [url],
    user: LEAF.user,
    password: LEAF.password,
    reconnect: { min: "100ms", max: "500ms" },
    ignore_discovered_servers: true,
  });
  const units = ["boiler", "pump", "meter"].map((name, i) => ({ unit: i + 1, name }));
  const registers = [{ name: "a" }, { name: "b", offset: 1 }];
  gateway = scope.use(
    await startGateway({
      settings: {
        accounts: [{ name: "EDGE", users: [{ ...DEVICE, nats: true }] }, { name: "CARE" }],
        mqtt: { listen: "127.0.0.1:0" },
        outbox: {
          free_reserve: "0B",
          rules: [
            { subjects: ["sensors.>"], class: "telemetry", keep: "always" },
            { subjects: [">"], keep: "durable" },
          ],
        },
        leafnodes: { remotes: [remote("plant", "EDGE", thin.through(plant.leafUrl)), remote("office", "CARE", office.leafUrl)] },
        serial: [
          {
            name: "bus",
            match: { path: near },
            baud_rate: BAUD,
            silence_after: null,
            error_budget: null,
            modbus: {
              units,
              polls: [{ name: "state", address: 0, count: 2, interval: "500ms", registers }],
              timeout: "200ms",
            },
          },
        ],
      },
    }),
  );
});
after(() => scope.disposeAsync());

test("two hubs, each with a link, an outbox and a ribbon of its own", async () => {
  for (const size of ["phone", "desktop"] as const) {
    await using visit = await chromium.visit(gateway, { as: VIEWER, at: "dashboard", size });
    const { page } = visit;
    for (const name of ["plant", "office"]) {
      const card = page.locator(".card", { has: page.getByRole("heading", { name: `Link ${name}` }) });
      await card.getByText(`Connected to ${name} for`).waitFor();
      await card.getByRole("img", { name: /^Last 24 hours: connected 100/ }).waitFor();
      await card.getByText(/^No record before \d\d:\d\d: it is kept in memory/).waitFor();
      await page.getByRole("heading", { name: `Outbox ${name}` }).waitFor();
    }
    await visit.isSound();
    await visit.shot(`site-two-hubs-${size}`);
  }
});

test("the units of a Modbus bus: what they answered, and the one that does not, by name", async () => {
  for (const size of ["phone", "desktop"] as const) {
    await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "devices/serial/bus", size });
    const { page } = visit;
    await page.getByRole("heading", { name: "Units on the bus" }).waitFor();
    const unit = (name: string) => page.locator("dt", { hasText: name }).locator("xpath=following-sibling::dd[1]");
    await unit("Unit 1 boiler")
      .getByText(/^[1-9]\d* answers, /)
      .waitFor();
    await unit("Unit 2 pump")
      .getByText(/^[1-9]\d* answers, /)
      .waitFor();
    await unit("Unit 3 meter")
      .getByText(/^0 answers, [1-9]\d* without answer/)
      .waitFor();
    await page.locator(".dev-frame, li").first().waitFor();
    await visit.isSound();
    await visit.shot(`site-modbus-${size}`);
  }
});

test("a backlog on a thin line says when it will be caught up, and afterwards that nothing was lost", async () => {
  const api = await gateway.owner();
  const status = async () => (await api.get("/api/status")).json;
  const mqttPort = Number((await status()).mqtt.listen.split(":").at(-1));
  await using device = await mqttDevice(mqttPort, { clientId: "meter", clean: true, protocolVersion: 4 });
  await using visit = await chromium.visit(gateway, { as: VIEWER, at: "dashboard", size: "phone" });
  const { page } = visit;
  thin.drop();
  thin.reset();
  const outbox = page.locator(".card", { has: page.getByRole("heading", { name: "Outbox plant" }) });
  const payload = () => randomBytes(500);
  await Promise.all(Array.from({ length: BACKLOG }, () => device.publishAsync("sensors/7/temp", payload(), { qos: 1 })));
  await outbox
    .getByText(/^\d,\d{3} messages wait for the link/)
    .first()
    .waitFor();
  thin.set({ up: { rate: THIN } });
  thin.heal();
  await outbox
    .getByText(/messages wait; caught up in \d+ (?:min|s)/)
    .first()
    .waitFor();
  await visit.isSound();
  await visit.shot("site-draining-phone");
  thin.set({ up: { rate: Infinity } });
  await outbox.getByText("Nothing waits: the hub has confirmed everything.").first().waitFor();
  await outbox.getByText(/^Outage .*: \d,\d{3} stored, \d,\d{3} delivered, 0 lost\.$/).waitFor();
  await visit.shot("site-drained-phone");
  const office = page.locator(".card", { has: page.getByRole("heading", { name: "Outbox office" }) });
  await office.getByText("Nothing waits").first().waitFor();
  await office.getByText("No outage since the device was started.").waitFor();
});
