// Find: somebody has a serial number on a label and a customer on the phone.

import assert from "node:assert/strict";

import { assertAccessible, assertFits, pageTest } from "../support.mjs";

async function aSerial(server) {
  const { items } = await (await server.fetch("/api/v1/entries?status=success&limit=50")).json();
  return items.map((item) => item.serial).find((serial) => serial?.length > 5);
}

pageTest("typing finds, the address says what, and Enter opens", {}, async ({ page, server, goto }) => {
  const serial = await aSerial(server);
  await goto("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "q");
  await page.keyboard.type(serial, { delay: 10 });
  const first = page.locator("#found tbody th a").first();
  await first.waitFor();
  assert.equal(await first.textContent(), serial);
  await page.waitForURL((url) => url.searchParams.get("q") === serial);
  await page.reload();
  assert.equal(await page.inputValue("#q"), serial);
  await page.focus("#q");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/entries\/\d+/);
  await page.goBack();
  assert.equal(await page.inputValue("#q"), serial);
});

pageTest("the end of a serial finds it and says why", {}, async ({ page, server, goto }) => {
  const serial = await aSerial(server);
  await goto(`/?q=${encodeURIComponent(serial.slice(-5))}`);
  const row = page.locator("#found tbody tr", { hasText: serial }).first();
  await row.waitFor();
  assert.equal(await row.locator("mark").textContent(), serial.slice(-5));
});

pageTest("what was typed first never covers what was typed last", {}, async ({ page, server, goto }) => {
  const serial = await aSerial(server);
  await goto("/");
  // The first answer is held back until long after the second.
  await page.route("**/?q=*", async (route) => {
    const { searchParams } = new URL(route.request().url());
    if (searchParams.get("q") !== serial) await new Promise((done) => setTimeout(done, 1500));
    await route.continue().catch(() => {});
  });
  await page.fill("#q", serial.slice(0, 2));
  await page.waitForTimeout(300);
  await page.fill("#q", serial);
  await page.locator("#found tbody th a", { hasText: serial }).first().waitFor();
  await page.waitForTimeout(1800);
  const shown = await page.locator("#found tbody th a").allTextContents();
  assert.ok(shown.every((text) => text.startsWith(serial)), shown.join(" "));
});

pageTest("nothing found leads to a search in everything", {}, async ({ page, goto }) => {
  await goto("/?q=nobody-has-this");
  await page.click("#found .empty a");
  await page.waitForURL((url) => url.searchParams.get("text") === "nobody-has-this");
});

pageTest("the figures lead to what is behind them", {}, async ({ page, goto }) => {
  await goto("/");
  await page.click(".glance a[href='/entries?status=failed']");
  await page.waitForURL(/status=failed/);
  await assertFits(page);
});

pageTest("the page is usable by everybody", {}, async ({ page, server, goto }) => {
  await goto(`/?q=${encodeURIComponent(await aSerial(server))}`);
  await assertAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await assertFits(page);
});
