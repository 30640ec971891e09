// The page of events: the newest first, and each new one as it happens.
import { HUB, asJson, copied, h, name, plain, put, say, standing, submitted, when, word, words } from "./dom.js";

const MAX_SHOWN = 200; // events, of a page that stays open for days

function objectOf(event) {
  const text = event.data.name ?? event.about;
  if (event.about.startsWith("dlv-")) return h("a", { href: `#/deliveries/${event.about}` }, name(text));
  if (event.about.startsWith("ep-")) return h("a", { href: `#/webhooks/${event.about}` }, name(event.about));
  return h("code", {}, plain(event.about));
}

function stateOf({ type, data }) {
  if (!data.state) return null;
  return type.startsWith("delivery.") ? standing(data.state) : h("span", {}, word("connection", data.state));
}

function row(event) {
  return h("li", { class: "event", "data-id": event.id },
    h("p", { class: "bar-of" }, h("b", {}, word("type", event.type)), when(event.at, { seconds: true })),
    h("p", {}, objectOf(event), " ", stateOf(event)),
    h("p", { class: "soft" }, h("code", {}, `#${event.seq}`),
      event.request ? [" ", say("event.request"), " ", h("code", {}, plain(event.request))] : null),
    asJson(event, event.id));
}

const followRequest = () => `curl -N ${HUB}/v1/events/stream \\\n  -H "Authorization: Bearer $PERRON_API_KEY"`;

export async function events(place, { hub, params, signal, address, go }) {
  const type = params.get("type") ?? "", cursor = params.get("cursor") ?? "";
  const options = ["", ...words("type")].map((one) =>
    h("option", { value: one, selected: one === type }, one ? word("type", one) : say("type_any")));
  const which = h("select", { onchange: () => go(address("/events", { type: which.value })) }, options);
  const rows = h("ul", { class: "rows" }), rest = h("div");
  place.append(h("h1", {}, say("page.events")),
    h("form", { class: "search", onsubmit: submitted(() => {}) }, h("label", {}, say("events.type"), which)), rows, rest);

  const page = await hub.get("v1/events", { order: "newest", types: type, cursor }, signal);
  const seen = new Set(page.data.map((event) => event.id));
  rows.append(...page.data.map(row));
  const isFiltered = Boolean(type || cursor);
  const none = page.data.length ? null : h("p", {}, say(isFiltered ? "events.none_found" : "events.none"));
  put(rest, none, none && !isFiltered ? copied(followRequest(), say("events.first")) : null,
    h("p", { class: "choices" },
      cursor ? h("a", { class: "button quiet", href: address("/events", { type }) }, say("page.first")) : null,
      page.next ? h("a", { class: "button quiet", href: address("/events", { type, cursor: page.next }) }, say("page.older")) : null));
  return {
    onEvent(event) {
      if (cursor || seen.has(event.id) || (type && event.type !== type)) return;
      seen.add(event.id);
      none?.remove();
      const made = row(event);
      made.classList.add("new");
      rows.prepend(made);
      if (rows.childElementCount > MAX_SHOWN) rows.lastElementChild.remove();
    },
  };
}
