// A real browser for the page's tests, as strict as a technician is: a console error, a breach of the content policy, an exception or a
// request that leaves the box fails the test, whatever else it was about.
//
//   await using chromium = await openChromium();
//   await using visit = await chromium.visit(gateway, { as: OWNER, size: "phone" });
//   await visit.page.getByRole("heading", { name: "Overview" }).waitFor();
//   await visit.isSound();

import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { createRequire } from "node:module";
import { type BrowserContext, type ConsoleMessage, chromium, type Page } from "playwright-core";

export const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } } as const;

export interface VisitOptions {
  /** Logged in, by the login form the first time; absent: a stranger. */
  readonly as?: { readonly user: string; readonly password: string };
  readonly size?: keyof typeof SIZES;
  readonly appearance?: "light" | "dark";
  readonly language?: string;
  /** Where to begin, such as "devices/mqtt". */
  readonly at?: string;
  /** Console errors that this test brings about on purpose. */
  readonly expects?: readonly RegExp[];
  /** Turns the browser's timers by hand: `visit.page.clock`. */
  readonly hasClock?: boolean;
}

export interface Visit extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** No axe violations here and now, nothing wider than the screen. */
  isSound(): Promise<void>;
  /** With PAGE_SHOTS set: a picture of the whole view in that folder, to be looked at. */
  shot(name: string): Promise<void>;
}

export interface Chromium extends AsyncDisposable {
  visit(gateway: At, options?: VisitOptions): Promise<Visit>;
}

/** What is visited. */
interface At {
  readonly url: string;
}

type Cookies = Awaited<ReturnType<BrowserContext["cookies"]>>;

/** Of one wait; long, because two files run side by side on whatever machine this is. */
const TIMEOUT_MS = 30_000;

export async function openChromium(): Promise<Chromium> {
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"];
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
  const axe = await fs.readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  // A login costs a scrypt and a form: one per user and gateway is enough for tests of something else.
  const known = new WeakMap<At, Map<string, Cookies>>();
  const sessionsOf = (gateway: At) => {
    const sessions = known.get(gateway) ?? new Map<string, Cookies>();
    known.set(gateway, sessions);
    return sessions;
  };
  return {
    visit: async (gateway, options = {}) => {
      const size = options.size ?? "desktop";
      const context = await browser.newContext({
        viewport: SIZES[size],
        hasTouch: size === "phone",
        isMobile: size === "phone",
        colorScheme: options.appearance ?? "light",
        locale: options.language ?? "en-GB",
        reducedMotion: "reduce",
      });
      context.setDefaultTimeout(TIMEOUT_MS);
      const breaches: string[] = [];
      await context.route("**", async (route) => {
        const url = route.request().url();
        if (url.startsWith(`${gateway.url}/`) || url.startsWith("data:") || url.startsWith("blob:")) return route.continue();
        breaches.push(`a request left the box: ${url}`);
        return route.abort();
      });
      const sessions = sessionsOf(gateway);
      const session = options.as === undefined ? undefined : sessions.get(options.as.user);
      if (session !== undefined) await context.addCookies(session);
      const page = await context.newPage();
      const expects = options.expects ?? [];
      const hear = (what: string) => {
        if (!expects.some((each) => each.test(what))) breaches.push(what);
      };
      page.on("console", (message) => isComplaint(message) && hear(`console ${message.type()}: ${message.text()}`));
      page.on("pageerror", (error) => hear(`uncaught: ${error.stack ?? error.message}`));
      await page.addInitScript({
        content: `addEventListener("securitypolicyviolation", (event) =>
          console.error("content policy: " + event.violatedDirective + " " + event.blockedURI));`,
      });
      if (options.hasClock === true) await page.clock.install();
      await page.goto(`${gateway.url}/#/${options.at ?? ""}`);
      if (options.as !== undefined) {
        const door = page.locator('.app, input[autocomplete="current-password"]').first();
        await door.waitFor();
        if (await page.locator(".app").isHidden()) await logIn(page, options.as);
        sessions.set(options.as.user, await context.cookies());
      }
      const isSound = async () => {
        assert.deepEqual(await complaintsOf(page, axe), []);
        // Scripts for the page are texts: tests have no DOM types.
        const [wide, screen] = await page.evaluate<[number, number]>(
          "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
        );
        assert.ok(wide <= screen, `the page is ${wide} px wide on a screen of ${screen} px`);
      };
      return {
        page,
        context,
        isSound,
        async shot(name) {
          const folder = process.env["PAGE_SHOTS"]; // set by hand, by who wants to look
          if (folder === undefined) return;
          await page.evaluate("scrollTo(0, 0)"); // what sticks would stand in the middle
          await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
        },
        async [Symbol.asyncDispose]() {
          await context.close();
          assert.deepEqual(breaches, []);
        },
      };
    },
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

export async function logIn(page: Page, { user, password }: { readonly user: string; readonly password: string }): Promise<void> {
  const door = page.locator(".doorstep"); // behind it the page may wait, with forms of its own
  await door.locator('input[autocomplete="username"]').fill(user);
  await door.locator('input[autocomplete="current-password"]').fill(password);
  await door.locator('button[type="submit"]').click();
  await page.locator(".app").waitFor();
}

/** Chromium reports every answer of 400 and more as an error of its own: a refusal is an answer, not a fault of the page. */
function isComplaint(message: ConsoleMessage): boolean {
  if (message.type() !== "error" && message.type() !== "warning") return false;
  return !/^Failed to load resource: (?:the server responded with a status of|net::ERR_)/.test(message.text());
}

/** Run in the page's world from outside: the content policy forbids a script element, as it should. */
async function complaintsOf(page: Page, axe: string): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<AxeResult>(
    'axe.run(document, { resultTypes: ["violations"], rules: { "color-contrast-enhanced": { enabled: true } } })',
  );
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" | ")}`);
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}
