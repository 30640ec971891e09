// The demo's page: whatever the feed says is so is shown, nothing is made up here. Only texts are put in, never HTML.
import { followFilms } from "./film.js";
import { watchCameras } from "./live.js";

const words = JSON.parse(document.body.dataset.words);
const SHOW = document.body.dataset.show;
const language = document.body.dataset.language;
const SILENCE = 3000; // milliseconds without a beat after which nothing shown is certain any more
const at = (id) => document.getElementById(id);
const LATE = 3; // seconds on the way after which a message says so
let heard = Date.now();
let last = null;

function say(key, facts = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(facts[name] ?? ""));
}

function put(element, text) { if (element.textContent !== text) element.textContent = text; }
function tone(element, kind) { for (const one of ["good", "warm", "bad"]) element.classList.toggle(one, one === kind); }

// ---- the line and what is ticked

function line(now) {
  let text = now.says ? now.says.text : say(now.stage === "rest" ? "rest" : "turn.setting");
  if (now.stage === "setting") text = say("turn.setting");
  if (now.stage === "over") {
    const title = now.title === SHOW ? say("turn.the_show") : now.title;
    text = say(now.complaints.length ? "turn.bad" : now.stopped ? "turn.stopped" : "turn.good", { title });
    if (now.title === SHOW && !now.complaints.length && !now.stopped) text = say("show.over");
  }
  put(at("line"), text);
  const bad = now.says?.tone === "bad" && now.stage === "playing";
  tone(at("line"), bad || now.complaints.length ? "bad" : now.says?.tone === "good" ? "good" : "");
  document.querySelectorAll(".progress li").forEach((step, place) => step.classList.toggle("past", place < (now.says?.chapter ?? 0)));
  document.querySelector(".progress").hidden = now.title !== SHOW;
}

function mark(item, value) {
  item.classList.toggle("yes", value === true);
  item.classList.toggle("no", value === false);
  return value;
}

function facts(now) {
  const believed = Object.values(now.believed ?? {});
  const health = {
    lock: now.online && now.connected && now.proven, door: now.online && now.connected && (now.proven || now.phase !== "ready"),
    camera: believed.length ? believed.every((one) => one === true) : null, clock: now.clock || null,
  };
  at("health").hidden = now.checks !== null || now.stage !== "playing";
  for (const item of at("health").children) {
    const value = mark(item, health[item.dataset.health] || (item.dataset.health === "camera" && health.camera === false ? false : null));
    put(item.querySelector("span"), say(value ? "health.good" : "health.bad"));
  }
  at("checks").hidden = now.checks === null;
  for (const item of at("checks").children) {
    const value = mark(item, now.checks?.[item.dataset.check] ?? null);
    put(item.querySelector("span"), say(value === true ? "check.yes" : value === false ? "check.no" : "check.open"));
  }
  const all = now.checks !== null && Object.values(now.checks).every((one) => one === true);
  at("decided").hidden = now.decided_ms === null || !all;
  put(at("decided"), say("decided", { ms: now.decided_ms }));
}

// ---- the house

function house(now) {
  const scene = at("scene").dataset;
  scene.bolt = now.bolt; scene.door = now.door; scene.light = now.light;
  scene.box = now.online ? "on" : now.died ? "dead" : "off";
  scene.cable = now.cable ? "in" : "out";
  at("scene").toggleAttribute("data-parcel", now.parcels > 0);
  for (const person of document.querySelectorAll(".person")) {
    person.dataset.where = now.people?.[person.dataset.who] ?? "away";
    person.toggleAttribute("data-empty", !now.carries);
  }
  for (const figure of document.querySelectorAll("[data-camera]")) figure.toggleAttribute("data-fault", now.faults.includes(figure.dataset.camera));
  const frozen = now.believed?.doorbell === false;
  at("eye").toggleAttribute("data-frozen", frozen);
  at("live").toggleAttribute("data-frozen", frozen);
  const dead = now.died && !now.online && now.stage === "playing";
  const word = dead ? "dead" : now.forced ? "forced" : now.door === "open" ? "open" : now.bolt === "withdrawn" ? "unlocked" : now.proven ? "locked" : "shut";
  put(at("word"), now.stage === "rest" || now.stage === "setting" ? "" : say(`house.${word}`));
  tone(at("word"), { locked: "good", unlocked: "warm", open: "warm", shut: "", dead: "bad", forced: "bad" }[word]);
  at("spent").hidden = !now.spent;
  at("openings").hidden = now.openings === 0 || now.spent && now.door === "open";
  put(at("openings"), say("house.openings", { count: now.openings }));
  const check = now.verified;
  at("verify").hidden = !check;
  if (check) {
    const [told, bar, code] = at("verify").children;
    at("verify").classList.toggle("bad", !check.holds);
    put(told, check.holds ? say("verify.holds") : say("verify.broken", { second: check.second }));
    bar.firstElementChild.hidden = check.holds;
    if (!check.holds) bar.firstElementChild.style.left = `${Math.min(100, (100 * check.second) / check.length)}%`;
    put(code, check.where ? say("verify.where", { where: check.where }) : "");
  }
}

// ---- the owner

function phone(now) {
  document.querySelector(".offline").hidden = now.cable;
  const ask = at("ask");
  ask.hidden = !now.asked || now.buzzes > 1; // the request itself is the first message
  if (now.asked) {
    at("yes").hidden = now.granted;
    ask.querySelector(".granted").hidden = !now.granted;
  }
  const list = at("messages");
  const key = `${now.run} ${now.buzzes}`;
  if (list.dataset.key !== key) {
    list.dataset.key = key;
    const pictured = now.phone.findLast((one) => one.picture && one.waited < LATE) ?? now.phone.findLast((one) => one.picture);
    list.replaceChildren(...[...now.phone].reverse().map((message) => {
      const item = document.createElement("li");
      item.classList.toggle("bad", message.urgent);
      item.append(message.text);
      if (message.waited >= LATE) {
        const late = document.createElement("small");
        late.textContent = say("phone.waited", { seconds: Math.round(message.waited) });
        item.append(late);
      }
      if (message === pictured) {
        const picture = document.createElement("img");
        picture.src = `/phone/${message.picture}`;
        picture.alt = say("phone.picture");
        item.append(picture);
      }
      return item;
    }));
    if (now.buzzes) { at("phone").classList.remove("buzz"); requestAnimationFrame(() => at("phone").classList.add("buzz")); }
  }
  document.querySelector(".empty").hidden = now.phone.length > 0 || !ask.hidden;
  at("signal").dataset.light = now.light;
  put(at("signal").querySelector("p"), say(`light.${now.light}`));
}

// ---- the film: live, or sealed with its timeline

let sealedShown = false;

function swap(sealed) {
  sealedShown = sealed;
  at("sealed").hidden = !sealed;
  at("live").hidden = sealed;
  put(at("film-title"), say(sealed ? "panel.sealed" : "panel.film"));
  put(at("swap"), say(sealed ? "film.live" : "film.show"));
}

function film(now) {
  const key = now.film ? `${now.run} ${now.film.url}` : "";
  at("swap").hidden = !now.film;
  if (at("sealed").dataset.key !== key) {
    at("sealed").dataset.key = key;
    at("sealed").replaceChildren(...(now.film ? reel(now.film) : []));
    swap(Boolean(now.film));
    if (now.film) { followFilms(); document.querySelector(".reel video").play().catch(() => {}); }
  }
  if (sealedShown && now.says?.live && !last?.says?.live) swap(false);
  if (now.film && now.stage === "over" && last?.stage !== "over") swap(true); // there is nothing live any more
}

function reel(sealed) {
  const figure = document.createElement("figure");
  figure.className = "reel";
  const video = document.createElement("video");
  Object.assign(video, { controls: true, muted: true, playsInline: true, src: sealed.url, preload: "auto" });
  Object.assign(video.dataset, { film: "", start: sealed.start, end: sealed.end });
  video.setAttribute("aria-label", say("panel.sealed"));
  figure.append(video);
  const how = document.createElement("p");
  how.textContent = say("film.scrub");
  const list = document.createElement("ol");
  list.className = "timeline";
  list.append(...sealed.moments.map((moment) => {
    const item = document.createElement("li");
    item.className = moment.tone;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "moment";
    button.dataset.at = moment.at;
    const time = document.createElement("time");
    time.dateTime = moment.at;
    time.textContent = moment.clock;
    button.append(time, moment.text[language]);
    item.append(button);
    return item;
  }));
  return [figure, how, list];
}

// ---- your turn

function turn(now) {
  const busy = now.stage === "setting" || now.stage === "playing";
  at("stop").hidden = !busy;
  if (now.stage === "over" || (now.title && now.title !== SHOW)) at("turn").hidden = false;
  for (const button of document.querySelectorAll("[data-title]")) {
    button.setAttribute("aria-disabled", String(busy));
    button.toggleAttribute("data-now", busy && button.dataset.title === now.title);
  }
  const title = now.title === SHOW ? say("turn.the_show") : (now.title ?? "");
  const key = busy ? (now.stage === "setting" ? "turn.setting" : "turn.playing") : now.complaints.length ? "turn.bad" : now.stopped ? "turn.stopped" : "turn.good";
  put(at("result"), now.title ? say(key, { title }) : "");
  tone(at("result"), busy || now.stopped ? "" : now.complaints.length ? "bad" : "good");
  at("complaints").hidden = !now.complaints.length;
  if (last?.complaints.join() !== now.complaints.join()) {
    at("complaints").replaceChildren(...now.complaints.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  }
}

function show(now) {
  line(now); facts(now); house(now); phone(now); film(now); turn(now);
  last = now;
}

function ask(path, fields = {}) { return fetch(path, { method: "POST", body: new URLSearchParams(fields) }).catch(() => {}); }

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-title]");
  if (!button || button.getAttribute("aria-disabled") === "true") return;
  ask("/play", { title: button.dataset.title });
  scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
});
at("stop").addEventListener("click", () => ask("/stop"));
at("yes").addEventListener("click", () => ask("/yes"));
at("swap").addEventListener("click", () => swap(!sealedShown));

// ---- the feed

function look() {
  const lost = Date.now() - heard > SILENCE;
  at("lost").hidden = !lost;
  document.body.classList.toggle("lost", lost);
}

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/feed`);
  socket.onmessage = (event) => {
    heard = Date.now();
    const said = JSON.parse(event.data);
    if (said.now) show(said.now);
    look();
  };
  socket.onclose = () => setTimeout(connect, 1000);
}

connect();
setInterval(look, 500);
watchCameras({ ...words, "live.stale": words["camera.grey"] });
let watched = 0; // the run whose cameras are shown, 0 for none
setInterval(() => { // the film begins and ends with its house: without one there is nothing to ask for
  const wanted = last?.stage === "playing" ? last.run : 0;
  if (watched === wanted) return;
  if (watched === 0 || wanted === 0) for (const button of document.querySelectorAll("[data-watch]")) button.click();
  watched = watched === 0 ? wanted : 0;
}, 100);
