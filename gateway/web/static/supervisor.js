// The supervisor's page: it shows a new picture each second, and signs the decision on the one that is shown.
import { digest, named, ownKey, signed } from "./supervisor_keys.js";

const LIFE_S = 30; // of a decision
const LOOK_MS = 1000; // between two looks
const place = document.getElementById("visits"), template = document.getElementById("visit");
const shown = new Map(); // visit -> its article, what is asked, and the digest of the picture that it shows
let ahead = 0; // seconds by which the box's clock is ahead of this browser's

const key = await ownKey();
document.getElementById("keyless").hidden = key !== undefined;

async function decide(entry, yes) {
  const { box, operator, supervisor, session } = place.dataset;
  const iat = Math.floor(Date.now() / 1000 + ahead);
  const picture = yes ? { picture_sha256: entry.digest } : {};
  const claims = {
    iss: operator, sub: supervisor, aud: box, jti: named(), iat, exp: iat + LIFE_S,
    visit: entry.visit, closure: entry.closure ?? entry.last, ...picture, yes,
  };
  const body = new URLSearchParams({ token: await signed(claims, session, key) });
  const answer = await fetch("/supervisor/decide", { method: "POST", body, headers: { Accept: "application/json" } });
  const trouble = entry.article.querySelector("[role=alert]");
  trouble.textContent = answer.ok ? "" : (await answer.json().catch(() => ({}))).text ?? "";
  trouble.hidden = trouble.textContent === "";
  await look();
}

function added(visit) {
  const article = template.content.cloneNode(true).querySelector("article");
  const entry = { article, visit: visit.visit };
  const press = (name, yes) => article.querySelector(name).addEventListener("click", () => decide(entry, yes));
  press(".robot-yes", true);
  press(".robot-no", false);
  press(".robot-stop", false);
  article.setAttribute("aria-label", visit.title);
  place.append(article);
  shown.set(visit.visit, entry);
  return entry;
}

function show(visit) {
  const entry = shown.get(visit.visit) ?? added(visit), { article } = entry;
  entry.closure = visit.closure;
  entry.last = visit.closure ?? entry.last ?? "door";
  const step = article.querySelector(".robot-step");
  article.querySelector("h2").textContent = visit.title;
  if (step.textContent !== visit.text) step.textContent = visit.text;
  const left = article.querySelector(".robot-left");
  left.hidden = visit.left === null;
  left.querySelector("strong").textContent = visit.left === null ? "" : Math.ceil(visit.left);
  const asked = visit.closure !== null, over = visit.step === "stopped" || visit.step === "handed_over";
  article.querySelector(".robot-yes").hidden = !asked;
  article.querySelector(".robot-no").hidden = !asked;
  article.querySelector(".robot-stop").hidden = asked || over;
  article.querySelector(".robot-yes").disabled = entry.digest === undefined || key === undefined;
  article.querySelector(".robot-no").disabled = article.querySelector(".robot-stop").disabled = key === undefined;
  return entry;
}

async function picture(entry) {
  const answer = await fetch(`/supervisor/picture/${entry.visit}`);
  if (answer.status !== 200) return;
  const bytes = await answer.arrayBuffer();
  const text = btoa(new Uint8Array(bytes).reduce((all, byte) => all + String.fromCharCode(byte), ""));
  entry.digest = await digest(bytes);
  entry.article.querySelector(".robot-picture").src = `data:image/jpeg;base64,${text}`;
  entry.article.querySelector(".robot-yes").disabled = key === undefined;
}

async function look() {
  const lost = document.getElementById("link");
  try {
    const answer = await fetch("/supervisor/visits", { headers: { Accept: "application/json" } });
    if (answer.status === 401) location.reload();
    if (!answer.ok) throw new Error(answer.statusText);
    const { now, visits } = await answer.json();
    ahead = now - Date.now() / 1000;
    const entries = visits.map(show), running = new Set(visits.map((visit) => visit.visit));
    for (const [visit, entry] of shown) {
      if (!running.has(visit)) { entry.article.remove(); shown.delete(visit); }
    }
    document.getElementById("empty").hidden = visits.length > 0;
    await Promise.all(entries.map(picture));
    lost.hidden = true;
  } catch {
    lost.hidden = false;
    for (const { article } of shown.values()) article.querySelector(".robot-yes").disabled = true;
  }
}

for (;;) {
  await look();
  await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
}
