// System in a real browser against the real daemon: log, users, trail, backup and its way back, restart, factory reset, about.

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { after, before, test } from "node:test";
import { isShown, parseLine } from "#web/page/system/log-line.ts";
import { certificates } from "../../support/certificates.ts";
import { Browser, OWNER, TECHNICIAN, VIEWER } from "../../support/web-device.ts";
import { type Chromium, logIn, openChromium } from "./support/chromium.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";

let chromium: Chromium;
let gateway: Gateway;
before(async () => {
  [chromium, gateway] = await Promise.all([openChromium(), startGateway()]);
});
after(async () => {
  await chromium[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
});

const SECRET = "four words in a row";

test("a line of the log comes apart into time, level, part and words; what is none stays whole", () => {
  const line = parseLine("2026-11-22T15:04:05.678Z warn  uplink  cannot reach hub  url=tls://a", 1);
  assert.deepEqual(
    [line.at, line.level, line.part, line.words],
    ["2026-11-22T15:04:05.678Z", "warn", "uplink", "cannot reach hub  url=tls://a"],
  );
  assert.equal(parseLine("torn", 2).words, "torn");
  assert.equal(isShown(line, "warn", "  REACH "), true);
  assert.equal(isShown(line, "error", ""), false);
});

for (const size of ["phone", "desktop"] as const) {
  test(`every part of the system view is sound on a ${size}`, async () => {
    const appearance = size === "phone" ? "light" : "dark";
    await using visit = await chromium.visit(gateway, { as: OWNER, size, appearance, at: "system" });
    const { page } = visit;
    for (const tab of ["logs", "device", "keys", "users", "backup", "audit", "about"]) {
      await page.goto(`${gateway.url}/#/system/${tab}`);
      if (size === "desktop") await page.locator(`[data-tab="${tab}"][aria-selected="true"]`).waitFor();
      await page.locator(".sys-tab .waiting").waitFor({ state: "detached" });
      await visit.isSound();
      await visit.shot(`system-${tab}-${size}`);
    }
  });
}

test("who may less sees less", async () => {
  for (const [who, tabs] of [
    [VIEWER, ["About"]],
    [TECHNICIAN, ["Log", "Restart and reset", "Keys", "About"]],
  ] as const) {
    await using visit = await chromium.visit(gateway, { as: who, at: "system/users" });
    await visit.page.getByRole("tab").first().waitFor();
    assert.deepEqual(await visit.page.getByRole("tab").allTextContents(), [...tabs]);
  }
});

test("the log comes live, can be filtered and paused", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "system/logs" });
  const { page } = visit;
  const line = page.locator(".sys-line");
  await line.filter({ hasText: "the page answers" }).first().waitFor();
  await page.getByLabel("Show", { exact: true }).selectOption("error");
  await line.filter({ hasText: "the page answers" }).first().waitFor({ state: "detached" });
  await page.getByLabel("Show", { exact: true }).selectOption("info");
  await page.getByLabel("Only lines with").fill("PAGE ANSW");
  await line.filter({ hasText: "the page answers" }).first().waitFor();
  assert.equal(await line.filter({ hasNotText: "the page answers" }).count(), 0);
});

test("a user is added, changed and removed, and each of it stands in the trail", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "system/users" });
  const { page } = visit;
  await page.getByRole("button", { name: "Add a user" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("User name").fill("nora");
  await dialog.getByLabel("May").selectOption("viewer");
  await dialog.getByLabel("Password", { exact: true }).fill("short");
  assert.equal(await dialog.getByRole("button", { name: "Save" }).isDisabled(), true);
  await dialog.getByLabel("Password", { exact: true }).fill("blue kettle on fire");
  await visit.isSound();
  await visit.shot("system-user-dialog-phone");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("row", { name: /nora.*Viewer/s }).waitFor();
  await page.getByRole("button", { name: "Change nora" }).click();
  await dialog.getByLabel("May").selectOption("technician");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByRole("row", { name: /nora.*Technician/s }).waitFor();
  await page.getByRole("button", { name: "Remove nora" }).click();
  await dialog.getByRole("button", { name: "Remove nora" }).click();
  await page.getByRole("row", { name: /nora/ }).waitFor({ state: "detached" });
  const parts = page.getByLabel("Part of the system"); // on a phone a list in place of seven tabs
  assert.ok((await parts.boundingBox())!.height >= 48, "for a gloved hand");
  await parts.selectOption({ label: "Who did what" });
  for (const action of ["user added", "user changed", "user removed"])
    await page
      .getByRole("row", { name: new RegExp(`olga.*${action}.*nora`, "s") })
      .first()
      .waitFor();
});

test("oneself cannot be removed, and the last owner stays an owner: the device says so in the dialog", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "system/users" });
  const { page } = visit;
  await page.getByRole("button", { name: "Change olga" }).click();
  assert.equal(await page.getByRole("button", { name: "Remove olga" }).count(), 0);
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("May").selectOption("viewer");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("alert").waitFor();
  assert.match((await dialog.getByRole("alert").textContent())!, /owner/);
});

test("a backup is made with a passphrase and one's password, and another device's settings come back from it", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "system/backup" });
  const { page } = visit;
  const made = page.locator(".card", { hasText: "Make a backup" });
  await made.getByLabel("Passphrase of the backup").fill(SECRET);
  await made.getByLabel("Passphrase, once more").fill("another one here");
  await made.getByText("The two differ").waitFor();
  assert.equal(await made.getByRole("button", { name: "Save the backup" }).isDisabled(), true);
  await made.getByLabel("Passphrase, once more").fill(SECRET);
  await made.getByLabel("Your password, once more").fill("wrong password!");
  await made.getByRole("button", { name: "Save the backup" }).click();
  await made.getByRole("alert").waitFor();
  await made.getByLabel("Your password, once more").fill(OWNER.password);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    made.getByRole("button", { name: "Save the backup" }).click(),
  ]);
  assert.match(download.suggestedFilename(), /^gw-test-\d{4}-\d\d-\d\d\.backup$/);
  const file = await download.path();
  assert.ok(!(await fs.readFile(file)).includes('gw-test",'), "it is sealed");

  const restore = page.locator(".card", { hasText: "Restore a backup" });
  await restore.getByLabel("Backup file").setInputFiles(file);
  await restore.getByLabel("Passphrase of the backup").fill("not the passphrase");
  await restore.getByRole("button", { name: "Restore" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.locator("input").fill(OWNER.password);
  await dialog.getByRole("button", { name: "Restore" }).click();
  await dialog.getByRole("alert").waitFor();
  await visit.isSound();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await restore.getByLabel("Passphrase of the backup").fill(SECRET);
  await restore.getByRole("button", { name: "Restore" }).click();
  await dialog.locator("input").fill(OWNER.password);
  await dialog.getByRole("button", { name: "Restore" }).click();
  await page.locator('input[autocomplete="username"]').waitFor(); // the users came with it: everybody is logged out
  await logIn(page, OWNER);
  await restore.getByText("Restored. A restart brings it into force").waitFor();
  await visit.isSound();
  await visit.shot("system-restored-phone");
  const restarted = gateway.restarted();
  await restore.getByRole("button", { name: "Restart now" }).click();
  await restarted;
  await page.locator(".doorstep").waitFor();
  await logIn(page, OWNER);
  await page.getByRole("heading", { name: "Restore a backup" }).waitFor();
  await restore.getByText("A restart brings it into force").waitFor({ state: "detached" });
});

test("keys and certificates are listed without their contents; what nothing names can be removed", async () => {
  await using certificate = await certificates();
  const owner = await gateway.owner();
  const content = await fs.readFile(certificate.expired.cert, "utf8");
  const stored = await owner.post("/api/secrets", { name: "old.pem", content });
  assert.equal(stored.status, 201, stored.text);
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, size: "phone", at: "system/keys" });
  const { page } = visit;
  const row = page.getByRole("row", { name: /secrets\/old\.pem/ });
  await row.waitFor();
  assert.match((await row.textContent())!, /certificate.*2021.*ended.*by nothing/s);
  await visit.isSound();
  await visit.shot("system-keys-phone");
  await page.getByRole("button", { name: "Remove old.pem" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove old.pem" }).click();
  await row.waitFor({ state: "detached" });
  await assert.rejects(fs.stat(`${gateway.dataDir}/secrets/old.pem`), { code: "ENOENT" });
});

test("the system view is sound in every language", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "system/device" });
  const { page } = visit;
  const seen = new Set<string>();
  for (const language of ["en", "de", "fr", "es", "pt", "zh"]) {
    await page.evaluate(`localStorage.setItem("petiole.language", "${language}")`);
    await page.reload();
    await page.locator(".sys-choice select option").nth(6).waitFor({ state: "attached" });
    seen.add((await page.locator(".card").last().textContent())!);
    await visit.isSound();
  }
  assert.equal(seen.size, 6);
});

test("what strangers type as their name stays a text in the trail", async () => {
  const nasty = '<img src=x onerror="alert(1)">';
  const stranger = new Browser(Number(new URL(gateway.url).port));
  assert.equal((await stranger.post("/api/session", { user: nasty, password: "whatever it takes" })).status, 401);
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "system/audit" });
  const { page } = visit;
  await page.getByLabel("Only what was refused").click();
  await page.getByRole("row", { name: new RegExp(`${RegExp.escape(nasty)}.*login.*refused`, "s") }).waitFor();
  assert.equal(await page.locator("img").count(), 0);
  await visit.isSound();
});

test("a restart asks first, and the page comes back by itself with a login", async () => {
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, size: "phone", at: "system/device" });
  const { page } = visit;
  const restarted = gateway.restarted();
  await page.getByRole("button", { name: "Restart the program" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Restart", exact: true }).click();
  await restarted;
  await page.locator('input[autocomplete="current-password"]').waitFor({ timeout: 30_000 });
});

test("About tells the version, the device and how long it is looked after, to viewers too", async () => {
  await using visit = await chromium.visit(gateway, { as: VIEWER, at: "system/about" });
  const { page } = visit;
  await page.getByText("gw-test").first().waitFor();
  await page.getByText(/^Petiole \d/).waitFor();
  const { support } = (await (await gateway.owner()).get("/api/about")).json as { support: { text: string } };
  await page.getByText(support.text).waitFor();
  await visit.isSound();
});

test("a factory reset says what goes, wants the name and the password, and ends with a new claim", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "system/device" });
  const { page } = visit;
  await page.getByRole("button", { name: "Factory reset" }).click();
  const dialog = page.getByRole("dialog");
  assert.match((await dialog.textContent())!, /the outbox with 0 messages.*all keys.*all settings.*users of this page/s);
  const erase = dialog.getByRole("button", { name: "Erase everything" });
  assert.equal(await erase.isDisabled(), true);
  await dialog.locator('input:not([type="password"])').fill("gw-tes");
  await dialog.locator('input[type="password"]').fill("not my password");
  assert.equal(await erase.isDisabled(), true, "the name is not right yet");
  await dialog.locator('input:not([type="password"])').fill("gw-test");
  await erase.click();
  await dialog.getByRole("alert").waitFor();
  await visit.isSound();
  await visit.shot("system-reset-phone");
  await dialog.locator('input[type="password"]').fill(OWNER.password);
  const settings = `${gateway.dataDir}/settings.json`;
  await erase.click();
  await page.locator('input[autocomplete="current-password"], .doorstep').first().waitFor({ timeout: 30_000 });
  for (let tries = 0; tries < 200; tries++) {
    if ((await fs.stat(settings).catch(() => undefined)) === undefined) return; // erased by the next start
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail("the settings are still there");
});
