// The form of settings takes its own place when it was sent: groups that were open stay open, and
// what needs a look is shown.

const opened = new Set();

document.addEventListener(
  "toggle",
  ({ target }) => {
    if (!target.matches?.(".settings details")) return;
    if (target.open) opened.add(target.id);
    else opened.delete(target.id);
  },
  true,
);

document.addEventListener("htmx:after:swap", () => {
  const settings = document.getElementById("settings");
  if (!settings) return;
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  if (settings.querySelector("dialog")) return;
  const wrong = settings.querySelector("[aria-invalid=true]");
  if (wrong) wrong.focus();
  else settings.querySelector(".theirs, .notice")?.scrollIntoView({ block: "center" });
});
