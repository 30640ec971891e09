// Follows the events while somebody looks at the page: one stream for the whole tab, none in the background.
import { Refused, Unreachable } from "./api.js";

const FIRST_PAUSE_S = 1;
const MAX_PAUSE_S = 30;

// Return a function that loads again because of events: not before `atLeastMs`, for one part in `share` of the time at
// most, and never twice at once. What happened meanwhile is loaded afterwards.
export function easedBy(load, signal, atLeastMs, share = 1) {
  let due = null, isRunning = false, isStale = false, tookMs = 0;
  function schedule() {
    if (isRunning) isStale = true;
    else due ??= setTimeout(run, Math.max(atLeastMs, share * tookMs));
  }
  async function run() {
    [due, isRunning, isStale] = [null, true, false];
    const began = performance.now();
    if (!signal.aborted) await load();
    [isRunning, tookMs] = [false, performance.now() - began];
    if (isStale) schedule();
  }
  return schedule;
}

// `onEvent` gets each event once, in order; `onState` gets "live", "waiting" or "off"; `onEnd` gets a refusal of the key.
export class Live {
  #hub; #on; #stop = null; #last;

  constructor(hub, on) {
    this.#hub = hub;
    this.#on = on;
    this.look = () => (document.hidden ? this.#pause() : this.#run());
  }

  // Note the newest event, so that a page that reads afterwards misses nothing.
  async begin() {
    try {
      await this.#findNewest();
    } catch (failure) {
      if (!(failure instanceof Refused || failure instanceof Unreachable)) throw failure; // it is tried again below
    }
    document.addEventListener("visibilitychange", this.look);
    this.look();
  }

  end() {
    document.removeEventListener("visibilitychange", this.look);
    this.#pause();
  }

  #pause() {
    this.#stop?.abort();
    this.#stop = null;
  }

  async #findNewest(signal) {
    const newest = await this.#hub.get("v1/events", { order: "newest", limit: 1 }, signal);
    this.#last = newest.data[0]?.id ?? null;
  }

  // Events after the newest one that the hub had, or after the last one that was shown. While there was none, the stream
  // cannot say after which one it begins, so the list says what happened before it.
  async *#events(signal) {
    if (this.#last === undefined) await this.#findNewest(signal);
    for await (const event of this.#hub.follow(this.#last, signal)) {
      if (event === null && this.#last === null) yield* (await this.#hub.get("v1/events", {}, signal)).data;
      yield event;
    }
  }

  async #run() {
    if (this.#stop !== null) return;
    const { signal } = (this.#stop = new AbortController());
    for (let pauseS = FIRST_PAUSE_S; !signal.aborted; pauseS = Math.min(2 * pauseS, MAX_PAUSE_S)) {
      try {
        for await (const event of this.#events(signal)) {
          pauseS = FIRST_PAUSE_S;
          this.#on.onState("live");
          if (event !== null) { this.#last = event.id; this.#on.onEvent(event); }
        }
      } catch (failure) {
        if (signal.aborted) return;
        if (failure instanceof Refused && [401, 403].includes(failure.status)) { this.#pause(); this.#on.onEnd(failure); return; }
        if (!(failure instanceof Refused || failure instanceof Unreachable)) throw failure;
        if (failure.code === "bad_cursor") this.#last = undefined; // the hub no longer has that event
      }
      if (signal.aborted) return;
      this.#on.onState("waiting");
      await new Promise((resolve) => { setTimeout(resolve, pauseS * 1000); });
    }
  }
}
