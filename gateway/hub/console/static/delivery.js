// The page of one delivery: how far it is as a picture, what it promises, each step, and what may be done with it.
import { newIdempotencyKey } from "./api.js";
import { axis } from "./axis.js";
import { asJson, button, copied, factList, h, name, plain, put, say, sign, standing, sure, toneOf, when, windowText, word } from "./dom.js";

const HALF_HOUR_MS = 1_800_000;
const NEAR_MS = 6 * 3_600_000; // moments further from the window are not on its axis
const ACCEPTED = ["scheduled", "window_open", "visiting", "delivered", "partly_delivered", "not_delivered", "collected", "partly_collected", "not_collected"];
const ENDED = ["delivered", "partly_delivered", "not_delivered", "collected", "partly_collected", "not_collected", "refused", "cancelled", "expired"];
const MAX_STEPS = 500;

async function allSteps(hub, path, signal) {
  const steps = [];
  for (let cursor = ""; cursor !== null && steps.length < MAX_STEPS;) {
    const page = await hub.get(`${path}/timeline`, { limit: 100, cursor }, signal);
    steps.push(...page.data);
    cursor = page.next;
  }
  return steps;
}

// The stations of a delivery, in order: `at` of one that was reached, `planned` of one that lies ahead.
export function stations(one, steps) {
  const first = (...states) => steps.find((step) => states.includes(step.state))?.at;
  const ended = ENDED.includes(one.state);
  const end = steps.findLast((step) => step.state === one.state)?.at;
  const all = [
    { text: say("station.announced"), at: one.created },
    { text: say("station.accepted"), at: first(...ACCEPTED) },
    ...(one.on_the_way || one.eta ? [{ text: say("station.on_the_way"), at: one.on_the_way, planned: one.eta && [say("station.eta"), " ", when(one.eta)] }] : []),
    { text: say("station.window"), at: first("window_open"), planned: windowText(one.window) },
    { text: say("station.door"), at: first("visiting") },
    ended ? { text: word("state", one.state), at: end ?? one.changed, tone: toneOf(one.state) } : { text: say(one.parcels.length || !one.collect ? "state.delivered" : "state.collected") },
  ];
  const reached = all.findLastIndex((station) => station.at);
  const met = ended && !ACCEPTED.includes(one.state) ? all.filter((station) => station.at) : all; // the rest will not come
  return met.map((station, place) => ({ ...station, is: station.tone ? "end" : place < reached || (ended && station.at) ? "done" : place === reached ? "now" : "ahead" }));
}

const TONE_OF = { done: "good", now: "active", ahead: "wait" };

function track(one, steps) {
  return h("ol", { class: "track", "aria-label": say("track") }, stations(one, steps).map((station) =>
    h("li", { class: station.is, "aria-current": ["now", "end"].includes(station.is) ? "step" : null }, sign(station.tone ?? TONE_OF[station.is]),
      h("span", {}, h("b", {}, station.text), " ", h("span", { class: "soft" }, station.at ? when(station.at) : station.planned ?? "")))));
}

function window_(one, steps) {
  const [start, end] = [Date.parse(one.window.start), Date.parse(one.window.end)];
  const marks = [
    { at: ENDED.includes(one.state) ? NaN : Date.now(), text: say("now"), kind: "now" }, { at: Date.parse(one.eta), text: say("station.eta") },
    { at: Date.parse(one.on_the_way), text: say("station.on_the_way") },
    { at: Date.parse(steps.find((step) => step.state === "visiting")?.at), text: say("station.door") },
  ].filter((mark) => mark.at > start - NEAR_MS && mark.at < end + NEAR_MS);
  const moments = [start, end, ...marks.map((mark) => mark.at)];
  const bars = [{ start, end, tone: toneOf(one.state), text: windowText(one.window) }];
  return axis({ from: Math.min(...moments) - HALF_HOUR_MS, to: Math.max(...moments) + HALF_HOUR_MS, bars, marks, label: say("window.picture") }).picture;
}

// What is new in a step, in words.
export function news(step, before) {
  const changed = (field) => step[field] !== null && step[field] !== undefined && step[field] !== before?.[field];
  return [
    step.state !== before?.state && word("state", step.state) + (step.reason ? ` (${word("reason", step.reason)})` : ""),
    before && step.version !== before.version && say("step.version", { n: step.version }),
    step.answer && !step.answer.accepted && say("step.refused", { n: step.answer.version ?? "?", code: plain(step.answer.code ?? "") }),
    ...["cancel", "more_time", "house", "custody"].map((field) => changed(field) && word(field, step[field])),
    changed("moved_to") && say("step.moved", { entrance: plain(step.moved_to) }),
    changed("collected") && say("step.collected", { result: plain(step.collected) }),
    step.missing > 0 && step.missing !== before?.missing && say("step.missing", { n: step.missing, codes: (step.missing_parcels ?? []).map(plain).join(", ") || "?" }),
    ...(step.cold_chain && JSON.stringify(step.cold_chain) !== JSON.stringify(before?.cold_chain) ? step.cold_chain.map((item) => say("step.cold", { code: plain(item.code), verdict: word("cold", item.verdict) })) : []),
  ].filter(Boolean);
}

function stepList(steps) {
  const told = steps.map((step, place) => ({ step, texts: news(step, steps[place - 1]) })).filter(({ texts }) => texts.length);
  return h("ol", { class: "steps" }, told.map(({ step, texts }) => h("li", {}, when(step.at, { seconds: true }), h("span", {}, texts.join(" · ")))));
}

const codes = (all) => (all?.length ? h("ul", { class: "codes" }, all.map((code) => h("li", {}, h("code", {}, name(code))))) : null);

function facts(one, connection) {
  return factList([
    ["fact.window", windowText(one.window)], ["fact.carrier", name(one.carrier)], ["fact.entrance", one.moved_to ? [name(one.moved_to), " ← ", name(one.entrance)] : name(one.entrance)],
    ["fact.place", name(one.place)], ["fact.parcels", codes(one.parcels)], ["fact.missing", codes(one.missing_parcels)], ["fact.collect", codes(one.collect)],
    ["fact.reference", connection?.reference ? name(connection.reference) : null], ["fact.brand", name(one.brand)],
    ["fact.version", one.answered === one.version ? one.version : say("fact.unanswered", { n: one.version, answered: one.answered ?? "-" })],
    ["fact.signed", say(one.hub_signed ? "fact.signed.hub" : "fact.signed.brand")], ["fact.house", one.house && word("house", one.house)],
    ["fact.metadata", Object.keys(one.metadata).length ? h("ul", { class: "codes" }, Object.entries(one.metadata).map(([key, value]) => h("li", {}, name(key), ": ", name(value)))) : null],
    ["fact.order_id", h("code", {}, plain(one.order_id))], ["fact.connection", h("code", {}, plain(one.connection))], ["fact.id", h("code", {}, plain(one.id))],
  ]);
}

// The courier's code, which the hub shows once.
function courier({ text, link, qr_png: png }) {
  return h("section", { class: "card once", "aria-labelledby": "courier-code" }, h("h2", { id: "courier-code" }, say("courier.title")), h("p", {}, say("courier.once")),
    h("img", { src: `data:image/png;base64,${/^[A-Za-z0-9+/=]+$/.exec(png)?.[0] ?? ""}`, alt: say("courier.qr"), width: 220, height: 220 }),
    copied(link, say("courier.link")), copied(text, say("courier.text")));
}

async function saveProof(about, one, path) {
  const bytes = await about.hub.bytes(`${path}/proof`, about.signal);
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/json" }));
  h("a", { href: url, download: `proof-${plain(one.order_id)}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  about.tell(say("proof.saved"));
}

export async function delivery(place, about) {
  const { hub, id, right, signal } = about;
  const path = `v1/deliveries/${encodeURIComponent(id)}`;
  const [top, once, rest] = [h("div"), h("div"), h("div")];
  let one = null;

  const act = (method, of, body, after = () => {}) => {
    const idempotencyKey = newIdempotencyKey();
    return about.attempt(async () => {
      const said = await hub.ask(method, `${path}/${of}`, { body, idempotencyKey });
      await load();
      after(said);
    });
  };
  const showCourier = (said) => {
    put(once, courier(said.courier));
    once.querySelector("h2").scrollIntoView({ block: "center" });
  };

  function buttons() {
    const open = !ENDED.includes(one.state), mine = one.hub_signed, changes = right === "full", of = one.name;
    const late = ["window_open", "expired"].includes(one.state) && [null, "unanswered"].includes(one.more_time);
    return h("p", { class: "choices" },
      changes && open && mine && one.cancel !== "requested" && sure(say("do.cancel"), () => act("POST", "cancel", {}), { kind: "stop", of, "data-key": "cancel" }),
      right !== "read" && mine && late && button(say("do.more_time"), () => act("POST", "more_time", {}), { kind: "quiet", of, "data-key": "more_time" }),
      right !== "read" && mine && open && one.answered !== null && !one.on_the_way && button(say("do.on_the_way"), () => act("POST", "arrival", { on_the_way: true }), { kind: "quiet", of, "data-key": "arrival" }),
      right !== "read" && mine && open && sure(say("do.courier"), () => act("POST", "courier", undefined, showCourier), { of, "data-key": "courier" }),
      right !== "carrier" && !open && one.house !== null && button(say("do.proof"), () => about.attempt(() => saveProof(about, one, path)), { kind: "quiet", of, "data-key": "proof" }),
      button(say("refresh"), () => about.attempt(load), { kind: "quiet", "data-key": "refresh" }));
  }

  async function load() {
    const steps = await allSteps(hub, path, signal);
    one = await hub.get(path, {}, signal);
    const connection = right === "carrier" ? null : await hub.get(`v1/connections/${one.connection}`, {}, signal);
    document.title = `${plain(one.name)} · ${say("title")}`;
    put(top, h("p", {}, h("a", { href: "#/deliveries" }, say("page.deliveries"))), h("h1", {}, name(one.name)),
      h("p", { class: "stands" }, standing(one.state), one.reason && h("span", {}, word("reason", one.reason)),
        one.cancel && h("b", { class: "chip" }, word("cancel", one.cancel)), one.more_time && h("b", { class: "chip" }, word("more_time", one.more_time))),
      h("div", { class: "card" }, track(one, steps), window_(one, steps)), buttons(),
      right === "full" && !one.hub_signed && !ENDED.includes(one.state) && h("p", { class: "soft" }, say("brand_signed")));
    put(rest, h("section", { class: "card", "aria-labelledby": "facts" }, h("h2", { id: "facts" }, say("facts")), facts(one, connection)),
      h("section", { class: "card", "aria-labelledby": "steps" }, h("h2", { id: "steps" }, say("steps")), stepList(steps)),
      asJson(one, "json"));
  }
  place.append(top, once, rest);
  await load();
  let due = null;
  return {
    onEvent(event) {
      if (event.about !== id || due !== null) return;
      due = setTimeout(() => { due = null; if (!signal.aborted) about.attempt(load); }, 300);
    },
  };
}
