// The overview, on a real daemon with a real hub: what is well, what is wrong and what to do, what an outage cost.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemDisk } from "#base/disk.ts";
import { writeCrash } from "#watchdog/crash-record.ts";
import { TECHNICIAN, VIEWER } from "../../support/web-device.ts";
import { type BusyGateway, startBusyGateway } from "./support/busy-gateway.ts";
import { type Chromium, openChromium } from "./support/chromium.ts";
import { startGateway } from "./support/gateway.ts";

const scope = new AsyncDisposableStack();
let chromium: Chromium;
let gateway: BusyGateway;
before(async () => {
  chromium = scope.use(await openChromium());
  gateway = scope.use(await startBusyGateway());
});
after(() => scope.disposeAsync());

test("an outage is seen as it happens: cause and remedy, what waits, and afterwards what it cost", async () => {
  await using visit = await chromium.visit(gateway, { as: VIEWER, at: "dashboard", size: "phone" });
  await using device = await gateway.mqtt("meter-1");
  const { page } = visit;
  await page.getByRole("heading", { name: "All is well" }).waitFor();
  await page.getByText(/^Connected to hub for .*; it answers in /).waitFor();
  await visit.isSound();
  await visit.shot("dashboard-well-phone");

  gateway.cable.cut();
  await gateway.until("it has noticed", ({ remotes }) => remotes[0]!.link.state !== "ready");
  for (let i = 0; i < 20; i += 1) await device.publishAsync("sensors/7/temp", String(i), { qos: 1 });
  await device.publishAsync("alarms/door", "open", { qos: 1 });
  await page.getByRole("heading", { name: "It works, but somebody should look" }).waitFor();
  await page.getByText(/^No link to the hub of EDGE\. /).waitFor();
  await page.getByText(/^What to do:/).waitFor();
  await page.getByText("21 messages wait for the link. All of them are safe.").first().waitFor();
  await visit.isSound();
  await visit.shot("dashboard-outage-phone");

  gateway.cable.heal();
  await gateway.until("it has drained", ({ remotes }) => remotes[0]!.outbox.depth === 0);
  await page.getByText("Nothing waits: the hub has confirmed everything.").first().waitFor();
  await page.getByText(/^Outage .*: 21 stored, 21 delivered, 0 lost\.$/).waitFor();
  await page.getByRole("heading", { name: "All is well" }).waitFor();
  await visit.isSound();
  await visit.shot("dashboard-after-phone");
});

for (const appearance of ["light", "dark"] as const) {
  test(`the overview stands on a desktop, ${appearance}`, async () => {
    await using visit = await chromium.visit(gateway, { as: VIEWER, at: "dashboard", appearance });
    await visit.page.getByRole("heading", { name: "Flash wear" }).waitFor();
    const crashed = visit.page.getByText("The program was restarted after a failure");
    assert.equal(await crashed.count(), 0);
    await visit.page.getByRole("button", { name: "24 hours" }).click();
    assert.equal(await visit.page.getByRole("button", { name: "24 hours" }).getAttribute("aria-pressed"), "true");
    await visit.page.getByRole("button", { name: "10 minutes" }).click();
    await visit.page.locator(".plot svg[role=img]").first().waitFor();
    await visit.isSound();
    await visit.shot(`dashboard-desktop-${appearance}`);
  });
}

test("a device without a hub says so, and shows the way to one to whoever may go it; a run that ended badly is told of", async () => {
  await using alone = await startGateway();
  await alone.stop();
  const reason = "the event loop stood still for 70 s <b>bold</b>";
  const crash = {
    kind: "loop",
    reason,
    at: new Date().toISOString(),
    version: "1.0.0",
    uptimeSeconds: 5,
    inRow: 1,
    log: [],
  } as const;
  await writeCrash(systemDisk(), alone.dataDir, crash);
  await alone.start();
  await using technician = await chromium.visit(alone, { as: TECHNICIAN, at: "dashboard", size: "phone" });
  await technician.page.getByText("It runs; no hub is set up yet.").waitFor();
  const way = technician.page.getByRole("link", { name: "Set up a hub" });
  assert.equal(await way.getAttribute("href"), "#/wizard");
  await technician.page.getByText("The program was restarted after a failure").waitFor();
  await technician.page.getByText(reason).waitFor();
  await technician.shot("dashboard-crash-phone");
  await technician.isSound();
  await using viewer = await chromium.visit(alone, { as: VIEWER, at: "dashboard" });
  await viewer.page.getByText("It runs; no hub is set up yet.").waitFor();
  assert.equal(await viewer.page.getByRole("link", { name: "Set up a hub" }).count(), 0);
  await viewer.isSound();
});
