// The doctor in a real browser: steps as they come, what to mend first, the certificate chain, the line for head office.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import type * as net from "node:net";
import { after, before, test } from "node:test";
import * as tls from "node:tls";
import * as doctorCodes from "#doctor/errors.ts";
import { hear, IDLE, stepUnderWay, textOf, worstOf } from "#web/page/doctor/examination.ts";
import { findingWords } from "#web/page/doctor/finding-words.ts";
import { type Certificates, certificates } from "../../support/certificates.ts";
import { OWNER, TECHNICIAN, VIEWER } from "../../support/web-device.ts";
import { type Chromium, openChromium } from "./support/chromium.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";

let chromium: Chromium;
let gateway: Gateway;
let made: Certificates;
let stranger: tls.Server;
before(async () => {
  made = await certificates();
  const [key, cert] = await Promise.all([fs.readFile(made.server.key), fs.readFile(made.server.cert)]);
  stranger = tls.createServer({ key, cert }, (socket) => socket.on("error", () => undefined)).listen(0, "127.0.0.1");
  stranger.on("tlsClientError", () => undefined);
  await once(stranger, "listening");
  const { port } = stranger.address() as net.AddressInfo;
  const urls = ["tls://127.0.0.1:1", `tls://127.0.0.1:${port}`];
  const remote = { urls, user: "gw", password: "the-secret-of-the-hub", tls: { handshake_first: true } };
  [chromium, gateway] = await Promise.all([openChromium(), startGateway({ settings: { leafnodes: { remotes: [remote] } } })]);
});
after(async () => {
  await chromium[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
  stranger.close();
  await made[Symbol.asyncDispose]();
});

const FINDING = {
  step: "reach",
  target: null,
  verdict: "fine",
  code: null,
  detail: null,
  cause: "all well",
  remedy: null,
  facts: {},
  took_ms: 1,
} as const;

test("an examination grows by what it hears, and knows which step is under way", () => {
  const begun = hear({ ...IDLE, state: "running" }, "begin", { steps: ["clock", "reach", "login"] });
  assert.equal(stepUnderWay(begun), 0);
  const further = hear(begun, "step", FINDING);
  assert.equal(stepUnderWay(further), 2);
  assert.equal(stepUnderWay(hear(further, "step", { ...FINDING, step: "login" })), 2, "the last one stays until the end");
  assert.equal(hear(further, "unheard-of", 1), further);
  assert.equal(worstOf([FINDING, { ...FINDING, verdict: "broken" }, { ...FINDING, verdict: "warning" }]), "broken");
  assert.equal(worstOf([]), "skipped");
  assert.match(
    textOf(hear(begun, "step", { ...FINDING, verdict: "broken", code: "X_Y", detail: "ECODE", remedy: "mend it" })),
    /BROKEN {2}reach: all well\n +→ mend it\n +X_Y \(ECODE\)/,
  );
});

for (const size of ["phone", "desktop"] as const) {
  test(`hubs that refuse, or show a stranger's certificate, are named on a ${size} with cause, remedy and chain, and in the line for head office`, async () => {
    const appearance = size === "phone" ? "light" : "dark";
    await using visit = await chromium.visit(gateway, { as: TECHNICIAN, size, appearance, at: "doctor" });
    const { page } = visit;
    await page.getByText("Not examined yet").waitFor();
    await visit.isSound();
    await visit.shot(`doctor-before-${size}`);
    await page.getByRole("button", { name: "Examine the device" }).click();
    await page.getByRole("heading", { name: "For head office" }).waitFor({ timeout: 60_000 });
    const first = page.locator(".doctor-result");
    assert.match(
      (await first.textContent())!,
      /This has to be mended.*The way to the hubs.*ECONNREFUSED.*What to do: check address and port/s,
    );
    assert.match((await page.locator(".doctor-line").textContent())!, /^PTL1 .* B reach@0\.0=LEAF_DIAL_FAILED\/ECONNREFUSED/);
    assert.equal(await page.locator(".doctor-step").count(), 20);
    const chain = first.locator(".doctor-chain > li").first();
    assert.match((await chain.textContent())!, /Signed by.*Fingerprint[0-9a-f]{64}/s);
    assert.equal(await chain.isVisible(), true, "open where it is what is broken");
    assert.equal(await page.getByRole("img", { name: "The result as a QR code" }).count(), 1);
    assert.equal(await page.getByText("the-secret-of-the-hub").count(), 0);
    await visit.isSound();
    await visit.shot(`doctor-${size}`);
    await page.getByRole("button", { name: "Copy: all findings" }).click();
    await page.getByText("Copied").or(page.getByText("does not allow copying")).first().waitFor();
  });
}

test("an examination can be stopped, and another one begun", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, at: "doctor" });
  const { page } = visit;
  await page.getByRole("button", { name: "Examine the device" }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped before the end").waitFor();
  await page.getByRole("button", { name: "Examine again" }).click();
  await page
    .getByText(/Looking at|The examination could not be done/)
    .first()
    .waitFor();
});

test("each code of the doctor has words in every language, and no others have", () => {
  const codes = Object.keys(doctorCodes).sort();
  assert.deepEqual(Object.keys(findingWords).sort(), codes);
});

test("a finding is told in the reader's language, and in the device's own words marked as English", async () => {
  await using visit = await chromium.visit(gateway, { as: TECHNICIAN, at: "doctor", size: "phone", language: "zh-CN" });
  const { page } = visit;
  await page.getByRole("button", { name: "开始诊断" }).click();
  await page.getByRole("heading", { name: "发给总部" }).waitFor({ timeout: 60_000 });
  const first = page.locator(".doctor-result .doctor-finding").first();
  await first.getByText("无法到达中心的地址。 检查网线").waitFor();
  assert.match((await first.locator("p[lang=en]").textContent())!, /ECONNREFUSED/);
  assert.match((await first.locator("span[lang=en]").textContent())!, /^check address and port/);
  // Nothing English stands about unmarked: screen readers would read it with a Chinese voice.
  const unmarked = await page.evaluate<string[]>(`[...document.querySelectorAll(".doctor-finding p")]
    .filter((each) => each.closest("[lang=en]") === null && !each.matches(".mono, .doctor-target"))
    .map((each) => [...each.childNodes].filter((node) => node.lang !== "en").map((node) => node.textContent).join(""))
    .filter((words) => /[a-z]{4,} [a-z]+ [a-z]{3,}/.test(words))`);
  assert.deepEqual(unmarked, []);
  await visit.isSound();
  await visit.shot("doctor-zh-phone");
});

test("the doctor speaks six languages around the device's English findings", async () => {
  await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone", at: "doctor" });
  const { page } = visit;
  const seen = new Set<string>();
  for (const language of ["en", "de", "fr", "es", "pt", "zh"]) {
    await page.evaluate(`localStorage.setItem("petiole.language", "${language}")`);
    await page.reload();
    await page.locator(".empty").waitFor();
    seen.add((await page.locator(".empty").textContent())!);
    await visit.isSound();
  }
  assert.equal(seen.size, 6);
});

test("the doctor is not for viewers", async () => {
  await using visit = await chromium.visit(gateway, { as: VIEWER, at: "doctor" });
  await visit.page.locator("h1").waitFor();
  assert.equal(await visit.page.getByRole("button", { name: "Examine the device" }).count(), 0);
});
