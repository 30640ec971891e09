// Follows the events while somebody looks at the page: one stream for the whole tab, none in the background.
import { Refused } from "./api.js";

const FIRST_PAUSE_S = 1;
const MAX_PAUSE_S = 30;

// `onEvent` gets each event once, in order; `onState` gets "live", "waiting" or "off"; `onEnd` gets a refusal of the key.
export class Live {
  #hub; #on; #stop = null; #last = null;

  constructor(hub, on) {
    this.#hub = hub;
    this.#on = on;
    this.look = () => (document.hidden ? this.#pause() : this.#run());
  }

  async begin() {
    const newest = await this.#hub.get("v1/events", { order: "newest", limit: 1 });
    this.#last = newest.data[0]?.id ?? null;
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

  async #run() {
    if (this.#stop !== null) return;
    const stop = this.#stop = new AbortController();
    for (let pauseS = FIRST_PAUSE_S; !stop.signal.aborted; pauseS = Math.min(2 * pauseS, MAX_PAUSE_S)) {
      try {
        for await (const event of this.#hub.follow(this.#last, stop.signal)) {
          pauseS = FIRST_PAUSE_S;
          this.#on.onState("live");
          if (event !== null) { this.#last = event.id; this.#on.onEvent(event); }
        }
      } catch (failure) {
        if (stop.signal.aborted) return;
        if (failure instanceof Refused && [401, 403].includes(failure.status)) { this.#pause(); this.#on.onEnd(failure); return; }
        if (failure instanceof Refused && failure.code === "bad_cursor") this.#last = null; // the hub keeps that event no longer
      }
      if (stop.signal.aborted) return;
      this.#on.onState("waiting");
      await new Promise((resolve) => { setTimeout(resolve, pauseS * 1000); });
    }
  }
}
