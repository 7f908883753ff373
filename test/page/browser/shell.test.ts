// The shell: login, ways, verdict, languages, what is said when the device is away, and settings on trial.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OWNER, TECHNICIAN, VIEWER } from "../../support/web-device.ts";
import { type Chromium, logIn, openChromium } from "./support/chromium.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";

let chromium: Chromium;
let gateway: Gateway;
before(async () => {
  [chromium, gateway] = await Promise.all([openChromium(), startGateway()]);
});
after(async () => {
  await chromium?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
});

for (const size of ["phone", "desktop"] as const) {
  test(`who logs in on a ${size} sees the overview, and the verdict in the head`, async () => {
    await using visit = await chromium.visit(gateway, { size });
    const { page } = visit;
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    await visit.isSound();
    await visit.shot(`login-${size}`);
    await page.getByLabel("User name").fill(OWNER.user);
    await page.getByLabel("Password", { exact: true }).fill("not the password");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").filter({ hasText: "The user or the password is wrong" }).waitFor();
    await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("link", { name: "Health: All well" }).waitFor();
    await page.locator("h1").waitFor();
    assert.match(page.url(), /#\/dashboard$/);
    await visit.isSound();
    await visit.shot(`shell-${size}`);
    if (size === "phone") {
      await page.getByRole("button", { name: "More" }).click();
      await page.getByRole("dialog").waitFor();
      await visit.isSound();
      await visit.shot("more-phone");
      await page.getByRole("link", { name: /olga/ }).click();
    } else await page.getByRole("link", { name: /olga/ }).click();
    await page.getByRole("heading", { name: "Your account" }).waitFor();
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Your account", "the focus is where one went");
    assert.equal(await page.title(), "Your account · Petiole");
    await visit.isSound();
    await visit.shot(`account-${size}`);
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("heading", { name: "Log in" }).waitFor();
  });
}

test("a viewer is offered what viewers may do, and told so elsewhere", async () => {
  await using visit = await chromium.visit(gateway, { as: VIEWER, at: "settings" });
  await visit.page.getByRole("heading", { name: "Your role does not allow this." }).waitFor();
  const ways = await visit.page.getByRole("navigation").getByRole("link").allInnerTexts();
  assert.deepEqual(
    ways.map((each) => each.split("\n")[0]),
    ["Overview", "Devices", "System", "vera"],
  );
  await visit.page.goto(`${gateway.url}/#/nowhere`);
  await visit.page.getByRole("heading", { name: "There is nothing here" }).waitFor();
  await visit.isSound();
});

test("by keyboard alone: the first key skips to the content, the next ones walk through the ways", async () => {
  await using visit = await chromium.visit(gateway, { as: VIEWER });
  const { page } = visit;
  const focused = () => page.evaluate<string>("document.activeElement.innerText || document.activeElement.ariaLabel");
  await page.reload();
  await page.getByRole("link", { name: "Health: All well" }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  for (const wanted of [/All well/, /^Overview/, /^Devices/, /^System/]) {
    await page.keyboard.press("Tab");
    assert.match(await focused(), wanted);
  }
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "System" }).waitFor();
});

test("six languages, each remembered, none of them wider than a phone, nothing left in English", async () => {
  await using visit = await chromium.visit(gateway, { size: "phone", language: "de-CH" });
  const { page } = visit;
  await page.getByRole("heading", { name: "Anmelden" }).waitFor();
  const titles = { en: "Log in", fr: "Connexion", es: "Iniciar sesión", pt: "Entrar no dispositivo", zh: "登录" };
  for (const [language, title] of Object.entries(titles)) {
    await page.locator("select").first().selectOption(language);
    await page.getByRole("heading", { name: title, exact: true }).waitFor();
    await visit.isSound();
  }
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-Hans");
  await page.reload();
  await page.getByRole("heading", { name: "登录", exact: true }).waitFor();
});

test("the appearance follows the system until one is chosen, and dark is as readable as light", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, appearance: "dark", at: "account" });
  const { page } = visit;
  const appearance = () => page.locator("html").getAttribute("data-appearance");
  assert.equal(await appearance(), "dark");
  await visit.isSound();
  await visit.shot("account-dark");
  await page.getByLabel("Appearance").selectOption("light");
  assert.equal(await appearance(), "light");
  await page.reload();
  await page.getByRole("heading", { name: "Your account" }).waitFor();
  assert.equal(await appearance(), "light", "what was chosen holds against the system");
});

test("one's own password: refused when it is short or the old one is wrong, else changed", async () => {
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "account" });
  const { page } = visit;
  const change = async (old: string, next: string, said: string) => {
    await page.getByLabel("Present password").fill(old);
    await page.getByLabel("New password").fill(next);
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByRole("alert").filter({ hasText: said }).waitFor();
  };
  await change(TECHNICIAN.password, "short", "at least 10 characters");
  await change("this is not it", "another good password", "wrong");
  await change(TECHNICIAN.password, "another good password", "The password is changed");
  await page.getByRole("button", { name: "Log out" }).click();
  await logIn(page, { user: TECHNICIAN.user, password: "another good password" });
});

test("a device that is gone: said at once, the old picture marked, and after its return a login leads back to the same place", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "account", hasClock: true });
  const { page } = visit;
  await page.getByRole("link", { name: "Health: All well" }).waitFor();
  await gateway.stop();
  await page.clock.fastForward(6_000);
  await page.getByRole("alert").filter({ hasText: "The device does not answer; what you see is from" }).waitFor();
  await page.getByRole("link", { name: "Health: No news" }).waitFor();
  await visit.isSound();
  await visit.shot("stale");
  await gateway.start();
  await page.getByText("The login ended").waitFor();
  await logIn(page, OWNER);
  await page.getByRole("heading", { name: "Your account" }).waitFor();
});

test("settings on trial: the page opens anew, and whoever logs in again sees the countdown and keeps them", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone" });
  const { page } = visit;
  const owner = await gateway.owner();
  const view = (await owner.get("/api/settings")).json;
  view.document.web.session_idle = "20m";
  assert.equal((await owner.put("/api/settings", view)).status, 200);
  await page.getByText("The login ended").waitFor();
  await logIn(page, OWNER);
  const countdown = page.getByRole("timer").filter({ hasText: "taken back" });
  await countdown.waitFor();
  assert.match(await countdown.innerText(), /taken back in (?:1 min \d+ s|\d+ s)\.$/);
  await visit.isSound();
  await visit.shot("pending-phone");
  await page.getByRole("button", { name: "Keep them" }).click();
  await countdown.waitFor({ state: "detached" });
  assert.equal((await (await gateway.owner()).get("/api/settings")).json.pending, null);
});
