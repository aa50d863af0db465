// Single keys: `/` goes to the search field, `?` shows all keys; in a table of class `grid` with
// `data-keys`, `j` and `k` move, Enter opens, `x` selects, Escape selects nothing.
//
// The current row is the one whose link has the focus, so Enter is the browser's own, and a
// screen reader reads where one is. A table that shows a preview listens to `annals:row`.

import { open } from "./dialogs.js";

const OFF = "annals-keys-off";

const choice = document.querySelector("[data-keys-choice]");
if (choice) {
  choice.checked = !localStorage.getItem(OFF);
  choice.addEventListener("change", () => {
    if (choice.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  });
}

function isTyping(target) {
  return target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

function rows() {
  const table = document.querySelector("table.grid[data-keys]");
  return table ? [...table.tBodies].flatMap((body) => [...body.rows]) : [];
}

function current(all) {
  return all.findIndex((row) => row.classList.contains("current"));
}

function goTo(row) {
  for (const other of rows()) other.classList.toggle("current", other === row);
  const link = row.querySelector("a[data-row]") ?? row.querySelector("a[href]");
  link?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  row.dispatchEvent(new CustomEvent("annals:row", { bubbles: true }));
}

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const now = current(all);
  const next = now < 0 ? 0 : Math.min(all.length - 1, Math.max(0, now + step));
  goTo(all[next]);
}

function select() {
  const all = rows();
  all[current(all)]?.querySelector("td.pick input")?.click();
}

function escape() {
  const all = rows();
  const picked = all.flatMap((row) => [...row.querySelectorAll("td.pick input:checked")]);
  if (picked.length > 0) {
    picked.forEach((box) => box.click());
    return;
  }
  all[current(all)]?.classList.remove("current");
  document.dispatchEvent(new CustomEvent("annals:escape"));
}

function search() {
  const field = document.querySelector("main input[type=search], [data-search]");
  field?.focus();
  field?.select();
}

const ACTIONS = {
  "/": search,
  "?": () => open(document.getElementById("keys")),
  j: () => move(1),
  k: () => move(-1),
  x: select,
  Escape: escape,
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open], :popover-open")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const action = ACTIONS[event.key];
  if (!action || (event.key !== "Escape" && localStorage.getItem(OFF))) return;
  event.preventDefault();
  action();
});

// A row that is reached by Tab or by a click is the current one, too.
document.addEventListener("focusin", (event) => {
  const row = event.target.closest?.("table.grid[data-keys] tbody tr");
  if (!row || row.classList.contains("current")) return;
  for (const other of rows()) other.classList.toggle("current", other === row);
});
