// Draws windows on an axis of time: bars in lanes, and lines at single moments, whose texts have rows of their own.
import { h, hourText, name, plain } from "./dom.js";

const HOUR_MS = 3_600_000;
const MAX_LANES = 14;
const STEPS_H = [1, 2, 3, 4, 6]; // between two hours that are written
const MAX_HOURS_WRITTEN = 7;
const LABEL_PART = 0.45; // of the picture's width, for the text of a mark on a phone
const HOUR_PART = 0.12; // the same for the text of an hour

// Give each thing (`start`, `end`) the first lane that is free when it begins, so that none lies over another.
function laned(things) {
  const ends = [];
  return things.toSorted((one, other) => one.start - other.start).map((thing) => {
    const free = ends.findIndex((end) => end <= thing.start);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = thing.end;
    return { ...thing, lane };
  });
}

function hoursOf(from, to) {
  const every = STEPS_H.find((step) => (to - from) / HOUR_MS / step <= MAX_HOURS_WRITTEN) ?? 12;
  const at = new Date(from);
  at.setMinutes(0, 0, 0);
  const found = [];
  for (const last = to - HOUR_PART * (to - from); at <= last; at.setHours(at.getHours() + 1)) {
    if (at.getHours() % every === 0 && at >= from) found.push(new Date(at));
  }
  return found;
}

// Draw `bars` (`start`, `end`, `tone`, `text`, `label`, `href`) and `marks` (`at`, `text`) between two moments, all in
// milliseconds. Return the picture, and how many bars had no room in it.
export function axis({ from, to, bars, marks, label }) {
  const part = (at) => `${(100 * (Math.min(Math.max(at, from), to) - from)) / (to - from)}%`;
  const placed = laned(bars.map((bar) => ({ ...bar, start: Math.max(bar.start, from), end: Math.min(bar.end, to) })));
  const shown = placed.filter((bar) => bar.lane < MAX_LANES);
  const lanes = 1 + Math.max(0, ...shown.map((bar) => bar.lane));
  const at = (made, left, facts = {}) => {
    made.style.setProperty("--at", left);
    for (const [fact, value] of Object.entries(facts)) made.style.setProperty(fact, value);
    return made;
  };
  const hours = hoursOf(from, to).map((hour) => at(h("span", { class: "hour" }, h("span", {}, hourText(hour))), part(hour.getTime())));
  const width = LABEL_PART * (to - from);
  const inside = marks.filter((mark) => mark.at >= from && mark.at <= to);
  const labelled = laned(inside.map((mark) => {
    const isLeft = mark.at + width > to; // a text on the right of its line would hang out of the picture
    return { ...mark, isLeft, start: isLeft ? mark.at - width : mark.at, end: isLeft ? mark.at : mark.at + width };
  }));
  const line = ({ kind, isLeft, text }) => h("span", { class: `mark ${kind ?? ""} ${isLeft ? "left" : ""}` }, h("span", {}, text));
  const lines = labelled.map((mark) => at(line(mark), part(mark.at), { "--row": mark.lane }));
  const list = h("ol", { class: "lanes" }, shown.map((bar) => {
    const text = h("span", { class: "bar-text" }, name(bar.text)), tone = `bar ${bar.tone}`, label = plain(bar.label);
    const made = bar.href
      ? h("a", { class: tone, href: bar.href, "aria-label": label, title: label, "data-key": `${bar.href} ${label}` }, text)
      : h("span", { class: tone }, text);
    return at(h("li", {}, made), part(bar.start), { "--to": part(bar.end), "--lane": bar.lane });
  }));
  const picture = h("div", { class: "axis", role: "group", "aria-label": label },
    h("div", { class: "hours", "aria-hidden": "true" }, hours), list, h("div", { class: "marks" }, lines));
  picture.style.setProperty("--lanes", lanes);
  picture.style.setProperty("--rows", Math.max(0, ...labelled.map((mark) => mark.lane + 1)));
  return { picture, hidden: placed.length - shown.length };
}
