// Retention and holds: preview, purge, undo, what-if, holds; also with the owner restarted, and with
// a hold that is placed while a plan is open.

import assert from "node:assert/strict";
import { assertAccessible, assertFits, pageTest, signIn, slowDown } from "../support.mjs";

// Plans a purge that leaves `count` entries, and stays on its page.
async function plan(page, goto, count) {
  await goto("/retention");
  await page.getByLabel("At most this many entries").first().fill(String(count));
  await page.getByRole("button", { name: "Show what would go by these" }).click();
  await page.waitForURL(/\/retention\/plans\/[0-9a-f]+$/);
  return page.locator("#acts [data-dialog=purge]");
}

// Returns how many entries the store has.
async function entries(server) {
  const [stats] = await server.annals("stats");
  return stats.entries;
}

pageTest("the rules are told, and what would go by them is asked for", {},
  async ({ page, goto }) => {
    await goto("/retention");
    assert.match(await page.locator("table.rules").innerText(), /kept 730 days after archiving/);
    await assertAccessible(page);
    await assertFits(page);
    await page.getByRole("button", { name: "Show what would go now" }).click();
    await page.waitForURL(/\/retention\/plans\//);
    await page.getByRole("heading", { level: 1 }).waitFor();
    assert.match(await page.getByRole("heading", { level: 1 }).innerText(), /Nothing would go/);
    await assertAccessible(page);
  });

pageTest("exactly the number on the button is purged, and comes back within its grace", {},
  async ({ page, goto, server }) => {
    const before = await entries(server);
    const button = await plan(page, goto, before - 7);
    assert.match(await button.innerText(), /^Purge 7 entries, /);
    await page.locator("table.items tbody tr").nth(6).waitFor();
    assert.equal(await page.locator("table.items tbody tr").count(), 7);
    await assertAccessible(page);
    await assertFits(page);
    const shown = page.url();
    await page.reload();
    assert.equal(page.url(), shown);

    await button.click();
    await assertAccessible(page);
    // The browser itself asks for the reason.
    await page.locator("dialog button.danger").click();
    assert.equal(page.url(), shown);
    await page.getByLabel("Reason").fill("trial of the page");
    await page.locator("dialog button.danger").click();
    await page.locator(".notice.good", { hasText: "7 entries purged" }).waitFor();
    assert.equal(await entries(server), before - 7);

    await page.getByRole("link", { name: "Undo it" }).click();
    await page.locator("#pending table").waitFor();
    await assertAccessible(page);
    await assertFits(page);
    await page.locator("#pending").getByRole("button", { name: "Undo …", exact: true }).click();
    await page.locator("dialog[open]").getByLabel("Reason").fill("still needed");
    await page.locator("dialog[open]").getByRole("button", { name: "Bring back 7 entries" }).click();
    await page.locator("table.purges", { hasText: "still needed" }).waitFor();
    assert.equal(await entries(server), before);
  });

pageTest("a hold that is placed while a plan is open refuses it",
  { expected: [/409/] }, async ({ page, goto, server }) => {
    const before = await entries(server);
    const button = await plan(page, goto, before - 5);
    const id = await page.locator("table.items tbody th").first().innerText();
    await server.annals("hold", "add", id, "--name", "claim", "--reason", "a customer called");
    await button.click();
    await page.getByLabel("Reason").fill("did not know");
    await page.locator("dialog button.danger").click();
    await page.locator("#refused .notice.error", { hasText: "stale" }).waitFor();
    assert.equal(await entries(server), before);
    await server.annals("hold", "release", "claim", "--reason", "settled");
  });

pageTest("what a change would purge is shown before it is saved", {},
  async ({ page, goto, server }) => {
    const before = await entries(server);
    await goto("/retention");
    const form = page.locator("form[action='/retention/what-if']");
    await form.getByLabel("At most this many entries").fill("20");
    await form.getByRole("button", { name: "Show what it would purge" }).click();
    await page.locator("#what-if tbody tr").first().waitFor();
    assert.match(await page.locator("#what-if").innerText(), /max_archive_count.*→.*20/s);
    await assertAccessible(page);
    assert.equal(await entries(server), before);
  });

pageTest("a hold is made, reviewed and released", {}, async ({ page, goto }) => {
  await goto("/holds");
  await page.locator("table.holds td a", { hasText: /^\d/ }).first().waitFor();
  await page.getByRole("button", { name: "New hold" }).click();
  const dialog = page.locator("#new-hold");
  await dialog.getByLabel("Name of the hold").fill("recall & more");
  await dialog.getByLabel("Reason").fill("field returns");
  await dialog.getByLabel("Serial").fill("SN-2026-004711");
  await page.locator("#matches", { hasText: "entries match now" }).waitFor();
  await assertAccessible(page);
  await dialog.getByRole("button", { name: "Place the hold" }).click();
  const row = page.locator("table.holds tr", { hasText: "recall & more" });
  await row.locator("a", { hasText: /^\d/ }).waitFor();
  await assertFits(page);

  await row.getByRole("button", { name: "Review" }).click();
  await page.locator("dialog[open]").getByLabel("Look again on").fill("2099-05-01");
  await page.locator("dialog[open]").getByLabel("Reason").fill("still open");
  await page.locator("dialog[open] button.primary").click();
  await page.locator("table.holds tr", { hasText: "2099-05-01" }).waitFor();

  await page.locator("table.holds tr", { hasText: "recall & more" }).locator("a", { hasText: /^\d/ }).waitFor();
  await page.getByRole("button", { name: "Release: recall & more" }).click();
  await page.locator("dialog[open]").getByLabel("Reason").fill("settled");
  await page.locator("dialog[open] button.danger").click();
  await page.locator("table.holds tr", { hasText: "recall & more" }).waitFor({ state: "detached" });
});

pageTest("a plan is gone after its owner was restarted, and the page says what to do",
  { expected: [/ERR_/, /40[134]/, /Failed to (load|fetch)/] }, async ({ page, goto, server }) => {
    const before = await entries(server);
    await plan(page, goto, before - 3);
    const { pathname } = new URL(page.url());
    await server.restart();
    await signIn(page, server);
    await goto(pathname);
    await page.getByRole("link", { name: "Make a new plan" }).waitFor();
    await assertAccessible(page);
    assert.equal(await entries(server), before);
  });

pageTest("a slow processor and a phone show all of it",
  { viewport: { width: 390, height: 844 } }, async ({ page, goto }) => {
    await slowDown(page, 6);
    for (const route of ["/retention", "/retention/purges", "/holds"]) {
      await goto(route);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await assertFits(page);
      await assertAccessible(page);
    }
  });
