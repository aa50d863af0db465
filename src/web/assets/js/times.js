// "3 minutes ago" beside a time, kept true: an element with `data-ago="TIME"`.

const REFRESH_MS = 20_000;
const STEPS = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Infinity],
];

const words = new Intl.RelativeTimeFormat(document.documentElement.lang, {
  numeric: "auto",
  style: "short",
});

function ago(time) {
  let amount = (time - Date.now()) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(amount) < size) return words.format(Math.trunc(amount), unit);
    amount /= size;
  }
  return "";
}

function refresh() {
  for (const element of document.querySelectorAll("[data-ago]")) {
    const time = Date.parse(element.dataset.ago);
    if (!Number.isNaN(time)) element.textContent = ago(time);
  }
}

refresh();
setInterval(refresh, REFRESH_MS);
document.addEventListener("htmx:after:swap", refresh);
