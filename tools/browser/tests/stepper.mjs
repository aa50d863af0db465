// The stepper: entry after entry through a converter, with single keys, and nothing recorded.

import assert from "node:assert/strict";
import { assertAccessible, assertFits, pageTest } from "../support.mjs";

pageTest("n and p walk through the entries, and nothing is recorded", {}, async ({ page, server, goto }) => {
  const converter = "ICT CSV";
  const events = async () => (await server.annals("stats"))[0].log_bytes;
  const before = await events();
  await goto(`/step?converter=${encodeURIComponent(converter)}&status=success`);
  await page.locator("[data-step-was]").waitFor({ timeout: 60_000 });
  await assertAccessible(page);
  await assertFits(page);

  const place = () => page.locator("#step-form .quiet").first().innerText();
  assert.match(await place(), /^1 of /);
  await page.keyboard.press("n");
  await page.waitForURL((url) => url.searchParams.has("at"));
  assert.match(await place(), /^2 of /);
  await page.locator("[data-step-was]").waitFor({ timeout: 60_000 });
  await page.keyboard.press("p");
  await page.waitForFunction(() => /^1 of /.test(document.querySelector("#step-form .quiet").innerText));
  assert.equal(await events(), before);
});
