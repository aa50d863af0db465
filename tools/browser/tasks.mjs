// Does the tasks of a test engineer in the page, and prints what they take: see `tasks`.
//
// Nothing is opened by its address: each task begins on the first page, and goes on with what a
// person sees there. A click is a click, a key is Enter or a shortcut, a field is one that is
// filled in. The time is that of the page and the server, without reading and typing.

import { launch, serveSample, signIn } from "./stage.mjs";

const { server, end } = await serveSample();
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: "en-GB" });
page.setDefaultTimeout(30_000);

class Hand {
  clicks = 0;
  keys = 0;
  fields = 0;

  async click(place) {
    this.clicks += 1;
    await place.click();
  }

  async press(key) {
    this.keys += 1;
    await page.keyboard.press(key);
  }

  async fill(place, text) {
    this.fields += 1;
    await place.fill(text);
  }
}

const button = (name) => page.getByRole("button", { name });
const link = (name) => page.getByRole("link", { name });

const TASKS = {
  "a serial is found, its entry opened": async (hand) => {
    await hand.fill(page.getByRole("searchbox").first(), "twice.csv");
    await hand.press("Enter");
    await page.waitForURL((url) => url.search !== "" || url.pathname !== "/");
    if (!/\/entries\/\d+$/.test(new URL(page.url()).pathname)) {
      await hand.click(page.locator("main a[href^='/entries/']").first());
    }
    await page.waitForURL(/\/entries\/\d+/);
    await page.getByRole("link", { name: "Timeline" }).waitFor();
  },
  "and what changed between its attempts": async (hand) => {
    await hand.click(link("Differences"));
    await page.getByText("limits").first().waitFor();
  },
  "yesterday is reprocessed, after a preview": async (hand) => {
    await hand.click(link("Jobs"));
    await hand.click(link("Reprocess …"));
    // The field says yesterday; the sample is of one day, which is chosen instead.
    await hand.fill(page.getByLabel("From", { exact: false }).first(), "30d");
    await hand.click(page.locator("form.form button.primary").first());
    await page.locator("form.start button.primary").waitFor();
    await hand.click(button(/^Preview all/));
    await page.getByText("Nothing is recorded.").waitFor({ timeout: 120_000 });
    await hand.fill(page.getByLabel("Reason"), "limits of March");
    await hand.click(page.locator("form.start button.primary"));
    await page.waitForURL(/\/jobs\/\d+$/);
    await page.locator("#job .status", { hasText: "finished" }).waitFor({ timeout: 120_000 });
  },
  "and the first difference that it made is seen": async (hand) => {
    await hand.click(page.locator(".counts a").first());
    await page.locator("#list tbody tr").first().waitFor();
    await hand.click(page.locator("#list tbody a").first());
    await page.locator("main").waitFor();
  },
};

try {
  await signIn(page, server);
  console.log("task                                              clicks  keys  fields    ms");
  for (const [name, task] of Object.entries(TASKS)) {
    const hand = new Hand();
    const began = performance.now();
    await task(hand);
    const ms = Math.round(performance.now() - began);
    const numbers = [[hand.clicks, 8], [hand.keys, 6], [hand.fields, 8], [ms, 6]];
    console.log(name.padEnd(48) + numbers.map(([n, wide]) => String(n).padStart(wide)).join(""));
  }
} finally {
  await browser.close();
  await end();
}
