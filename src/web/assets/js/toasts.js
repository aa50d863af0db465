// Short news about what the visitor did, at the lower right. Screen readers hear them.

const SECONDS_SHOWN = 5;

function region() {
  return document.getElementById("toasts");
}

// Returns a text of the page's language, which the region carries: "copied", "close" ...
export function said(name) {
  return region()?.dataset[name] ?? "";
}

// Shows a message. One that reports an error stays until it is closed.
export function toast({ title, text = "", hint = "", isError = false }) {
  const box = document.createElement("div");
  box.className = isError ? "toast error" : "toast";
  if (isError) box.setAttribute("role", "alert");
  for (const [words, tag, style] of [[title, "b", ""], [text, "span", ""], [hint, "span", "hint quiet"]]) {
    if (!words) continue;
    const line = document.createElement("p");
    const content = document.createElement(tag);
    content.className = style;
    content.textContent = words;
    line.append(content);
    box.append(line);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "✕";
  close.setAttribute("aria-label", said("close"));
  close.addEventListener("click", () => box.remove());
  box.append(close);
  region()?.append(box);
  if (!isError) setTimeout(() => box.remove(), SECONDS_SHOWN * 1000);
}
