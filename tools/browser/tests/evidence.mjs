// Evidence: signing, reviewing, who looked, and a bundle that somebody else can check.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { assertAccessible, assertFits, pageTest, signIn } from "../support.mjs";

const LISTS = ["", "/exports", "/reviews", "/accesses", "/checks", "/erasures"];

// Gives the server a key, unless it has one, and signs in anew.
async function withKey(page, server) {
  if (server.hasKey) return;
  // A page that listens would say that the server is gone.
  await page.goto("about:blank");
  await server.giveKey();
  await signIn(page, server);
}

pageTest("a store without a key says what to do", {}, async ({ page, goto }) => {
  await goto("/evidence");
  await page.locator(".notice.warn").waitFor();
  assert.match(await page.locator(".signing").textContent(), /annals key init/);
  await goto("/evidence/export");
  assert.ok(await page.isDisabled("button.primary"));
});

pageTest("every list is accessible and fits both screens", {}, async ({ page, goto }) => {
  for (const list of [...LISTS, "/export", "/review"]) {
    for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }, { width: 320, height: 640 }]) {
      await page.setViewportSize(viewport);
      await goto(`/evidence${list}`);
      await assertFits(page);
      if (viewport.width !== 320) await assertAccessible(page);
    }
  }
});

pageTest("a checkpoint is made from the page, and heads the list", {}, async ({ page, server, goto }) => {
  await withKey(page, server);
  await goto("/evidence");
  const first = "table.evidence tbody tr:first-child th a";
  const before = await page.locator(first).textContent().catch(() => "");
  // Something new to sign.
  const body = `serial,${Date.now()}\n`;
  await server.fetch("/api/v1/entries?converter=hand", { method: "POST", headers: { "Annals-Request": "1" }, body });
  await page.reload();
  await page.locator(".signing .status-pending").waitFor();
  await page.click(".signing-head button");
  await page.locator(".signing .status-success").waitFor();
  const after = await page.locator(first).textContent();
  assert.notEqual(after, before);
  const newest = await (await server.fetch("/api/v1/checkpoint")).json();
  assert.equal(String(newest.event), after);
});

pageTest("what happened is shown, then judged, then on record", {}, async ({ page, goto }) => {
  await goto("/evidence");
  await page.click("text=Review");
  await page.locator("h2", { hasText: "Your verdict" }).waitFor();
  await page.check("input[name=verdict][value=finding]");
  await page.fill("#reason", "a hold without a date");
  await assertAccessible(page);
  await page.click("button.primary:text('Record the review')");
  await page.waitForURL("**/evidence/reviews");
  const row = page.locator("table.evidence tbody tr").first();
  assert.match(await row.textContent(), /a hold without a date/);
  assert.match(await row.textContent(), /finding/);
});

pageTest("a refused sign-in appears among the accesses", {}, async ({ page, server, goto }) => {
  const answer = await fetch(new URL("/api/v1/entries", server.url), { headers: { Authorization: "Bearer wrong" } });
  assert.equal(answer.status, 401);
  await goto("/evidence/accesses");
  await page.selectOption("select[name=door]", "refused");
  await page.click("form.filters button");
  await page.waitForURL(/door=refused/);
  const row = page.locator("table.evidence tbody tr").first();
  assert.match(await row.textContent(), /refused sign-in/);
  assert.match(await row.textContent(), /127\.0\.0\.1/);
  assert.equal(await page.locator("select[name=door]").inputValue(), "refused");
});

pageTest("a bundle is counted, made, downloaded, and verifies elsewhere", {}, async ({ page, server, goto }) => {
  await withKey(page, server);
  const folder = mkdtempSync(path.join(tmpdir(), "annals-bundle-"));
  try {
    await goto("/evidence");
    await page.click("text=Make an evidence bundle");
    await page.check("input[name=with_blobs]");
    await page.fill("#from", "2 days ago");
    await page.click("button.primary");
    await page.waitForURL("**/evidence/exports/*");
    await page.locator("#bundle[data-state=counted]").waitFor();
    await assertAccessible(page);
    await page.click("#bundle button.primary");
    await page.locator("#bundle[data-state=ready]").waitFor({ timeout: 60_000 });
    await assertAccessible(page);
    const waiting = page.waitForEvent("download");
    await page.click("#bundle a.primary");
    const download = await waiting;
    const file = path.join(folder, download.suggestedFilename());
    await download.saveAs(file);
    execFileSync("tar", ["xf", file, "-C", folder]);
    const vkey = await page.locator("#bundle .vkey").textContent();
    const told = execFileSync(process.env.ANNALS, ["--json", "verify-export", file.replace(/\.tar$/, ""), "--vkey", vkey.trim()]);
    // The sample has purged entries.
    assert.equal(JSON.parse(told).verdict, "INTACT-WITH-ERASURES");
    await goto("/evidence/exports");
    const row = await page.locator("table.evidence tbody tr").first().textContent();
    assert.match(row, /from=/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
