// The pages of webhooks: the endpoints, and of each the log of what was sent to it.
import { newIdempotencyKey } from "./api.js";
import { button, copied, factList, h, name, plain, put, say, sign, sure, when, word, words } from "./dom.js";

const COLLECTION = "v1/webhook_endpoints";
const LOOK_AGAIN_S = [0.5, 1, 2, 4, 8]; // after a message was queued, until it was tried
const TONES = { waiting: "active", delivered: "good", given_up: "bad" };
const HOUR_MS = 3_600_000;

function standingOf(endpoint) {
  const [tone, text] = !endpoint.enabled ? ["over", word("disabled", endpoint.disabled)]
    : !endpoint.verified ? ["wait", say("endpoint.unverified")]
    : endpoint.failing ? ["bad", [say("endpoint.failing"), " ", when(endpoint.failing)]] : ["good", say("endpoint.enabled")];
  return h("span", { class: "standing" }, sign(tone), h("span", {}, text));
}

const typesText = (endpoint) => (endpoint.types.length ? endpoint.types.map((type) => word("type", type)).join(", ") : say("endpoint.all_types"));

const secretOnce = (endpoint) => h("section", { class: "card once", "aria-labelledby": "secret" },
  h("h2", { id: "secret" }, say("secret.title")), h("p", {}, say("secret.once")), copied(endpoint.secret, say("secret.title")));

function newEndpoint(about, made) {
  const url = h("input", { type: "url", id: "url", required: true, maxlength: 400, autocomplete: "off", spellcheck: "false", placeholder: "https://shop.example/hooks" });
  const types = words("type").filter((type) => !["ping", "webhook_endpoint.challenge"].includes(type))
    .map((type) => h("label", { class: "check" }, h("input", { type: "checkbox", value: type }), word("type", type)));
  let idempotencyKey = newIdempotencyKey();
  const submit = async (event) => {
    event.preventDefault();
    const chosen = types.map((label) => label.querySelector("input")).filter((box) => box.checked).map((box) => box.value);
    await about.attempt(async () => {
      const endpoint = await about.hub.ask("POST", COLLECTION, { body: { url: url.value.trim(), types: chosen }, idempotencyKey });
      url.value = "";
      made(endpoint);
    });
    idempotencyKey = newIdempotencyKey();
  };
  return h("form", { class: "card", onsubmit: submit }, h("h2", {}, say("endpoint.new")), h("label", {}, say("endpoint.url"), url),
    h("fieldset", {}, h("legend", {}, say("endpoint.types")), types), h("button", {}, say("endpoint.make")));
}

export async function webhooks(place, about) {
  const { hub, right, signal } = about;
  const [once, rows] = [h("div"), h("div")];
  async function load() {
    const { data } = await hub.get(COLLECTION, {}, signal);
    put(rows, data.length ? h("ul", { class: "rows" }, data.map((endpoint) => h("li", {},
      h("a", { class: "row", href: `#/webhooks/${endpoint.id}`, "data-key": endpoint.id }, h("b", {}, name(endpoint.url)), standingOf(endpoint), h("span", { class: "soft" }, typesText(endpoint)))))) : h("p", {}, say("endpoints.none")));
  }
  place.append(h("h1", {}, say("page.webhooks")), once, rows);
  if (right === "full") place.append(newEndpoint(about, (endpoint) => { put(once, secretOnce(endpoint)); once.querySelector("h2").scrollIntoView({ block: "center" }); about.attempt(load); }));
  await load();
  return {};
}

const attemptText = (attempt) => [when(attempt.at, { seconds: true }), " ", h("b", {}, attempt.status ?? word("result", attempt.result)), ` ${attempt.milliseconds} ms `, attempt.excerpt && h("code", {}, name(attempt.excerpt))];

function message(one, replay) {
  const state = h("span", { class: "standing" }, sign(TONES[one.state]), h("span", {}, word("message", one.state)));
  return h("li", { class: "event", "data-id": one.id },
    h("p", { class: "bar-of" }, h("b", {}, word("type", one.type)), state),
    h("p", { class: "soft" }, when(one.created, { seconds: true }), " · ", h("code", {}, `#${one.seq}`), " · ", h("code", {}, plain(one.id)), one.due && [" · ", say("message.due"), " ", when(one.due, { seconds: true })]),
    one.attempts.length ? h("ol", { class: "attempts" }, one.attempts.map((attempt) => h("li", {}, attemptText(attempt)))) : null,
    replay && h("p", { class: "choices" }, button(say("do.replay"), () => replay(one), { kind: "quiet", of: `${word("type", one.type)} #${one.seq}`, "data-key": `replay ${one.id}` })));
}

export async function webhook(place, about) {
  const { hub, id, right, signal, params, address } = about;
  const path = `${COLLECTION}/${encodeURIComponent(id)}`, cursor = params.get("cursor") ?? "";
  const [top, once, rows] = [h("div"), h("div"), h("div")];
  const pause = (seconds) => new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });

  async function load() {
    const [endpoint, log] = [await hub.get(path, {}, signal), await hub.get(`${path}/messages`, { limit: 20, cursor }, signal)];
    put(top, h("p", {}, h("a", { href: "#/webhooks" }, say("page.webhooks"))), h("h1", {}, name(endpoint.url)), h("p", { class: "stands" }, standingOf(endpoint)),
      h("div", { class: "card" }, factList([["events.type", typesText(endpoint)], ["fact.created", when(endpoint.created)],
        ["endpoint.old_secret", endpoint.old_secret_until && when(endpoint.old_secret_until)], ["fact.id", h("code", {}, plain(endpoint.id))]])),
      right === "full" ? buttons(endpoint) : null);
    const replay = right === "full" && endpoint.enabled ? (one) => queue(`messages/${one.id}/replay`) : null;
    put(rows, h("h2", {}, say("messages")), log.data.length ? h("ul", { class: "rows" }, log.data.map((one) => message(one, replay))) : h("p", {}, say("messages.none")),
      h("p", { class: "choices" }, cursor ? h("a", { class: "button quiet", href: address(`/webhooks/${id}`, {}) }, say("page.first")) : null,
        log.next ? h("a", { class: "button quiet", href: address(`/webhooks/${id}`, { cursor: log.next }) }, say("page.older")) : null,
        button(say("refresh"), () => about.attempt(load), { kind: "quiet", "data-key": "refresh" })));
    return log.data;
  }

  // Queue messages, and look at the log until each one was tried.
  const queue = (of, body) => {
    const idempotencyKey = newIdempotencyKey();
    return about.attempt(async () => {
      await hub.ask("POST", `${path}/${of}`, { body, idempotencyKey });
      for (const seconds of LOOK_AGAIN_S) {
        const log = await load();
        if (!log.some((one) => one.state === "waiting" && Date.parse(one.due) <= Date.now() + 1000)) return;
        await pause(seconds);
        signal.throwIfAborted();
      }
      await load();
    });
  };
  const change = (body) => about.attempt(async () => { await hub.ask("PATCH", path, { body }); await load(); });

  function buttons(endpoint) {
    const of = endpoint.url;
    const since = (hours) => sure(say(`do.replay.${hours}`), () => queue("replay", hours === "all" ? {} : { since: new Date(Date.now() - hours * HOUR_MS).toISOString() }), { of, "data-key": `since ${hours}` });
    return h("p", { class: "choices" },
      endpoint.enabled ? [button(say("do.test"), () => queue("test"), { of, "data-key": "test" }), since("1"), since("24")] : null,
      endpoint.enabled ? sure(say("do.disable"), () => change({ enabled: false }), { of, "data-key": "enabled" }) : button(say("do.enable"), () => change({ enabled: true }), { of, "data-key": "enabled" }),
      sure(say("do.rotate"), () => about.attempt(async () => { put(once, secretOnce(await hub.ask("POST", `${path}/rotate`, { idempotencyKey: newIdempotencyKey() }))); await load(); }), { of, "data-key": "rotate" }),
      sure(say("do.delete"), () => about.attempt(async () => { await hub.ask("DELETE", path); about.go("/webhooks"); }), { kind: "stop", of, "data-key": "delete" }));
  }
  place.append(top, once, rows);
  await load();
  return { onEvent() { if (!cursor && !about.busy()) about.attempt(load); } };
}
