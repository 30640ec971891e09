// The page of one delivery: a chart of its progress, the order, each step, and what the user may do with it.
import { newIdempotencyKey } from "./api.js";
import { axis } from "./axis.js";
import { asJson, button, copied, factList, h, hoursText, name, plain, put, say, sign, standing, sure, toneOf, when, windowText, word } from "./dom.js";

const HALF_HOUR_MS = 1_800_000;
const NEAR_MS = 6 * 3_600_000; // moments further from the window are not on its axis
const RESULTS = ["delivered", "partly_delivered", "not_delivered", "collected", "partly_collected", "not_collected"];
const ACCEPTED = ["scheduled", "window_open", "visiting", ...RESULTS];
const ENDED = [...RESULTS, "refused", "cancelled", "expired"];
const MAX_STEPS = 500;
const RELOAD_MS = 300;

async function allSteps(hub, path, signal) {
  const steps = [];
  for (let cursor = ""; cursor !== null && steps.length < MAX_STEPS;) {
    const page = await hub.get(`${path}/timeline`, { limit: 100, cursor }, signal);
    steps.push(...page.data);
    cursor = page.next;
  }
  return steps;
}

// The stations of a delivery, in order: `at` if it was reached, `planned` if it is still to come.
function stations(one, steps) {
  const first = (...states) => steps.find((step) => states.includes(step.state))?.at;
  const ended = ENDED.includes(one.state);
  const last = steps.findLast((step) => step.state === one.state)?.at ?? one.changed;
  const hoped = one.parcels.length || !one.collect ? "delivered" : "collected";
  const onTheWay = { text: say("station.on_the_way"), at: one.on_the_way, planned: one.eta && [say("station.eta"), " ", when(one.eta)] };
  const all = [
    { text: say("station.announced"), at: one.created },
    { text: say("station.accepted"), at: first(...ACCEPTED) },
    ...(one.on_the_way || one.eta ? [onTheWay] : []),
    { text: say("station.window"), at: first("window_open"), planned: windowText(one.window) },
    { text: say("station.door"), at: first("visiting") },
    ended ? { text: word("state", one.state), at: last, tone: toneOf(one.state) } : { text: word("state", hoped) },
  ];
  // Of a delivery that ended before a visit, the rest will not come
  const met = ended && !RESULTS.includes(one.state) ? all.filter((station) => station.at) : all;
  const reached = met.findLastIndex((station) => station.at);
  const standingOf = (station, at) => (station.tone ? "end" : at < reached ? "done" : at === reached ? "now" : "ahead");
  return met.map((station, at) => ({ ...station, is: standingOf(station, at) }));
}

const TONE_OF = { done: "good", now: "active", ahead: "wait" };

function track(one, steps) {
  return h("ol", { class: "track", "aria-label": say("track") }, stations(one, steps).map((station) =>
    h("li", { class: station.is, "aria-current": ["now", "end"].includes(station.is) ? "step" : null },
      sign(station.tone ?? TONE_OF[station.is]),
      h("span", {}, h("b", {}, station.text), " ", h("span", { class: "soft" }, station.at ? when(station.at) : station.planned ?? "")))));
}

function windowPicture(one, steps) {
  const [start, end] = [Date.parse(one.window.start), Date.parse(one.window.end)];
  const marks = [
    { at: ENDED.includes(one.state) ? NaN : Date.now(), text: say("now"), kind: "now" },
    { at: Date.parse(one.eta), text: say("station.eta") },
    { at: Date.parse(one.on_the_way), text: say("station.on_the_way") },
    { at: Date.parse(steps.find((step) => step.state === "visiting")?.at), text: say("station.door") },
  ].filter((mark) => mark.at > start - NEAR_MS && mark.at < end + NEAR_MS);
  const moments = [start, end, ...marks.map((mark) => mark.at)];
  const bars = [{ start, end, tone: toneOf(one.state), text: hoursText(one.window) }];
  const [from, to] = [Math.min(...moments) - HALF_HOUR_MS, Math.max(...moments) + HALF_HOUR_MS];
  return axis({ from, to, bars, marks, label: say("window.picture") }).picture;
}

// What is new in a step, in words.
function news(step, before) {
  const isNew = (field) => step[field] !== null && step[field] !== undefined && step[field] !== before?.[field];
  const isColdNew = step.cold_chain && JSON.stringify(step.cold_chain) !== JSON.stringify(before?.cold_chain);
  const missing = () => ({ n: step.missing, codes: (step.missing_parcels ?? []).map(plain).join(", ") || "?" });
  return [
    step.state !== before?.state && word("state", step.state) + (step.reason ? ` (${word("reason", step.reason)})` : ""),
    before && step.version !== before.version && say("step.version", { n: step.version }),
    step.answer && !step.answer.accepted && say("step.refused", { n: step.answer.version ?? "?", code: plain(step.answer.code) }),
    ...["cancel", "more_time", "house", "custody"].map((field) => isNew(field) && word(field, step[field])),
    isNew("moved_to") && say("step.moved", { entrance: plain(step.moved_to) }),
    isNew("collected") && say("step.collected", { result: word("state", step.collected) }),
    step.missing > 0 && step.missing !== before?.missing && say("step.missing", missing()),
    ...(isColdNew ? step.cold_chain.map((item) => say("step.cold", { code: plain(item.code), verdict: word("cold", item.verdict) })) : []),
  ].filter(Boolean);
}

function stepList(steps) {
  const told = steps.map((step, at) => ({ step, texts: news(step, steps[at - 1]) })).filter(({ texts }) => texts.length);
  return h("ol", { class: "steps" }, told.map(({ step, texts }) =>
    h("li", {}, when(step.at, { seconds: true }), h("span", {}, texts.join(" · ")))));
}

function facts(one, connection, address) {
  const codes = (all) => (all?.length ? h("ul", { class: "codes" }, all.map((code) => h("li", {}, h("code", {}, name(code))))) : null);
  const others = (field, value, shown = name(value)) => value && h("a", { href: address("/deliveries", { [field]: value }) }, shown);
  const metadata = Object.entries(one.metadata).map(([key, value]) => h("li", {}, name(key), ": ", name(value)));
  return factList([
    ["fact.window", windowText(one.window)],
    ["fact.carrier", others("carrier", one.carrier)],
    ["fact.entrance", one.moved_to ? [name(one.moved_to), " ← ", name(one.entrance)] : name(one.entrance)],
    ["fact.place", name(one.place)],
    ["fact.parcels", codes(one.parcels)],
    ["fact.missing", codes(one.missing_parcels)],
    ["fact.collect", codes(one.collect)],
    ["fact.reference", others("reference", connection?.reference)],
    ["fact.brand", others("brand", one.brand)],
    ["fact.version", one.answered === one.version ? one.version : say("fact.unanswered", { n: one.version, answered: one.answered ?? "-" })],
    ["fact.signed", say(one.hub_signed ? "fact.signed.hub" : "fact.signed.brand")],
    ["fact.house", one.house && word("house", one.house)],
    ["fact.metadata", metadata.length ? h("ul", { class: "codes" }, metadata) : null],
    ["fact.order_id", h("code", {}, plain(one.order_id))],
    ["fact.connection", others("connection", one.connection, h("code", {}, plain(one.connection)))],
    ["fact.id", h("code", {}, plain(one.id))],
  ]);
}

// The courier's code, which the hub shows once.
function courier({ text, link, qr_png: png }) {
  const picture = `data:image/png;base64,${/^[A-Za-z0-9+/=]+$/.exec(png)?.[0] ?? ""}`;
  return h("section", { class: "card once", "aria-labelledby": "courier-code" },
    h("h2", { id: "courier-code" }, say("courier.title")), h("p", {}, say("courier.once")),
    h("img", { src: picture, alt: say("courier.qr"), width: 220, height: 220 }),
    [["courier.link", link], ["courier.text", text]].map(([label, value]) => [h("p", { class: "soft" }, say(label)), copied(value, say(label))]));
}

async function saveProof(about, one, path) {
  const bytes = await about.hub.bytes(`${path}/proof`, about.signal);
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/json" }));
  h("a", { href: url, download: `proof-${plain(one.order_id)}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  about.tell(say("proof.saved"));
}

// Which buttons a key with this right has, for a delivery in this state.
function mayDo(one, right) {
  const open = !ENDED.includes(one.state), acts = right !== "read" && one.hub_signed;
  return {
    cancel: right === "full" && one.hub_signed && open && one.cancel !== "requested",
    moreTime: acts && ["window_open", "expired"].includes(one.state) && [null, "unanswered"].includes(one.more_time),
    arrival: acts && open && one.answered !== null && !one.on_the_way,
    courier: acts && open,
    proof: right !== "carrier" && !open && one.house !== null,
  };
}

export async function delivery(place, about) {
  const { hub, id, right, signal, address } = about;
  const path = `v1/deliveries/${encodeURIComponent(id)}`;
  const [top, once, rest] = [h("div"), h("div"), h("div")];

  const act = (of, body, after = () => {}) => {
    const idempotencyKey = newIdempotencyKey(); // of this press: what is tried again is done once
    return about.attempt(async () => {
      const said = await hub.ask("POST", `${path}/${of}`, { body, idempotencyKey });
      await load();
      after(said);
    });
  };
  const showCourier = (said) => {
    put(once, courier(said.courier));
    once.querySelector("h2").scrollIntoView({ block: "center" });
  };

  function buttons(one) {
    const may = mayDo(one, right), of = one.name;
    const quiet = (key, label, onclick) => button(say(label), onclick, { kind: "quiet", of, "data-key": key });
    return h("p", { class: "choices" },
      may.cancel && sure(say("do.cancel"), () => act("cancel", {}), { kind: "stop", of, "data-key": `cancel ${id}` }),
      may.moreTime && quiet("more_time", "do.more_time", () => act("more_time", {})),
      may.arrival && quiet("arrival", "do.on_the_way", () => act("arrival", { on_the_way: true })),
      may.courier && sure(say("do.courier"), () => act("courier", undefined, showCourier), { of, "data-key": `courier ${id}` }),
      may.proof && quiet("proof", "do.proof", () => about.attempt(() => saveProof(about, one, path))),
      button(say("refresh"), () => about.attempt(load), { kind: "quiet", "data-key": "refresh" }));
  }

  async function load() {
    const steps = await allSteps(hub, path, signal);
    const one = await hub.get(path, {}, signal);
    const connection = right === "carrier" ? null : await hub.get(`v1/connections/${one.connection}`, {}, signal);
    document.title = `${plain(one.name)} · ${say("title")}`;
    const isBrands = right === "full" && !one.hub_signed && !ENDED.includes(one.state);
    put(top, h("p", {}, h("a", { href: "#/deliveries" }, say("page.deliveries"))), h("h1", {}, name(one.name)),
      h("p", { class: "stands" }, standing(one.state), one.reason && h("span", {}, word("reason", one.reason)),
        one.cancel && h("b", { class: "chip" }, word("cancel", one.cancel)),
        one.more_time && h("b", { class: "chip" }, word("more_time", one.more_time))),
      h("div", { class: "card" }, track(one, steps), windowPicture(one, steps)), buttons(one),
      isBrands && h("p", { class: "soft" }, say("brand_signed")));
    put(rest,
      h("section", { class: "card", "aria-labelledby": "facts" }, h("h2", { id: "facts" }, say("facts")), facts(one, connection, address)),
      h("section", { class: "card", "aria-labelledby": "steps" }, h("h2", { id: "steps" }, say("steps")), stepList(steps)),
      asJson(one, "json"));
  }
  place.append(top, once, rest);
  const reload = about.eased(load, RELOAD_MS);
  await load();
  return { onEvent: (event) => { if (event.about === id) reload(); } };
}
