// Requests of the page: the header that changing requests need, the bar that shows that one takes
// long, and what went wrong with one, in the server's words.

import { said, toast } from "./toasts.js";

// The server refuses changes without it. Another site cannot add it without being asked first.
const HEADERS = { "Annals-Request": "1" };
const MS_UNTIL_BAR = 150;

let running = 0;

function began() {
  running += 1;
  setTimeout(showBar, MS_UNTIL_BAR);
}

function ended() {
  running = Math.max(0, running - 1);
  showBar();
}

function showBar() {
  document.getElementById("waiting")?.classList.toggle("shown", running > 0);
}

// Shows the problem of an answer. Anything else than a problem is named by its status.
async function showProblem(response) {
  let problem = {};
  if (response.headers.get("content-type")?.includes("json")) {
    problem = await response.json().catch(() => ({}));
  }
  toast({
    title: said("failed"),
    text: problem.detail ?? `${response.status} ${response.statusText}`,
    hint: problem.hint ?? "",
    isError: true,
  });
}

function showUnreachable() {
  toast({ title: said("unreachable"), text: said("unreachableHint"), isError: true });
}

// Sends a request as the page does. Returns the answer, or null after showing what went wrong.
export async function send(address, { method = "POST", headers = {}, body } = {}) {
  began();
  try {
    const response = await fetch(address, { method, body, headers: { ...HEADERS, ...headers } });
    if (response.ok) return response;
    await showProblem(response);
  } catch {
    showUnreachable();
  } finally {
    ended();
  }
  return null;
}

document.addEventListener("htmx:config:request", (event) => {
  Object.assign(event.detail.ctx.request.headers, HEADERS);
});

document.addEventListener("htmx:before:request", began);
document.addEventListener("htmx:finally:request", ended);

// htmx would put the text of a refusal where the content was. A fragment with a form's errors is
// HTML, and goes in.
document.addEventListener("htmx:before:response", (event) => {
  const response = event.detail.ctx.response.raw;
  const isPage = response.headers.get("content-type")?.startsWith("text/html");
  if (response.ok || isPage) return;
  event.preventDefault();
  showProblem(response);
});

document.addEventListener("htmx:error", (event) => {
  if (event.detail.error instanceof TypeError && !event.detail.ctx?.response) showUnreachable();
});
