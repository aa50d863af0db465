// What tests of the page have in common: a server on a copy of the sample store, a browser that is
// signed in, and what no page may do.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { AxeBuilder, launch, serveSample, signIn } from "./stage.mjs";

export { signIn };

// The pages of the navigation.
export const PAGES = ["/", "/entries"];

// Notes what no page may do: errors of scripts, refusals of the content policy, other hosts.
function watch(page, server, faults) {
  const own = new URL(server.url).host;
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:", "about:"].includes(url.protocol) && url.host !== own) {
      faults.push(`another host: ${url}`);
    }
  });
}

// Fails if axe finds anything in a page, light or dark.
export async function assertAccessible(page, where = page.url()) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page })
      .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
      .analyze();
    const found = violations.flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${id}: ${help}\n    ${node.html}\n    ${node.failureSummary}`));
    assert.equal(found.length, 0, `${where}, ${colorScheme}:\n  ${found.join("\n  ")}`);
  }
}

// Fails if a page is wider than its window.
export async function assertFits(page, where = page.url()) {
  const [wide, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth, document.documentElement.clientWidth,
  ]);
  assert.ok(wide <= window, `${where} is ${wide} px wide in a window of ${window} px`);
}

// Makes the browser's processor slower by a factor.
export async function slowDown(page, rate) {
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate });
}

// Counts the bytes that come over the wire from now on, with nothing kept from before. Returns a function that tells them.
export async function weigh(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  session.on("Network.loadingFinished", (event) => (bytes += event.encodedDataLength));
  return () => bytes;
}

let shared = null;

// The server and the browser of a test file; made by its first test.
async function equipment() {
  if (shared) return shared;
  const { server, end } = await serveSample();
  shared = { server, end, browser: await launch() };
  return shared;
}

after(async () => {
  if (!shared) return;
  await shared.browser.close();
  await shared.end();
});

// A test with a page that is signed in. `expected`: patterns of console errors that it provokes.
export function pageTest(name, { expected = [], isSignedIn = true, ...context }, body) {
  test(name, { timeout: 180_000 }, async () => {
    const { server, browser } = await equipment();
    const visitor = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      locale: "en-GB",
      timezoneId: "Europe/Berlin",
      ...context,
    });
    try {
      const page = await visitor.newPage();
      page.setDefaultTimeout(20_000);
      const faults = [];
      watch(page, server, faults);
      if (isSignedIn) await signIn(page, server);
      await body({ page, server, visitor, goto: (route) => page.goto(new URL(route, server.url).href) });
      const unexpected = faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
      assert.deepEqual(unexpected, []);
    } finally {
      await visitor.close();
    }
  });
}
