// Live pictures by Media Source Extensions over a WebSocket. A picture whose newest fragment is older than 2 s, or of
// which the box says that it is not live, is greyed and said to be stale: else this page would be the frozen picture.
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
    this.button.addEventListener("click", () => {
      if (this.socket) { this.end(); return; }
      this.asked = Date.now();
      this.begin();
    });
    setInterval(() => this.look(), 250);
  }

  begin() {
    this.button.textContent = this.button.dataset.end;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live/${encodeURIComponent(this.figure.dataset.camera)}`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.over = false;
    this.newest = 0;
    let queue = [];
    let buffer = null;
    const next = () => {
      if (!buffer || buffer.updating || !queue.length) return;
      buffer.appendBuffer(queue.shift());
    };
    socket.onmessage = (event) => {
      if (typeof event.data !== "string") { queue.push(event.data); this.newest = Date.now(); this.asked = 0; next(); return; }
      const said = JSON.parse(event.data);
      if (said.why) this.private = said.why === "private";
      if (said.live !== undefined) { this.live = said.live; this.look(); }
      if (!said.codec) return;
      this.private = false;
      const source = new (self.ManagedMediaSource ?? MediaSource)();
      this.video.disableRemotePlayback = true; // a managed source begins only so
      this.video.src = URL.createObjectURL(source);
      source.addEventListener("sourceopen", () => {
        URL.revokeObjectURL(this.video.src);
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
    this.button.textContent = this.start;
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

export function watchCameras(words) {
  for (const figure of document.querySelectorAll("[data-camera]")) new View(figure, words);
}
