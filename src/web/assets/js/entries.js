// Lists of entries: keys, preview, what is chosen, what is new, and the way back.
//
// All listeners are on the document, because a changed filter replaces the list and going back
// replaces the whole body.

import { send } from "./requests.js";

const list = () => document.getElementById("list");
const rows = () => [...document.querySelectorAll("#entries tbody tr")];
const current = () => document.querySelector("#entries tbody tr.current");
const boxes = () => [...document.querySelectorAll("#entries td.pick input")];
const bar = () => document.getElementById("batch");
const preview = () => document.getElementById("preview");
const isWide = () => matchMedia("(min-width: 1101px)").matches;

// What is chosen belongs to the filters: other filters, nothing is chosen.
const chosen = { of: null, ids: new Set(), all: false, turn: 0 };
let previewTimer = 0;
let newsTimer = 0;

// ---- What is chosen ------------------------------------------------------------------------

function selectionName() {
  return bar()?.querySelector("[data-selection]")?.dataset.selection;
}

async function freeze(shown) {
  const element = bar();
  const body = new URLSearchParams();
  if (chosen.all) body.set("all", chosen.of);
  for (const id of chosen.all ? [] : chosen.ids) body.append("id", id);
  const replaces = selectionName();
  if (replaces) body.set("replaces", replaces);
  // On another page of the same list, the selection is still the one that was frozen.
  if (shown) body.set("shown", shown);
  if (!chosen.all && chosen.ids.size === 0) {
    if (replaces) send(`/entries/selection/${replaces}/forget`);
    element.hidden = true;
    element.replaceChildren();
    return;
  }
  const turn = ++chosen.turn;
  const answer = await send("/entries/selection", { body });
  if (!answer) return;
  const html = await answer.text();
  if (turn !== chosen.turn) return;
  element.innerHTML = html;
  element.hidden = false;
  window.htmx?.process(element);
  remember();
}

let waiting = 0;
function choose() {
  clearTimeout(waiting);
  waiting = setTimeout(freeze, 150);
  tick();
}

function tick() {
  for (const box of boxes()) {
    box.disabled = false;
    box.checked = chosen.all || chosen.ids.has(box.value);
  }
  const page = document.querySelector("[data-choose-page]");
  if (page) {
    const ticked = boxes().filter((box) => box.checked).length;
    page.disabled = false;
    page.checked = ticked > 0 && ticked === boxes().length;
    page.indeterminate = ticked > 0 && ticked < boxes().length;
  }
  const all = document.querySelector("[data-choose-all]");
  if (all) all.hidden = false;
}

function remember() {
  const kept = {
    of: chosen.of,
    ids: [...chosen.ids],
    all: chosen.all,
    name: selectionName(),
  };
  sessionStorage.setItem("annals-chosen", JSON.stringify(kept));
}

function chooseNone() {
  chosen.ids.clear();
  chosen.all = false;
  remember();
  choose();
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches("#entries td.pick input")) {
    if (chosen.all) {
      chosen.all = false;
      for (const other of boxes()) if (other.checked) chosen.ids.add(other.value);
    }
    if (box.checked) chosen.ids.add(box.value);
    else chosen.ids.delete(box.value);
  } else if (box.matches("[data-choose-page]")) {
    chosen.all = false;
    for (const one of boxes()) {
      if (box.checked) chosen.ids.add(one.value);
      else chosen.ids.delete(one.value);
    }
  } else {
    return;
  }
  remember();
  choose();
});

document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest?.(selector);
  if (on("[data-choose-all]")) {
    chosen.all = true;
    chosen.ids.clear();
    remember();
    choose();
  } else if (on("[data-choose-none]")) {
    chooseNone();
  } else if (on("[data-previous]")) {
    history.back();
  } else if (on("[data-arrivals] button")) {
    location.reload();
  } else {
    const row = on("#entries tbody tr");
    if (row && !on("a, button, input, label, summary")) go(row);
  }
});

// ---- Rows -----------------------------------------------------------------------------------

// Keys and focus make a row the current one. Here it gets into the address and into the preview.
function reached(row) {
  const id = row.dataset.entry;
  history.replaceState(history.state, "", `#entry-${id}`);
  if (!isWide()) return;
  clearTimeout(previewTimer);
  previewTimer = setTimeout(() => show(id), 120);
}

function go(row) {
  row.querySelector("a[data-row]")?.focus({ preventScroll: true });
  for (const other of rows()) other.classList.toggle("current", other === row);
  reached(row);
}

async function show(id) {
  const element = preview();
  const answer = await fetch(`/entries/${id}/summary`, { headers: { "HX-Request": "true" } });
  if (!answer.ok || current()?.dataset.entry !== id) return;
  element.innerHTML = await answer.text();
  element.hidden = false;
  window.htmx?.process(element);
}

document.addEventListener("annals:row", (event) => {
  if (event.target.matches?.("#entries tbody tr")) reached(event.target);
});

document.addEventListener("annals:escape", () => {
  const element = preview();
  if (!element) return;
  clearTimeout(previewTimer);
  element.hidden = true;
  element.replaceChildren();
  if (chosen.all || chosen.ids.size > 0) chooseNone();
  history.replaceState(history.state, "", location.pathname + location.search);
});

// ---- The form ------------------------------------------------------------------------------

// Chosen columns stand in one field, in the order of the boxes.
document.addEventListener(
  "change",
  (event) => {
    if (!event.target.matches("[data-column]")) return;
    const ticked = document.querySelectorAll("[data-column]:checked");
    const names = [...ticked].map((box) => box.dataset.column);
    document.getElementById("columns").value = names.join(",");
  },
  true,
);

// ---- What is new ---------------------------------------------------------------------------

async function news() {
  const element = list();
  if (!element || element.dataset.first !== "true") return;
  const query = new URLSearchParams(element.dataset.query);
  query.set("since", element.dataset.at);
  const answer = await fetch(`/entries/news?${query}`);
  if (!answer.ok) return;
  const count = (await answer.text()).trim();
  const place = element.querySelector("[data-arrivals]");
  if (!place || count === "0") return;
  const text = count === "1" ? place.dataset.one : place.dataset.many.replace("{n}", count);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  place.replaceChildren(button);
}

// What was archived between the drawing of the list and the beginning of the stream was not told.
document.addEventListener("annals:live", news);

document.addEventListener("annals:event", (event) => {
  if (newsTimer || !event.detail.type?.startsWith("annals.archived")) return;
  newsTimer = setTimeout(() => {
    newsTimer = 0;
    news();
  }, 2000);
});

// ---- The way back --------------------------------------------------------------------------

const place = () => `annals-place:${location.pathname}${location.search}`;

addEventListener("pagehide", () => {
  if (list()) sessionStorage.setItem(place(), String(scrollY));
});

// The command line in the head of the page lists what the list shows now.
function showCommand(command) {
  const button = document.querySelector(".page-head .command");
  const before = button?.dataset.copy;
  if (!button || before === command) return;
  button.dataset.copy = command;
  for (const name of ["aria-label", "title"]) {
    const text = button.getAttribute(name) ?? "";
    button.setAttribute(name, text.replace(before, command));
  }
  button.querySelector("code").textContent = command;
}

function begin() {
  const element = list();
  if (!element) return;
  const of = element.dataset.selecting;
  if (chosen.of !== of) {
    const kept = JSON.parse(sessionStorage.getItem("annals-chosen") ?? "null");
    const same = kept?.of === of;
    chosen.of = of;
    chosen.ids = new Set(same ? kept.ids : []);
    chosen.all = same && kept.all;
    if (chosen.all || chosen.ids.size > 0) freeze(kept.name);
    else if (selectionName()) choose();
    remember();
  }
  tick();
  showCommand(element.dataset.command);
  const viewQuery = document.querySelector("[data-view-query]");
  if (viewQuery) viewQuery.value = element.dataset.query;
  const previous = element.querySelector("[data-previous]");
  if (previous) previous.hidden = history.length < 2;
  const named = location.hash.startsWith("#entry-") && document.querySelector(location.hash);
  if (named) go(named);
}

document.addEventListener("htmx:after:swap", begin);
document.addEventListener("htmx:after:settle", begin);
begin();

const scrolled = sessionStorage.getItem(place());
const kind = performance.getEntriesByType("navigation")[0]?.type;
if (scrolled && (kind === "back_forward" || kind === "reload")) scrollTo(0, Number(scrolled));
