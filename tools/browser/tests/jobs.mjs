// Reprocessing: plan, preview, start, follow, look at what changed; also with the owner restarted.

import assert from "node:assert/strict";
import { assertAccessible, assertFits, pageTest, slowDown } from "../support.mjs";

// Plans a job over the entries of one converter, and returns the words on its button.
async function plan(page, goto, query = "converter_version=recorded&status=success") {
  await goto(`/jobs/new?${query}`);
  const button = page.locator("form.start button.primary");
  await button.waitFor();
  return button;
}

pageTest("a job is planned, tried, started with its count on the button, and understood", {},
  async ({ page, goto }) => {
    await goto("/jobs");
    await page.getByRole("link", { name: "Reprocess …" }).click();
    await page.waitForURL((url) => url.pathname === "/jobs/new");
    await assertAccessible(page);

    const button = await plan(page, goto);
    const words = await button.innerText();
    const [, count] = /^Reprocess ([\d,]+) entries with /.exec(words) ?? [];
    assert.ok(count, words);
    await assertAccessible(page);
    await assertFits(page);

    await page.getByRole("button", { name: /^Preview all/ }).click();
    await page.getByText("Nothing is recorded.").waitFor({ timeout: 60_000 });

    // The browser itself asks for the reason.
    await button.click();
    assert.equal(new URL(page.url()).pathname, "/jobs/new");
    await page.getByLabel("Reason").fill("limits of March");
    await button.click();
    await page.waitForURL(/\/jobs\/\d+$/);
    await page.locator("#job .status", { hasText: "finished" }).waitFor({ timeout: 60_000 });
    assert.match(await page.locator("#job").innerText(), /limits of March/);
    await page.locator(".counts a", { hasText: "unchanged" }).waitFor();
    await assertAccessible(page);

    await page.locator(".counts a", { hasText: "unchanged" }).click();
    await page.waitForURL((url) => url.searchParams.get("verdict") === "unchanged");
    await page.locator("#list tbody tr").first().waitFor();
    const shown = page.url();
    await page.reload();
    assert.equal(page.url(), shown);
    await page.locator("#list tbody tr").first().waitFor();
  });

pageTest("changed options change the plan without leaving the page", {}, async ({ page, goto }) => {
  await plan(page, goto);
  await page.getByLabel("those that changed").check().catch(() => {});
  await page.waitForURL((url) => url.searchParams.get("submit") === "changed");
  await page.getByLabel("none").check();
  await page.waitForURL((url) => url.searchParams.get("submit") === "none");
  await page.locator("form.start button.primary").waitFor();
});

pageTest("a job goes on after its owner was restarted under the page",
  { expected: [/ERR_/, /40[13]/, /Failed to (load|fetch)/] }, async ({ page, server, goto }) => {
    const button = await plan(page, goto, "converter_version=recorded&status=success&rate=2");
    await page.getByLabel("Reason").fill("cut off");
    await button.click();
    await page.waitForURL(/\/jobs\/\d+$/);
    await page.getByRole("button", { name: "Pause" }).waitFor();
    const { pathname } = new URL(page.url());

    await server.stop();
    await server.start();
    const { login } = server;
    await page.goto(login);
    await page.waitForURL((url) => url.pathname !== "/login");
    await goto(pathname);
    await page.locator("#job .status", { hasText: "interrupted" }).waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator("#job .status", { hasText: "running" }).waitFor();
    await page.getByRole("button", { name: "Cancel the job" }).click();
    await page.locator("#cancel-job button.danger").click();
    await page.locator("#job .status", { hasText: "cancelled" }).waitFor({ timeout: 30_000 });
  });

pageTest("a slow processor shows a job, and so does a phone",
  { viewport: { width: 390, height: 844 } }, async ({ page, goto }) => {
    await slowDown(page, 6);
    await goto("/jobs");
    await page.locator("#jobs tbody tr").first().waitFor();
    await assertFits(page);
    await assertAccessible(page);
  });
