// The overview, devices and messages in every language, on a phone: everything fits, nothing is left untranslated or with a hole in it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TECHNICIAN } from "../../support/web-device.ts";
import { type BusyGateway, startBusyGateway } from "./support/busy-gateway.ts";
import { type Chromium, openChromium } from "./support/chromium.ts";

const TITLES = {
  en: ["Overview", "Devices", "Messages"],
  de: ["Übersicht", "Geräte", "Nachrichten"],
  fr: ["Aperçu", "Appareils", "Messages"],
  es: ["Resumen", "Equipos", "Mensajes"],
  pt: ["Resumo", "Dispositivos", "Mensagens"],
  zh: ["概览", "设备", "消息"],
} as const;

const PLACES = [
  ["dashboard", 0],
  ["devices/mqtt", 1],
  ["devices/serial/weather", 1],
  ["devices/plugged", 1],
  ["messages/live", 2],
  ["messages/send", 2],
  ["messages/explain", 2],
] as const;

const scope = new AsyncDisposableStack();
let chromium: Chromium;
let gateway: BusyGateway;
before(async () => {
  chromium = scope.use(await openChromium());
  gateway = scope.use(await startBusyGateway());
  const device = scope.use(await gateway.mqtt("meter-with-a-rather-long-name-that-no-phone-is-wide-enough-for"));
  gateway.cable.cut();
  await gateway.until("the link is down", ({ remotes }) => remotes[0]!.link.state !== "ready");
  await device.publishAsync("sensors/7/temp", "1", { qos: 1 });
});
after(() => scope.disposeAsync());

for (const [language, titles] of Object.entries(TITLES)) {
  test(`in ${language} everything fits and nothing is missing`, async () => {
    await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "dashboard", size: "phone", language });
    const { page } = visit;
    for (const [place, title] of PLACES) {
      await page.evaluate(`location.hash = "#/${place}"`);
      await page.getByRole("heading", { level: 1, name: titles[title] }).waitFor();
      await page.locator(".card, .msg-pane, .dev-pane").first().waitFor();
      const [wide, screen, words] = await page.evaluate<[number, number, string]>(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth, document.querySelector('main').innerText]",
      );
      assert.ok(wide <= screen, `${place} in ${language} is ${wide} px wide on a screen of ${screen} px`);
      assert.doesNotMatch(words, /\{\w+[|}]|undefined|NaN|\[object/, place);
      await visit.shot(`language-${language}-${place.replaceAll("/", "-")}`);
    }
    await page.evaluate('location.hash = "#/dashboard"');
    await page.locator(".dash-trouble").first().waitFor();
    await visit.isSound();
  });
}
