// Is all well? The page with a host that runs, and with a server alone.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { assertAccessible, assertFits, pageTest, signIn } from "../support.mjs";

const PORT = 7941;
const lostServer = [/ERR_CONNECTION_REFUSED/, /ERR_INCOMPLETE_CHUNKED/, /ERR_EMPTY_RESPONSE/, /network error/i];

// A host with a folder, a converter and a page of its own. `put` lays a file into its folder.
class Plant {
  constructor() {
    this.folder = mkdtempSync(path.join(tmpdir(), "annals-host-"));
    mkdirSync(path.join(this.folder, "in"));
    writeFileSync(path.join(this.folder, "run.sh"), `
      case "$(cat "$1")" in
        good*) printf '{"sn":"%s"}' "$ANNALS_NAME" ;;
        *) echo "no header" >&2; exit 1 ;;
      esac
    `);
    this.config = path.join(this.folder, "host.toml");
    writeFileSync(this.config, `
      [host]
      listen = "127.0.0.1:${PORT}"
      min_free_disk_gb = 0
      scan_every_s = 0.5
      [store]
      path = "store"
      [[converter]]
      name = "Line 3"
      command = ["sh", "run.sh", "{input}"]
      environment = "sh"
      bundle = ["run.sh"]
      watch_folder = "in"
      settle_s = 0
      archive_enabled = true
    `);
    this.store = path.join(this.folder, "store");
    execFileSync(process.env.ANNALS, ["init", this.store, "--no-key"]);
    this.url = `http://127.0.0.1:${PORT}/`;
  }

  async start() {
    this.process = spawn(process.env.ANNALS, ["host", "run", this.config], { stdio: "ignore" });
    for (let trial = 0; trial < 100; trial += 1) {
      const answer = await fetch(new URL("/healthz", this.url)).catch(() => null);
      if (answer) return;
      await new Promise((done) => setTimeout(done, 200));
    }
    throw new Error("the host does not answer");
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGTERM");
    await ended;
  }

  put(name, content) {
    writeFileSync(path.join(this.folder, "in", name), content);
  }

  // What signing in needs: the link that the owner prints.
  async annals(...words) {
    const out = execFileSync(process.env.ANNALS, ["-s", this.store, "--json", ...words]).toString();
    return out.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  async end() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const verdict = (page) => page.locator("#verdict h2");

pageTest("without a host the page has the store's figures and says so", {}, async ({ page, server, goto }) => {
  const [stats] = await server.annals("stats");
  await goto("/host");
  await page.getByText("No host runs here").waitFor();
  const text = await page.locator("#host").innerText();
  assert.ok(text.includes(stats.entries.toLocaleString("en")), text);
  await assertAccessible(page);
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }, { width: 320, height: 640 }]) {
    await page.setViewportSize(viewport);
    await assertFits(page);
  }
});

pageTest("a column leads to its entries, and the table has the same number", {}, async ({ page, goto }) => {
  await goto("/host?span=30d");
  await page.click("#periods-table summary");
  const cell = page.locator("#periods-table tbody tr").last().locator("td a").first();
  const number = Number((await cell.innerText()).replaceAll(",", ""));
  const [fromTable, fromChart] = [
    await cell.getAttribute("href"),
    await page.locator("#periods svg a:has(.hit)").last().getAttribute("href"),
  ];
  assert.equal(fromTable, fromChart);
  await page.locator("#periods svg a:has(.of-failed)").last().click();
  await page.waitForURL((url) => url.searchParams.get("status") === "failed");
  await goto(fromTable);
  await page.getByText(number.toLocaleString("en")).first().waitFor();
});

pageTest("the first page has the hours of today", {}, async ({ page, goto }) => {
  await goto("/");
  await page.click("#hours-table summary");
  const rows = await page.locator("#hours-table tbody tr").count();
  assert.ok(rows >= 23 && rows <= 25, `${rows} hours`);
  await assertAccessible(page);
});

pageTest("what is archived shows without a reload, and nothing that is open closes", {}, async ({ page, server, goto }) => {
  await goto("/host");
  await page.locator("#live[data-state=on]").waitFor();
  await page.click("#periods-table summary");
  await page.focus("#periods-table summary");
  const entries = page.locator("#host a[href='/entries']").first();
  const before = Number((await entries.innerText()).replaceAll(",", ""));
  await server.fetch("/api/v1/entries?converter=By%20hand&name=new.csv", { method: "POST", body: "new\n", headers: { "Annals-Request": "1" } });
  await page.waitForFunction((n) => document.querySelector("#host a[href='/entries']").innerText.replaceAll(",", "") === String(n), before + 1);
  assert.ok(await page.locator("#periods-table").evaluate((element) => element.open), "the table closed");
  assert.ok(await page.evaluate(() => document.activeElement.tagName === "SUMMARY"), "the focus was lost");
});

pageTest("a page that lost its server does not go on to say that all is well", { expected: lostServer }, async ({ page, server, goto }) => {
  await goto("/host");
  await page.locator("#live[data-state=on]").waitFor();
  await server.stop();
  await page.locator("#verdict.lost").waitFor();
  assert.match(await page.locator("#verdict").innerText(), /No connection since/);
  await assertAccessible(page);
  await server.start();
  await signIn(page, server);
  await goto("/host");
  assert.equal(await page.locator("#verdict.lost").count(), 0);
});

pageTest("a running host tells of its folders, and of what fails as it happens", { expected: [...lostServer, /another host/] }, async ({ page }) => {
  const plant = new Plant();
  try {
    await plant.start();
    await signIn(page, plant);
    await page.goto(new URL("/host", plant.url).href);
    await page.getByRole("heading", { name: "All is well" }).waitFor({ timeout: 30_000 });
    await page.getByRole("heading", { name: "Folders and workers" }).waitFor();
    await page.locator("#live[data-state=on]").waitFor();
    await assertAccessible(page);
    plant.put("one.csv", "good");
    await page.waitForFunction(() => document.querySelector("#host a[href='/entries']")?.innerText === "1");
    plant.put("two.csv", "bad");
    await page.getByText("Failed entries: 1").waitFor({ timeout: 30_000 });
    assert.doesNotMatch(await verdict(page).innerText(), /All is well/);
    await page.setViewportSize({ width: 390, height: 844 });
    await assertFits(page);
    await plant.stop();
    await page.locator("#verdict.lost").waitFor();
    await plant.start();
    await signIn(page, plant);
    await page.goto(new URL("/host", plant.url).href);
    await page.getByText("Failed entries: 1").waitFor();
  } finally {
    await plant.end();
  }
});
