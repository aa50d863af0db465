// Buttons that copy what stands in `data-copy`.

import { said, toast } from "./toasts.js";

const MS_MARKED = 1500;

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS, on a name that is not this machine.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  try {
    await copy(button.dataset.copy);
  } catch {
    return;
  }
  toast({ title: said("copied"), text: button.dataset.copy });
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), MS_MARKED);
});
