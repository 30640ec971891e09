// The way to the box: through the hub, which carries and is believed in nothing. Whatever it answers that is not the
// box's own sealed word to this browser and this question is "not heard".
import { seal, signed, unseal, Unbelieved } from "./away_crypto.js";

const LARGEST = 100_000; // bytes of one answer: the box seals 45 000 at most
const PATIENCE = 30_000; // milliseconds; the hub gives a question up after 25 s
const TOKEN = 240; // seconds; the hub takes 300
// Seconds for which an order is good: what is about this moment soon ends.
const LONG = 24 * 3600, SHORT = 900;
const LIVES = { stop: SHORT, veto: SHORT, approve: SHORT, acknowledge: SHORT, lock: SHORT };

// Why nothing was heard: no_hub, offline, silent, clock, unknown, ended, slow_down, unbelieved, hub; or
// "refused", by the box itself, with its word.
export class NotHeard extends Error {
  constructor(why, { status = 0, word = "" } = {}) {
    super(why);
    Object.assign(this, { why, status, word });
  }
}

const CODES = { home_offline: "offline", home_silent: "silent" };

async function read(answer) {
  const reader = answer.body.getReader();
  const pieces = [];
  for (let size = 0; ;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > LARGEST) { await reader.cancel(); throw new NotHeard("unbelieved"); }
    pieces.push(value);
  }
  try {
    const said = JSON.parse(await new Blob(pieces).text());
    if (said === null || typeof said !== "object") throw new NotHeard("unbelieved");
    return said;
  } catch {
    throw new NotHeard("unbelieved");
  }
}

export class Line {
  constructor(me, keys) {
    Object.assign(this, { me, keys, token: null });
    this.ahead = []; // the box's clock minus this device's, at most (milliseconds), by each of the newest answers
  }

  now() { return this.boxNow() / 1000; }

  async bearer() {
    const now = this.now();
    if (this.token === null || now > this.token.until || now < this.token.from) {
      const payload = { iss: this.me.browser, sub: this.me.home, aud: this.me.hub, iat: Math.floor(now), exp: Math.floor(now) + TOKEN };
      this.token = { from: now - 1, until: now + TOKEN - 60, text: await signed(this.me.sign, this.me.browser, "perron-browser+jwt", payload) };
    }
    return `Bearer ${this.token.text}`;
  }

  // Ask the hub; what it says, as JSON, or NotHeard. Nothing of it is followed: no redirect, no cookie, no page.
  async fetch(path, body, key) {
    const headers = { Authorization: await this.bearer() };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key !== undefined) headers["Idempotency-Key"] = key;
    let answer, said;
    try {
      answer = await fetch(this.me.hub.replace(/\/$/, "") + path, {
        method: body === undefined ? "GET" : "POST", headers, body: body === undefined ? undefined : JSON.stringify(body), mode: "cors",
        credentials: "omit", redirect: "error", cache: "no-store", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(PATIENCE),
      });
      said = await read(answer);
    } catch (failure) {
      throw failure instanceof NotHeard ? failure : new NotHeard(failure.name === "TimeoutError" ? "silent" : "no_hub");
    }
    if (answer.ok) return said;
    const why = CODES[said.code] ?? (answer.status === 429 ? "slow_down" : "hub");
    if (answer.status !== 401) throw new NotHeard(why, { status: answer.status });
    throw new NotHeard(await this.farewell(said.sealed) ? "ended" : "unknown", { status: 401 });
  }

  // Whether the box itself says that this browser is enrolled no longer.
  async farewell(sealed) {
    try {
      const { said } = await unseal(this.keys.down, this.me.browser, sealed);
      return said.ended === true && said.browser === this.me.browser;
    } catch {
      return false;
    }
  }

  // Ask the box: its answer, what bytes came with it, and when it was given by its clock. Where this device's clock is wrong
  // it is asked once more by the box's own.
  async ask(question) {
    try {
      return await this.askOnce(question);
    } catch (failure) {
      if (failure.word !== "stale") throw failure;
      this.ahead = this.ahead.slice(-1); // what this answer has just told; the token is made anew too
      this.token = null;
      try {
        return await this.askOnce(question);
      } catch (again) {
        throw again.word === "stale" ? new NotHeard("clock") : again;
      }
    }
  }

  async askOnce(question) {
    const id = crypto.randomUUID();
    const sent = Date.now();
    const at = Math.floor(this.boxNow() / 1000);
    const answer = await this.fetch("/v1/household/questions", { sealed: await seal(this.keys.up, this.me.browser, JSON.stringify({ id, at, ...question })) });
    let opened;
    try {
      opened = await unseal(this.keys.down, this.me.browser, answer.sealed);
    } catch (failure) {
      throw failure instanceof Unbelieved ? new NotHeard("unbelieved") : failure;
    }
    const { said, bytes } = opened;
    if (said.id !== id || !Number.isFinite(said.at)) throw new NotHeard("unbelieved"); // another question's, kept by the hub
    this.ahead = [...this.ahead.slice(-19), said.at * 1000 - sent];
    if (said.refused !== undefined) throw new NotHeard("refused", { word: String(said.refused) });
    if (said.answer === null || typeof said.answer !== "object") throw new NotHeard("unbelieved");
    return { answer: said.answer, bytes, at: said.at * 1000 };
  }

  // The box's clock now, by the quickest answer: an answer that a hub held back only makes things look older, never newer.
  boxNow() { return Date.now() + (this.ahead.length ? Math.min(...this.ahead) : 0); }

  // This device has slept, or its clock was set: what was measured by it before tells nothing.
  forgetClock() { this.ahead = []; this.token = null; }

  // An order as it is kept until it has come: signed, sealed, and under a number that no other has.
  async order(number, order) {
    const id = crypto.randomUUID();
    const iat = Math.floor(this.now());
    const exp = iat + (LIVES[order.do] ?? LONG);
    const payload = { iss: this.me.browser, aud: this.me.home, jti: id, number, iat, exp, order };
    const token = await signed(this.me.sign, this.me.browser, "perron-order+jwt", payload);
    return { id, number, iat, exp, order, sealed: await seal(this.keys.up, this.me.browser, token), hub: null };
  }

  leave(order) { return this.fetch("/v1/household/orders", { sealed: order.sealed, seconds: order.exp - order.iat }, order.id); }

  standing(id) { return this.fetch(`/v1/household/orders/${encodeURIComponent(id)}`); }
}
