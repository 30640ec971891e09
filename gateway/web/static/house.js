// The pages of owner and household: they follow the house over the browser's one connection, and ask it for things.
import { watchCameras } from "./live.js";
import { hear, lose, start, words } from "./page.js";

async function follow() {
  const want = [...document.querySelectorAll("[data-part]")].map((place) => place.dataset.part);
  let port;
  if (typeof SharedWorker === "function") {
    port = new SharedWorker("/static/link.js", { type: "module", name: "perron" }).port;
  } else {
    const ends = new MessageChannel();
    (await import("./link.js")).join(ends.port2);
    port = ends.port1;
  }
  port.onmessage = (event) => hear(event.data);
  port.postMessage({ want });
  addEventListener("pagehide", () => port.postMessage({ leave: true }));
  addEventListener("pageshow", (event) => { if (event.persisted) port.postMessage({ want }); });
}

// The box asks for the password or a sign-in first: sent as a page, the form comes back with that question, and what was
// asked for is done once it is answered.
function sendAgain(form, submitter) {
  form.dataset.plain = "";
  submitter.disabled = false;
  form.requestSubmit(submitter);
}

// A wish is asked for without leaving the page; what the box answers shows in the parts that follow.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches(".wishes") || !event.submitter || form.dataset.plain !== undefined || form.querySelector("[name=back]")) return;
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  event.submitter.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "application/json" } });
    if (answer.status === 401) { sendAgain(form, event.submitter); return; }
    const said = await answer.json();
    if (said.why) document.getElementById("link").textContent = said.why;
    else if (form.dataset.reload !== undefined) location.reload();
  } catch {
    lose();
  } finally {
    event.submitter.disabled = false;
  }
});

follow();
start();
watchCameras(words);
const replay = document.getElementById("replay");
if (replay) (await import("./replay.js")).startReplay(replay);
