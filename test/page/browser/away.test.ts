// A device that is killed under the page, and a login that ends while somebody types: what is on the screen, and what is still there
// afterwards.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Clock, systemClock } from "#base/clock.ts";
import { OWNER, TECHNICIAN, VIEWER } from "../../support/web-device.ts";
import { type Chromium, logIn, openChromium, type SIZES } from "./support/chromium.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";
import { type Killable, startKillable } from "./support/killable.ts";

const MINUTE_MS = 60_000;

const scope = new AsyncDisposableStack();
let chromium: Chromium;
let program: Killable;
let gateway: Gateway;
let later = 0;
before(async () => {
  chromium = scope.use(await openChromium());
  program = scope.use(await startKillable());
  const system = systemClock();
  const clock: Clock = { ...system, now: () => system.now() + later };
  gateway = scope.use(await startGateway({ clock, settings: { web: { session_idle: "1m" } } }));
});
after(() => scope.disposeAsync());

const sizes = ["phone", "desktop"] as const satisfies readonly (keyof typeof SIZES)[];
for (const size of sizes) {
  test(`killed with -9 under the page on a ${size}: said within two seconds, the old picture greyed with its age, then a login and all is as it was`, async () => {
    await using visit = await chromium.visit(program, { as: TECHNICIAN, at: "messages/send", size });
    const { page } = visit;
    await page.getByLabel("Subject").fill("pumps.7.speed");
    await page.getByLabel("Content").fill('{"rpm": 1450, "note": "typed on a roof"}');
    await page.getByRole("link", { name: "Health: All well" }).waitFor();
    await program.kill();
    const gone = performance.now();
    await page.getByRole("alert").filter({ hasText: "The device does not answer; what you see is from" }).waitFor();
    assert.ok(performance.now() - gone < 2_000, `said after ${performance.now() - gone} ms`);
    await page
      .getByRole("timer")
      .filter({ hasText: /^That was \d+ s ago\.$/ })
      .waitFor();
    await page.getByRole("link", { name: "Health: No news" }).waitFor();
    assert.equal(await page.evaluate("getComputedStyle(document.querySelector('.app-old')).filter"), "grayscale(1)");
    assert.equal(await page.getByLabel("Subject").inputValue(), "pumps.7.speed", "it stays where it was");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByRole("alert").filter({ hasText: "It is not known whether it was sent" }).waitFor();
    await visit.isSound();
    await visit.shot(`killed-${size}`);

    await program.start();
    await page.getByText("what you have typed is still there").waitFor(); // by itself
    assert.equal(await page.getByLabel("User name").inputValue(), TECHNICIAN.user);
    await visit.isSound();
    await visit.shot(`killed-login-${size}`);
    await logIn(page, TECHNICIAN);
    await page.getByRole("link", { name: "Health: All well" }).waitFor();
    assert.equal(await page.locator(".app-old").count(), 0);
    assert.match(page.url(), /#\/messages\/send$/);
    assert.match(await page.title(), /^Messages/);
    assert.equal(await page.getByLabel("Subject").inputValue(), "pumps.7.speed");
    assert.equal(await page.getByLabel("Content").inputValue(), '{"rpm": 1450, "note": "typed on a roof"}');
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page
      .getByText(/nobody|no remote|local/i)
      .first()
      .waitFor();
  });
}

test("a login that was idle for too long ends by itself, though the overview goes on asking; what was typed in a dialog waits for the next one", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "system/users" });
  const { page } = visit;
  await page.getByRole("button", { name: "Add a user" }).click();
  const name = page.getByRole("dialog").getByLabel("User name");
  await name.fill("ulla");
  later += 2 * MINUTE_MS;
  await page.getByText("The login ended: it was idle for too long").waitFor();
  await visit.isSound();
  await visit.shot("idle-login");
  await logIn(page, OWNER);
  assert.equal(await name.inputValue(), "ulla");
  await visit.isSound();
});

test("a technician at the overview is logged out after the idle time, and somebody else who then logs in sees nothing of theirs", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "account", size: "phone" });
  const { page } = visit;
  await page.getByLabel("New password").fill("not to be seen by others");
  await page.evaluate('location.hash = "#/dashboard"');
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  await page.evaluate('location.hash = "#/account"');
  await page.getByLabel("New password").fill("not to be seen by others");
  later += 2 * MINUTE_MS;
  await page.getByText("The login ended: it was idle for too long").waitFor();
  await logIn(page, TECHNICIAN);
  await page.getByRole("heading", { name: "Your account" }).waitFor();
  assert.equal(await page.getByLabel("New password").inputValue(), "");
});

test("settings that were typed and not saved, with the secrets in them, are gone with a log-out", async () => {
  await using visit = await chromium.visit(gateway, { at: "settings/json" });
  const { page } = visit;
  await logIn(page, OWNER);
  const json = page.locator("main textarea").first();
  await json.fill('{ "server_name": "typed-before-the-log-out" }');
  await page.evaluate('location.hash = "#/account"');
  await page.getByRole("button", { name: "Log out" }).click();
  await logIn(page, OWNER);
  await page.evaluate('location.hash = "#/settings/json"');
  await json.waitFor();
  assert.doesNotMatch(await json.inputValue(), /typed-before/);
});

test("somebody else who logs in at another tab of the same browser does not act in this one's name, nor see what was typed in it", async () => {
  await using visit = await chromium.visit(gateway, { at: "account", hasClock: true });
  const { page, context } = visit;
  await logIn(page, TECHNICIAN);
  await page.getByLabel("New password").fill("of the technician");
  const other = await context.newPage();
  await other.goto(`${gateway.url}/#/account`);
  await other.getByRole("button", { name: "Log out" }).click();
  await page.getByText("The login ended").waitFor();
  await logIn(page, TECHNICIAN);
  await page.getByLabel("New password").fill("of the technician");
  // Between two questions of the first tab, as it seems to it: its cookie is another one now, and works.
  await context.clearCookies();
  const login = await context.request.post(`${gateway.url}/api/session`, {
    data: { user: VIEWER.user, password: VIEWER.password },
    headers: { Origin: gateway.url },
  });
  assert.equal(login.status(), 200, await login.text());
  await page.clock.fastForward(60_000);
  await page.keyboard.press("Tab");
  await page.getByText(`${VIEWER.user} · `).waitFor();
  assert.equal(await page.getByLabel("New password").inputValue(), "");
});

test("settings typed when the login had ended are judged and can be applied after the next one, without another keystroke", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "settings/device" });
  const { page, context } = visit;
  const name = page.getByLabel(/^Server name/);
  await name.waitFor();
  await context.clearCookies();
  await name.fill("typed-too-late");
  await page.getByText("The login ended").waitFor();
  await logIn(page, OWNER);
  assert.equal(await name.inputValue(), "typed-too-late");
  await page.locator(".set-bar").getByText("1 change", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Review and apply" }).click();
  await page.getByText("typed-too-late").first().waitFor();
});

test("a page left behind the login for hours lets go of what was typed into it", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "account", hasClock: true });
  const { page, context } = visit;
  await page.getByLabel("New password").fill("left behind");
  await context.clearCookies();
  await page.evaluate('dispatchEvent(new Event("visibilitychange"))');
  await page.evaluate('location.hash = "#/dashboard"');
  await page.evaluate('location.hash = "#/account"');
  await page.clock.fastForward(60_000);
  await page.keyboard.press("Tab"); // whoever is at the page
  await page.getByText("The login ended").waitFor();
  assert.equal(await page.locator(".app").count(), 1, "it waits");
  await page.clock.fastForward(2 * 60 * MINUTE_MS);
  await page.locator(".app").waitFor({ state: "detached" });
  await logIn(page, OWNER);
});

test("who comes back with another role finds nothing of what they had before them with the old one", async () => {
  const owner = await gateway.owner();
  const role = async (next: string) => assert.equal((await owner.put(`/api/users/${VIEWER.user}`, { role: next })).status, 200);
  await role("technician");
  await using visit = await chromium.visit(gateway, { at: "messages/send" });
  const { page } = visit;
  await logIn(page, VIEWER);
  await page.getByLabel("Content").fill("as a technician");
  await role("viewer");
  await page.evaluate('location.hash = "#/account"');
  await page.getByText("The login ended").waitFor();
  assert.equal(await page.locator(".app").count(), 1);
  await page.evaluate('document.querySelector(".app").id = "of-the-technician"');
  await logIn(page, VIEWER);
  await page.getByText(`${VIEWER.user} · Viewer`, { exact: false }).waitFor();
  assert.equal(await page.locator("#of-the-technician").count(), 0);
});

test("what sticks to the edges of a phone, the word that the picture is old and the bar of changes, covers nothing that has the focus", async () => {
  await using visit = await chromium.visit(program, { as: OWNER, at: "settings/page", size: "phone" });
  const { page } = visit;
  const fields = page.locator(".set-form input[type=text]");
  await fields.first().fill("changed");
  await page.locator(".set-bar").waitFor();
  await program.kill();
  await page.locator(".banner-stale").waitFor();
  const covered = async () =>
    await page.evaluate<string>(`(() => {
      const at = document.activeElement, box = at.getBoundingClientRect();
      const covers = [...document.querySelectorAll(".banner-stale, .set-bar")].filter((each) => {
        const { top, bottom } = each.getBoundingClientRect();
        return !each.contains(at) && box.top < bottom && box.bottom > top;
      });
      const isBelow = at.closest(".app-old") !== null && covers.length > 0;
      return isBelow ? covers.map((each) => each.className) + " covers " + at.outerHTML.slice(0, 120) : "";
    })()`);
  const found: string[] = [];
  const walk = async (key: string) => {
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press(key);
      const what = await covered();
      if (what !== "") found.push(`${key} ${i}: ${what}`);
    }
  };
  await fields.first().focus();
  await walk("Tab");
  await page.locator(".set-form").locator("button, input, select, summary, a").last().focus();
  await walk("Shift+Tab");
  await program.start();
  assert.deepEqual(found, []);
});
