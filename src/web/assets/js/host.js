// The page that says whether all is well: it is fetched again when something happens, and from time
// to time, because queues and disks change without an event. What has the focus keeps it.
//
// A page that has lost its server must not go on to say that all is well.

// The server shares figures of a second among all pages: a page waits longer than that.
const MS_AFTER_EVENT = 1_200;
const MS_BETWEEN = 5_000;
const MS_AT_LEAST = 10_000;

const place = () => document.querySelector("[data-host]");
let refreshedAt = Date.now();
let timer = 0;
let isLost = false;
let isSoon = false;

function refresh() {
  clearTimeout(timer);
  isSoon = false;
  timer = setTimeout(refresh, MS_AT_LEAST);
  if (isLost || document.hidden) return;
  refreshedAt = Date.now();
  place()?.dispatchEvent(new CustomEvent("annals:refresh"));
}

// Many events make one request: the first decides when.
function soon() {
  if (document.hidden || isSoon) return;
  isSoon = true;
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.max(MS_AFTER_EVENT, refreshedAt + MS_BETWEEN - Date.now()));
}

function lost() {
  isLost = true;
  const verdict = document.getElementById("verdict");
  if (!verdict || verdict.classList.contains("lost")) return;
  verdict.classList.remove("good");
  verdict.classList.add("warn", "lost");
  const told = document.createElement("p");
  told.className = "hint";
  told.textContent = verdict.dataset.lost;
  verdict.append(told);
}

// What somebody unfolded stays so.
let unfolded = [];
document.addEventListener("htmx:before:swap", () => {
  unfolded = [...document.querySelectorAll("[data-host] details[open]")].map((one) => one.id);
});
document.addEventListener("htmx:after:swap", () => {
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
});

document.addEventListener("annals:event", soon);
document.addEventListener("annals:lost", lost);
document.addEventListener("annals:live", () => {
  if (!isLost) return;
  isLost = false;
  soon();
});
document.addEventListener("visibilitychange", soon);
timer = setTimeout(refresh, MS_AT_LEAST);
