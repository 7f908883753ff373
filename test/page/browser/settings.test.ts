// The settings in a real browser against the real daemon: forms, faults, secrets, locks, search, JSON. Nothing is written here.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OWNER, TECHNICIAN } from "../../support/web-device.ts";
import { type Chromium, openChromium } from "./support/chromium.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";

const REMOTE = { urls: ["tls://127.0.0.1:1"], user: "gw", password: "the-secret-of-the-hub" };
const NASTY = `"><img src=x onerror=alert(1)>`;
const SETTINGS = {
  leafnodes: { remotes: [REMOTE] },
  outbox: { max_bytes: "64MiB" },
  accounts: [{ name: "EDGE", users: [{ user: NASTY, password: "a long enough password" }] }],
  serial: [{ name: "weather", match: { path: "/dev/ttyNONE" } }],
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

for (const size of ["phone", "desktop"] as const) {
  test(`every group of the settings is sound on a ${size}`, async () => {
    const appearance = size === "phone" ? "light" : "dark";
    await using visit = await chromium.visit(gateway, { as: OWNER, size, appearance, at: "settings" });
    const { page } = visit;
    await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
    await visit.isSound();
    await visit.shot(`settings-${size}`);
    const links = await page.locator(".set-group").all();
    const groups = await Promise.all(links.map(async (link) => (await link.getAttribute("href"))!));
    assert.ok(groups.length >= 10, "groups, and the JSON");
    for (const group of groups) {
      await page.goto(`${gateway.url}/${group}`);
      await page.locator(group.endsWith("json") ? ".set-json" : ".set-form").waitFor();
      await visit.isSound();
      await visit.shot(`${group.slice(2).replace("/", "-")}-${size}`);
    }
  });
}

test("a mistake stands at its own field in the device's words, and the bar leads there", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "settings/outbox" });
  const { page } = visit;
  const field = page.getByLabel(/^Max bytes/);
  await field.fill("lots");
  const fault = page.locator("#set-outbox\\.max_bytes .field-fault");
  await fault.waitFor();
  assert.match((await fault.textContent())!, /wants .*found "lotsMiB"/);
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  await visit.isSound();
  await visit.shot("settings-fault-phone");
  await page.goto(`${gateway.url}/#/settings`);
  await page.getByRole("link", { name: /Outbox.*1 mistake/ }).waitFor();
  await page.getByRole("link", { name: "Go there" }).click();
  await page.getByRole("heading", { level: 1, name: "Outbox" }).waitFor();
  await page.locator("#set-outbox\\.max_bytes input:focus").waitFor();
  await page.getByRole("button", { name: "Back to the default: outbox.max_bytes" }).click();
  assert.equal(await field.inputValue(), "1");
  assert.equal(await page.getByLabel("Unit of Max bytes").inputValue(), "GiB");
  await page.getByRole("button", { name: "Review and apply" }).waitFor();
});

test("what is not saved survives a look at another view, and can be discarded", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "settings/device" });
  const { page } = visit;
  await page.getByLabel(/^Server name/).fill("gw-9");
  await page.goto(`${gateway.url}/#/dashboard`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.goto(`${gateway.url}/#/settings/device`);
  await page.getByLabel(/^Server name/).waitFor();
  assert.equal(await page.getByLabel(/^Server name/).inputValue(), "gw-9");
  await page.getByRole("button", { name: "Discard" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
  assert.equal(await page.getByLabel(/^Server name/).inputValue(), "gw-test");
  assert.equal(await page.getByRole("region", { name: "Unsaved changes" }).count(), 0);
});

test("a secret can be replaced and kept, and never read", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "settings/hub" });
  const { page } = visit;
  await page.getByRole("button", { name: "Replace: Password" }).click();
  await page.getByLabel("Password", { exact: false }).and(page.locator("input")).first().fill("another");
  await page.getByRole("button", { name: "Keep the old one: Password" }).click();
  assert.equal(await page.getByRole("region", { name: "Unsaved changes" }).count(), 0, "nothing has changed");
  await page.getByRole("button", { name: "Replace: Password" }).click();
  await page.getByLabel("Password", { exact: false }).and(page.locator("input")).first().fill("another");
  await page.getByRole("button", { name: "Review and apply" }).click();
  await page.getByText("a new secret").waitFor();
  assert.equal(await page.getByText("another").count(), 0, "not in the diff either");
});

test("search finds a setting by words of its help and changes it in place", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "settings" });
  const { page } = visit;
  await page.getByLabel("Search the settings").fill("commit interval");
  const hit = page.locator(".set-hit");
  await hit.first().waitFor();
  assert.match((await hit.first().textContent())!, /outbox\.commit_interval/);
  await visit.isSound();
  await visit.shot("settings-search-phone");
  await page.getByLabel(/^Commit interval/).fill("50");
  await page.getByRole("button", { name: "Review and apply" }).click();
  await page.locator(".set-change", { hasText: "50ms" }).waitFor();
});

test("what an environment variable decides is locked, says which one, and shows what is in force instead of what the file says", async () => {
  const environment = {
    DEVICE_NAME: "gw-fleet",
    PETIOLE_WEB__SESSION_IDLE: "25m",
    PETIOLE_MQTT: "null",
    PETIOLE_ACCOUNTS__0__USERS: '[{"user": "fleet-device", "password": "not to be seen"}]',
    HUB_URLS: "nats-leaf://127.0.0.1:1",
  };
  await using fleet = await startGateway({
    environment,
    settings: { accounts: [{ name: "EDGE", users: [] }], web: { session_idle: "15m" } },
  });
  await using visit = await chromium.visit(fleet, { as: OWNER, at: "settings/device", size: "phone" });
  const { page } = visit;
  await page.getByText("Locked: set by DEVICE_NAME").waitFor();
  const name = page.getByLabel(/^Server name/);
  assert.deepEqual([await name.isDisabled(), await name.inputValue()], [true, "gw-fleet"]);
  await page.getByText("server_name = gw-fleet").waitFor();
  await visit.isSound();
  await visit.shot("settings-locked-phone");
  await page.goto(`${fleet.url}/#/settings/page`);
  await page.getByText("web.session_idle = 25m").waitFor();
  assert.equal(await page.getByLabel(/^Session idle/).inputValue(), "25");
  await page.goto(`${fleet.url}/#/settings/hub`);
  await page.getByText('leafnodes.remotes[0].urls = ["nats-leaf://127.0.0.1:1"]').waitFor(); // the file knows of no hub
  await page.goto(`${fleet.url}/#/settings/accounts`);
  await page.getByText("Locked: set by PETIOLE_ACCOUNTS__0__USERS").first().waitFor();
  await page.getByText("fleet-device").first().waitFor();
  assert.equal(await page.getByRole("button", { name: "Add to Users" }).isDisabled(), true);
  assert.doesNotMatch((await page.locator("main").textContent())!, /not to be seen/);
  await visit.shot("settings-locked-users-phone");
  const before = await fleet.settings();
  await page.goto(`${fleet.url}/#/settings/device`);
  await page.getByLabel(/^Log level/).selectOption({ label: "debug" });
  await page.getByRole("button", { name: "Review and apply" }).click();
  await page.getByRole("button", { name: "Apply", exact: true }).click();
  await page
    .getByText(/^Saved/)
    .first()
    .waitFor();
  assert.deepEqual(await fleet.settings(), { ...before, log_level: "debug" }, "the file has nothing of the environment");
});

test("JSON: a mistake is told with line and column, a setting the device refuses with its place; what is good is taken", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "settings/json" });
  const { page } = visit;
  const area = page.getByRole("textbox", { name: "The settings as JSON" });
  await area.waitFor();
  const good = await area.inputValue();
  await page.getByText("Good JSON, no mistakes found").waitFor();
  await area.fill(good.replace(/\}\s*$/, ",,\n}"));
  await page.getByText(/Line \d+, column \d+/).waitFor();
  await page.getByText("a name in double quotes should stand here").waitFor();
  await area.fill(good.replace(/^\{/, '{\n  "listenn": 1,'));
  await page.getByRole("button", { name: "Line 2, column 14" }).click();
  assert.equal(await page.getByText("There is no such setting: listenn").count(), 1);
  await visit.isSound();
  await visit.shot("settings-json-phone");
  await area.fill(good.replace('"gw-test"', '"gw-json"'));
  await page.getByRole("button", { name: "Review and apply" }).click();
  await page.locator(".set-change", { hasText: "gw-json" }).waitFor();
});

test("a technician sees why a risky change is not theirs to make", async () => {
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "settings/firewall" });
  const { page } = visit;
  await page
    .getByLabel(/^Host SSH/)
    .or(page.getByLabel(/^Enabled/))
    .first()
    .click();
  await page.getByRole("button", { name: "Review and apply" }).click();
  await page.getByText("Only an owner may change this: firewall").waitFor();
  assert.equal(await page.getByRole("button", { name: "Apply on trial" }).isDisabled(), true);
});

test("hostile texts in settings stay texts", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "settings/accounts" });
  const { page } = visit;
  await page.getByText(NASTY).first().waitFor();
  assert.equal(await page.locator("img").count(), 0);
});

test("the settings have words of their own in every language, and say that names are English", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "settings/outbox" });
  const { page } = visit;
  const seen = new Set<string>();
  for (const language of ["en", "de", "fr", "es", "pt", "zh"]) {
    await page.evaluate(`localStorage.setItem("petiole.language", "${language}")`);
    await page.reload();
    await page.locator(".set-note").waitFor();
    seen.add((await page.locator(".set-note").textContent())!);
    await visit.isSound();
    await visit.shot(`settings-outbox-${language}`);
  }
  assert.equal(seen.size, 6);
});
