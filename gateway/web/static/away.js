// The page for away from home: it asks the box through the hub, shows what the box itself answers and how old that is, and
// signs what is asked of the house. Kept by its service worker; the hub serves it nothing but sealed words.
import { brands, waiting } from "./away_brands.js";
import { envelopeKeys } from "./away_crypto.js";
import { Pictures, tellRefused } from "./away_films.js";
import { enrolled, forget } from "./away_keys.js";
import { Line } from "./away_line.js";
import { Orders } from "./away_orders.js";
import { age, doors, messages, name, plain, put, say, tellAges, twice } from "./away_view.js";

const SILENCE = 30_000; // milliseconds without an answer after which nothing shown is certain any more
const PAUSES = [1000, 2000, 4000, 8000]; // milliseconds between two questions that were not answered
const LEAP = 3000; // milliseconds by which this device's two clocks may part before what they measured is forgotten

const place = (id) => document.getElementById(id);
const tell = (where, text) => { if (where.textContent !== text) where.textContent = text; }; // said aloud only when it changes

class Away {
  constructor(me, keys) {
    this.me = me;
    this.line = new Line(me, keys);
    this.orders = new Orders(this.line, place("orders"), () => this.end("none"));
    this.pictures = new Pictures(this.line, document);
    Object.assign(this, { state: null, version: undefined, at: null, why: "waiting", failed: 0, newest: null, over: false, wake: null });
    this.acts = {
      may: (right) => this.state.may.includes(right),
      order: (order, of) => this.orders.give(order, plain(of)),
      live: (camera) => this.pictures.watch(camera),
    };
  }

  async begin() {
    place("whose").replaceChildren(say("away.whose"), " ", name(this.me.person));
    place("stop").append(twice(say("stop"), () => this.orders.give({ do: "stop" }), { kind: "stop", key: "stop" }));
    place("films-list").addEventListener("click", () => this.pictures.list(this.state?.timezone));
    place("forget").append(twice(say("away.forget"), () => this.end("forgotten"), { key: "forget" }));
    place("house").hidden = false;
    this.look();
    setInterval(() => this.look(), 500);
    addEventListener("online", () => this.wake?.());
    document.addEventListener("visibilitychange", () => this.wake?.());
    await this.orders.begin();
    await this.follow();
  }

  // Ask again and again: the box answers when something has changed, or after a while.
  async follow() {
    while (!this.over) {
      try {
        const { answer, at } = await this.line.ask({ ask: "state", ...(this.version !== undefined && this.at !== null ? { after: this.version } : {}) });
        this.hear(answer, at);
      } catch (failure) {
        await this.miss(failure);
      }
      await this.pause();
    }
  }

  async pause() {
    const wait = document.hidden ? 60_000 : this.failed ? PAUSES[Math.min(this.failed, PAUSES.length) - 1] : 250;
    await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, wait); });
    this.wake = null;
  }

  hear(answer, at) {
    if (this.over) return;
    const state = answer.unchanged ? this.state : answer.state;
    if (!state) { this.version = undefined; throw Object.assign(new Error("no state"), { why: "unbelieved" }); }
    Object.assign(this, { state, version: answer.version, at, why: null, failed: 0 });
    this.orders.heard(state.orders, state.number);
    this.show();
    this.look();
    this.hearMessages();
  }

  async miss(failure) {
    if (!failure.why && !(failure instanceof TypeError)) throw failure; // a TypeError: a newer box's answer, which this page cannot read
    this.why = failure.why === "refused" ? "box" : failure.why ?? "unread";
    this.failed += 1;
    this.line.token = null;
    if (this.why === "ended") await this.end("ended");
    this.look();
  }

  show() {
    const { state, acts } = this;
    put(place("doors"), state.entrances, () => doors(state, acts));
    const house = state.entrances.map((one) => [one.id, one.name, one.living_space, one.places]);
    put(place("waiting"), [state.brands, state.may, house], () => waiting(state, acts));
    put(place("brands"), [state.brands, state.may, house], () => brands(state, acts));
    place("films").hidden = !acts.may("see_history");
    place("told").hidden = !acts.may("see_history");
    tellAges(this.line.boxNow());
  }

  async hearMessages() {
    if (!this.acts.may("see_history") || this.newest === this.version) return;
    this.newest = this.version;
    try {
      const { answer } = await this.line.ask({ ask: "messages", language: document.documentElement.lang });
      put(place("messages"), answer.messages, () => messages(answer.messages, this.state));
    } catch (failure) {
      if (!failure.why) throw failure;
      this.newest = null;
      place("messages").textContent = tellRefused(failure);
      delete place("messages").dataset.shown;
    }
  }

  // Say how old all of it is, and grey it where that is too long ago or the last question was not answered.
  look() {
    if (this.over) return;
    const leap = Math.abs((Date.now() - performance.now()) - (this.clocks ??= Date.now() - performance.now()));
    if (leap > LEAP) { this.clocks = null; this.line.forgetClock(); this.at = null; this.why ??= "waiting"; this.wake?.(); }
    const old = this.at === null ? null : this.line.boxNow() - this.at;
    const heard = this.why === null && old !== null && old < SILENCE;
    document.body.classList.toggle("unheard", !heard);
    const text = heard ? say("away.as_of", { age: age(old) }) : [say(`away.heard.${this.why ?? "silent"}`), old !== null && say("away.last", { age: age(old) })].filter(Boolean).join(" ");
    tell(place("heard"), say(heard ? "away.heard" : "away.unheard"));
    tell(place("as-of"), text);
    place("as-of").className = heard ? "small" : "notice bad";
    tellAges(this.line.boxNow());
  }

  // These keys are good for nothing more, by the box's own word or by a press here.
  async end(why) {
    this.over = true;
    this.pictures.end();
    await forget();
    gone(why);
  }
}

// Nothing of a house is shown, and why.
function gone(why) {
  place("house").replaceChildren();
  place("heard").textContent = "";
  document.body.classList.remove("unheard");
  const told = place("gone");
  told.querySelector("p").textContent = say(`away.gone.${why}`);
  told.hidden = false;
}

async function begin() {
  if (!isSecureContext || !navigator.serviceWorker || !self.indexedDB) { gone("plain"); return; }
  let me;
  try {
    me = await enrolled();
  } catch {
    gone("storage"); // a private window, or storage that the browser does not give
    return;
  }
  if (me === undefined) { gone("none"); return; }
  const away = new Away(me, await envelopeKeys(me.agree, me.box, me.home, me.browser));
  await away.begin();
}

begin();
