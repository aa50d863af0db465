// Signs in with the key of a login link, which stands behind the # of its address.

const form = document.querySelector("#login");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
const own = { "Annals-Request": "1" };

async function signIn(key, to) {
  const answer = await fetch("/login", {
    method: "POST",
    headers: { ...own, "Content-Type": "application/json" },
    body: JSON.stringify({ key, zone, to }),
  });
  if (answer.ok) {
    location.replace((await answer.json()).to);
  } else {
    document.querySelector("#wrong").hidden = false;
  }
}

if (form) {
  const to = form.dataset.to;
  const key = location.hash.slice(1);
  // The key does not stay in the history.
  history.replaceState(null, "", location.pathname + location.search);
  if (key) {
    signIn(key, to);
  } else {
    // A link in a mail or a chat comes without the cookie, and this request has it.
    const answer = await fetch("/login?signed-in", { headers: own });
    if (answer.headers.get("Annals-Signed-In")) location.replace(to);
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = form.elements.key.value.trim();
    // The whole link may be pasted.
    signIn(typed.slice(typed.lastIndexOf("#") + 1), to);
  });
}
