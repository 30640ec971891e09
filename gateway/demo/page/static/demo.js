// The demo's page: whatever the feed says is so is shown, nothing is made up here. Only texts are put in, never HTML.
import { followFilms } from "./film.js";
import { drawHouse } from "./house.js";
import { watchCameras } from "./live.js";
import { Tape } from "./tape.js";

const words = JSON.parse(document.body.dataset.words);
const SHOW = document.body.dataset.show;
const language = document.body.dataset.language;
const SILENCE = 3000; // milliseconds without a beat after which nothing shown is certain any more
const at = (id) => document.getElementById(id);
const LATE = 3; // seconds on the way after which a message says so
const NARROW = matchMedia("(max-width: 60rem)");
let heard = Date.now();
let last = null;

function say(key, facts = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(facts[name] ?? ""));
}

function put(element, text) { if (element.textContent !== text) element.textContent = text; }
function tone(element, kind) { for (const one of ["good", "warm", "bad"]) element.classList.toggle(one, one === kind); }

// ---- which scene it is

const sceneButton = (title) => [...document.querySelectorAll(".scene")].find((button) => button.dataset.title === title);
function nameOf(title) { return title === SHOW ? say("turn.the_show") : sceneButton(title)?.dataset.name ?? title ?? ""; }

function result(now) {
  if (!now.title) return "";
  if (now.complaints.length) return say("turn.bad", { title: nameOf(now.title) });
  if (now.stopped) return say("turn.stopped", { title: nameOf(now.title) });
  return now.title === SHOW ? say("turn.good_show") : say("turn.good", { promise: sceneButton(now.title)?.dataset.promise ?? "" });
}

// ---- the line and what is ticked

function line(now) {
  const chapters = [...document.querySelectorAll("[data-chapter]")];
  const isShow = now.title === SHOW;
  const chapter = isShow ? (now.says?.chapter ?? 0) : 0;
  let text = now.says ? now.says.text : say(now.stage === "rest" ? "rest" : "turn.setting");
  if (now.stage === "setting") text = say("turn.setting");
  if (now.stage === "over") text = isShow && !now.complaints.length && !now.stopped ? say("show.over") : result(now);
  put(at("line"), text);
  const bad = now.says?.tone === "bad" && now.stage === "playing";
  const good = now.stage === "over" ? !now.stopped : now.says?.tone === "good";
  tone(at("line"), bad || now.complaints.length ? "bad" : good ? "good" : "");
  at("line").toggleAttribute("data-long", text.length > 90);
  const told = chapter && now.stage !== "over" ? say("show.chapter", { number: chapter, count: chapters.length, name: chapters[chapter - 1].textContent }) : nameOf(now.title);
  put(at("playing"), now.title ? told : "");
  const watch = isShow ? "" : sceneButton(now.title)?.dataset.watchFor ?? "";
  at("watch").hidden = !watch || now.stage === "over";
  put(at("watch"), say("turn.watch", { what: watch }));
  at("story").hidden = !isShow;
  for (const button of chapters) {
    const number = Number(button.dataset.chapter);
    button.classList.toggle("past", number < chapter || now.stage === "over");
    if (number === chapter && now.stage !== "over") button.setAttribute("aria-current", "step"); else button.removeAttribute("aria-current");
  }
}

// A chapter can be seen once it has come, also while the viewer is elsewhere on the tape.
function openChapters() {
  const known = tape.chapters;
  for (const button of document.querySelectorAll("[data-chapter]")) button.setAttribute("aria-disabled", String(!known.has(Number(button.dataset.chapter))));
}

function mark(item, value) {
  item.classList.toggle("yes", value === true);
  item.classList.toggle("no", value === false);
  return value;
}

// What of the house is proven: lock and door of the one front door, else each way in by its name.
function health(now) {
  const believed = Object.values(now.believed ?? {});
  const there = now.online && now.connected;
  const camera = believed.length ? believed.every((one) => one === true) : null;
  const named = (now.scene?.closures ?? []).filter((way) => way.name !== null);
  const ways = named.length ? named.map((way) => [way.name, there && Boolean(now.ways[way.id]?.secured)])
    : (now.scene?.closures ?? []).length ? [[say("health.lock"), there && now.proven], [say("health.door"), there && (now.proven || now.phase !== "ready")]] : [];
  return [...ways, [say("health.camera"), camera], [say("health.clock"), now.clock || null]];
}

function facts(now) {
  const list = at("health");
  list.hidden = now.checks !== null || now.stage !== "playing";
  const proven = health(now);
  if (list.children.length !== proven.length) {
    list.replaceChildren(...proven.map(() => {
      const item = document.createElement("li");
      const dot = document.createElement("i");
      dot.setAttribute("aria-hidden", "true");
      const hidden = document.createElement("span");
      hidden.className = "hide";
      item.append(dot, document.createElement("b"), hidden);
      return item;
    }));
  }
  for (const [place, [name, value]] of proven.entries()) {
    const item = list.children[place];
    put(item.querySelector("b"), name);
    mark(item, value === true ? true : value === false && name === say("health.camera") ? false : null);
    put(item.querySelector("span"), say(value === true ? "health.good" : "health.bad"));
  }
  at("checks").hidden = now.checks === null || now.stage === "over";
  for (const item of at("checks").children) {
    const value = mark(item, now.checks?.[item.dataset.check] ?? null);
    put(item.querySelector("span"), say(value === true ? "check.yes" : value === false ? "check.no" : "check.open"));
  }
  const all = now.checks !== null && Object.values(now.checks).every((one) => one === true);
  at("decided").hidden = now.decided_ms === null || !all || now.stage === "over";
  put(at("decided"), say("decided", { ms: now.decided_ms }));
}

// ---- the house

function stateOf(way, now, closure) {
  if (now.forced && closure.thing === null) return ["forced", "bad"];
  if (way.key === false) return ["key_out", "warm"];
  if (way.open) return [words[`house.open.${closure.kind}`] ? `open.${closure.kind}` : "open", "warm"];
  const bolted = closure.kind === "bolted_door";
  if (way.free) return [bolted ? "unlocked" : "released", "warm"];
  return way.secured ? [bolted ? "locked" : "closed", "good"] : ["shut", ""];
}

function house(now) {
  drawHouse(now);
  const dead = now.died && !now.online && now.stage === "playing";
  const isUp = now.stage === "playing" || now.stage === "over";
  at("ways").hidden = dead || !isUp;
  const shown = now.scene === null ? [] : now.scene.room === "lobby" ? (now.custody ? [["", `custody.${now.custody}`, now.custody === "declined" ? "warm" : "good"]] : [])
    : now.scene.closures.map((closure) => { const [word, kind] = stateOf(now.ways[closure.id] ?? {}, now, closure); return [closure.name, `house.${word}`, kind]; });
  at("ways").replaceChildren(...shown.map(([name, word, kind]) => {
    const item = document.createElement("li");
    if (name) item.append(`${name} `);
    const state = document.createElement("b");
    state.textContent = say(word);
    state.className = kind;
    item.append(state);
    return item;
  }));
  at("word").hidden = !dead;
  put(at("word"), say("house.dead"));
  tone(at("word"), "bad");
  at("live").toggleAttribute("data-frozen", now.believed?.doorbell === false);
  for (const figure of document.querySelectorAll(".camera")) {
    figure.toggleAttribute("data-fault", now.faults.includes(figure.dataset.camera));
    const inGarage = now.scene?.room === "garage" && figure.dataset.camera === "hall-camera";
    put(figure.querySelector("figcaption span"), say(inGarage ? "camera.garage" : `camera.${figure.dataset.camera}`));
    figure.hidden = now.scene !== null && !now.scene.cameras.some((camera) => camera.id === figure.dataset.camera);
  }
  at("unfilmed").hidden = now.scene?.room !== "lobby";
  at("spent").hidden = !now.spent;
  at("openings").hidden = now.openings === 0 || now.spent && now.door === "open";
  put(at("openings"), say("house.openings", { count: now.openings }));
  const check = now.verified;
  at("verify").hidden = !check;
  if (check) {
    const [told, bar, where] = at("verify").children;
    at("verify").classList.toggle("bad", !check.holds);
    put(told, check.holds ? say("verify.holds") : say("verify.broken", { second: number(check.second) }));
    bar.firstElementChild.hidden = check.holds;
    if (!check.holds) bar.firstElementChild.style.left = `${Math.min(100, (100 * check.second) / check.length)}%`;
    put(where, check.holds ? "" : say("verify.where", { second: number(check.second), length: number(check.length) }));
  }
}

function number(value) { return new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value); }

function cards(now, mode) {
  at("opening").hidden = now.card !== "opening";
  at("claims").hidden = !(now.title === SHOW && now.stage === "over" && !now.stopped && !now.complaints.length && mode === "live");
}

function spotlight(now) {
  const part = now.stage === "playing" && now.card === null ? now.says?.look : null;
  for (const one of document.querySelectorAll("[data-part]")) one.toggleAttribute("data-look", one.dataset.part === part);
}

// ---- the owner

function phone(now, mode) {
  document.querySelector(".offline").hidden = now.cable;
  const ask = at("ask");
  ask.hidden = !now.asked || now.buzzes > 1; // the request itself is the first message
  if (now.asked) {
    const waits = !now.granted && mode === "live";
    at("yes").hidden = now.granted;
    at("yes").disabled = !waits;
    ask.querySelector(".hint").hidden = !waits;
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
  at("signal").hidden = now.scene !== null && now.scene.lamp === null;
  at("signal").dataset.light = now.light;
  put(at("signal").querySelector("p"), say(now.light === "off" ? "light.off" : `light.${now.sound}`));
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

function film(now, mode) {
  const again = mode !== "live";
  const sealed = again ? filmAgain() : now.film;
  const isGone = again && !sealed && tape.isOver; // until then its film may still be sealed
  const key = sealed ? `${now.run} ${sealed.url}` : isGone ? "none" : "";
  at("swap").hidden = !sealed || (now.stage === "over" && mode === "live"); // there is no live film to go back to
  if (at("sealed").dataset.key !== key) {
    at("sealed").dataset.key = key;
    at("sealed").replaceChildren(...(sealed ? reel(sealed) : isGone ? [unfilmed()] : []));
    swap(Boolean(key));
    if (sealed) { followFilms(); document.querySelector(".reel video").play().catch(() => {}); }
  }
  if (!again) {
    if (sealedShown && now.says?.live && !last?.says?.live) swap(false);
    if (now.film && now.stage === "over" && last?.stage !== "over") swap(true); // there is nothing live any more
  } else {
    swap(Boolean(key));
    if (sealed) seek(sealed, mode);
  }
  at("live").toggleAttribute("data-past", mode !== "live");
}

// The sealed film of the moment that is seen again. Most of the run is not filmed, and what came to nothing is not kept.
function filmAgain() {
  const instant = tape.began + tape.position;
  return tape.newest.films.find((one) => Date.parse(one.start) <= instant && instant < Date.parse(one.end)) ?? null;
}

function unfilmed() { return Object.assign(document.createElement("p"), { className: "unfilmed", textContent: say("film.none") }); }

// Bring the sealed film to what is seen again.
function seek(sealed, mode) {
  const video = document.querySelector(".reel video");
  const second = (tape.began + tape.position - Date.parse(sealed.start)) / 1000;
  if (Math.abs(video.currentTime - second) > 0.6) video.currentTime = second;
  if (mode === "paused") video.pause(); else video.play().catch(() => {});
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

// ---- the player, and whose turn it is

function player(now, mode) {
  const newest = tape.newest;
  const busy = newest.stage === "setting" || newest.stage === "playing";
  at("player").hidden = newest.stage === "rest";
  document.body.dataset.mode = mode;
  at("pause").hidden = !busy && mode === "live";
  at("pause").dataset.icon = mode === "paused" ? "play" : "pause";
  put(at("pause").querySelector("span"), say(mode === "paused" ? "play.go_on" : "play.pause"));
  at("latest").hidden = mode === "live";
  at("stop").hidden = !busy;
}

function turn(now, mode) {
  if (mode !== "live") return; // what is seen again is over
  const busy = now.stage === "setting" || now.stage === "playing";
  if (now.stage === "over" || (now.title && now.title !== SHOW)) at("turn").hidden = false;
  for (const button of document.querySelectorAll("[data-title]")) {
    button.setAttribute("aria-disabled", String(busy));
    button.toggleAttribute("data-now", busy && button.dataset.title === now.title);
  }
  put(at("result"), busy ? (now.stage === "setting" ? say("turn.setting") : say("turn.playing", { title: nameOf(now.title) })) : result(now));
  tone(at("result"), busy || now.stopped ? "" : now.complaints.length ? "bad" : "good");
  at("complaints").hidden = !now.complaints.length;
  if (last?.complaints.join() !== now.complaints.join()) {
    at("complaints").replaceChildren(...now.complaints.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  }
}

function show(now, mode) {
  line(now); facts(now); house(now); cards(now, mode); spotlight(now); phone(now, mode); film(now, mode); player(now, mode); turn(now, mode);
  last = now;
}

const tape = new Tape(show);

function ask(path, fields = {}) { return fetch(path, { method: "POST", body: new URLSearchParams(fields) }).catch(() => {}); }

function toTop() {
  at("house").focus({ preventScroll: true }); // so that the space bar pauses, and does not press the scene again
  scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-title], [data-chapter], [data-claim]");
  if (!button || button.getAttribute("aria-disabled") === "true") return;
  const { title, chapter, claim } = button.dataset;
  if (title) { ask("/play", { title }); toTop(); }
  if (chapter) tape.playChapter(Number(chapter));
  if (claim) { tape.playChapter(Number(claim), true); at("house").focus({ preventScroll: true }); }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.defaultPrevented || event.target.closest("button, a, input, summary, video") || at("player").hidden) return;
  event.preventDefault();
  if (!at("pause").hidden) tape.toggle();
});
at("pause").addEventListener("click", () => tape.toggle());
at("back").addEventListener("click", () => tape.back());
at("latest").addEventListener("click", () => tape.goLive());
at("stop").addEventListener("click", () => { tape.goLive(); ask("/stop"); });
at("yes").addEventListener("click", () => ask("/yes"));
at("swap").addEventListener("click", () => swap(!sealedShown));

function fold() { for (const part of document.querySelectorAll("[data-fold], #story")) part.open = !NARROW.matches; }
NARROW.addEventListener("change", fold);
fold();

// ---- the feed

function look() {
  const lost = Date.now() - heard > SILENCE;
  at("lost").hidden = !lost;
  document.body.classList.toggle("lost", lost);
  at("behind").hidden = tape.mode === "live";
  if (tape.mode === "replay") film(tape.shown, tape.mode); // a film begins and ends also where nothing else changes
  put(at("behind"), tape.isOver ? say("play.again") : say("play.behind", { seconds: Math.round(tape.behind / 1000) }));
}

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/feed`);
  socket.onmessage = (event) => {
    heard = Date.now();
    const said = JSON.parse(event.data);
    tape.add(said.tape, said.now);
    if (said.tape.length) openChapters();
    look();
  };
  socket.onclose = () => setTimeout(connect, 1000);
}

connect();
setInterval(look, 500);
watchCameras({ ...words, "live.stale": words["camera.grey"] });
let watched = 0; // the run whose cameras are shown, 0 for none
setInterval(() => { // the film begins and ends with its house: without one there is nothing to ask for
  const now = tape.newest;
  const wanted = now?.stage === "playing" ? now.run : 0;
  if (watched === wanted) return;
  if (watched === 0 || wanted === 0) for (const button of document.querySelectorAll("[data-watch]")) button.click();
  watched = watched === 0 ? wanted : 0;
}, 100);
