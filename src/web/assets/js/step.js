// Keys of the stepper: n and p walk, r runs again. What a step has shown goes along in the address.

const links = () => document.querySelectorAll("#step-next, #step-previous");

/** Gives the links what was seen at this step, so that the next one can leave it out. */
function carry(result) {
  const { stepSeen: seen, stepWas: was } = result.dataset;
  for (const link of links()) {
    const address = new URL(link.href);
    address.searchParams.set("seen", seen);
    address.searchParams.set("was", was);
    link.href = address.pathname + address.search;
  }
  const run = document.getElementById("step-run");
  if (run) run.elements.was.value = was;
}

const place = document.getElementById("step-result");
if (place) {
  new MutationObserver(() => {
    const result = place.querySelector("[data-step-seen]");
    if (result) carry(result);
  }).observe(place, { childList: true });

  // By now, requests get the header that changes need.
  document.addEventListener("DOMContentLoaded", () => document.getElementById("step-run")?.requestSubmit());

  document.getElementById("with")?.addEventListener("change", (event) => event.target.form.submit());

  document.addEventListener("keydown", (event) => {
    if (localStorage.getItem("annals-keys-off")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    const ids = { n: "step-next", p: "step-previous", r: "step-again" };
    const button = document.getElementById(ids[event.key]);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
}
