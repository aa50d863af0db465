// What every page has: signing in, navigation, keys, language, colours, and what none may do.

import assert from "node:assert/strict";
import { PAGES, assertAccessible, assertFits, pageTest, signIn, slowDown, weigh } from "../support.mjs";

const BYTES_MAX = 150_000;

// Pages that this program has; the others are not yet there.
async function pages(server) {
  const answers = await Promise.all(PAGES.map((route) => server.fetch(route)));
  return PAGES.filter((_, at) => answers[at].ok);
}

pageTest("a login link works once, and leaves no key in the address or the history",
  { isSignedIn: false, expected: [/40[13]/] }, async ({ page, server }) => {
    await page.goto(server.login);
    await page.waitForURL((url) => url.pathname === "/");
    assert.equal(new URL(page.url()).hash, "");
    const cookies = await page.context().cookies();
    const session = cookies.find((cookie) => cookie.httpOnly && cookie.sameSite === "Strict");
    assert.ok(session, "a session that scripts cannot read");

    await page.context().clearCookies();
    await page.goto("about:blank");
    await page.goto(server.login);
    await page.waitForSelector("#wrong:not([hidden])");
  });

pageTest("the page to sign in on is accessible",
  { isSignedIn: false, expected: [/401/] }, async ({ page, goto }) => {
    await goto("/login");
    await assertAccessible(page);
  });

pageTest("signing out ends the session", { expected: [/401/] }, async ({ page, goto }) => {
  await page.getByRole("button", { name: "Language, colours and account" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL((url) => url.pathname === "/login");
  const answer = await goto("/");
  assert.equal(answer.request().redirectedFrom() === null && answer.ok(), false);
});

pageTest("the keyboard alone reaches the content, each page and the search", {}, async ({ page, server }) => {
  // From the very beginning, where a page without a field of its own starts.
  await page.evaluate(() => {
    document.body.tabIndex = -1;
    document.body.focus();
  });
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");

  for (const route of (await pages(server)).filter((route) => route !== "/")) {
    const link = page.locator(`.top nav a[href="${route}"]`);
    await link.focus();
    const outline = await link.evaluate((element) => getComputedStyle(element).outlineStyle);
    assert.notEqual(outline, "none", `the focus on ${route} is seen`);
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname === route);
    assert.equal(await page.locator(".top nav a[aria-current=page]").getAttribute("href"), route);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.type), "search");
    await page.keyboard.press("Escape");
  }
});

pageTest("keys are explained by ?, and can be switched off", {}, async ({ page }) => {
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });

  await page.getByRole("button", { name: "Language, colours and account" }).click();
  await page.getByRole("checkbox").uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  assert.equal(await page.getByRole("dialog").count(), 0);
});

pageTest("the colours that were chosen stay, whatever the system prefers",
  { colorScheme: "light" }, async ({ page }) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: "Language, colours and account" }).click();
    await page.getByRole("button", { name: "Dark" }).click();
    const dark = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    assert.equal(await ground(), dark);
    await page.emulateMedia({ colorScheme: "dark" });
    assert.equal(await ground(), dark);
  });

pageTest("the language is that of the browser until another one is chosen",
  { locale: "de-DE" }, async ({ page }) => {
    assert.equal(await page.locator("html").getAttribute("lang"), "de");
    await page.getByRole("button", { name: "Sprache, Farben und Konto" }).click();
    await page.getByRole("button", { name: "English" }).click();
    await page.waitForSelector("html[lang=en]");
    await page.reload();
    assert.equal(await page.locator("html").getAttribute("lang"), "en");
  });

pageTest("the footer says in which zone times are", { timezoneId: "America/New_York" }, async ({ page }) => {
  await page.reload();
  assert.equal(await page.locator("#zone").textContent(), "America/New_York");
});

for (const locale of ["en-GB", "de-DE"]) {
  pageTest(`axe finds nothing on any page, in either theme, in ${locale}`, { locale }, async ({ page, server, goto }) => {
    for (const route of await pages(server)) {
      await goto(route);
      await assertAccessible(page);
    }
  });
}

for (const [width, height] of [[1280, 800], [390, 844], [320, 640]]) {
  pageTest(`no page is wider than a screen of ${width} px`,
    { viewport: { width, height }, locale: "de-DE" }, async ({ page, server, goto }) => {
      for (const route of await pages(server)) {
        await goto(route);
        await assertFits(page);
      }
    });
}

pageTest("a page weighs little, and is there soon even on a slow processor", {}, async ({ page, server, goto, visitor }) => {
  for (const route of await pages(server)) {
    const fresh = await visitor.newPage();
    const bytes = await weigh(fresh);
    await slowDown(fresh, 4);
    await fresh.goto(new URL(route, server.url).href, { waitUntil: "load" });
    const ms = await fresh.evaluate(() => performance.getEntriesByType("navigation")[0].loadEventEnd);
    console.log(`${route}: ${bytes()} bytes, ${Math.round(ms)} ms with a processor slowed four times`);
    assert.ok(bytes() <= BYTES_MAX, `${route} weighs ${bytes()} bytes`);
    await fresh.close();
  }
});

pageTest("a page goes on after its server was restarted",
  { expected: [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|40[1-4]|503/] }, async ({ page, server, goto }) => {
    await server.restart();
    await signIn(page, server);
    const answer = await goto("/");
    assert.equal(answer.status(), 200);
  });

// A browser opens six connections to a server. A stream for each page would leave none for an
// eighth page.
pageTest("eight open pages leave connections for all of them", {}, async ({ visitor, server }) => {
  for (let opened = 0; opened < 8; opened += 1) {
    const page = await visitor.newPage();
    await page.goto(server.url, { timeout: 10_000 });
  }
});

// On a German keyboard, a slash is Shift and 7.
pageTest("a slash reaches the search on any keyboard, and stays a slash where somebody types", {}, async ({ page }) => {
  const field = page.locator("main input[type=search]").first();
  await field.fill("");
  await page.keyboard.type("2026/04");
  assert.equal(await field.inputValue(), "2026/04");
  await page.evaluate(() => document.activeElement.blur());
  await page.evaluate(() => document.body.dispatchEvent(
    new KeyboardEvent("keydown", { key: "/", code: "Digit7", shiftKey: true, bubbles: true })));
  assert.equal(await page.evaluate(() => document.activeElement.type), "search");
  await page.evaluate(() => document.activeElement.blur());
  await page.evaluate(() => document.body.dispatchEvent(
    new KeyboardEvent("keydown", { key: "/", ctrlKey: true, bubbles: true })));
  assert.notEqual(await page.evaluate(() => document.activeElement.type), "search");
});

pageTest("a page in chosen colours is never drawn in others first", { colorScheme: "light" }, async ({ page }) => {
  await page.evaluate(() => { document.cookie = "annals-theme=dark; Path=/"; });
  await page.reload({ waitUntil: "commit" });
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
  assert.equal(await page.locator("meta[name=color-scheme]").getAttribute("content"), "dark");
});
