// Takes a picture of a page: see `look`.

import { parseArgs } from "node:util";
import { Server, launch, serveSample, signIn } from "./stage.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dark: { type: "boolean" },
    full: { type: "boolean" },
    german: { type: "boolean" },
    size: { type: "string", default: "1280x800" },
    store: { type: "string" },
  },
});
const [address, file] = positionals;
const [width, height] = values.size.split("x").map(Number);

const isPath = address.startsWith("/");
const { server, end } = isPath ? await stage() : {};
const browser = await launch();
try {
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme: values.dark ? "dark" : "light",
    locale: values.german ? "de-DE" : "en-GB",
    timezoneId: "Europe/Berlin",
  });
  page.on("console", (message) => console.log(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => console.log(`script: ${error.message}`));
  if (server) await signIn(page, server);
  await page.goto(server ? new URL(address, server.url).href : address);
  await page.waitForTimeout(400);
  await page.screenshot({ path: file, fullPage: values.full });
} finally {
  await browser.close();
  await end?.();
}

// A store that was named is served as it is.
async function stage() {
  if (!values.store) return serveSample();
  const server = new Server(values.store);
  await server.start();
  return { server, end: () => server.stop() };
}
