// Makes the console's elements, and puts times into words. What the hub sends goes in as text: nothing here reads markup.
const TEXTS = JSON.parse(document.body.dataset.texts);
export const HUB = document.body.dataset.hub;
const LANGUAGE = document.documentElement.lang;
const LOCALE = LANGUAGE === "en" ? "en-GB" : LANGUAGE; // of dates: 24 hours, the day before the month
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu; // control and direction characters
const MAX_CHARS = 500; // of one text from the hub
const SURE_MS = 10_000; // for the second press

export function say(key, facts = {}) {
  return Object.entries(facts).reduce((text, [fact, value]) => text.replace(`{${fact}}`, () => String(value)), TEXTS[key] ?? key);
}

export const plain = (text) => String(text ?? "").replace(UNSEEN, "").slice(0, MAX_CHARS);
export const name = (text) => h("bdi", {}, plain(text));

// A value of the API in words; a value that this page does not know yet is shown as it is.
export const word = (kind, value) => TEXTS[`${kind}.${value}`] ?? plain(value);
export const words = (kind) => Object.keys(TEXTS).filter((key) => key.startsWith(`${kind}.`)).map((key) => key.slice(kind.length + 1));

function filled(made, facts, inside) {
  for (const [fact, value] of Object.entries(facts)) {
    if (fact.startsWith("on")) made.addEventListener(fact.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(fact, value === true ? "" : value);
  }
  made.append(...inside.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

// An element. Attributes are this page's own; its content is text or other elements.
export const h = (tag, facts = {}, ...inside) => filled(document.createElement(tag), facts, inside);
const drawn = (tag, facts = {}, ...inside) => filled(document.createElementNS("http://www.w3.org/2000/svg", tag), facts, inside);

const SIGNS = { // paths in a square of 24
  good: "M6 12.5l4 4 8-9", warn: "M12 6v7M12 17v.5", bad: "M7 7l10 10M17 7L7 17", over: "M6 12h12",
  active: "M12 7v5l3.5 2", coming: "M8 12h8M13 9l3 3-3 3", wait: "M7 12h.5M11.75 12h.5M16.5 12h.5",
};

// The sign of a tone: its shape has the same meaning as its colour.
export function sign(tone) {
  return drawn("svg", { class: `sign ${tone}`, viewBox: "0 0 24 24", width: 24, height: 24, "aria-hidden": "true", focusable: "false" },
    drawn("circle", { cx: 12, cy: 12, r: 10.5 }), drawn("path", { d: SIGNS[tone] ?? SIGNS.wait }));
}

const TONES = {
  awaiting_label: "wait", awaiting_permission: "wait", scheduled: "coming", window_open: "active", visiting: "active",
  delivered: "good", partly_delivered: "warn", not_delivered: "bad", collected: "good", partly_collected: "warn",
  not_collected: "bad", refused: "bad", cancelled: "over", expired: "bad",
};
export const STATES = Object.keys(TONES);
export const toneOf = (state) => TONES[state] ?? "wait";
export const standing = (state) => h("span", { class: "standing" }, sign(toneOf(state)), h("span", {}, word("state", state)));

const isFirst = ({ type, value }) => LANGUAGE === "fr" && type === "day" && value === "1"; // French says the first of a month
const format = (at, options) => new Intl.DateTimeFormat(LOCALE, options).formatToParts(at)
  .map((part) => (isFirst(part) ? "1er" : part.value)).join("");
const DAY = { weekday: "short", day: "numeric", month: "short" };
const HOUR = { hour: "2-digit", minute: "2-digit" };
export const hourText = (at) => format(new Date(at), HOUR);
export const dayText = (at) => format(new Date(at), { ...DAY, weekday: "long", year: "numeric", month: "long" });
const near = (at) => (at.getFullYear() === new Date().getFullYear() ? DAY : { ...DAY, year: "numeric" });

// A moment in the reader's zone; its title is the moment in UTC, as the API tells it.
export function when(at, { seconds = false } = {}) {
  const moment = new Date(at);
  if (Number.isNaN(moment.getTime())) return "-";
  return h("time", { datetime: at, title: at }, format(moment, { ...near(moment), ...HOUR, ...(seconds ? { second: "2-digit" } : {}) }));
}

export function windowText({ start, end }) {
  const [from, to] = [new Date(start), new Date(end)];
  if ([from, to].some((at) => Number.isNaN(at.getTime()))) return "-";
  const day = (at) => format(at, near(at));
  if (day(from) === day(to)) return say("window.day", { day: day(from), start: hourText(from), end: hourText(to) }).replace(" - ", "\u00a0-\u00a0");
  return say("window.days", { start: `${day(from)} ${hourText(from)}`, end: `${day(to)} ${hourText(to)}` });
}

// The hours of a window alone, where its day stands beside it.
export function hoursText({ start, end }) {
  const [from, to] = [new Date(start), new Date(end)];
  return from.toDateString() === to.toDateString() ? `${hourText(from)} - ${hourText(to)}` : windowText({ start, end });
}

// A list of names and values; a pair without a value is left out.
export function factList(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", {}, known.map(([key, value]) => h("div", {}, h("dt", {}, say(key)), h("dd", {}, value))));
}

export const button = (label, onclick, { kind = "", of = "", ...more } = {}) =>
  h("button", { type: "button", class: kind, onclick, "aria-label": of && `${label}: ${plain(of)}`, ...more }, label);

// Which buttons were pressed once, and until when the second press counts: by their `data-key`, so that a button that is
// drawn anew in between still asks for the second press.
const pressed = new Map();

// A button that acts at its second press.
export function sure(label, act, { "data-key": key, kind = "quiet", of = "" }) {
  const made = button(label, () => {
    const isSure = isPressed();
    pressed.set(key, isSure ? 0 : Date.now() + SURE_MS);
    look();
    if (isSure) act();
  }, { kind, "data-key": key });
  const isPressed = () => (pressed.get(key) ?? 0) > Date.now();
  function look() {
    made.textContent = isPressed() ? say("sure", { what: label }) : label;
    made.classList.toggle("sure", isPressed());
    if (of) made.setAttribute("aria-label", `${made.textContent}: ${plain(of)}`);
    if (isPressed()) setTimeout(look, pressed.get(key) - Date.now() + 1);
  }
  look();
  return made;
}

// What a form does when it is sent; while that is being done, it is not sent again.
export function submitted(act) {
  let busy = false;
  return async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    try { await act(); } finally { busy = false; }
  };
}

// A text to copy.
export function copied(text, label) {
  const code = h("code", { tabindex: 0, role: "group", "aria-label": label }, text);
  const copy = button(say("copy"), async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = say("copy.done");
    } catch { // the browser does not permit it: the user copies the selected text
      getSelection().selectAllChildren(code);
    }
  }, { kind: "quiet", of: label });
  return h("div", { class: "copied" }, h("pre", {}, code), copy);
}

// JSON for people; control characters are escaped.
export const jsonText = (value) => JSON.stringify(value, null, 2).replace(/[\p{Cf}\u007f-\u009f\u2028\u2029]/gu,
  (unseen) => [...Array(unseen.length).keys()].map((at) => `\\u${unseen.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""));

// Put other elements in a place. By `data-key` the focus stays where it was, and what was opened stays open.
export function put(place, ...inside) {
  const key = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const opened = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  place.replaceChildren(...inside.flat(Infinity).filter(Boolean));
  for (const one of place.querySelectorAll("details[data-key]")) one.open = opened.has(one.dataset.key);
  if (key !== undefined) [...place.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key)?.focus();
}

// A value as the API tells it, folded away.
export const asJson = (value, key) => h("details", { "data-key": key }, h("summary", { "data-key": `${key} fold` }, say("as_json")),
  h("pre", { tabindex: 0 }, h("code", {}, jsonText(value))));
