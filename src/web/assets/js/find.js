// The field of the first page: Enter opens the first match, arrows go through the matches.

const field = () => document.getElementById("q");
const links = () => [...document.querySelectorAll("#found tbody th a")];

document.addEventListener("keydown", (event) => {
  const input = field();
  if (!input || event.altKey || event.ctrlKey || event.metaKey) return;
  const rows = links();
  const at = rows.indexOf(document.activeElement);
  if (event.key === "ArrowDown" && (document.activeElement === input || at >= 0)) {
    event.preventDefault();
    rows[Math.min(at + 1, rows.length - 1)]?.focus();
  } else if (event.key === "ArrowUp" && at >= 0) {
    event.preventDefault();
    (at === 0 ? input : rows[at - 1]).focus();
  }
});

// A scanner types a serial and Enter faster than matches can come. The page that follows has them.
document.addEventListener("submit", (event) => {
  if (event.target.id !== "find") return;
  const rows = links();
  const shown = new URL(location.href).searchParams.get("q");
  if (rows.length === 1 && shown === field().value) {
    event.preventDefault();
    location.href = rows[0].href;
  }
});
