// The page of an entry: its parts, what is done on it, and what happens when it changes meanwhile.

import assert from "node:assert/strict";
import { assertAccessible, assertFits, pageTest, slowDown } from "../support.mjs";

const TABS = ["report", "source", "timeline", "differences", "proof", "kept"];

// The entry with three attempts, two of them with reports, that the sample has.
async function compared(server) {
  const [entry] = await server.annals("find", "twice.csv");
  return entry.id;
}

pageTest("every part of an entry is accessible and fits both screens", {}, async ({ page, server, goto }) => {
  const id = await compared(server);
  for (const tab of TABS) {
    for (const [width, height] of [[1280, 800], [390, 844]]) {
      await page.setViewportSize({ width, height });
      await goto(`/entries/${id}?tab=${tab}`);
      await assertFits(page, `${tab} ${width}`);
    }
    await assertAccessible(page, tab);
  }
});

pageTest("where the file went is told, among the facts and in the timeline", {}, async ({ page, server, goto }) => {
  const [entry] = await server.annals("list", "--converter", "Firmware JUnit", "--limit", "1");
  const [shown] = await server.annals("show", String(entry.id));
  assert.equal(shown.source_file.how, "removed");
  await goto(`/entries/${entry.id}?tab=timeline`);
  await page.locator("main").getByText(/^Removed, \d{4}-/).waitFor();
  await page.locator("main").getByText("Source file: Removed").waitFor();
  await assertFits(page, "a cleared source");
});

pageTest("two attempts are compared, one place is looked at, and back shows the sum", {}, async ({ page, server, goto }) => {
  await goto(`/entries/${await compared(server)}`);
  await page.getByRole("link", { name: /^Differences/ }).click();
  await page.getByRole("link", { name: "/steps/*/limits/high" }).click();
  assert.ok(await page.locator("table.diff.one").count() > 1);
  await page.goBack();
  await page.getByRole("link", { name: "/steps/*/limits/high" }).waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("f");
  await page.locator(".sides .content").nth(1).waitFor();
});

pageTest("a hold is placed and lifted without a jump", {}, async ({ page, server, goto }) => {
  await goto(`/entries/${await compared(server)}?tab=timeline`);
  await page.getByRole("button", { name: "Hold", exact: true }).click();
  await page.getByLabel("Name of the hold").first().fill("claim 7");
  await page.getByLabel(/^Reason/).first().fill("a customer asked");
  await page.getByRole("button", { name: "Put this entry on hold" }).click();
  await page.locator(".notice.good", { hasText: "claim 7" }).waitFor();
  assert.match(page.url(), /tab=timeline/);
});

pageTest("what was typed stays when a hold is refused", { expected: [/409/] }, async ({ page, server, goto }) => {
  await goto(`/entries/${await compared(server)}`);
  await page.getByRole("button", { name: "Hold", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name of the hold").fill("audit-2026");
  await dialog.getByLabel(/^Reason/).fill("typed with care");
  await dialog.getByRole("button", { name: "Put this entry on hold" }).click();
  await page.locator("#hold-error:not(:empty)").waitFor();
  assert.equal(await dialog.getByLabel(/^Reason/).inputValue(), "typed with care");
});

pageTest("a page that is no longer true says so", {}, async ({ page, server, goto }) => {
  const id = await compared(server);
  await goto(`/entries/${id}`);
  await server.annals("note", String(id), "--label", "meanwhile", "--reason", "somebody else");
  await page.getByText("This entry has changed.").waitFor();
  await page.getByRole("link", { name: "Show it as it is now" }).click();
  await page.getByRole("link", { name: "meanwhile" }).waitFor();
});

pageTest("archived HTML is a download, its text is shown, and it is never a page", {}, async ({ page, server, goto }) => {
  const [entry] = await server.annals("find", "page.html");
  await goto(`/entries/${entry.id}`);
  await page.locator("main").getByText("run by the archive").first().waitFor();
  assert.notEqual(await page.title(), "run by the archive");
  const answer = await server.fetch(`/api/v1/entries/${entry.id}/reports/newest`);
  assert.match(answer.headers.get("content-disposition"), /^attachment/);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
});

pageTest("a slow machine still shows an entry", {}, async ({ page, server, goto }) => {
  await slowDown(page, 6);
  await goto(`/entries/${await compared(server)}`);
  await page.locator(".tree li").first().waitFor();
});
