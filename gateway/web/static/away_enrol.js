// At home, signed in: makes this browser's keys, has them enrolled by the box, and keeps the page for away from home.
import { makeKeys, publicJwk } from "./away_crypto.js";
import { keep } from "./away_keys.js";

const form = document.querySelector("form.enrol");
const said = document.getElementById("said");
const words = JSON.parse(form.dataset.words);

const tell = (text) => { said.textContent = text; said.hidden = false; };

async function kept() {
  const registration = await navigator.serviceWorker.register("/away/worker.js", { scope: "/away" });
  const worker = registration.active ?? registration.installing ?? registration.waiting;
  if (worker.state === "activated") return;
  await new Promise((resolve, reject) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("not kept"));
    });
  });
}

async function enrol() {
  const made = await makeKeys();
  const fields = new URLSearchParams({
    label: form.elements.label.value, password: form.elements.password.value,
    sign: JSON.stringify(await publicJwk(made.sign.publicKey)), agree: JSON.stringify(await publicJwk(made.agree.publicKey)),
  });
  await kept(); // first: what could not be shown away from home is not enrolled
  const answer = await fetch("/away/enrol", { method: "POST", body: fields, headers: { Accept: "application/json" } });
  const told = await answer.json();
  if (!answer.ok) { tell(told.why ?? words.failed); return; }
  const { browser, home, hub, agree: box, person, role, since } = told;
  await keep({ browser, home, hub, box, person, role, since, sign: made.sign.privateKey, agree: made.agree.privateKey });
  await navigator.storage?.persist?.();
  location.assign(form.dataset.away);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!isSecureContext || !navigator.serviceWorker) { tell(words.plain); return; }
  event.submitter.disabled = true;
  tell(words.making);
  try {
    await enrol();
  } catch {
    tell(words.failed);
  } finally {
    event.submitter.disabled = false;
    form.elements.password.value = "";
  }
});
form.querySelector("button[disabled]").disabled = false; // pressed earlier, it would send the form without keys
