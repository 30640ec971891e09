// Keeps a page true: puts in what changed, says how old everything is, and greys it all when the box is not heard.
import { drawRing } from "./ring.js";

export const words = JSON.parse(document.body.dataset.words);
const SILENCE = 3000; // milliseconds without a beat after which nothing shown is certain any more
let skew = 0; // the box's clock minus this device's, milliseconds
let heard = Date.now(); // this page itself has just come from the box

function age(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return words["age.days"].replace("{n}", Math.round(seconds / 86400));
}

function tellAges() {
  const now = Date.now() + skew;
  for (const time of document.querySelectorAll("time[data-age]")) {
    const passed = now - Date.parse(time.dateTime);
    time.textContent = passed < 2000 ? words["age.now"] : words["age.ago"].replace("{age}", age(passed));
  }
  for (const time of document.querySelectorAll("time[data-until]")) {
    time.textContent = words["age.left"].replace("{age}", age(Date.parse(time.dateTime) - now));
    drawRing(time, now);
  }
}

export function lose() {
  heard = 0;
  lookAtLink();
}

function lookAtLink() {
  const up = Date.now() - heard < SILENCE;
  const link = document.getElementById("link");
  const text = up ? words["link.up"] : words["link.down"];
  document.body.classList.toggle("down", !up);
  link.classList.toggle("down", !up);
  if (link.textContent !== text) link.textContent = text;
}

// What a button or a fold is for: one of the same form and value is the same one after a repaint.
function key(element) {
  return element.id || `${element.closest("form")?.getAttribute("action")} ${element.value ?? ""}`;
}

// A field is the same one after a repaint, and what was typed in it stays.
function field(element) {
  return `${element.form?.getAttribute("action")} ${element.name}`;
}

// While a person holds a button of a part down, the page does not replace the part: it would lose the press.
const LONGEST_PRESS = 1000; // milliseconds
let pressed = null;
let release; // the timer that ends a press whose end the page does not see
const waiting = {}; // what is painted after the press

function pressEnds() {
  clearTimeout(release);
  setTimeout(() => { // after the click that this release makes
    pressed = null;
    const parts = { ...waiting };
    for (const name of Object.keys(waiting)) delete waiting[name];
    put(parts);
  });
}

addEventListener("pointerdown", (event) => {
  pressed = event.target.closest?.("[data-part]") ?? null;
  clearTimeout(release);
  release = setTimeout(pressEnds, LONGEST_PRESS);
}, true);
for (const ends of ["pointerup", "pointercancel"]) addEventListener(ends, pressEnds, true);

function put(parts) {
  for (const [name, html] of Object.entries(parts)) {
    for (const place of document.querySelectorAll(`[data-part="${CSS.escape(name)}"]`)) {
      if (place === pressed) { waiting[name] = html; continue; }
      if (place.dataset.shown === html) continue;
      const focused = place.contains(document.activeElement) ? key(document.activeElement) : null;
      const open = new Set([...place.querySelectorAll("details[open]")].map(key));
      const fields = () => [...place.querySelectorAll("input:not([type=hidden])")];
      const typed = new Map(fields().filter((one) => one.value !== one.defaultValue).map((one) => [field(one), one.value]));
      const typing = place.contains(document.activeElement) && document.activeElement.matches("input") ? field(document.activeElement) : null;
      place.innerHTML = html; // the box's own template: everything in it was escaped there
      place.dataset.shown = html;
      for (const one of place.querySelectorAll("details")) one.open = open.has(key(one));
      for (const one of fields()) if (typed.has(field(one))) one.value = typed.get(field(one));
      if (typing !== null) fields().find((one) => field(one) === typing)?.focus();
      else if (focused !== null) [...place.querySelectorAll("button")].find((one) => key(one) === focused)?.focus();
    }
  }
}

export function hear(said) {
  if (said.beat !== undefined) { heard = Date.now(); skew = said.beat - heard; }
  if (said.down) heard = 0;
  if (said.parts) put(said.parts);
  lookAtLink();
  tellAges();
}

export function start() {
  lookAtLink();
  tellAges();
  setInterval(() => { lookAtLink(); tellAges(); }, 500);
}
