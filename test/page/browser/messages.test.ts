// Messages, with real traffic: seen as they pass, held still, sent by hand, explained; and payloads that were made to do harm.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TECHNICIAN } from "../../support/web-device.ts";
import { type BusyGateway, startBusyGateway } from "./support/busy-gateway.ts";
import { type Chromium, openChromium } from "./support/chromium.ts";

/** Runs only if somebody takes it for markup. */
const MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>";

const scope = new AsyncDisposableStack();
let chromium: Chromium;
let gateway: BusyGateway;
before(async () => {
  chromium = scope.use(await openChromium());
  gateway = scope.use(await startBusyGateway());
});
after(() => scope.disposeAsync());

for (const size of ["phone", "desktop"] as const) {
  test(`what passes is seen, filtered, opened and read, on a ${size}`, async () => {
    await using device = await gateway.mqtt(`meter-${size}`);
    await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "messages", size });
    const { page } = visit;
    await page.getByText("Showing what passes now").waitFor();
    await page.getByText("Nothing has come yet").waitFor();
    await visit.isSound();
    await device.publishAsync("sensors/7/temp", '{"value":21.50,"id":12345678901234567890}', { qos: 1 });
    await device.publishAsync(`sensors/${MARKUP.replaceAll("/", "|")}`, `${MARKUP}\u202e\u0007`, { qos: 1 });
    await device.publishAsync("state/door", Buffer.of(0, 255, 16), { qos: 0 });
    gateway.pty.write('{"wind":3}\n');
    await page.getByText("sensors.weather.wind").waitFor();
    await page.getByText("state.door").waitFor();
    await page.getByText("00 ff 10").waitFor();
    await visit.isSound();

    await page.getByRole("button", { name: /^sensors\.7\.temp/ }).click();
    await page.getByText("Paused").waitFor();
    await page.getByText('"value": 21.50,').waitFor();
    await page.getByText("12345678901234567890").first().waitFor();
    await page.getByText("sensors/7/temp").waitFor();
    await page.getByText(`meter-${size}`).first().waitFor();
    await page.getByLabel("Show as").selectOption("hex");
    await page.getByText(/0000 {2}7b 22 76 61/).waitFor();
    await page.getByLabel("Show as").selectOption("auto");
    await visit.isSound();
    await visit.shot(`messages-live-${size}`);

    await device.publishAsync("sensors/7/temp", "later", { qos: 1 });
    await page.getByText("1 message came meanwhile").waitFor();
    assert.equal(await page.getByText("later", { exact: true }).count(), 0);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText("later", { exact: true }).waitFor();

    await page.getByRole("combobox", { name: "Subject" }).fill("state.*");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.getByText("Nothing has come yet").waitFor();
    await device.publishAsync("sensors/7/temp", "unwanted", { qos: 0 });
    await device.publishAsync("state/lamp", "on", { qos: 0 });
    await page.getByText("state.lamp").waitFor();
    assert.equal(await page.getByText("unwanted").count(), 0);
    await page.getByRole("combobox", { name: "Subject" }).fill("a..b");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.getByText(/^The device does not show this: /).waitFor();
    await visit.isSound();
  });
}

test("hostile payloads are text: nothing of them runs, nothing of them hides", async () => {
  await using device = await gateway.mqtt("evil");
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "messages" });
  const { page } = visit;
  await page.getByText("Showing what passes now").waitFor();
  await device.publishAsync("sensors/evil", `${MARKUP}\u202e\ufeff\n{{7*7}}`, { qos: 1 });
  await page.getByRole("button", { name: /^sensors\.evil/ }).click();
  await page.getByText(`${MARKUP}‹202E›‹FEFF›`).last().waitFor();
  assert.equal(await page.locator("main img, main script").count(), 0);
  await visit.isSound();
  await visit.shot("messages-hostile");
});

test("a stream that is too fast is thinned out and counted, and the page stays quick", async () => {
  await using device = await gateway.mqtt("fast");
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "messages", size: "phone" });
  const { page } = visit;
  await page.getByText("Showing what passes now").waitFor();
  const all = Array.from({ length: 3_000 }, (_, i) => device.publishAsync("state/fast", `n${i}`, { qos: 0 }));
  await page.getByText(/more were too fast to show/).waitFor();
  await Promise.all(all);
  assert.ok((await page.locator(".msg-item").count()) <= 100);
  const began = performance.now();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByText("Nothing has come yet").waitFor();
  assert.ok(performance.now() - began < 3_000);
});

for (const size of ["phone", "desktop"] as const) {
  test(`a test message is sent, and what became of it is told, on a ${size}`, async () => {
    await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "messages/send", size });
    const { page } = visit;
    const arrived = gateway.listener.subscribe("sensors.hand", { max: 1 });
    await gateway.listener.flush();
    await page.getByLabel("Subject").fill("sensors.hand");
    await page.getByLabel("Written as").selectOption("hex");
    await page.getByLabel("Content", { exact: true }).fill("68 69 2");
    await page.getByText(/Pairs of 0–9/).waitFor();
    await visit.isSound();
    await page.getByLabel("Content", { exact: true }).fill("68 69");
    await page.getByLabel(/^Headers/).fill("Unit: C");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByText("The hub of EDGE has confirmed it.").waitFor();
    await page.getByText("no. 2, class “telemetry”").waitFor();
    for await (const message of arrived) {
      assert.equal(message.string(), "hi");
      assert.equal(message.headers?.get("Unit"), "C");
    }
    await visit.isSound();
    await visit.shot(`messages-send-${size}`);

    await page.getByLabel("Subject").fill("nobody.listens");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByText(/^Not sent: nobody at the hub of EDGE listens/).waitFor();
    await page.getByLabel("Subject").fill("$SYS.x");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByText("It was not sent").waitFor();
  });
}

test("a subject is explained without sending anything", async () => {
  await using device = await gateway.mqtt("ear");
  await device.subscribeAsync("sensors/#");
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "messages/explain", size: "phone" });
  const { page } = visit;
  const ask = async (subject: string) => {
    await page.getByLabel("Subject").fill(subject);
    await page.getByRole("button", { name: "Who gets it?" }).click();
  };
  await ask("sensors.7.temp");
  await page.getByText("1 device listens").waitFor();
  await page.getByText("somebody listens").waitFor();
  await page.getByText("always, until the hub has it").waitFor();
  await page.getByText("sensors/7/temp").waitFor();
  await visit.isSound();
  await visit.shot("messages-explain-phone");
  await ask("a..b");
  await page.getByText("No message can have this subject").waitFor();
  await ask("nobody.listens");
  await page.getByText("nobody listens").first().waitFor();
});

test("from a message in the list it is one press to who gets it", async () => {
  await using device = await gateway.mqtt("meter-9");
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "messages" });
  const { page } = visit;
  await page.getByText("Showing what passes now").waitFor();
  await device.publishAsync("sensors/9/hum", "40", { qos: 1 });
  await page.getByRole("button", { name: /^sensors\.9\.hum/ }).click();
  await page.getByRole("button", { name: "Who gets it?" }).click();
  await page.getByRole("heading", { name: "sensors.9.hum" }).waitFor();
  await page.getByText("sensors/9/hum").waitFor();
});
