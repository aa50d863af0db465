// Tables on narrow screens show each row as a block of lines: every cell needs the name of its
// column. Those that the server has not named get the words of their head.

function label(table) {
  const names = [...(table.tHead?.rows[0]?.cells ?? [])].map((cell) => cell.textContent.trim());
  for (const row of [...table.tBodies].flatMap((body) => [...body.rows])) {
    [...row.cells].forEach((cell, at) => {
      const name = cell.colSpan === 1 ? names[at] : "";
      if (name && !cell.dataset.label && !cell.matches(".pick, .actions")) cell.dataset.label = name;
    });
  }
}

function labelAll() {
  document.querySelectorAll("table.grid").forEach(label);
}

labelAll();
document.addEventListener("htmx:after:swap", labelAll);
