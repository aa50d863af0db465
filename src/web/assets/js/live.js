// What happens in the store, as it happens. Pages listen to `annals:event` on the document, whose
// `detail` has a `type` and how many events of it there were (`count`). An element with `data-news`
// counts those of the types it names in `data-news-types`, and shows them when it is clicked, so
// that nothing jumps by itself. `annals:live` asks pages to look for themselves.
//
// A browser opens six connections to a server at most, so one page listens for all pages of this
// browser: the one that has the lock. When it is closed, another one begins to listen.

const STREAM = "/api/v1/stream?gathered=true";
const MS_UNTIL_RETRY = 3_000;

const state = document.getElementById("live");
const pages = new BroadcastChannel("annals-live");
let last = 0;

function show(name) {
  if (!state) return;
  state.hidden = false;
  if (state.dataset.state === name) return;
  state.dataset.state = name;
  state.textContent = state.dataset[name];
}

function happened({ seq, types, missed }) {
  if (seq <= last) return;
  last = seq;
  if (missed) document.dispatchEvent(new Event("annals:live"));
  for (const [type, count] of Object.entries(types)) {
    document.dispatchEvent(new CustomEvent("annals:event", { detail: { type, count } }));
  }
}

function tellAll(message) {
  pages.postMessage(message);
  hear(message);
}

function hear(message) {
  if (message.state) show(message.state);
  // What happened before the stream began was not told: pages look for themselves.
  if (message.begins) document.dispatchEvent(new Event("annals:live"));
  if (message.state === "lost") document.dispatchEvent(new Event("annals:lost"));
  if (message.moment) happened(message.moment);
}

function read(message) {
  tellAll({ moment: JSON.parse(message.data), state: "on" });
}

function listen() {
  const stream = new EventSource(STREAM);
  stream.onopen = () => tellAll({ state: "on", begins: true });
  stream.onmessage = read;
  stream.onerror = () => {
    tellAll({ state: "lost" });
    // The browser tries again by itself, unless it was told something else than a stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, MS_UNTIL_RETRY);
  };
}

pages.onmessage = (message) => {
  if (message.data.asks && state?.dataset.state && isListening) {
    pages.postMessage({ state: state.dataset.state, begins: true });
  }
  hear(message.data);
};

let isListening = false;

if (state) {
  pages.postMessage({ asks: true });
  // Held as long as the page is open.
  navigator.locks.request("annals-live", () => {
    isListening = true;
    listen();
    return new Promise(() => {});
  });
}

// "5 new".
document.addEventListener("annals:event", (event) => {
  for (const place of document.querySelectorAll("[data-news]")) {
    const types = place.dataset.newsTypes?.split(" ");
    if (types && !types.includes(event.detail.type)) continue;
    const count = Number(place.dataset.count ?? 0) + event.detail.count;
    place.dataset.count = count;
    const words = count === 1 ? place.dataset.one : place.dataset.many.replace("{n}", count);
    const button = place.querySelector("button") ?? document.createElement("button");
    button.type = "button";
    button.textContent = words;
    if (!button.isConnected) place.append(button);
  }
});

document.addEventListener("click", (event) => {
  const place = event.target.closest?.("[data-news]");
  if (!place || !event.target.closest("button")) return;
  const shown = new CustomEvent("annals:show-new", { bubbles: true, cancelable: true });
  if (place.dispatchEvent(shown)) location.reload();
  place.dataset.count = 0;
  place.replaceChildren();
});
