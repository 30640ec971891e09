// Shows the visit that a link shares. Who opened it and with what stands behind its #, which browsers send to nobody; here
// it is taken out of the address bar at once, and the keys cannot be read out of the browser any more.
import { decode, keysOf, signingKey } from "./away_crypto.js";
import { Pictures, tellRefused } from "./away_films.js";
import { Line } from "./away_line.js";
import { LANGUAGE, LOCALE, h, moment, name, plain, say } from "./away_view.js";

const FORM = "1"; // of the fragment
const TONES = ["good", "bad"]; // of a line of the story; any other is calm

const place = (id) => document.getElementById(id);

function tell(text, { again = false } = {}) {
  place("said").textContent = text;
  place("said").hidden = text === "";
  place("again").hidden = !again;
}

function takeFragment() {
  const fragment = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  return fragment;
}

// The line to the box that the link means; null: it is not whole.
async function lineOf(fragment) {
  const parts = fragment.split(".");
  const [form, home, ident, secret, d, x, y] = parts;
  if (form !== FORM || parts.length !== 7) return null;
  const browser = `brw-${ident}`;
  try {
    const [sign, keys] = await Promise.all([signingKey(d, x, y), keysOf(decode(secret), home, browser)]);
    return new Line({ browser, home, hub: document.body.dataset.hub, sign }, keys);
  } catch {
    return null;
  }
}

// A film's place on the page; `still` is where its picture comes, until the film is pressed.
function film(one, gaps, pictures) {
  const still = h("div", { class: "shown" });
  const press = () => {
    const shown = h("div", { class: "shown" }); // another one: the picture may still be on its way
    still.replaceWith(shown);
    wishes.remove();
    pictures.film(one, shown);
    shown.querySelector("video").focus(); // in the place of the button
  };
  const wishes = h("p", { class: "wishes" }, h("button", { type: "button", press }, say("visit.film", { camera: plain(one.name) })));
  return { one, still, section: h("section", { class: "entrance", "aria-label": plain(one.name) }, h("h2", {}, name(one.name)), still, gaps, wishes) };
}

const clock = (at, zone) => new Intl.DateTimeFormat(LOCALE, { timeStyle: "medium", timeZone: zone }).format(new Date(at));

function told(line, zone) {
  return h("li", { class: TONES.includes(line.tone) ? line.tone : null }, h("time", { datetime: line.at }, clock(line.at, zone)), " ", plain(line.text));
}

function hole(gap, zone) {
  return h("p", { class: "small bad" }, say("shared.hole", { start: clock(gap.start, zone), end: clock(gap.end, zone) }));
}

async function show(visit, pictures) {
  const when = moment(visit.began, visit.timezone);
  place("house").textContent = plain(visit.house);
  place("when").textContent = when;
  place("what").replaceChildren(name(visit.entrance), " · ", visit.brand === null ? say("shared.incident") : name(visit.brand));
  place("until").textContent = say("shared.until", { until: moment(visit.until, visit.timezone) });
  const holes = (one) => visit.gaps.filter((gap) => gap.path === one.path).map((gap) => hole(gap, visit.timezone));
  const films = visit.films.map((one) => film(one, holes(one), pictures));
  place("films").replaceChildren(...films.map(({ section }) => section));
  place("happened").querySelector("ol").replaceChildren(...visit.story.map((line) => told(line, visit.timezone)));
  place("happened").hidden = visit.story.length === 0;
  tell(films.length ? "" : say("shared.no_film"));
  for (const { one, still } of films) { // one after the other: the house answers few questions of a link at a time
    if (still.isConnected) await pictures.picture(one, still, when);
  }
}

async function ask(line) {
  tell(say("shared.asking"));
  try {
    const { answer } = await line.ask({ ask: "shared", language: LANGUAGE });
    await show(answer, new Pictures(line, null));
  } catch (failure) {
    if (!failure.why) throw failure;
    tell(tellRefused(failure), { again: failure.why !== "ended" && failure.word !== "not_shared" });
  }
}

async function begin() {
  const fragment = takeFragment();
  if (!isSecureContext || !self.crypto?.subtle) { tell(say("shared.old")); return; }
  for (const other of document.querySelectorAll("footer a")) {
    other.onclick = (event) => { event.preventDefault(); location.assign(`${other.href}#${fragment}`); };
  }
  const line = await lineOf(fragment);
  if (line === null) { tell(say("shared.broken")); return; }
  place("again").querySelector("button").onclick = () => ask(line);
  await ask(line);
}

addEventListener("hashchange", () => { if (location.hash) begin(); }); // another link, pasted over this one
begin();
