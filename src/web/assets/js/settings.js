// What the visitor chose, in cookies that the server reads: language, colours, zone.

import { send } from "./requests.js";

const SECONDS_KEPT = 365 * 24 * 3600;

function keep(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie =
    `annals-${name}=${value}; Path=/; Max-Age=${SECONDS_KEPT}; SameSite=Strict${secure}`;
}

// Times of the next page are in the zone of this browser.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) keep("zone", zone);

function press(chosen) {
  for (const button of chosen.parentElement.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button === chosen));
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button");
  if (!button) return;
  if (button.dataset.language) {
    keep("language", button.dataset.language);
    location.reload();
  } else if (button.dataset.themeChoice) {
    keep("theme", button.dataset.themeChoice);
    document.documentElement.dataset.theme = button.dataset.themeChoice;
    press(button);
  } else if ("signOut" in button.dataset) {
    const answer = await send("/logout");
    if (answer) location.assign("/login");
  }
});
