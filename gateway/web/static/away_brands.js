// The brands: what they ask for, the terms under which they are let in, and their new keys. As on the house's own page.
import { h, hours, moment, name, names, plain, say, twice } from "./away_view.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const placesOf = (state) => {
  const all = state.entrances.flatMap((one) => one.places ?? []);
  return all.filter((one, at) => all.findIndex((other) => other.id === one.id) === at);
};

// What is asked for or allowed, under the house's own names of entrances and places.
function told(of, state) {
  const named = (all, known) => (all === null || all === undefined ? say("brand.asked.any") : names(all.map((id) => known.find((one) => one.id === id)?.name ?? id)));
  const days = DAYS.filter((day) => (of.days ?? []).includes(day)).map((day) => say(`day.${day}`)).join(", ");
  return h("dl", {}, h("dt", {}, say("brand.where")), h("dd", {}, named(of.entrances, state.entrances)),
    h("dt", {}, say("brand.places")), h("dd", {}, named(of.places, placesOf(state))),
    h("dt", {}, say("brand.carriers")), h("dd", {}, names(of.carriers)),
    h("dt", {}, say("brand.when")), h("dd", {}, `${days}, ${hours(of.hours)}`, of.ask_each_time && `, ${say("brand.ask")}`,
      of.expires && `, ${say("away.until", { day: moment(of.expires, state.timezone) })}`, of.hub_signed && ", ", of.hub_signed && h("b", { class: "bad" }, say("brand.hub_signed"))),
    h("dt", {}, say("brand.openings")), h("dd", {}, plain(of.openings ?? 1)));
}

const check = (field, value, label, checked) => h("label", { class: "check" }, h("input", { type: "checkbox", name: field, value, checked }), " ", label);
const group = (label, ...inside) => h("fieldset", {}, h("legend", {}, label), ...inside);

// The last whole day, where an expiry is the instant after it.
function lastDay(expires, zone) {
  if (!expires) return "";
  const parts = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit", timeZone: zone });
  return parts.format(new Date(Date.parse(expires) - 1));
}

// The box takes a last day up to ten years ahead (gateway/domain/day.py).
function latestDay() {
  const day = new Date();
  day.setFullYear(day.getFullYear() + 10);
  return day.toISOString().slice(0, 10);
}

// The form of the terms: prefilled with what stands, the garage first. It is never sent: what is in it is signed.
function form(one, state) {
  const { terms } = one;
  const [from, to] = String(terms.hours ?? "00:00-24:00").split("-");
  const text = (field, value, more) => h("input", { name: field, value: plain(value), ...more });
  const entrances = [...state.entrances].sort((a, b) => Number(a.living_space) - Number(b.living_space));
  const garage = entrances.some((each) => !each.living_space);
  return h("div", { class: "terms" }, garage ? h("p", { class: "small" }, say("brand.widen")) : null,
    group(say("brand.where"), entrances.map((each) => check("entrance", each.id, name(each.name), terms.entrances.includes(each.id)))),
    group(say("brand.places"), placesOf(state).map((each) => check("place", each.id, name(each.name), terms.places.includes(each.id)))),
    group(say("brand.when"), DAYS.map((day) => check("day", day, say(`day.${day}`), terms.days.includes(day))),
      h("label", {}, `${say("brand.from")} `, text("from", from, { pattern: "[0-2][0-9]:[0-5][0-9]", required: true })),
      h("label", {}, `${say("brand.to")} `, text("to", to, { pattern: "[0-2][0-9]:[0-5][0-9]", required: true }))),
    h("label", {}, `${say("brand.carriers.how")} `, text("carriers", terms.carriers.join(", "))),
    check("each", "1", say("brand.ask"), terms.ask_each_time),
    h("label", {}, `${say("brand.openings")} `, text("openings", terms.openings ?? 1, { type: "number", min: 1, max: 10, required: true })),
    h("label", {}, `${say("brand.until.how")} `, text("until", lastDay(terms.expires, state.timezone), { type: "date", min: "2000-01-01", max: latestDay() })),
    check("hub_signed", "1", say("brand.hub_signed.let"), terms.hub_signed), h("p", { class: "small bad" }, say("brand.hub_signed.sure")));
}

function chosen(place) {
  const all = (field) => [...place.querySelectorAll(`[name=${field}]`)];
  const ticked = (field) => all(field).filter((one) => one.checked).map((one) => one.value);
  const value = (field) => all(field)[0].value.trim();
  return {
    entrances: ticked("entrance"), places: ticked("place"), days: ticked("day"), hours: `${value("from")}-${value("to")}`,
    carriers: value("carriers").split(",").map((one) => one.trim()).filter(Boolean), ask_each_time: ticked("each").length > 0,
    openings: Number(value("openings")), hub_signed: ticked("hub_signed").length > 0, ...(value("until") ? { until: value("until") } : {}),
  };
}

// Let in under the terms of the form; what cannot be meant is not sent.
function permitting(one, state, { order }) {
  const place = form(one, state);
  const permit = () => {
    const wrong = [...place.querySelectorAll("input")].find((field) => !field.checkValidity());
    if (wrong) wrong.reportValidity();
    else order({ do: "permit", brand: one.id, ask: one.ask, terms: chosen(place) }, one.name);
  };
  return h("details", { open: one.open, "data-brand": `terms ${one.id}` }, h("summary", {}, say("brand.terms")), place,
    h("div", { class: "wishes" }, twice(say("brand.permit.so"), permit, { kind: "", of: one.name, key: `permit ${one.id} ${one.ask}` })));
}

function asking(one, state, acts) {
  const { may, order } = acts;
  const by = one.open && one.asked;
  return h("article", { class: "brand", "data-brand": one.id }, h("h3", {}, name(one.name), " ", h("b", {}, say("brand.pending"))),
    one.hub && h("p", { class: "small" }, say("away.asked_by", { hub: plain(one.hub) })),
    (one.fingerprints ?? []).map((each) => h("p", {}, `${say("brand.key")} `, h("code", { class: "fingerprint" }, plain(each)))),
    by && !one.fingerprints?.length && h("p", { class: "notice bad" }, say("brand.keyless")),
    told(by ? one.asked : one.terms, state),
    may("decide_brands") && permitting(one, state, acts),
    may("decide_brands") && h("div", { class: "wishes" }, twice(say("away.do.refuse"), () => order({ do: "refuse", brand: one.id }, one.name), { of: one.name, key: `refuse ${one.id}` })));
}

function waitingKey(one, key, { may, order }) {
  const judge = (label, word, kind) => twice(label, () => order({ do: word, brand: one.id, key: key.key }, one.name), { kind, of: one.name, key: `${word} ${one.id} ${key.key}` });
  return h("article", { class: "brand", "data-key-of": one.id }, h("h3", {}, name(one.name), " ", h("b", {}, say("away.key"))), h("p", { class: "small" }, say("brand.new_key.why")),
    h("p", {}, `${say("brand.key")} `, h("code", { class: "fingerprint" }, plain(key.fingerprint))),
    may("decide_brands") && h("div", { class: "wishes" }, judge(say("away.do.approve-key"), "approve-key", ""), judge(say("away.do.refuse-key"), "refuse-key", "quiet")));
}

// What waits for somebody's yes: brands, and new keys of those that are let in.
export function waiting(state, acts) {
  const asks = state.brands.filter((one) => one.standing === "pending" || one.open).map((one) => asking(one, state, acts));
  const keys = state.brands.flatMap((one) => (one.keys ?? []).map((key) => waitingKey(one, key, acts)));
  return [...keys, ...asks];
}

export function brands(state, acts) {
  const { may, order } = acts;
  const others = state.brands.filter((one) => one.standing !== "pending" && !one.open);
  if (!others.length) return [h("p", {}, say("away.brands.none"))];
  return others.map((one) => h("details", { "data-brand": one.id }, h("summary", {}, name(one.name), " ", h("b", {}, say(`brand.${one.standing}`))), told(one.terms, state),
    may("decide_brands") && one.standing === "granted" && h("div", { class: "wishes" }, twice(say("away.do.revoke"), () => order({ do: "revoke", brand: one.id }, one.name), { kind: "stop", of: one.name, key: `revoke ${one.id}` })),
    may("decide_brands") && permitting(one, state, acts)));
}
