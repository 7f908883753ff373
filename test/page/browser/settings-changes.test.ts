// Settings that are changed by the page for good: the diff before, the trial of what is risky, the page at another address, two people at once.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { after, before, test } from "node:test";
import { freePorts } from "../../support/free-ports.ts";
import { Browser, OWNER, TECHNICIAN } from "../../support/web-device.ts";
import { type Chromium, logIn, openChromium } from "./support/chromium.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";

const REMOTE = { urls: ["tls://127.0.0.1:1"], user: "gw", password: "the-secret-of-the-hub" };
const SETTINGS = {
  leafnodes: { remotes: [REMOTE] },
  outbox: { max_bytes: "64MiB" },
};

let chromium: Chromium;
let gateway: Gateway;
before(async () => {
  [chromium, gateway] = await Promise.all([openChromium(), startGateway({ settings: SETTINGS })]);
});
after(async () => {
  await chromium[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
});

test("a changed value is shown before it is applied, then written, and its secret neighbours stay as they are", async () => {
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, size: "phone", at: "settings/hub" });
  const { page } = visit;
  const url = page.getByLabel("URLs 1", { exact: true });
  await url.fill("tls://127.0.0.1:2");
  await page.getByRole("button", { name: "Add to URLs" }).click();
  await page.getByLabel("URLs 2", { exact: true }).fill("tls://127.0.0.1:3");
  await page.getByRole("button", { name: "Move tls://127.0.0.1:3 up" }).click();
  assert.equal(await url.inputValue(), "tls://127.0.0.1:3");
  assert.equal(await page.getByText("the-secret-of-the-hub").count(), 0);
  await page.getByRole("button", { name: "Review and apply" }).click();
  await page.getByRole("heading", { level: 1, name: "Review the changes" }).waitFor();
  const change = page.locator(".set-change");
  await change.first().waitFor();
  assert.match((await change.first().textContent())!, /leafnodes\.remotes\[0\]\.urls.*127\.0\.0\.1:1.*127\.0\.0\.1:3/s);
  await visit.isSound();
  await visit.shot("settings-review-phone");
  await page.getByRole("button", { name: "Apply", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "Saved" }).first().waitFor();
  const { leafnodes } = (await gateway.settings()) as { leafnodes: { remotes: (typeof REMOTE)[] } };
  assert.deepEqual(leafnodes.remotes[0]!.urls, ["tls://127.0.0.1:3", "tls://127.0.0.1:2"]);
  assert.equal(leafnodes.remotes[0]!.password, REMOTE.password);
});

test("a credentials file is uploaded where its path is wanted, and offered from then on", async () => {
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, size: "phone", at: "settings/hub" });
  const { page } = visit;
  const file = { name: "Site 7.creds", mimeType: "text/plain", buffer: Buffer.from("-----BEGIN NATS USER JWT-----\n") };
  await page.getByLabel("Upload a file: Credentials").setInputFiles(file);
  const path = page.getByLabel(/^Credentials/);
  await page.getByText("Stored as secrets/site-7.creds").waitFor();
  assert.equal(await path.inputValue(), "secrets/site-7.creds");
  assert.match(await fs.readFile(`${gateway.dataDir}/secrets/site-7.creds`, "utf8"), /BEGIN NATS USER JWT/);
  await visit.isSound();
});

test("a risky change is tried: restart, log in anew, keep it", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "settings/page" });
  const { page } = visit;
  await page.getByLabel(/^Session idle/).fill("20");
  await page.getByRole("button", { name: "Review and apply" }).click();
  await page.getByText("This can lock you out").waitFor();
  await visit.isSound();
  await page.getByRole("button", { name: "Apply on trial" }).click();
  await page.getByText("The change is in force, on trial. Log in again to keep it").waitFor(); // it opened anew: sessions are gone
  await logIn(page, OWNER);
  await page.getByRole("button", { name: /^Keep/ }).click();
  await page.getByRole("button", { name: /^Keep/ }).waitFor({ state: "detached" });
  assert.equal(((await gateway.settings()) as { web: { session_idle: string } }).web.session_idle, "20m");
});

test("a page that moves says where to, and comes back to whoever waits at the old address", async () => {
  const [port] = (await freePorts(1)) as [number];
  const from = Number(new URL(gateway.url).port);
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "settings/page" });
  const { page } = visit;
  await page.locator("#set-web\\.listen input").fill(`127.0.0.1:${port}`);
  await page.getByRole("button", { name: "Review and apply" }).click();
  await page.getByRole("link", { name: `http://127.0.0.1:${port}/` }).waitFor();
  await visit.isSound();
  await visit.shot("settings-move-phone");
  await page.getByRole("button", { name: "Apply on trial" }).click();
  const elsewhere = await untilLoggedIn(port);
  await page.getByText("The page is at another address now").waitFor();
  await page.getByRole("link", { name: `http://127.0.0.1:${port}/` }).waitFor();
  await visit.shot("settings-moved-phone");
  const reverted = await elsewhere.request("POST", "/api/settings/revert", {});
  assert.equal(reverted.status, 200, reverted.text);
  await page.getByText("The settings are as before").waitFor();
  await logIn(page, OWNER);
  assert.equal(((await gateway.settings()) as { web: { listen: string } }).web.listen, `127.0.0.1:${from}`);
});

test("two people at once: the second is told, and puts their changes on top of the first one's", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "settings/device" });
  const { page } = visit;
  await page.getByLabel(/^Server name/).fill("gw-mine");
  await page.getByRole("button", { name: "Review and apply" }).click();
  const other = await gateway.owner();
  const { document, revision } = (await other.get("/api/settings")).json;
  const theirs = { ...document, outbox: { max_bytes: "128MiB" } };
  const written = await other.request("PUT", "/api/settings", { document: theirs, revision });
  assert.equal(written.status, 200, written.text);
  await page.getByRole("button", { name: "Apply", exact: true }).click();
  await page.getByText("Somebody else has changed the settings").waitFor();
  await visit.isSound();
  await page.getByRole("button", { name: "Load, keep my changes" }).click();
  await page.getByText("Somebody else has changed the settings").waitFor({ state: "detached" });
  await page.locator(".set-change", { hasText: "gw-mine" }).waitFor();
  assert.equal(await page.locator(".set-change").count(), 1);
  await page.getByRole("button", { name: "Apply", exact: true }).click();
  await page.getByRole("status").filter({ hasText: "Saved" }).first().waitFor();
  const now = (await gateway.settings()) as { server_name: string; outbox: { max_bytes: string } };
  assert.deepEqual([now.server_name, now.outbox.max_bytes], ["gw-mine", "128MiB"]);
});

/** The page is there a moment after the change was answered. */
async function untilLoggedIn(port: number): Promise<Browser> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      const browser = new Browser(port);
      const { status, text } = await browser.post("/api/session", OWNER);
      assert.equal(status, 200, text);
      return browser;
    } catch (error) {
      if (performance.now() > deadline || error instanceof assert.AssertionError) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
