// The first five minutes, from the claim to the printed sheet, against a hub that really answers.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { after, before, describe, test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { systemNet } from "#base/net.ts";
import { FakeTty } from "../../support/fake-tty.ts";
import { freePorts } from "../../support/free-ports.ts";
import { MemoryHub } from "../../support/memory-hub.ts";
import { OWNER, TECHNICIAN } from "../../support/web-device.ts";
import { type Chromium, logIn, openChromium } from "./support/chromium.ts";
import { startGateway } from "./support/gateway.ts";

// Side by side: most of it is waiting for scrypt, for the doctor and for a device to speak.
describe("the wizard", { concurrency: 3 }, () => {
  let chromium: Chromium;
  before(async () => {
    chromium = await openChromium();
  });
  after(() => chromium[Symbol.asyncDispose]());

  for (const size of ["phone", "desktop"] as const) {
    test(`from the claim code to a test message at the hub, on a ${size}`, async () => {
      const [port] = await freePorts(1);
      await using hub = await MemoryHub.listen(systemNet(), systemClock());
      await using gateway = await startGateway({ isNew: true, settings: { mqtt: { listen: `127.0.0.1:${port}` } } });
      await using visit = await chromium.visit(gateway, { size });
      const { page } = visit;
      // The same markup at both sizes: looked at closely where there is least room, and where columns appear.
      const look = async (name: string) => {
        if (size === "phone" || /hub|done/.test(name)) await visit.isSound();
        await visit.shot(`${name}-${size}`);
      };
      const next = () => page.getByRole("button", { name: "Next" }).click();

      await page.getByRole("heading", { name: "Take over this device" }).waitFor();
      await look("claim");
      await page.getByLabel("Claim code").fill("AAAA-AAAA-AAAA-AAAA");
      await page.getByLabel("User name").fill(OWNER.user);
      await page.getByLabel("New password").fill(OWNER.password);
      await page.getByRole("button", { name: "Take over" }).click();
      await page.getByRole("alert").filter({ hasText: "not the claim code" }).waitFor();
      await page.getByLabel("Claim code").fill(gateway.claimCode());
      await page.getByRole("button", { name: "Take over" }).click();

      await page.getByRole("heading", { name: "Set up this gateway" }).waitFor();
      await look("wizard-1-name");
      await page.getByLabel("Name of this gateway").fill("roof-north-7");
      await next();

      await page.getByLabel("Addresses of the hub").fill("nats-leaf://127.0.0.1:1");
      await page.getByRole("button", { name: "Test this hub" }).click();
      await page.getByText("It does not work yet").waitFor();
      await page.getByLabel("Addresses of the hub").fill(hub.url);
      await page.getByText("It does not work yet").waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Test this hub" }).click();
      await page.getByText(/All of it works|It works, with something to look at/).waitFor();
      await look("wizard-2-hub");
      await next();

      await page.getByLabel("Login for a device").fill("sensor-7");
      await page.getByRole("button", { name: "Make a login" }).click();
      await page.getByRole("img", { name: "QR code: login of sensor-7" }).waitFor();
      assert.ok(
        await page.getByRole("switch", { name: /Devices in the local network/ }).isChecked(),
        "who makes a login wants it",
      );
      await look("wizard-3-devices");
      await next();

      await page.getByRole("radio", { name: /Keep everything/ }).check();
      await look("wizard-4-rules");
      await next();

      await page.getByText("server_name").waitFor();
      await look("wizard-5-save");
      await page.getByRole("button", { name: "Save and start" }).click();
      // The change may be in force at once, or need a restart, which ends the login.
      const send = page.getByRole("button", { name: "Send a test message" });
      const login = page.getByRole("heading", { name: "Log in" });
      await send.or(login).first().waitFor();
      if (await login.isVisible()) await logIn(page, OWNER);
      await page.getByText("Connected", { exact: true }).waitFor();
      await send.click();
      await page.getByText("There and back: it works").waitFor();
      await page.getByText(/^To the hub: the message arrived/).waitFor();
      await look("wizard-6-test");
      const arrived = hub.arrivals.find(({ subject }) => subject === "petiole.test.roof-north-7");
      assert.match(arrived!.payload.toString(), /"server_name":"roof-north-7"/);
      await next();

      await page.getByRole("heading", { name: "roof-north-7" }).waitFor();
      await page.getByRole("img", { name: "QR code: login of sensor-7" }).waitFor();
      await look("wizard-7-done");
      await page.emulateMedia({ media: "print" });
      await visit.shot(`wizard-8-print-${size}`);
      assert.ok(!(await page.getByRole("navigation").first().isVisible()), "paper has no menu");

      const settings = await gateway.settings();
      assert.equal(settings["server_name"], "roof-north-7");
      assert.deepEqual((settings["outbox"] as { rules: unknown }).rules, [{ subjects: [">"], keep: "always" }]);
      assert.equal((settings["mqtt"] as { listen: string }).listen, `0.0.0.0:${port}`);
    });
  }

  test("a device that is plugged in now appears at once, is listened to, and goes into the settings as it was understood", async () => {
    const tty = new FakeTty();
    await using gateway = await startGateway({ tty });
    await using visit = await chromium.visit(gateway, { as: OWNER, at: "wizard/devices" });
    const { page } = visit;
    await page.getByText("No serial device is plugged in").waitFor();
    const sensor = tty.plug({
      path: "/dev/ttyUSB0",
      vendorId: "0403",
      productId: "6001",
      serialNumber: "A9XYZ",
      usbPort: "1-1.2",
    });
    await using _speaking = speaking(sensor);
    tty.hint();
    await page.getByText("Just plugged in").waitFor();
    await page.getByRole("button", { name: "Find out what it says" }).click();
    const use = page.getByRole("button", { name: "Use this" }).first();
    await use.waitFor({ timeout: 30_000 });
    await visit.isSound();
    await visit.shot("wizard-serial");
    await page.getByLabel("Name of this port").first().fill("weather");
    await use.click();
    await page.getByText("Will be added").waitFor();
    await page.goto(`${gateway.url}/#/wizard/test`);
    await page.getByRole("button", { name: "Save and start" }).click();
    await page.getByText("Everything is saved").waitFor();
    const [port] = (await gateway.settings())["serial"] as { name: string; match: unknown }[];
    assert.equal(port!.name, "weather");
    assert.deepEqual(port!.match, { vendor_id: "0403", product_id: "6001", serial_number: "A9XYZ" });
  });

  test("credentials are pasted, an authority is uploaded: both lie on the device, unreadable for others, and the hub's settings name them", async () => {
    await using gateway = await startGateway();
    await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "wizard/hub", size: "phone" });
    const { page } = visit;
    await page.getByLabel("Addresses of the hub").fill("tls://hub.example.com:7422");
    await page.getByLabel("Login at the hub").selectOption("credentials");
    await page.getByRole("button", { name: "Paste the text" }).click();
    await page
      .getByRole("textbox", { name: "Paste the text" })
      .fill("-----BEGIN NATS USER JWT-----\nxyz\n------END NATS USER JWT------");
    await page.getByRole("button", { name: "Store on the device" }).click();
    await page.getByText("On the device as secrets/hub.creds").waitFor();
    await page.getByText("More", { exact: true }).first().click();
    const buffer = Buffer.from("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    await page.locator('input[type="file"]').setInputFiles({ name: "ca.pem", mimeType: "application/x-pem-file", buffer });
    await page.getByText("On the device as secrets/hub-ca.pem").waitFor();
    await visit.isSound();
    await visit.shot("wizard-secrets-phone");
    for (const name of ["hub.creds", "hub-ca.pem"]) {
      const { mode } = await fs.stat(path.join(gateway.dataDir, "secrets", name));
      assert.equal(mode & 0o777, 0o600, name);
    }
    const shown = await page.content();
    assert.ok(!shown.includes("NATS USER JWT"), "never shown again");
  });
});

/** Speaks several times a second, as a sensor does. */
function speaking(device: ReturnType<FakeTty["plug"]>): AsyncDisposable {
  const timer = setInterval(() => device.send("temperature=21.4 humidity=48\r\n"), 100);
  return { [Symbol.asyncDispose]: async () => clearInterval(timer) };
}
