// Live pictures by Media Source Extensions over a WebSocket. A picture whose newest fragment is older than 2 s, or of
// which the box says that it is not live, is greyed and said to be stale: else this page would be the frozen picture.
// While something happens at an entrance, its pictures play by themselves: its card names the cameras (`data-playing`).
const STALE = 2000; // milliseconds
const BEHIND = 1.5; // seconds behind the newest picture at which playing jumps to it
const PATIENCE = 10000; // milliseconds in which a camera that rested may show its first picture
const NO_RIGHT = 1008; // the close code of who may watch no longer
const DRIFT = 0.15; // seconds behind at which it plays a little faster

class View {
  constructor(figure, words) {
    this.figure = figure;
    this.words = words;
    this.video = figure.querySelector("video");
    this.light = figure.querySelector(".light");
    this.button = figure.querySelector("[data-watch]");
    this.start = this.button.textContent;
    this.socket = null;
    this.newest = 0;
    this.live = true;
    this.over = false; // the right to watch has ended
    this.private = false; // the box lets nobody watch this camera now
    this.asked = 0; // when watching was asked for; 0 once there was a picture
    this.visit = ""; // the visit during which it plays by itself
    this.declined = ""; // the visit during which a person ended it
    this.past = this.video.getAttribute("poster"); // the still of the last visit
    this.button.addEventListener("click", () => {
      if (this.socket) { this.declined = this.visit; this.end(); } else this.ask();
    });
    figure.querySelector("[data-enlarge]")?.addEventListener("click", (event) => {
      event.currentTarget.setAttribute("aria-pressed", figure.classList.toggle("large"));
    });
    figure.querySelector("[data-full]")?.addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else if (figure.requestFullscreen) figure.requestFullscreen().catch(() => {});
      else this.video.webkitEnterFullscreen?.(); // a phone that lets only a film fill the screen
    });
    setInterval(() => this.look(), 250);
  }

  ask() {
    this.asked = Date.now();
    this.begin();
  }

  // Plays by itself during a visit ("": none) unless a person ended it. Before the first picture of the film there is a still.
  follow(visit) {
    if (visit === this.visit && (this.socket || !visit || this.declined === visit || document.hidden)) return;
    const before = this.visit;
    this.visit = visit;
    if (this.figure.dataset.private === "") this.figure.classList.toggle("available", visit !== "");
    if (visit && !this.socket && this.declined !== visit && !document.hidden) {
      this.video.poster = `/live/${encodeURIComponent(this.figure.dataset.camera)}/still?visit=${encodeURIComponent(visit)}`;
      this.ask();
    } else if (!visit && before && this.socket) this.end();
  }

  begin() {
    this.figure.classList.add("watched");
    this.button.textContent = this.button.dataset.end;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live/${encodeURIComponent(this.figure.dataset.camera)}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.over = false;
    this.newest = 0;
    const queue = [];
    let source = null;
    let buffer = null;
    const next = () => {
      if (!buffer || buffer.updating || !queue.length) return;
      if (source.readyState !== "open") { queue.length = 0; socket.close(); return; } // it takes no picture any more: begin anew
      buffer.appendBuffer(queue.shift());
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket) return; // it was on its way when watching ended
      if (typeof event.data !== "string") { queue.push(event.data); this.newest = Date.now(); this.asked = 0; next(); return; }
      const said = JSON.parse(event.data);
      if (said.why) this.private = said.why === "private";
      if (said.live !== undefined) { this.live = said.live; this.look(); }
      if (!said.codec) return;
      this.private = false;
      source = new (self.ManagedMediaSource ?? MediaSource)();
      const address = URL.createObjectURL(source);
      this.video.disableRemotePlayback = true; // a managed source begins only so
      this.video.src = address;
      source.addEventListener("sourceopen", () => {
        URL.revokeObjectURL(address);
        if (source.readyState !== "open") return; // watching ended after it opened, before this page heard of it
        buffer = source.addSourceBuffer(`video/mp4; codecs="${said.codec}"`);
        buffer.addEventListener("updateend", () => {
          if (source.readyState !== "open") return; // the camera was lost meanwhile, and its buffer with it
          this.catchUp(buffer);
          next();
        });
        next();
      }, { once: true });
      this.video.play().catch(() => {});
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.newest = 0;
      if (event.code === NO_RIGHT) { this.over = true; this.clear(); this.look(); return; }
      setTimeout(() => { if (this.socket === socket) this.begin(); }, 1000);
    };
  }

  end() {
    const socket = this.socket;
    this.socket = null;
    this.over = false;
    socket.close();
    this.clear();
    this.figure.classList.remove("watched");
    if (this.past) this.video.poster = this.past; else this.video.removeAttribute("poster");
    this.button.textContent = this.start;
    this.look();
  }

  clear() {
    this.video.removeAttribute("src");
    this.video.load();
  }

  catchUp(buffer) {
    const ranges = buffer.buffered;
    if (!ranges.length) return;
    const newest = ranges.end(ranges.length - 1);
    const behind = newest - this.video.currentTime;
    if (this.video.currentTime < ranges.start(0) || behind > BEHIND) this.video.currentTime = Math.max(ranges.start(0), newest - 0.1);
    this.video.playbackRate = behind > DRIFT ? 1.08 : 1;
    if (newest - ranges.start(0) > 60 && !buffer.updating) buffer.remove(0, newest - 30);
  }

  look() {
    const watching = this.socket !== null;
    const fresh = watching && this.live && Date.now() - this.newest < STALE;
    const waiting = watching && !fresh && !this.over && Date.now() - this.asked < PATIENCE; // it may yet come
    this.figure.classList.toggle("stale", watching && !fresh && !waiting);
    this.light.classList.toggle("good", fresh);
    this.light.classList.toggle("bad", watching && !fresh && !waiting);
    const text = !watching ? "" : this.private ? this.words["live.private"] : this.over ? this.words["live.over"] : waiting ? this.words["live.waiting"] : fresh ? this.words["nav.live"] : this.newest ? this.words["live.stale"] : this.words["live.none"];
    if (this.light.textContent !== text) this.light.textContent = text;
  }
}

// The cameras of one entrance follow its card, which is painted anew while they play on.
class Stage {
  constructor(place, words) {
    this.place = place;
    this.views = [...place.querySelectorAll("[data-camera]")].map((figure) => new View(figure, words));
    const look = () => this.follow();
    const painted = new MutationObserver(look);
    for (const part of place.querySelectorAll("[data-part]")) painted.observe(part, { childList: true });
    document.addEventListener("visibilitychange", look);
    this.follow();
  }

  follow() {
    const card = this.place.querySelector("[data-playing]");
    const playing = card?.dataset.playing.split(" ") ?? [];
    for (const view of this.views) view.follow(playing.includes(view.figure.dataset.camera) ? card.dataset.visit : "");
  }
}

export function watchCameras(words) {
  for (const place of document.querySelectorAll("[data-stage]")) new Stage(place, words);
  for (const figure of document.querySelectorAll("[data-camera]")) if (!figure.closest("[data-stage]")) new View(figure, words);
}
