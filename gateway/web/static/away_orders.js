// The orders of this browser: signed, kept, left at the hub, and followed until the box itself says what became of them.
// What the hub says of one is never good news: "waiting" at most.
import * as kept from "./away_keys.js";
import { h, name, put, say } from "./away_view.js";

const AGAIN = 2000; // milliseconds between two tries to leave one
const LOOKS = 4000; // milliseconds between two questions to the hub for one that waits there
const WAYS = { kept: "received", done: "done", failed: "failed" }; // the box's words, as they are shown
const SHOWN = 3600; // seconds for which one whose way is over is shown

export class Orders {
  // `lost` is called when the keys are not there any more: forgotten in another tab, or thrown away by the browser.
  constructor(line, place, lost) {
    Object.assign(this, { line, place, lost, known: [], running: null, leaving: null, looked: 0, taken: 0 });
  }

  async begin() {
    const now = this.line.now();
    for (const one of await kept.orders()) {
      if (now - (one.over === undefined ? one.exp : one.iat) > SHOWN) await kept.dropOrder(one.number);
      else this.known.push(one);
    }
    this.show();
    setInterval(() => this.go(), AGAIN);
    this.go();
  }

  // Give an order; `of` is the name of what it is about, for whoever reads the list.
  async give(order, of = "") {
    const number = await kept.nextNumber(this.taken);
    if (number === undefined) { await this.lost(); return; }
    const made = { ...await this.line.order(number, order), of };
    if (order.do === "stop") {
      for (const one of this.known) if (this.way(one) === "kept" && one !== this.leaving) await this.change(one, { over: "given_up" });
    }
    this.known.push(made);
    await kept.keepOrder(made);
    this.show();
    await this.go();
  }

  way(one) {
    if (one.over !== undefined) return one.over;
    const late = this.line.now() > one.exp;
    return one.hub === null ? (late ? "stayed" : "kept") : late ? "expired" : "waiting";
  }

  async change(one, facts) {
    Object.assign(one, facts);
    await kept.keepOrder(one);
    this.show();
  }

  // Leave those that have not left, in their order: the box takes rising numbers only.
  async go() {
    if (this.running) return this.running;
    this.running = this.leave().finally(() => { this.running = null; this.show(); });
    return this.running;
  }

  async leave() {
    for (const one of this.known.filter((order) => this.way(order) === "kept")) {
      if (this.way(one) !== "kept") continue;
      try {
        this.leaving = one; // from here on it may have left, whatever becomes of the answer
        const said = await this.line.leave(one);
        await this.change(one, { hub: String(said.id) });
      } catch (failure) {
        if (!failure.why) throw failure;
        if (failure.why !== "hub" || failure.status < 400 || failure.status >= 500) return; // tried again
        await this.change(one, { over: "hub_refused" });
      } finally {
        this.leaving = null;
      }
    }
    if (Date.now() - this.looked < LOOKS) return;
    this.looked = Date.now();
    for (const one of this.known.filter((order) => this.way(order) === "waiting")) {
      try {
        const said = await this.line.standing(one.hub);
        if (["received", "expired", "refused"].includes(said.state) && one.told !== said.state) await this.change(one, { told: said.state, toldWhy: said.why ?? null });
      } catch (failure) {
        if (!failure.why) throw failure;
        return;
      }
    }
  }

  // What the box says of them, by its own sealed word; `taken` is the highest number that it took of this browser.
  async heard(said, taken) {
    this.taken = taken ?? 0;
    for (const word of said ?? []) {
      const one = this.known.find((order) => order.id === word.jti);
      const why = word.why ?? null;
      if (one && ["kept", "done", "failed"].includes(word.state) && (one.over !== WAYS[word.state] || one.why !== why)) {
        await this.change(one, { over: WAYS[word.state], why });
      }
    }
  }

  show() {
    const facts = this.known.slice(-8).reverse().map((one) => ({ do: one.order.do, of: one.of, way: this.way(one), why: one.why ?? null, told: one.told ?? null, toldWhy: one.toldWhy ?? null, iat: one.iat }));
    this.place.hidden = facts.length === 0;
    put(this.place.querySelector("ul"), facts, () => facts.map((one) => h("li", { "data-order": one.do, "data-way": one.way },
      h("span", {}, h("b", {}, say(`away.do.${one.do}`)), one.of && " ", one.of && name(one.of)),
      h("span", { class: one.way === "done" ? "good" : ["kept", "waiting", "received"].includes(one.way) ? "" : "bad" },
        say(`away.way.${one.told !== null && one.way === "waiting" ? `told_${one.told}` : one.way}`),
        one.why !== null && ` ${say(`away.no.${one.why}`)}`, one.way === "waiting" && one.toldWhy !== null && ` ${say(`away.no.${one.toldWhy}`)}`))));
  }
}
