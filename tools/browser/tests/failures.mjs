// Failures by cause: how often, since when, and what to do.

import assert from "node:assert/strict";
import { assertAccessible, assertFits, pageTest } from "../support.mjs";

pageTest("a cause leads to its entries and to a job over exactly them", {}, async ({ page, server, goto }) => {
  const causes = await server.annals("failures");
  await goto("/failures");
  const rows = page.locator("table.failures tbody tr");
  assert.equal(await rows.count(), Math.min(causes.length, 25));
  await assertAccessible(page);
  await assertFits(page);

  const many = causes.find(({ kind, entries }) => kind === "failed" && entries > 1);
  const row = page.locator(`#cause-${many.cause}`);
  await row.getByRole("link", { name: `Reprocess these ${many.entries}` }).click();
  await page.waitForURL((url) => url.searchParams.get("failure") === many.cause);
  assert.match(await page.locator("main").innerText(), new RegExp(`${many.entries} entries as of`));
});

pageTest("filters that leave nothing are named, and each can be dropped", {}, async ({ page, goto }) => {
  await goto("/failures?from=2001-01-01&to=2001-01-02");
  await page.getByText("No failure has these filters.").waitFor();
  await assertAccessible(page);
  await page.locator(".chip a.drop").first().click();
  await page.waitForURL((url) => [...url.searchParams].length === 1);
});
