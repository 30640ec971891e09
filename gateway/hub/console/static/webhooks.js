// The pages of webhooks: the endpoints, and of each the log of what was sent to it.
import { newIdempotencyKey } from "./api.js";
import { button, copied, factList, h, name, plain, put, say, sign, submitted, sure, when, word, words } from "./dom.js";

const COLLECTION = "v1/webhook_endpoints";
const LOOK_AGAIN_S = [0.5, 1, 2, 4, 8]; // after a message was queued, until it was tried
const TONES = { waiting: "active", delivered: "good", given_up: "bad" };
const NOT_CHOSEN = ["ping", "webhook_endpoint.challenge", "event.erased"]; // sent whatever an endpoint wants, or never
const HOUR_MS = 3_600_000;
const RELOAD_MS = 1000;

const pause = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

function standingOf(endpoint) {
  const told = (tone, ...text) => h("span", { class: "standing" }, sign(tone), h("span", {}, text));
  if (!endpoint.enabled) return told("over", word("disabled", endpoint.disabled));
  if (!endpoint.verified) return told("wait", say("endpoint.unverified"));
  return endpoint.failing ? told("bad", say("endpoint.failing"), " ", when(endpoint.failing)) : told("good", say("endpoint.enabled"));
}

function typesText({ types }) {
  return types.length ? types.map((type) => word("type", type)).join(", ") : say("endpoint.all_types");
}

function showSecret(place, endpoint) {
  put(place, h("section", { class: "card once", "aria-labelledby": "secret" },
    h("h2", { id: "secret" }, say("secret.title")), h("p", {}, say("secret.once")), copied(endpoint.secret, say("secret.title"))));
  place.querySelector("h2").scrollIntoView({ block: "center" });
}

function newEndpoint(about, made) {
  const url = h("input", {
    type: "url", required: true, maxlength: 400, autocomplete: "off", spellcheck: "false", placeholder: "https://shop.example/hooks",
  });
  const types = words("type").filter((type) => !NOT_CHOSEN.includes(type))
    .map((type) => ({ type, box: h("input", { type: "checkbox" }) }));
  const submit = async () => {
    const idempotencyKey = newIdempotencyKey(); // of this press: what is tried again is done once
    const body = { url: url.value.trim(), types: types.filter(({ box }) => box.checked).map(({ type }) => type) };
    await about.attempt(async () => {
      const endpoint = await about.hub.ask("POST", COLLECTION, { body, idempotencyKey });
      url.value = "";
      made(endpoint);
    });
  };
  return h("form", { class: "card", onsubmit: submitted(submit) }, h("h2", {}, say("endpoint.new")),
    h("label", {}, say("endpoint.url"), url),
    h("fieldset", {}, h("legend", {}, say("endpoint.types")),
      types.map(({ type, box }) => h("label", { class: "check" }, box, word("type", type)))),
    h("button", {}, say("endpoint.make")));
}

export async function webhooks(place, about) {
  const { hub, right, signal } = about;
  const [once, rows] = [h("div"), h("div")];
  const row = (endpoint) => h("li", {}, h("a", { class: "row", href: `#/webhooks/${endpoint.id}`, "data-key": endpoint.id },
    h("b", {}, name(endpoint.url)), standingOf(endpoint), h("span", { class: "soft" }, typesText(endpoint))));
  async function load() {
    const { data } = await hub.get(COLLECTION, {}, signal);
    put(rows, data.length ? h("ul", { class: "rows" }, data.map(row)) : h("p", {}, say("endpoints.none")));
  }
  place.append(h("h1", {}, say("page.webhooks")), once, rows);
  if (right === "full") place.append(newEndpoint(about, (endpoint) => { showSecret(once, endpoint); about.attempt(load); }));
  await load();
  return {};
}

function attempt({ at, status, result, milliseconds, excerpt }) {
  return h("li", {}, when(at, { seconds: true }), " ", h("b", {}, status ?? word("result", result)), ` ${milliseconds} ms `,
    excerpt && h("code", {}, name(excerpt)));
}

function message(one, replay) {
  const type = word("type", one.type);
  const state = h("span", { class: "standing" }, sign(TONES[one.state]), h("span", {}, word("message", one.state)));
  return h("li", { class: "event", "data-id": one.id },
    h("p", { class: "bar-of" }, h("b", {}, type), state),
    h("p", { class: "soft" }, when(one.created, { seconds: true }), " · ", h("code", {}, `#${one.seq}`), " · ", h("code", {}, plain(one.id)),
      Date.parse(one.due) > Date.now() && [" · ", say("message.due"), " ", when(one.due, { seconds: true })]),
    one.attempts.length ? h("ol", { class: "attempts" }, one.attempts.map(attempt)) : null,
    replay && h("p", { class: "choices" },
      button(say("do.replay"), () => replay(one), { kind: "quiet", of: `${type} #${one.seq}`, "data-key": `replay ${one.id}` })));
}

const isDue = (one) => one.state === "waiting" && Date.parse(one.due) <= Date.now() + 1000;

export async function webhook(place, about) {
  const { hub, id, right, signal, params, address } = about;
  const path = `${COLLECTION}/${encodeURIComponent(id)}`, cursor = params.get("cursor") ?? "";
  const [top, once, rows] = [h("div"), h("div"), h("div")];

  async function load() {
    const endpoint = await hub.get(path, {}, signal);
    const log = await hub.get(`${path}/messages`, { limit: 20, cursor }, signal);
    const facts = factList([
      ["events.type", typesText(endpoint)], ["fact.created", when(endpoint.created)],
      ["endpoint.old_secret", endpoint.old_secret_until && when(endpoint.old_secret_until)], ["fact.id", h("code", {}, plain(endpoint.id))],
    ]);
    put(top, h("p", {}, h("a", { href: "#/webhooks" }, say("page.webhooks"))), h("h1", {}, name(endpoint.url)),
      h("p", { class: "stands" }, standingOf(endpoint)), h("div", { class: "card" }, facts), right === "full" && buttons(endpoint));
    const replay = right === "full" && endpoint.enabled ? (one) => queue(`messages/${one.id}/replay`) : null;
    const list = log.data.length ? h("ul", { class: "rows" }, log.data.map((one) => message(one, replay))) : h("p", {}, say("messages.none"));
    put(rows, h("h2", {}, say("messages")), list, h("p", { class: "choices" },
      cursor && h("a", { class: "button quiet", href: address(`/webhooks/${id}`, {}) }, say("page.first")),
      log.next && h("a", { class: "button quiet", href: address(`/webhooks/${id}`, { cursor: log.next }) }, say("page.older")),
      button(say("refresh"), () => about.attempt(load), { kind: "quiet", "data-key": "refresh" })));
    return log.data;
  }

  // Queue messages, and look at the log until each one was tried.
  function queue(of, body) {
    const idempotencyKey = newIdempotencyKey();
    return about.attempt(async () => {
      await hub.ask("POST", `${path}/${of}`, { body, idempotencyKey });
      for (const seconds of LOOK_AGAIN_S) {
        if (!(await load()).some(isDue)) return;
        await pause(seconds);
        signal.throwIfAborted();
      }
      await load();
    });
  }

  function rotate() {
    const idempotencyKey = newIdempotencyKey(); // a second new secret would end the one that receivers have
    return about.attempt(async () => {
      showSecret(once, await hub.ask("POST", `${path}/rotate`, { idempotencyKey }));
      await load();
    });
  }

  const change = (body) => about.attempt(async () => { await hub.ask("PATCH", path, { body }); await load(); });
  const remove = () => about.attempt(async () => { await hub.ask("DELETE", path); about.go("/webhooks"); });

  function buttons({ url: of, enabled }) {
    const options = (key) => ({ of, "data-key": `${key} ${id}` });
    const since = (hours) => sure(say(`do.replay.${hours}`), () => {
      queue("replay", { since: new Date(Date.now() - hours * HOUR_MS).toISOString() });
    }, options(`since ${hours}`));
    const on = [
      button(say("do.test"), () => queue("test"), options("test")), since(1), since(24),
      sure(say("do.disable"), () => change({ enabled: false }), options("enabled")),
    ];
    return h("p", { class: "choices" },
      enabled ? on : button(say("do.enable"), () => change({ enabled: true }), options("enabled")),
      sure(say("do.rotate"), rotate, options("rotate")), sure(say("do.delete"), remove, { kind: "stop", ...options("delete") }));
  }

  place.append(top, once, rows);
  const reload = about.eased(load, RELOAD_MS);
  await load();
  return { onEvent: () => { if (!cursor) reload(); } };
}
