// The page of an entry: tells when the entry has changed since it was opened, and sends a form of
// choices as soon as one is chosen. `f` shows two reports side by side.

const OFF = "annals-keys-off";

function place() {
  return document.getElementById("entry");
}

// Events that change no entry that is there already.
const OF_OTHERS = /^annals\.(archived|accessed|checkpoint|exported|reviewed|verified|compacted)/;
const MS_BETWEEN_LOOKS = 1_000;

let asking = false;

async function look() {
  const here = place();
  if (!here || asking) return;
  asking = true;
  try {
    const address = `/api/v1/entries/${here.dataset.entry}`;
    const headers = { "If-None-Match": `"${here.dataset.tag}"` };
    const response = await fetch(address, { method: "HEAD", headers });
    if (response.ok) tell(here);
  } catch {
    // The bar at the top says when the server does not answer.
  } finally {
    asking = false;
  }
}

function tell(here) {
  const news = here.querySelector(".entry-news");
  if (!news || news.childNodes.length > 0) return;
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = here.dataset.reload;
  news.append(`${here.dataset.changed} `, link);
}

// Many events make one look: the first decides when.
let isSoon = false;
document.addEventListener("annals:event", (event) => {
  if (isSoon || OF_OTHERS.test(event.detail.type)) return;
  isSoon = true;
  setTimeout(() => {
    isSoon = false;
    look();
  }, MS_BETWEEN_LOOKS);
});

document.addEventListener("annals:live", look);

document.addEventListener("change", (event) => {
  event.target.closest?.("form[data-submit-on-change]")?.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select") || localStorage.getItem(OFF)) return;
  if (document.querySelector("dialog[open], :popover-open")) return;
  const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
  if (!link) return;
  event.preventDefault();
  link.click();
});
