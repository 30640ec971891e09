// The supervisor's page: it shows a new picture each second, and signs the decision on the one that is shown.
import { digest, named, ownKey, signed } from "./supervisor_keys.js";

const LIFE_S = 30; // of a decision
const LOOK_MS = 1000; // between two looks
const WAIT_MS = 3000; // for an answer; a box that does not answer within it is lost
const PICTURE_MS = 3000; // so long a yes may rest on a picture
const TICK_MS = 250; // between two looks at the clock
const place = document.getElementById("visits"), template = document.getElementById("visit");
const link = document.getElementById("link");
const shown = new Map(); // visit -> its article, what is asked, the digest of its picture, and when that came
let ahead = 0; // seconds by which the box's clock is ahead of this browser's
let lost = false; // the box did not answer last

const key = await ownKey();
document.getElementById("keyless").hidden = key !== undefined;

const json = { headers: { Accept: "application/json" } };
const ask = (path, more) => fetch(path, { ...more, signal: AbortSignal.timeout(WAIT_MS) });
const part = (entry, name) => entry.article.querySelector(name);

function say(entry, text) {
  const trouble = part(entry, "[role=alert]");
  trouble.textContent = text;
  trouble.hidden = text === "";
}

async function send(entry, yes) {
  const { box, operator, supervisor, session } = place.dataset;
  const iat = Math.floor(Date.now() / 1000 + ahead);
  const picture = yes ? { picture_sha256: entry.digest } : {};
  const claims = {
    iss: operator, sub: supervisor, aud: box, jti: named(), iat, exp: iat + LIFE_S,
    visit: entry.visit, closure: entry.closure ?? entry.last, ...picture, yes,
  };
  const body = new URLSearchParams({ token: await signed(claims, session, key) });
  return ask("/supervisor/decide", { ...json, method: "POST", body });
}

// A yes is sent once: sent later, it would rest on an old picture. A no is kept until the box has it.
async function decide(entry, yes) {
  entry.stops = !yes;
  try {
    const answer = await send(entry, yes);
    const { text } = await answer.json();
    entry.stops = entry.stops && answer.status >= 429; // too many requests, or a box that cannot answer
    say(entry, entry.stops ? place.dataset.unsent : text);
  } catch {
    if (entry.stops) say(entry, place.dataset.unsent);
    lost = true;
  }
}

function added(visit) {
  const article = template.content.cloneNode(true).querySelector("article");
  const entry = { article, visit: visit.visit, came: -Infinity, stops: false };
  const press = (name, yes) => article.querySelector(name).addEventListener("click", async () => {
    await decide(entry, yes);
    await look();
  });
  press(".robot-yes", true);
  press(".robot-no", false);
  press(".robot-stop", false);
  article.setAttribute("aria-label", visit.title);
  place.append(article);
  shown.set(visit.visit, entry);
  return entry;
}

function show(visit) {
  const entry = shown.get(visit.visit) ?? added(visit);
  entry.closure = visit.closure;
  entry.last = visit.closure ?? entry.last ?? "door";
  entry.ends = visit.left === null ? undefined : performance.now() + visit.left * 1000;
  part(entry, "h2").textContent = visit.title;
  const step = part(entry, ".robot-step");
  if (step.textContent !== visit.text) step.textContent = visit.text;
  const asked = visit.closure !== null, over = visit.step === "stopped" || visit.step === "handed_over";
  part(entry, ".robot-ask").classList.toggle("idle", !asked);
  part(entry, ".robot-stop").classList.toggle("idle", over);
  part(entry, ".robot-no").disabled = part(entry, ".robot-stop").disabled = key === undefined;
  return entry;
}

// What the clock alone changes: the time left, and whether the picture is still one on which a yes counts.
function tick() {
  const now = performance.now();
  link.hidden = !lost || shown.size > 0; // else it is said on the picture
  for (const entry of shown.values()) {
    const left = part(entry, ".robot-left"), seconds = part(entry, "strong");
    left.classList.toggle("idle", entry.ends === undefined);
    const text = entry.ends === undefined ? "" : `${Math.max(0, Math.ceil((entry.ends - now) / 1000))}`;
    if (seconds.textContent !== text) seconds.textContent = text;
    const stale = now - entry.came > PICTURE_MS, caption = part(entry, "figcaption");
    part(entry, ".robot-look").classList.toggle("stale", stale);
    const why = stale ? (lost ? link.textContent : place.dataset.noPicture) : "";
    if (caption.textContent !== why) caption.textContent = why;
    part(entry, ".robot-yes").disabled = stale || key === undefined;
  }
}

async function picture(entry) {
  if (entry.looks) return;
  entry.looks = true;
  try {
    const answer = await ask(`/supervisor/picture/${entry.visit}`);
    if (answer.status !== 200) return;
    const bytes = await answer.arrayBuffer();
    const text = btoa(new Uint8Array(bytes).reduce((all, byte) => all + String.fromCharCode(byte), ""));
    entry.digest = await digest(bytes);
    entry.came = performance.now();
    part(entry, ".robot-picture").src = `data:image/jpeg;base64,${text}`;
  } catch {
    // the picture before grows too old, and the page says so
  } finally {
    entry.looks = false;
    tick();
  }
}

async function look() {
  try {
    const answer = await ask("/supervisor/visits", json);
    if (answer.status === 401) location.reload();
    if (!answer.ok) throw new Error(answer.statusText);
    const { now, visits } = await answer.json();
    ahead = now - Date.now() / 1000;
    const entries = visits.map(show), running = new Set(visits.map((visit) => visit.visit));
    for (const [visit, entry] of shown) {
      if (!running.has(visit)) { entry.article.remove(); shown.delete(visit); }
    }
    document.getElementById("empty").hidden = visits.length > 0;
    lost = false;
    entries.forEach(picture);
    await Promise.all(entries.filter(({ stops }) => stops).map((entry) => decide(entry, false)));
  } catch {
    lost = true;
  }
  tick();
}

setInterval(tick, TICK_MS);
for (;;) {
  await look();
  await new Promise((resolve) => { setTimeout(resolve, LOOK_MS); });
}
