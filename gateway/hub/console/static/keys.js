// The page of API keys: a new key is shown once, and a key that is revoked ends at once.
import { newIdempotencyKey } from "./api.js";
import { copied, factList, h, name, plain, put, say, sure, when, word } from "./dom.js";

const DAY_MS = 86_400_000;
const LIFETIMES = ["", "30", "90", "365"]; // days; empty: no end
const RIGHTS = ["read", "full", "carrier"]; // the least first

const keyOnce = (key) => h("section", { class: "card once", "aria-labelledby": "made" }, h("h2", { id: "made" }, say("key.made", { label: plain(key.label) })),
  h("p", {}, say("key.once")), copied(key.token, say("key.token")));

function newKey(about, made) {
  const label = h("input", { id: "label", required: true, maxlength: 80, autocomplete: "off" });
  const carrier = h("input", { id: "carrier", maxlength: 64, autocomplete: "off", list: "carriers" });
  const carriers = h("datalist", { id: "carriers" });
  const forCarrier = h("label", { hidden: true }, say("key.carrier"), carrier, carriers);
  const right = h("select", { id: "right" }, RIGHTS.map((one) => h("option", { value: one }, word("right", one))));
  right.addEventListener("change", async () => {
    forCarrier.hidden = right.value !== "carrier";
    carrier.required = !forCarrier.hidden;
    if (!forCarrier.hidden && !carriers.childElementCount) {
      const { data } = await about.hub.get("v1/carriers", {}, about.signal);
      carriers.append(...data.map((one) => h("option", { value: plain(one.name) })));
    }
  });
  const days = h("select", { id: "days" }, LIFETIMES.map((one) => h("option", { value: one }, one ? say("key.days", { n: one }) : say("key.no_end"))));
  let idempotencyKey = newIdempotencyKey();
  const submit = async (event) => {
    event.preventDefault();
    const body = { label: label.value.trim(), right: right.value };
    if (right.value === "carrier") body.carrier = carrier.value.trim();
    if (days.value) body.expires = new Date(Date.now() + days.value * DAY_MS).toISOString();
    await about.attempt(async () => {
      const key = await about.hub.ask("POST", "v1/api_keys", { body, idempotencyKey });
      label.value = "";
      made(key);
    });
    idempotencyKey = newIdempotencyKey();
  };
  return h("form", { class: "card", onsubmit: submit }, h("h2", {}, say("key.new")), h("label", {}, say("key.label"), label),
    h("label", {}, say("key.right"), right), forCarrier, h("label", {}, say("key.ends"), days), h("button", {}, say("key.make")));
}

export async function keys(place, about) {
  const { hub, right, signal } = about;
  const [once, rows] = [h("div"), h("div")];
  const revoke = (key) => about.attempt(async () => {
    await hub.ask("DELETE", `v1/api_keys/${key.id}`);
    if (key.id === hub.keyId) about.leave("left.own_key"); else await load();
  });
  async function load() {
    const { data } = await hub.get("v1/api_keys", {}, signal);
    put(rows, h("ul", { class: "rows" }, data.map((key) => h("li", { class: "event", "data-id": key.id },
      h("p", { class: "bar-of" }, h("b", {}, name(key.label)), key.id === hub.keyId && h("b", { class: "chip" }, say("key.this"))),
      factList([["key.right", word("right", key.right)], ["key.carrier", key.carrier && name(key.carrier)], ["fact.created", when(key.created)], ["key.ends", key.expires && when(key.expires)], ["fact.id", h("code", {}, plain(key.id))]]),
      right === "full" && h("p", { class: "choices" }, sure(say(key.id === hub.keyId ? "do.revoke_own" : "do.revoke"), () => revoke(key), { kind: "stop", of: key.label, "data-key": key.id }))))));
  }
  place.append(h("h1", {}, say("page.keys")), once, rows);
  if (right === "full") place.append(newKey(about, (key) => { put(once, keyOnce(key)); once.querySelector("h2").scrollIntoView({ block: "center" }); about.attempt(load); }));
  await load();
  return {};
}
