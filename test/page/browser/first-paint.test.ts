// How soon there is something to see, and something to do, on a slow phone at a slow line: 1.6 Mbit/s, 150 ms to each answer, a processor
// four times slower than this one. The best of a few tries counts: the machine may be busy with something else.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { OWNER } from "../../support/web-device.ts";
import { type Chromium, openChromium, type Visit } from "./support/chromium.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";

const LINE = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 };
const SLOWER = 4;
const TRIES = 4;
const FIRST_PAINT_MS = 1_000;
/** Far from what is measured on a quiet machine: 1.5 s to the login, 2.0 s to the overview. */
const LOGIN_MS = 2_500;
const OVERVIEW_MS = 4_000;

let chromium: Chromium;
let gateway: Gateway;
before(async () => {
  [chromium, gateway] = await Promise.all([openChromium(), startGateway()]);
});
after(async () => {
  await chromium[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
});

/** Milliseconds from the request to the first picture, and until `wanted` is there. */
async function load({ page, context }: Visit, wanted: string): Promise<readonly [paint: number, usable: number]> {
  const cdp = await context.newCDPSession(page);
  await cdp.send("Network.enable");
  await cdp.send("Network.setCacheDisabled", { cacheDisabled: true });
  await cdp.send("Network.emulateNetworkConditions", LINE);
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  let [paint, usable] = [Infinity, Infinity];
  for (let i = 0; i < TRIES; i++) {
    await page.reload({ waitUntil: "commit" });
    await page.locator(wanted).first().waitFor();
    const [first, now] = await page.evaluate<[number, number]>(
      '[performance.getEntriesByName("first-contentful-paint")[0].startTime, performance.now()]',
    );
    paint = Math.min(paint, first);
    usable = Math.min(usable, now);
  }
  await cdp.detach();
  return [Math.round(paint), Math.round(usable)];
}

test("the first picture is there within a second, the login soon after", async () => {
  await using visit = await chromium.visit(gateway, { size: "phone" });
  const [paint, usable] = await load(visit, 'input[autocomplete="current-password"]');
  console.log(`login: first paint ${paint} ms, usable ${usable} ms`);
  assert.ok(paint < FIRST_PAINT_MS, `${paint} ms`);
  assert.ok(usable < LOGIN_MS, `${usable} ms`);
});

test("who is logged in sees the first picture within a second, and the overview soon after", async () => {
  await using visit = await chromium.visit(gateway, { size: "phone", as: OWNER, at: "dashboard" });
  const [paint, usable] = await load(visit, ".dash-verdict, .view-head h1");
  console.log(`overview: first paint ${paint} ms, usable ${usable} ms`);
  assert.ok(paint < FIRST_PAINT_MS, `${paint} ms`);
  assert.ok(usable < OVERVIEW_MS, `${usable} ms`);
});
