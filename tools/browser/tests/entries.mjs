// Entries: which ones, all of them. Filters, the way back, and what is done with many at once.

import assert from "node:assert/strict";

import { assertAccessible, assertFits, pageTest } from "../support.mjs";

const ids = (page) =>
  page.locator("#entries tbody tr").evaluateAll((rows) => rows.map((row) => row.dataset.entry));

async function total(server, query) {
  return (await (await server.fetch(`/api/v1/entries?${query}`)).json()).count;
}

pageTest("a filter gets into the address and survives reload and back", {}, async ({ page, goto }) => {
  await goto("/entries");
  await page.check("input[name=status][value=failed]");
  await page.waitForURL((url) => url.searchParams.get("status") === "failed");
  const failed = await ids(page);
  assert.ok(failed.length > 0);
  await page.reload();
  assert.deepEqual(await ids(page), failed);
  assert.ok(await page.isChecked("input[name=status][value=failed]"));
  await page.goBack();
  await page.waitForURL((url) => url.search === "");
  await page.waitForFunction((n) => document.querySelectorAll("#entries tbody tr").length !== n, failed.length);
});

pageTest("coming back from an entry keeps the search and the row", {}, async ({ page, goto }) => {
  await goto("/entries?sort=serial:asc");
  const before = await ids(page);
  for (let nth = 0; nth < 4; nth += 1) await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/entries/${before[2]}`);
  await page.goBack();
  await page.waitForURL(/sort=serial/);
  assert.deepEqual(await ids(page), before);
  assert.equal(await page.locator("#entries tr.current").getAttribute("data-entry"), before[2]);
});

pageTest("every head sorts both ways", {}, async ({ page, goto }) => {
  await goto("/entries?columns=id,size,serial");
  await page.click("#entries th a:text('Size')");
  await page.waitForURL(/sort=size%3Adesc/);
  await page.locator("th[aria-sort=descending]", { hasText: "Size" }).waitFor();
  await page.click("#entries th a:text('Size')");
  await page.waitForURL(/sort=size%3Aasc/);
  assert.match(page.url(), /columns=id%2Csize%2Cserial/);
});

pageTest("an empty list offers to drop each of its filters", {}, async ({ page, goto }) => {
  await goto("/entries?status=failed&serial=nobody-has-this");
  const ways = page.locator(".ways-out a");
  assert.equal(await ways.count(), 2);
  await ways.last().click();
  await page.waitForURL((url) => url.search === "?status=failed");
  assert.ok((await ids(page)).length > 0);
});

pageTest("all that match are frozen by the server, also on the next page", {}, async ({ page, server, goto }) => {
  const count = await total(server, "status=failed");
  await goto("/entries?status=failed&limit=1");
  await page.click("[data-choose-all]");
  const told = page.locator("#batch [data-selection]");
  await told.waitFor();
  assert.match(await told.textContent(), new RegExp(`^${count} entr`));
  const name = await told.getAttribute("data-selection");
  if (count > 1) {
    await page.click(".pager a[rel=next]");
    await told.waitFor();
    assert.equal(await told.getAttribute("data-selection"), name);
    assert.ok(await page.isChecked("#entries td.pick input"));
  }
  await page.reload();
  await told.waitFor();
  assert.equal(await told.getAttribute("data-selection"), name);
  // Other filters: nothing is chosen.
  await goto("/entries?status=success");
  await page.waitForTimeout(500);
  assert.ok(await page.isHidden("#batch"));
});

pageTest("keys choose entries, and a note reaches exactly these", {}, async ({ page, server, goto }) => {
  await goto("/entries?status=success");
  const shown = await ids(page);
  for (const key of ["j", "x", "j", "x"]) await page.keyboard.press(key);
  await page.locator("#batch [data-selection]", { hasText: "2 entries" }).waitFor();
  await page.click("[data-dialog=batch-note]");
  await page.fill("#note-label", "from the page");
  await page.fill("#note-reason", "a test");
  await assertAccessible(page);
  await page.click("#batch-note button.primary");
  await page.locator("#batch-note-answer .notice.good").waitFor();
  await page.click("#batch-note [data-close]");
  await goto("/entries?label=from+the+page");
  assert.deepEqual((await ids(page)).sort(), shown.slice(0, 2).sort());
});

pageTest("new entries are announced, and nothing jumps", {}, async ({ page, server, goto }) => {
  await goto("/entries?converter=press");
  const archive = (serial) =>
    server.fetch(`/api/v1/entries?converter=press&serial=${serial}`, {
      method: "POST",
      headers: { "Annals-Request": "1" },
      body: `serial,${serial}\n`,
    });
  await archive("SN-NEW-1");
  await page.locator("[data-arrivals] button").waitFor({ timeout: 15_000 });
  assert.deepEqual(await ids(page), []);
  await page.click("[data-arrivals] button");
  await page.locator("#entries tbody tr").first().waitFor();
  assert.equal((await ids(page)).length, 1);
});

pageTest("a view is saved for all and is marked when it is shown", {}, async ({ page, goto }) => {
  await goto("/entries?status=failed&sort=size:desc");
  await page.click("#views-menu > summary");
  await page.fill("#view-name", "Largest failures");
  await page.click(".save-view button");
  await page.locator("#views a", { hasText: "Largest failures" }).waitFor();
  await goto("/entries");
  await page.click("#views-menu > summary");
  await page.click("#views a:text('Largest failures')");
  await page.waitForURL(/status=failed/);
  assert.match(await page.locator("#views-menu > summary").textContent(), /Largest failures/);
});

pageTest("the page is usable by everybody, also when it is narrow", {}, async ({ page, goto }) => {
  await goto("/entries");
  await assertAccessible(page);
  await page.click("details.more > summary");
  await assertAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await assertFits(page);
});
