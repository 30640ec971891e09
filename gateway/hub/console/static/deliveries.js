// The page of all deliveries: the windows of one day as a picture, then the list, looked up by one field.
import { Refused } from "./api.js";
import { axis } from "./axis.js";
import { HUB, STATES, button, copied, dayText, h, name, put, say, sign, standing, submitted, toneOf, when, windowText, word } from "./dom.js";

const DAY_LIMIT = 300; // deliveries in the picture: three pages of the API
const HOUR_MS = 3_600_000;
// What the search looks up, in this order, and how such a value looks: the first that finds something counts.
const LOOKED_UP = { name: /^[A-Za-z0-9._-]{1,64}$/, parcel: /^[^ ]{1,80}$|^\(/, reference: /^[ -~À-ÿ]{1,80}$/ };
const FILTERS = { brand: "fact.brand", carrier: "fact.carrier", connection: "fact.connection", reference: "fact.reference" };
const RELOAD_MS = 1500; // at most so often while events come
const LOAD_SHARE = 10; // and at most this part of the time is spent on it

const two = (number) => String(number).padStart(2, "0");
const dateText = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;

// A day of the reader's zone, which may have 23 or 25 hours.
function dayOf(text) {
  const [year, month, day] = /^\d{4}-\d\d-\d\d$/.test(text ?? "") ? text.split("-").map(Number) : dateText(new Date()).split("-").map(Number);
  const at = (days) => new Date(year, month - 1, day + days);
  return { start: at(0), end: at(1), before: dateText(at(-1)), after: dateText(at(1)) };
}

const windowsOf = ({ start, end }) => ({ window_after: start.toISOString(), window_before: end.toISOString() });

async function ofDay(hub, day, filters, signal) {
  const found = [];
  for (let cursor = ""; found.length < DAY_LIMIT;) {
    const page = await hub.get("v1/deliveries", { ...windowsOf(day), ...filters, limit: 100, cursor }, signal);
    found.push(...page.data);
    if (page.next === null) return { found, more: false };
    cursor = page.next;
  }
  return { found, more: true };
}

// Only the hours that have windows, so that a bar is wide enough for its name.
function span(day, bars, now) {
  const today = now >= day.start.getTime() && now < day.end.getTime();
  const starts = bars.map((bar) => bar.start), ends = bars.map((bar) => bar.end);
  const from = Math.max(day.start.getTime(), Math.min(...starts, ...(today ? [now] : [])) - HOUR_MS / 2);
  const to = Math.min(day.end.getTime(), Math.max(...ends, ...(today ? [now] : [])) + HOUR_MS / 2);
  return { from, to: Math.max(to, from + 4 * HOUR_MS) };
}

// One bar for all deliveries of a state and, to the half hour, of a window.
function grouped(found, address) {
  const groups = new Map(), half = (at) => Math.round(Date.parse(at) / (HOUR_MS / 2)) * (HOUR_MS / 2);
  for (const { window, state } of found) {
    const [start, end] = [half(window.start), Math.max(half(window.end), half(window.start) + HOUR_MS / 2)];
    const key = `${start} ${end} ${state}`;
    groups.set(key, { start, end, state, count: (groups.get(key)?.count ?? 0) + 1 });
  }
  return [...groups.values()].map(({ start, end, state, count }) => {
    const text = `${count} × ${word("state", state)}`;
    return { start, end, tone: toneOf(state), text, label: `${text}, ${windowText({ start, end })}`, href: address({ state, only: "day" }) };
  });
}

function picture(day, { found, more }, address) {
  const now = Date.now();
  const bars = found.map((one) => ({
    start: Date.parse(one.window.start), end: Date.parse(one.window.end), tone: toneOf(one.state), text: one.name,
    label: `${one.name}, ${word("state", one.state)}, ${windowText(one.window)}, ${one.carrier}`, href: `#/deliveries/${one.id}`,
  }));
  const label = say("day.picture", { day: dayText(day.start) });
  const draw = (all) => axis({ ...span(day, all, now), bars: all, marks: [{ at: now, text: say("now"), kind: "now" }], label });
  let drawn = bars.length ? draw(bars) : null;
  if (drawn?.hidden) drawn = draw(grouped(found, address));
  const counts = STATES.map((state) => [state, found.filter((one) => one.state === state).length]).filter(([, count]) => count);
  return [
    drawn?.picture ?? h("p", { class: "soft" }, say("day.empty")),
    drawn?.hidden ? h("p", { class: "soft" }, say("day.hidden", { n: drawn.hidden })) : null,
    more ? h("p", { class: "soft" }, say("day.more", { n: DAY_LIMIT })) : null,
    h("ul", { class: "legend" }, counts.map(([state, count]) => h("li", {},
      h("a", { href: address({ state, only: "day" }), "data-key": `state ${state}` }, sign(toneOf(state)), h("span", {}, `${word("state", state)} `, h("b", {}, count)))))),
  ];
}

// The field may contain a name, a parcel's number or a customer's reference.
async function lookUp(hub, text, query, signal) {
  for (const field of Object.keys(LOOKED_UP).filter((one) => LOOKED_UP[one].test(text))) {
    try {
      const page = await hub.get("v1/deliveries", { ...query, [field]: text }, signal);
      if (page.data.length) return { field, page };
    } catch (failure) {
      if (!(failure instanceof Refused) || failure.code !== "invalid") throw failure; // it cannot be such a value
    }
  }
  return { field: "name", page: { data: [], next: null } };
}

function parcelText({ missing, parcels }) {
  return missing ? say("parcels.missing", { n: missing, of: parcels.length }) : say("parcels", { n: parcels.length });
}

function row(one) {
  return h("li", {}, h("a", { class: "row", href: `#/deliveries/${one.id}`, "data-key": one.id },
    h("b", {}, name(one.name)), standing(one.state), h("span", {}, windowText(one.window)),
    h("span", { class: "soft" }, name(one.carrier), " · ", name(one.entrance), " · ", parcelText(one))));
}

// An order for tomorrow that a home of this retailer would take, if there is one: its connection, and its fields.
async function firstOrder(hub, signal) {
  const [connection] = (await hub.get("v1/connections", { state: "granted", limit: 1 }, signal)).data;
  const { entrances, places, carriers } = connection?.terms ?? {};
  const order = { name: "ORD-4711", entrance: entrances?.[0] ?? "front", place: places?.[0] ?? "hall", carrier: carriers?.[0] ?? "Colissimo" };
  return { connection: connection?.id ?? "con-...", order, parcels: ["8L20524752032"] };
}

function curlOf({ connection, order, parcels }) {
  const start = new Date(Date.now() + 24 * HOUR_MS);
  start.setMinutes(0, 0, 0);
  const window = { start: start.toISOString(), end: new Date(start.getTime() + 2 * HOUR_MS).toISOString() };
  const body = JSON.stringify({ connection, delivery: { ...order, window, parcels } }, null, 2).replaceAll("'", "'\\''");
  return [`curl ${HUB}/v1/deliveries`, `-H "Authorization: Bearer $PERRON_API_KEY"`, "-H 'Content-Type: application/json'", `-d '${body}'`]
    .join(" \\\n  ");
}

function pythonOf({ connection, order, parcels }) {
  const fields = Object.entries(order).map(([field, value]) => `    ${field}=${JSON.stringify(value)},\n`).join("");
  return `import os
from datetime import UTC, datetime, timedelta

from perron.sdk import Client
from perron.sdk.models import NewDeliveryOrder, NewPlainDelivery, NewWindow

start = datetime.now(UTC) + timedelta(days=1)
order = NewDeliveryOrder(
${fields}    window=NewWindow(start=start, end=start + timedelta(hours=2)),
    parcels=${JSON.stringify(parcels)},
)
with Client(${JSON.stringify(HUB)}, os.environ["PERRON_API_KEY"]) as hub:
    made = hub.create_delivery(NewPlainDelivery(connection=${JSON.stringify(connection)}, delivery=order))
print(made.state)
`;
}

async function empty(about, filtered) {
  if (filtered) return [h("p", {}, say("deliveries.none_found")), h("p", {}, h("a", { href: "#/deliveries" }, say("deliveries.all")))];
  if (about.right === "carrier") return [h("p", {}, say("deliveries.none_carrier"))];
  const first = await firstOrder(about.hub, about.signal);
  return [h("p", {}, say("deliveries.none")), copied(curlOf(first), say("deliveries.first")),
    h("p", {}, say("deliveries.python")), copied(pythonOf(first), say("deliveries.first_python"))];
}

// The filters in use, each with a link that removes it.
function chips(filters, address) {
  const set = Object.entries(filters).filter(([, value]) => value);
  const cross = () => [h("span", { "aria-hidden": "true" }, "✕"), h("span", { class: "unseen" }, say("filter.remove"))];
  return h("p", { class: "choices" }, set.map(([field, value]) =>
    h("a", { class: "button quiet", href: address({ [field]: "" }) }, say("filter.of", { field: say(FILTERS[field]) }), " ", name(value), " ", cross())));
}

function searchForm({ text, state, onlyDay }, choose) {
  const field = h("input", { type: "search", value: text, maxlength: 120, autocomplete: "off", spellcheck: "false" });
  const options = ["", ...STATES].map((one) => h("option", { value: one, selected: one === state }, one ? word("state", one) : say("state_any")));
  const which = h("select", {}, options), only = h("input", { type: "checkbox", checked: onlyDay });
  const chosen = () => choose({ q: field.value.trim(), state: which.value, only: only.checked ? "day" : "" });
  for (const one of [which, only]) one.addEventListener("change", chosen);
  return h("form", { class: "search", role: "search", onsubmit: submitted(chosen) }, h("label", {}, say("deliveries.search"), field),
    h("label", {}, say("deliveries.state"), which), h("label", { class: "check" }, only, say("deliveries.only_day")), h("button", {}, say("search")));
}

export async function deliveries(place, about) {
  const { hub, params, signal } = about;
  const given = (key) => params.get(key) ?? "";
  const [text, state, cursor, onlyDay] = [given("q"), given("state"), given("cursor"), given("only") === "day"];
  if (text.startsWith("dlv-")) { about.go(`/deliveries/${text}`); return {}; }
  const day = dayOf(given("day"));
  const filters = Object.fromEntries(Object.keys(FILTERS).map((field) => [field, given(field)]));
  const address = (change) => about.address("/deliveries", { q: text, state, day: given("day"), only: given("only"), ...filters, ...change });

  const drawn = h("div"), rows = h("div");
  const choose = (key, change) => h("a", { class: "button quiet", href: address(change) }, say(key));
  const days = [choose("day.before", { day: day.before }), choose("day.today", { day: "" }), choose("day.after", { day: day.after })];
  place.append(h("h1", {}, say("page.deliveries")),
    h("section", { class: "card", "aria-labelledby": "day" },
      h("div", { class: "bar-of" }, h("h2", { id: "day" }, dayText(day.start)), h("p", { class: "choices" }, days)), drawn),
    searchForm({ text, state, onlyDay }, (change) => about.go(address(change))), chips(filters, address), rows);

  async function load() {
    const query = { ...filters, ...(onlyDay ? windowsOf(day) : {}), state, limit: 20, cursor };
    const [ofThatDay, { field, page }] = await Promise.all([
      ofDay(hub, day, filters, signal),
      text ? lookUp(hub, text, query, signal) : hub.get("v1/deliveries", query, signal).then((all) => ({ field: "", page: all })),
    ]);
    const isFiltered = [text, state, cursor, onlyDay, ...Object.values(filters)].some(Boolean);
    const none = page.data.length ? null : await empty(about, isFiltered);
    put(drawn, picture(day, ofThatDay, address));
    put(rows, field && page.data.length ? h("p", { class: "soft" }, say(`found.${field}`), " ", name(text)) : null,
      none ?? h("ul", { class: "rows" }, page.data.map(row)),
      h("p", { class: "choices" },
        cursor ? h("a", { class: "button quiet", href: address({}) }, say("page.first")) : null,
        page.next ? h("a", { class: "button quiet", href: address({ cursor: page.next }), "data-key": "next" }, say("page.next")) : null,
        button(say("refresh"), () => about.attempt(load), { kind: "quiet", "data-key": "refresh" })),
      h("p", { class: "soft" }, say("as_of"), " ", when(new Date().toISOString(), { seconds: true })));
  }
  const reload = about.eased(load, RELOAD_MS, LOAD_SHARE);
  await load();
  return { onEvent: (event) => { if (event.type.startsWith("delivery.")) reload(); } };
}
