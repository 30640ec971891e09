// What the page for away from home shows, made of elements and texts only: a name is never markup.
export const W = JSON.parse(document.body.dataset.away);
export const LANGUAGE = document.documentElement.lang;
export const LOCALE = LANGUAGE === "en" ? "en-GB" : LANGUAGE; // of dates: 24 hours, the day before the month
const DOORS = ["locked", "unlocked", "open", "handed"]; // anything else is unknown
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu; // what steers a text instead of being read

export function say(key, facts = {}) {
  return Object.entries(facts).reduce((text, [name, value]) => text.replace(`{${name}}`, () => String(value)), W[key] ?? W["away.unknown"]);
}

// Make an element. Attributes are this page's own; what stands in it is text.
export function h(tag, facts = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name === "press") made.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...inside.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

export const plain = (text) => String(text ?? "").replace(UNSEEN, "").slice(0, 300);
export const name = (text) => h("bdi", {}, plain(text));
export const names = (all) => (all?.length ? all.flatMap((one, place) => (place ? [", ", name(one)] : [name(one)])) : ["-"]);

function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return say("age.days", { n: Math.round(seconds / 86400) });
}

export const age = (milliseconds) => (milliseconds < 2000 ? say("age.now") : say("age.ago", { age: span(milliseconds) }));
export const ago = (at) => h("time", { datetime: at, "data-ago": true });
const left = (at) => h("time", { datetime: at, "data-left": true });

// Ages go on by themselves; `now` is the box's clock.
export function tellAges(now) {
  for (const time of document.querySelectorAll("time[data-ago]")) time.textContent = age(now - Date.parse(time.dateTime));
  for (const time of document.querySelectorAll("time[data-left]")) time.textContent = say("age.left", { age: span(Date.parse(time.dateTime) - now) });
}

export function moment(at, zone) {
  const when = new Date(at);
  if (Number.isNaN(when.getTime())) return "-";
  return new Intl.DateTimeFormat(LOCALE, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: zone }).format(when);
}

// A window: hours of one day, or from one moment to another.
function windowOf(start, end, zone) {
  const part = (at, options) => new Intl.DateTimeFormat(LOCALE, { ...options, timeZone: zone }).format(new Date(at));
  const day = (at) => part(at, { weekday: "short", day: "numeric", month: "short" });
  const time = (at) => part(at, { hour: "2-digit", minute: "2-digit" });
  if ([start, end].some((at) => Number.isNaN(Date.parse(at)))) return "-";
  if (day(start) === day(end)) return say("away.window", { day: day(start), start: time(start), end: time(end) });
  return say("away.span", { start: moment(start, zone), end: moment(end, zone) });
}

// The hours of a day, "14:00-16:00" as the house stores them.
export function hours(text) {
  const [start, end] = plain(text).split("-");
  return text === "00:00-24:00" || !end ? say("away.hours.any") : say("away.hours", { start, end });
}

// Which buttons have been pressed once, and until when: known by what they would do, so a repaint in between changes nothing.
const pressed = new Map();
const SURE = 10_000; // milliseconds

// A button that acts at its second press. `key` says all that it would do; `of` names what it is about to whoever hears it.
export function twice(label, act, { kind = "quiet", of = "", key }) {
  const button = h("button", { type: "button", class: kind, "data-key": key });
  const look = () => {
    const sure = pressed.get(key) > Date.now();
    button.textContent = sure ? say("away.sure", { what: label }) : label;
    button.classList.toggle("sure", sure);
    if (of) button.setAttribute("aria-label", `${button.textContent}${sure ? ", " : ": "}${plain(of)}`);
    if (sure) setTimeout(look, pressed.get(key) - Date.now() + 1);
  };
  button.addEventListener("click", () => {
    if (pressed.get(key) > Date.now()) { pressed.delete(key); look(); act(); return; }
    pressed.set(key, Date.now() + SURE);
    look();
  });
  look();
  return button;
}

// Put a part in if it changed; what had the focus keeps it.
export function put(place, facts, make) {
  const shown = JSON.stringify(facts);
  if (place.dataset.shown === shown) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const folds = new Map([...place.querySelectorAll("details")].map((one) => [one.dataset.brand, one.open]));
  place.replaceChildren(...make(facts).flat());
  for (const one of place.querySelectorAll("details")) one.open = folds.get(one.dataset.brand) ?? one.open;
  place.dataset.shown = shown;
  if (focused !== undefined) [...place.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused)?.focus();
}

function door(entrance) {
  const word = DOORS.includes(entrance.door) ? entrance.door : "unknown";
  return h("div", { class: `door ${word}` }, h("div", {},
    h("p", { class: "stale" }, say("away.last_known")), h("p", { class: "word" }, say(`door.${word}`)), h("p", { class: "why" }, say(`door.${word}.${entrance.closures?.length ? "each" : "why"}`)),
    entrance.since && h("p", { class: "age" }, ago(entrance.since))));
}

const STATES = ["secured", "open"]; // anything else is unknown

function called(one, all) {
  const word = W[`closure.kind.${one.kind}`];
  if (!word) return plain(one.id);
  return all.filter((other) => other.kind === one.kind).length > 1 ? `${word} (${plain(one.id)})` : word;
}

// What a phase of a visit is called; it names the closure where the courier is or goes to.
function phase(entrance) {
  const all = entrance.closures ?? [], at = all.find((one) => ["here", "next"].includes(one.position));
  const key = `phase.${entrance.visit.phase}`;
  return at && W[`${key}.each`] ? say(`${key}.each`, { closure: called(at, all) }) : say(key);
}

// Each closure of an entrance that has others than one door, by its kind, with its id where there are several of the kind.
function closures(entrance) {
  const all = entrance.closures ?? [];
  if (!all.length) return null;
  return h("ul", { class: "closures" }, all.map((one) => {
    const state = STATES.includes(one.state) ? one.state : "unknown";
    return h("li", { class: `${one.is_private ? state : "shared"}${one.position === "here" ? " here" : ""}`, "aria-current": one.position === "here" ? "step" : null },
      called(one, all), " ", h("b", {}, say(`closure.${state}`)),
      one.position && h("span", { class: "position" }, say(W[one.way] ? one.way : `way.${one.position}`)));
  }));
}

function visit(entrance, { may, order }) {
  const one = entrance.visit;
  if (!one) return null;
  const about = { entrance: entrance.id, visit: one.id };
  const asks = may("decide_at_door") && one.may_veto;
  return h("section", { class: "visit" }, h("h4", {}, say("visit.title")), h("p", { class: "phase" }, phase(entrance)),
    one.brand && h("p", {}, name(one.brand), one.place && " · ", one.place && name(one.place)),
    asks && one.deadline && h("p", { class: "countdown" }, left(one.deadline)),
    asks && h("div", { class: "wishes" },
      one.asks && twice(say("away.do.approve"), () => order({ do: "approve", ...about }, entrance.name), { kind: "", key: `approve ${one.id}` }),
      twice(say("away.do.veto"), () => order({ do: "veto", ...about }, entrance.name), { kind: "stop", key: `veto ${one.id}` })));
}

function wishes(entrance, alone, { may, order, live }) {
  const { id, door: word, visit: running } = entrance;
  const of = entrance.name;
  return h("div", { class: "wishes" },
    word === "handed" && running && may("acknowledge") && twice(say("acknowledge"), () => order({ do: "acknowledge", entrance: id, visit: running.id }, of), { of, key: `acknowledge ${running.id}` }),
    may("lock") && !running && word !== "locked" && twice(say("away.do.lock"), () => order({ do: "lock", entrance: id }, of), { of, key: `lock ${id}` }),
    may("stop") && !entrance.stopped && !alone && twice(say("away.stop.one"), () => order({ do: "stop", entrance: id }, of), { of, key: `stop ${id}` }),
    may("watch_live") && (entrance.cameras ?? []).filter((one) => one.watch).map((one) => h("button", { type: "button", class: "quiet", "data-key": `live ${one.id}`, press: () => live(one.id) }, say("away.live", { camera: plain(one.name ?? one.id) }))));
}

export function doors(state, acts) {
  return state.entrances.map((entrance) => h("article", { class: "entrance", "data-entrance": entrance.id },
    h("h3", {}, name(entrance.name)), door(entrance), closures(entrance),
    entrance.stopped && h("p", { class: "notice bad" }, say("away.stopped")),
    entrance.safe_mode && h("p", { class: "notice bad" }, say("safe_mode")),
    entrance.incident && h("p", { class: "notice bad" }, say("incident")),
    entrance.pause && h("p", { class: "notice" }, say("away.paused", { until: moment(entrance.pause.until, state.timezone) })),
    visit(entrance, acts), wishes(entrance, state.entrances.length === 1, acts), next(entrance.next, state.timezone)));
}

function next(one, zone) {
  return h("p", { class: "next" }, h("b", {}, say("next.title")), h("br"),
    one ? [name(one.brand), " · ", name(one.place), h("br"), windowOf(one.start, one.end, zone)] : say("next.none"));
}

export function messages(said, state) {
  if (!said.length) return [h("p", {}, say("away.messages.none"))];
  return [h("ul", { class: "people" }, said.map((one) => h("li", {}, h("time", { datetime: one.at }, moment(one.at, state.timezone)), h("span", { class: one.urgent ? "bad" : "" }, name(one.text)))))];
}
