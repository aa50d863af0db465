// Dialogs: `data-dialog="ID"` opens one, `data-close` within closes it, a click beside it too. A
// dialog that is swapped in with `data-open` opens by itself. The focus returns to where it was.

export function open(dialog) {
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-dialog]");
  if (opener) open(document.getElementById(opener.dataset.dialog));
  if (event.target.closest?.("dialog [data-close]")) event.target.closest("dialog").close();
  // Only the backdrop belongs to the dialog itself: its content fills it.
  if (event.target instanceof HTMLDialogElement) event.target.close();
});

document.addEventListener("htmx:after:swap", () => {
  document.querySelectorAll("dialog[data-open]").forEach((dialog) => {
    dialog.removeAttribute("data-open");
    open(dialog);
  });
});
