// The page of API keys: a new key is shown once, and a key that is revoked ends at once.
import { newIdempotencyKey } from "./api.js";
import { copied, factList, h, name, plain, put, say, submitted, sure, when, word } from "./dom.js";

const DAY_MS = 86_400_000;
const LIFETIMES = ["", "30", "90", "365"]; // days; empty: no end
const RIGHTS = ["read", "full", "carrier"]; // the least first

function showKey(place, key) {
  put(place, h("section", { class: "card once", "aria-labelledby": "made" },
    h("h2", { id: "made" }, say("key.made", { label: plain(key.label) })), h("p", {}, say("key.once")), copied(key.token, say("key.token"))));
  place.querySelector("h2").scrollIntoView({ block: "center" });
}

// The field of a carrier's name, with the names that the hub knows once it is needed.
function carrierField(about, right) {
  const carrier = h("input", { maxlength: 80, autocomplete: "off", list: "carriers" }), names = h("datalist", { id: "carriers" });
  const label = h("label", { hidden: true }, say("key.carrier"), carrier, names);
  right.addEventListener("change", () => {
    label.hidden = right.value !== "carrier";
    carrier.required = !label.hidden;
    if (label.hidden || names.childElementCount) return;
    about.attempt(async () => {
      const { data } = await about.hub.get("v1/carriers", {}, about.signal);
      names.append(...data.map((one) => h("option", { value: plain(one.name) })));
    });
  });
  return { label, value: () => carrier.value.trim() };
}

function newKey(about, made) {
  const label = h("input", { required: true, maxlength: 80, autocomplete: "off" });
  const right = h("select", {}, RIGHTS.map((one) => h("option", { value: one }, word("right", one))));
  const carrier = carrierField(about, right);
  const days = h("select", {}, LIFETIMES.map((one) => h("option", { value: one }, one ? say("key.days", { n: one }) : say("key.no_end"))));
  const submit = async () => {
    const idempotencyKey = newIdempotencyKey(); // of this press: what is tried again is done once
    const body = { label: label.value.trim(), right: right.value };
    if (right.value === "carrier") body.carrier = carrier.value();
    if (days.value) body.expires = new Date(Date.now() + days.value * DAY_MS).toISOString();
    await about.attempt(async () => {
      const key = await about.hub.ask("POST", "v1/api_keys", { body, idempotencyKey });
      label.value = "";
      made(key);
    });
  };
  return h("form", { class: "card", onsubmit: submitted(submit) }, h("h2", {}, say("key.new")), h("label", {}, say("key.label"), label),
    h("label", {}, say("key.right"), right), carrier.label, h("label", {}, say("key.ends"), days), h("button", {}, say("key.make")));
}

export async function keys(place, about) {
  const { hub, right, signal } = about;
  const [once, rows] = [h("div"), h("div")];
  const revoke = (key) => about.attempt(async () => {
    await hub.ask("DELETE", `v1/api_keys/${key.id}`);
    if (key.id === hub.keyId) about.leave("left.own_key"); else await load();
  });
  function row(key) {
    const isOwn = key.id === hub.keyId;
    const facts = factList([
      ["key.right", word("right", key.right)], ["key.carrier", key.carrier && name(key.carrier)], ["fact.created", when(key.created)],
      ["key.ends", key.expires && when(key.expires)], ["fact.id", h("code", {}, plain(key.id))],
    ]);
    const button = sure(say(isOwn ? "do.revoke_own" : "do.revoke"), () => revoke(key), { kind: "stop", of: key.label, "data-key": key.id });
    return h("li", { class: "event", "data-id": key.id },
      h("p", { class: "bar-of" }, h("b", {}, name(key.label)), isOwn && h("b", { class: "chip" }, say("key.this"))), facts,
      right === "full" && h("p", { class: "choices" }, button));
  }
  async function load() {
    const { data } = await hub.get("v1/api_keys", {}, signal);
    put(rows, h("ul", { class: "rows" }, data.map(row)));
  }
  place.append(h("h1", {}, say("page.keys")), once, rows);
  if (right === "full") place.append(newKey(about, (key) => { showKey(once, key); about.attempt(load); }));
  await load();
  return {};
}
