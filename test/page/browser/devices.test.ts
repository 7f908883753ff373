// Devices, with real ones: MQTT and NATS clients, a serial device on a pty, and names that were chosen to do harm.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { systemTty } from "#ingress/serial/system-tty.ts";
import type { StatusReport } from "#status/report.ts";
import { Pty } from "../../support/pty.ts";
import { DEVICE } from "../../support/spoke.ts";
import { FakeTtyPlaces } from "../../support/tty-places.ts";
import { TECHNICIAN, VIEWER } from "../../support/web-device.ts";
import { type BusyGateway, startBusyGateway } from "./support/busy-gateway.ts";
import { type Chromium, openChromium } from "./support/chromium.ts";
import { startGateway } from "./support/gateway.ts";

/** Runs only if somebody takes it for markup. */
const MARKUP = "<img src=x onerror=alert(1)>";
const TURNED = "gate\u202etxt.exe";

const scope = new AsyncDisposableStack();
let chromium: Chromium;
let gateway: BusyGateway;
before(async () => {
  chromium = scope.use(await openChromium());
  gateway = scope.use(await startBusyGateway());
});
after(() => scope.disposeAsync());

for (const size of ["phone", "desktop"] as const) {
  test(`MQTT clients are listed, searched, looked at and disconnected, whatever they call themselves, on a ${size}`, async () => {
    await using evil = await gateway.mqtt(`${MARKUP}/${size}?session=1`);
    await using turned = await gateway.mqtt(TURNED, { clean: false });
    await using meter = await gateway.mqtt("meter-7");
    await meter.publishAsync("sensors/7/temp", "21.5", { qos: 1 });
    await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "devices/mqtt", size });
    const { page } = visit;
    await page.getByText("3 of 3 devices").waitFor();
    await page.getByText(`${MARKUP}/${size}?session=1`).waitFor();
    await page.getByText("gate‹202E›txt.exe").waitFor();
    await visit.isSound();
    await visit.shot(`devices-mqtt-${size}`);

    await page.getByLabel("Search by name, user or address").fill("METER");
    await page.getByText("1 of 3 devices").waitFor();
    await page.getByRole("button", { name: "Details of meter-7" }).click();
    await page.getByRole("dialog", { name: "meter-7" }).getByText("MQTT 3.1.1").waitFor();
    await visit.isSound();
    await visit.shot(`devices-client-${size}`);
    await page.getByRole("button", { name: "Close" }).click();

    await page.getByLabel("Search by name, user or address").fill("img");
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    evil.once("close", resolve);
    await page.getByRole("button", { name: `Details of ${MARKUP}` }).click();
    await page.getByRole("button", { name: "Disconnect", exact: true }).click();
    await page.getByText("was disconnected").waitFor();
    await gone;

    await turned.endAsync(true);
    await page.getByLabel("Search by name, user or address").fill("gate");
    await page.getByText("away", { exact: true }).waitFor();
    await page.getByRole("button", { name: /^Details of gate/ }).click();
    await page.getByRole("button", { name: "Forget its session" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Forget its session" }).click();
    await page.getByText("Nothing matches the search").waitFor();
    const { json } = await gateway.api.get("/api/clients");
    const ids = (json as { mqtt: { client_id: string }[] }).mqtt.map(({ client_id: id }) => id);
    assert.deepEqual(ids, ["meter-7"]);
  });
}

test("a viewer looks, and has no button that disconnects", async () => {
  await using _meter = await gateway.mqtt("meter-8");
  await using visit = await chromium.visit(gateway, { as: VIEWER, at: "devices/mqtt" });
  await visit.page.getByRole("button", { name: "Details of meter-8" }).click();
  await visit.page.getByRole("dialog").getByText("MQTT 3.1.1").waitFor();
  assert.equal(await visit.page.getByRole("button", { name: "Disconnect" }).count(), 0);
  await visit.page.getByRole("button", { name: "Close" }).click();
  await visit.page.getByRole("tab", { name: /^Serial/ }).click();
  await visit.page.getByText("working").waitFor();
  assert.equal(
    await visit.page
      .getByRole("link")
      .filter({ hasText: /Which one is it|Watch live/ })
      .count(),
    0,
  );
});

test("NATS clients are listed with what they say of themselves", async () => {
  await using visit = await chromium.visit(gateway, { as: VIEWER, at: "devices/nats", size: "phone" });
  const { page } = visit;
  await page.getByText("No device is connected").waitFor();
  await visit.isSound();
  await using nats = await gateway.nats(MARKUP);
  nats.subscribe("cmd.>");
  await nats.flush();
  await page.getByText(MARKUP).waitFor();
  await page.getByRole("button", { name: `Details of ${MARKUP}` }).click();
  await page
    .getByRole("dialog")
    .getByText(/^nats\.js/)
    .waitFor();
  await visit.isSound();
  await visit.shot("devices-nats-phone");
});

for (const size of ["phone", "desktop"] as const) {
  test(`a serial port is watched live: hex, text and what is read of it, on a ${size}`, async () => {
    await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "devices/serial", size });
    const { page } = visit;
    await page.getByText("working").waitFor();
    await visit.shot(`devices-serial-${size}`);
    await page.getByRole("link", { name: "Watch live: weather" }).click();
    await page.getByText("Nothing has come yet").waitFor();
    gateway.pty.write('{"temp":21.5}\n');
    await page.getByText("7b 22 74 65 6d 70 22 3a 32 31 2e 35 7d").waitFor();
    await page.getByText("sensors.weather.temp").waitFor();
    await page.getByText("read", { exact: true }).waitFor();
    gateway.pty.write(`${MARKUP}\u202e\n`);
    await page.getByText(`${MARKUP}‹202E›`).first().waitFor();
    await page.getByText("bad", { exact: true }).waitFor();
    await visit.isSound();
    await visit.shot(`devices-port-${size}`);
    await page.getByRole("button", { name: "Pause" }).click();
    gateway.pty.write('{"temp":99}\n');
    await gateway.until("the frame has passed", ({ serial }) => serial[0]!.frames > 2);
    assert.equal(await page.getByText("99").count(), 0);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText('{"temp":99}').first().waitFor();
  });
}

test("an address of a port that is not there says so", async () => {
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: `devices/serial/${encodeURIComponent(MARKUP)}` });
  await visit.page.getByText("There is no serial port of this name").waitFor();
  await visit.page.getByText(MARKUP).waitFor();
  await visit.isSound();
});

test("which one is it: what is plugged in is listed, listened to, and proposed as a port", async () => {
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "devices/serial", size: "phone" });
  const { page } = visit;
  await page.getByRole("link", { name: "Which one is it?" }).click();
  await page.getByText("serves port weather").waitFor();
  await page.getByRole("button", { name: "Start watching" }).click();
  await page.getByText("Watching. Unplug it and plug it in now.").waitFor();
  await visit.isSound();
  await visit.shot("devices-plugged-phone");
  await page.getByRole("button", { name: "Stop" }).click();
  const talking = setInterval(() => gateway.pty.write('{"temp":21.5,"hum":40}\n'), 200);
  try {
    await page
      .getByRole("button", { name: /^Listen and propose/ })
      .first()
      .click();
    await page.getByText("Listening through port weather, for a few seconds …").waitFor();
    await page.getByRole("heading", { name: /^Proposal 1: / }).waitFor();
  } finally {
    clearInterval(talking);
  }
  await page.getByLabel("Name of the port").first().fill("weather");
  await visit.isSound();
  await visit.shot("devices-proposal-phone");
  await page.getByRole("button", { name: "Set it up like this" }).first().click();
  await page.getByText(/^Port weather is set up/).waitFor();
  const { serial } = (await gateway.settings()) as { serial: { name: string; decode: unknown }[] };
  assert.deepEqual(
    serial.map(({ name, decode }) => [name, decode]),
    [["weather", { type: "json" }]],
  );
});

test("which one is it: unplugged, plugged in again, found, listened to at every speed, and set up", async () => {
  await using places = await FakeTtyPlaces.open();
  await using pty = await Pty.open();
  const adapter = { usbPort: "1-1.4", serialNumber: "A10", product: `${MARKUP}\u202e` };
  await places.plugUsb("ttyUSB0", { usbPort: "1-1.2", product: "Another" });
  await places.plugUsb("ttyUSB1", adapter, pty.path);
  await using alone = await startGateway({ tty: systemTty(undefined, places) });
  await using visit = await chromium.visit(alone, { as: TECHNICIAN, at: "devices/plugged", size: "phone" });
  const { page } = visit;
  await page.getByText("Another").waitFor();
  await page.getByRole("button", { name: "Start watching" }).click();
  await places.unplug("ttyUSB1");
  await page.getByText(/ttyUSB1 was unplugged\. Plug it in again\.$/).waitFor();
  await places.plugUsb("ttyUSB1", adapter, pty.path);
  const found = page.locator(".dev-found");
  await found.getByText("It is this one").waitFor();
  await found.getByText(`${MARKUP}‹202E›`).waitFor();
  assert.equal(await found.getByText("Another").count(), 0);
  await visit.isSound();
  await visit.shot("devices-found-phone");
  const talking = setInterval(() => pty.write('{"temp":21.5,"hum":40}\n'), 100);
  try {
    await found.getByRole("button", { name: /^Listen and propose/ }).click();
    await page.getByText(/^Now at .* baud/).waitFor();
    await visit.isSound();
    await page.getByRole("heading", { name: /^Proposal 1: / }).waitFor({ timeout: 40_000 });
  } finally {
    clearInterval(talking);
  }
  await page.getByLabel("Name of the port").first().fill("not a name");
  await page.getByRole("button", { name: "Set it up like this" }).first().click();
  await page.getByText("It was not set up").waitFor();
  await page.getByLabel("Name of the port").first().fill("roof");
  await page.getByRole("button", { name: "Set it up like this" }).first().click();
  await page.getByText(/^Port roof is set up/).waitFor();
  await visit.isSound();
  const { serial } = (await alone.settings()) as { serial: { name: string; match: object }[] };
  assert.deepEqual(serial[0]!.match, { serial_number: "A10", vendor_id: "0403", product_id: "6001" });
});

test("a thousand devices are a page of fifty, quickly searched, and the device tells of a thousand at most", async () => {
  const settings = {
    accounts: [{ name: "EDGE", users: [DEVICE] }],
    no_auth_user: DEVICE.user,
    mqtt: { listen: "127.0.0.1:0", max_clients: 2_000 },
  };
  await using alone = await startGateway({ settings });
  const owner = await alone.owner();
  const { mqtt } = (await owner.get("/api/status")).json as StatusReport;
  for (let i = 0; i < 1_010; i += 10)
    await Promise.all(Array.from({ length: 10 }, (_, j) => leaveSession(portOf(mqtt!.listen), `meter-${i + j}`)));
  await using visit = await chromium.visit(alone, { as: VIEWER, at: "devices/mqtt", size: "phone" });
  const { page } = visit;
  await page.getByText("50 of 1,000 devices 10 more are connected than this list holds.").waitFor();
  assert.equal(await page.locator("tbody tr").count(), 50);
  await page.getByRole("button", { name: "Show 50 more" }).click();
  assert.equal(await page.locator("tbody tr").count(), 100);
  const began = performance.now();
  await page.getByLabel("Search by name, user or address").fill("meter-77");
  await page.getByText("11 of 1,000 devices").waitFor();
  assert.ok(performance.now() - began < 3_000, `the search took ${Math.round(performance.now() - began)} ms`);
  await visit.isSound();
});

/** Connects with a session that is kept, and goes away. */
async function leaveSession(port: number, clientId: string): Promise<void> {
  const id = Buffer.from(clientId);
  const body = Buffer.concat([Buffer.from([0, 4, 77, 81, 84, 84, 4, 0, 0, 60, 0, id.length]), id]);
  const socket = connect(port, "127.0.0.1");
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject).once("data", () => resolve());
  socket.write(Buffer.concat([Buffer.from([0x10, body.length]), body]));
  await promise;
  socket.end(Buffer.from([0xe0, 0]));
  await once(socket, "close");
}

function portOf(listen: string): number {
  return Number(listen.split(":").at(-1));
}
