// Writes a picture of each page in both themes: see `shots`.

import { execFileSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { launch, serveSample, signIn } from "./stage.mjs";

const BYTES_MAX = 150_000;

// Name of the file, address on the sample store.
// What each picture shows; `twice` is the entry of the sample with several attempts.
const SHOTS = [
  ["find", "/"],
  ["entries", "/entries"],
  ["entry", (twice) => `/entries/${twice}`],
  ["converters", "/converters/ICT%20CSV"],
  ["host", "/host"],
  ["retention", "/retention"],
  ["holds", "/holds"],
  ["evidence", "/evidence"],
  ["differences", (twice) => `/entries/${twice}?tab=differences`],
];

const [folder, ...asked] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const { server, end } = await serveSample();
await server.giveKey();
const headers = { "Annals-Request": "1", "Content-Type": "application/json" };
await server.fetch("/api/v1/reviews", { method: "POST", headers, body: '{"verdict":"accepted","reason":"weekly review"}' });
await server.fetch("/api/v1/checkpoints", { method: "POST", headers });
const browser = await launch();
const [twice] = await server.annals("find", "twice.csv");
let tooLarge = 0;
try {
  for (const theme of ["light", "dark"]) {
    const page = await browser.newPage({
      viewport: { width: 1280, height: 800 },
      colorScheme: theme,
      locale: "en-GB",
      timezoneId: "Europe/Berlin",
    });
    await signIn(page, server);
    for (const [name, address] of SHOTS) {
      if (asked.length > 0 && !asked.includes(name)) continue;
      const route = typeof address === "string" ? address : address(twice.id);
      const answer = await page.goto(new URL(route, server.url).href);
      if (!answer.ok()) {
        throw new Error(`${name}: ${answer.status()}`);
      }
      await page.waitForTimeout(400);
      const file = path.join(folder, `${name}-${theme}.png`);
      await page.screenshot({ path: file });
      execFileSync("pngquant", ["--force", "--skip-if-larger", "--strip", "--output", file, "64", file]);
      const { size } = statSync(file);
      console.log(`${path.basename(file)} ${size} bytes`);
      if (size > BYTES_MAX) tooLarge += 1;
    }
    await page.close();
  }
} finally {
  await browser.close();
  await end();
}
process.exitCode = tooLarge > 0 ? 1 : 0;
