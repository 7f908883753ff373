// Every view in every language on a phone, and in two of them on a desktop: everything fits, nothing is left untranslated or with a hole in it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OWNER } from "../../support/web-device.ts";
import { type BusyGateway, startBusyGateway } from "./support/busy-gateway.ts";
import { type Chromium, openChromium, SIZES } from "./support/chromium.ts";

/** Heading of each view; the wizard's own says more than its way does. */
const TITLES = {
  en: { dashboard: "Overview", devices: "Devices", messages: "Messages", settings: "Settings", system: "System" },
  de: { dashboard: "Übersicht", devices: "Geräte", messages: "Nachrichten", settings: "Einstellungen", system: "System" },
  fr: { dashboard: "Aperçu", devices: "Appareils", messages: "Messages", settings: "Réglages", system: "Système" },
  es: { dashboard: "Resumen", devices: "Equipos", messages: "Mensajes", settings: "Ajustes", system: "Sistema" },
  pt: { dashboard: "Resumo", devices: "Dispositivos", messages: "Mensagens", settings: "Configurações", system: "Sistema" },
  zh: { dashboard: "概览", devices: "设备", messages: "消息", settings: "设置", system: "系统" },
} as const;

const PLACES: readonly string[] = [
  "dashboard",
  ...["devices/mqtt", "devices/nats", "devices/serial/weather", "devices/plugged"],
  ...["messages/live", "messages/send", "messages/explain"],
  ...["settings", "settings/hub", "settings/outbox", "settings/serial", "settings/page", "settings/json"],
  "doctor",
  ...["system/logs", "system/device", "system/keys", "system/users", "system/backup", "system/audit", "system/about"],
  ...["wizard/name", "wizard/hub", "wizard/devices", "wizard/rules", "wizard/test", "wizard/done"],
  "account",
];

/** The longest words, and another script: where there is room the others fit too. */
const ON_DESKTOP: ReadonlySet<string> = new Set(["de", "zh"]);

const HOLES = /\bundefined\b|\bNaN\b|\[object/;

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
    await using visit = await chromium.visit(gateway, { as: OWNER, at: "dashboard", size: "phone", language });
    const { page } = visit;
    for (const place of PLACES) {
      const view = place.split("/")[0]!;
      await page.evaluate(`location.hash = "#/${place}"`);
      const heading = page.locator("main h1");
      await (Object.hasOwn(titles, view) && !place.startsWith("settings/")
        ? page.getByRole("heading", { level: 1, name: titles[view as keyof typeof titles], exact: true })
        : heading
      ).waitFor();
      await page.locator("main .waiting").first().waitFor({ state: "detached" });
      for (const [size, viewport] of Object.entries(SIZES)) {
        if (size === "desktop" && !ON_DESKTOP.has(language)) continue;
        await page.setViewportSize(viewport);
        const [wide, screen, words] = await page.evaluate<[number, number, string]>(
          "[document.documentElement.scrollWidth, document.documentElement.clientWidth, document.querySelector('main').innerText]",
        );
        assert.ok(wide <= screen, `${place} in ${language} is ${wide} px wide on a screen of ${screen} px`);
        // The settings' own help has templates in it.
        assert.doesNotMatch(words, place.startsWith("settings/") ? HOLES : /\{\w+[|}]/, place);
        assert.doesNotMatch(words, HOLES, place);
        await visit.shot(`language-${language}-${place.replaceAll("/", "-")}-${size}`);
      }
      await page.setViewportSize(SIZES.phone);
    }
    await page.evaluate('location.hash = "#/dashboard"');
    await page.locator(".dash-trouble").first().waitFor();
    await visit.isSound();
  });
}
