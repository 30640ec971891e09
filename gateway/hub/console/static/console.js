// The web console's frame: signing in, the table of pages, and the messages about failures.
import { Hub, Refused, Unreachable } from "./api.js";
import { deliveries } from "./deliveries.js";
import { delivery } from "./delivery.js";
import { ZONE, button, h, plain, put, say, submitted, word } from "./dom.js";
import { events } from "./events.js";
import { keys } from "./keys.js";
import { Live, easedBy } from "./live.js";
import { webhook, webhooks } from "./webhooks.js";

// All pages, in the order of the menu, each with the rights of the keys that may read it.
const PAGES = [
  { path: "deliveries", open: deliveries, one: delivery, rights: ["full", "read", "carrier"] },
  { path: "events", open: events, rights: ["full", "read"] },
  { path: "webhooks", open: webhooks, one: webhook, rights: ["full", "read"] },
  { path: "keys", open: keys, rights: ["full", "read"] },
];
const STORED = "perron.console.key"; // in the session storage, which the browser forgets with the tab
const KEY = /^key-[a-z2-7]{26}_[a-z2-7]{26}$/;

const place = (id) => document.getElementById(id);
let session = null; // who is signed in
let shown = null; // the page that is open

function tell(text, { bad = false, detail = "", again = null } = {}) {
  const told = place("told");
  put(told, text && h("span", {}, text, detail && [" ", h("span", { lang: "en" }, detail)]), again && button(say("again"), again, { kind: "quiet" }));
  told.hidden = !text;
  told.classList.toggle("bad", bad);
}

// What a failure is called, and the hub's own words about what it refused, which are English.
function failureOf(failure) {
  if (failure instanceof Unreachable) return { text: say("failed.unreachable") };
  if (!(failure instanceof Refused)) throw failure;
  const request = failure.request ? ` ${say("failed.request", { id: plain(failure.request) })}` : "";
  if (failure.status === 429) return { text: say("failed.limited", { n: Math.max(1, failure.retryAfterS) }) };
  if (failure.status === 404) return { text: say("failed.not_found") + request };
  if (failure.status >= 500) return { text: say("failed.hub") + request };
  const why = [...failure.errors.map((error) => error.detail), failure.message].map(plain).filter(Boolean);
  return { text: say("failed.refused") + request, detail: [...new Set(why)].join(" ") };
}

// Whether the key ended meanwhile, which ends the session.
function hasEnded(failure) {
  if (!(failure instanceof Refused)) return false;
  if (failure.status === 401) leave("left.revoked");
  else if (failure.code === "retailer_suspended") leave("left.suspended");
  else return false;
  return true;
}

// Do something that may fail. A failure is shown, with a button that tries again.
async function attempt(act, { signal } = {}) {
  if (!session) return;
  const mine = session;
  mine.busy += 1;
  document.body.toggleAttribute("data-busy", true);
  try {
    await act();
    if (session && place("told").classList.contains("bad")) tell("");
  } catch (failure) {
    if (signal?.aborted || failure.name === "AbortError" || hasEnded(failure)) return;
    const { text, detail } = failureOf(failure);
    tell(text, { bad: true, detail, again: () => attempt(act, { signal }) });
  } finally {
    mine.busy -= 1;
    document.body.toggleAttribute("data-busy", Boolean(session?.busy));
  }
}

function address(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return `#${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

const go = (to) => { location.hash = to.startsWith("#") ? to : `#${to}`; };

async function open() {
  if (!session) return;
  const [path, query] = location.hash.slice(1).split("?");
  const [, first = "", id] = path.split("/");
  const allowed = PAGES.filter((page) => page.rights.includes(session.right));
  const page = allowed.find((one) => one.path === first) ?? allowed[0];
  shown?.stop.abort();
  const stop = new AbortController();
  const here = shown = { stop, onEvent: () => {} };
  for (const link of place("pages").querySelectorAll("a")) {
    if (link.getAttribute("href") === `#/${page.path}`) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  const inside = h("div");
  place("page").replaceChildren(inside);
  document.title = `${say(`page.${page.path}`)} · ${say("title")}`;
  const about = {
    hub: session.hub, right: session.right, id, params: new URLSearchParams(query ?? ""), signal: stop.signal,
    go, address, leave, tell, attempt: (act) => attempt(act, { signal: stop.signal }),
    eased: (load, ...often) => easedBy(() => attempt(load, { signal: stop.signal }), stop.signal, ...often),
  };
  tell("");
  await attempt(async () => {
    inside.replaceChildren();
    Object.assign(here, await (id && page.one ? page.one : page.open)(inside, about));
  }, { signal: stop.signal });
  if (shown === here && session) place("main").focus({ preventScroll: true });
}

function frame() {
  const allowed = PAGES.filter((page) => page.rights.includes(session.right));
  put(place("pages"), allowed.map((page) => h("a", { href: `#/${page.path}` }, say(`page.${page.path}`))));
  const key = h("span", {}, session.label && [h("bdi", {}, say("session.key", { label: plain(session.label) })), " "], h("span", { class: "chip" }, word("right", session.right)));
  put(place("session"), h("span", { id: "live", class: "soft" }), key, button(say("sign_out"), () => leave(), { kind: "quiet" }));
  place("sandbox").hidden = !session.sandbox;
}

const showLive = (state) => { const live = place("live"); if (live) { live.textContent = say(`live.${state}`); live.dataset.state = state; } };

// Forget the key and all that it showed; `why`: the text that says why.
function leave(why) {
  sessionStorage.removeItem(STORED);
  session?.live?.end();
  shown?.stop.abort();
  [session, shown] = [null, null];
  for (const id of ["pages", "session"]) place(id).replaceChildren();
  place("sandbox").hidden = true;
  document.title = say("title");
  showSignIn(why);
}

// Find out what a key may do. The hub refuses `readApiKey` to a carrier's key, and lists its deliveries.
async function rightOf(hub) {
  try {
    const key = await hub.get(`v1/api_keys/${hub.keyId}`);
    return { right: key.right, label: key.label, sandbox: key.sandbox };
  } catch (failure) {
    if (!(failure instanceof Refused) || failure.code !== "forbidden") throw failure;
    const [one] = (await hub.get("v1/deliveries", { limit: 1 })).data;
    return { right: "carrier", label: "", sandbox: one?.sandbox ?? false };
  }
}

async function signIn(key) {
  const hub = new Hub(key, { onWait: (seconds) => tell(seconds ? say("limited", { n: seconds }) : "") });
  session = { hub, busy: 0, ...(await rightOf(hub)) };
  sessionStorage.setItem(STORED, key);
  tell("");
  frame();
  if (session.right !== "carrier") {
    session.live = new Live(hub, { onEvent: (event) => shown?.onEvent(event), onState: showLive, onEnd: hasEnded });
    await session.live.begin();
  }
  await open();
}

function signInFailure(failure) {
  if (failure instanceof Refused && failure.status === 401) return say("sign_in.wrong");
  if (failure instanceof Refused && failure.code === "retailer_suspended") return say("left.suspended");
  return failureOf(failure).text;
}

function showSignIn(why) {
  const field = h("input", {
    type: "password", id: "key", required: true, autocomplete: "off", spellcheck: "false", autocapitalize: "none", "aria-describedby": "where",
  });
  const submit = async () => {
    const key = field.value.trim();
    if (!KEY.test(key)) { tell(say("sign_in.no_key"), { bad: true }); return; }
    try {
      await signIn(key);
    } catch (failure) {
      session = null;
      tell(signInFailure(failure), { bad: true });
    }
  };
  put(place("page"), h("form", { class: "card sign-in", onsubmit: submitted(submit) }, h("h1", {}, say("sign_in")),
    h("label", {}, say("sign_in.key"), field), h("p", { id: "where", class: "soft" }, say("sign_in.where")), h("button", {}, say("sign_in"))));
  tell(why ? say(why) : "", { bad: Boolean(why) });
  field.focus();
}

async function begin() {
  if (!isSecureContext || !AbortSignal.any || !Array.prototype.toSorted) { tell(say("too_old"), { bad: true }); return; }
  place("zone").textContent = say("zone", { zone: ZONE });
  for (const other of document.querySelectorAll("a.language")) {
    other.addEventListener("click", () => { other.href = `${other.getAttribute("href").split("#")[0]}${location.hash}`; });
  }
  document.querySelector("a.skip").addEventListener("click", (event) => { event.preventDefault(); place("main").focus(); });
  addEventListener("hashchange", open);
  const key = sessionStorage.getItem(STORED);
  if (key === null || !KEY.test(key)) { showSignIn(); return; }
  try {
    await signIn(key);
  } catch (failure) {
    if (failure instanceof Refused && failure.status === 401) { leave("left.revoked"); return; }
    session = null;
    tell(signInFailure(failure), { bad: true, again: begin });
  }
}

begin();
