// The replay of a visit: one clock moves the films of all cameras, a scrubber with the events as marks moves the clock.
import { Altered, Unable, check } from "./replay_seal.js";

const SAME = 0.02; // seconds: films that are so near to the clock stand right while nothing plays
const NEAR = 0.04; // seconds within which a playing film needs no correction
const FAR = 0.35; // seconds from which on a playing film is put right by a jump
const STEER = 0.1; // how much faster or slower it plays meanwhile, at most
const FRAMES = 12; // pictures of a camera's strip, at most
const FRAME_PX = 64; // of one of them, in the strip
const FRAME_WAIT = 4000; // milliseconds for one of them
const QUIET = 400; // milliseconds after a move of the scrubber in which no picture is taken for the strip
const STEP = 5; // seconds of an arrow key

const ready = (video) => new Promise((resolve, reject) => {
  video.onseeked = video.onloadeddata = () => resolve();
  video.onerror = () => reject(new TypeError("no film"));
});

// One film, and the element that plays it.
class Film {
  constructor(facts, video) {
    Object.assign(this, facts, { video, blob: null });
  }

  get second() { return this.video.currentTime; }
  get at() { return this.start + this.second * 1000; }
  get broken() { return this.video.error !== null; }
  get length() { return Number.isFinite(this.video.duration) ? this.video.duration : (this.end - this.start) / 1000; }
  get over() { return this.second >= this.length - 0.05; }
  get starved() { return !this.broken && (this.video.seeking || (this.video.readyState < 3 && this.second < this.length - 0.3)); }
  wanted(at) { return Math.min(Math.max((at - this.start) / 1000, 0), Math.max(this.length - 0.01, 0)); }

  put(at) {
    const second = this.wanted(at);
    if (!this.video.seeking && Math.abs(this.second - second) > SAME) this.video.currentTime = second;
  }

  // Play by the clock; the leading film is the clock, and is only put right where it is far away.
  steer(at, rate, leads) {
    const drift = this.second - this.wanted(at);
    if (this.video.seeking || this.over) return;
    if (Math.abs(drift) > (leads ? 1 : FAR * Math.max(1, rate))) this.video.currentTime = this.wanted(at);
    const correction = leads || Math.abs(drift) < NEAR ? 0 : Math.max(-STEER, Math.min(STEER, drift));
    const wished = rate * (1 - correction);
    if (Math.abs(this.video.playbackRate - wished) > 0.001) this.video.playbackRate = wished;
    if (this.video.paused) this.video.play().catch(() => {}); // the next turn tries again
  }

  // From here on the checked bytes themselves are played.
  async take(blob, shown) {
    this.blob = URL.createObjectURL(blob);
    const fresh = this.video.cloneNode(false);
    fresh.preload = "auto";
    fresh.src = this.blob;
    if (shown) {
      await ready(fresh);
      if (this.second > 0) { fresh.currentTime = this.second; await ready(fresh); }
      if (!this.video.paused) await fresh.play().catch(() => {});
    }
    this.video.replaceWith(fresh);
    this.video = fresh;
  }
}

class Lane {
  constructor(figure, films, words) {
    Object.assign(this, { films, words, place: figure, hole: figure.querySelector(".hole") });
  }

  film(at) { return this.films.find((film) => at >= film.start && at <= film.end) ?? null; }

  show(at) {
    const film = this.film(at);
    for (const one of this.films) {
      const hidden = one !== film || one.broken;
      if (one.video.hidden !== hidden) one.video.hidden = hidden;
      if (hidden && !one.video.paused) one.video.pause();
    }
    const inGap = film?.gaps.some(([start, end]) => at >= start && at < end);
    const text = film?.broken ? this.words["replay.broken"] : film === null || inGap ? this.words["replay.hole"] : "";
    if (this.hole.textContent !== text) this.hole.textContent = text;
    this.hole.hidden = text === "";
    return film?.broken ? null : film;
  }
}

class Replay {
  constructor(root) {
    this.root = root;
    this.facts = JSON.parse(root.dataset.replay);
    this.words = this.facts.words;
    this.clock = new Intl.DateTimeFormat(document.documentElement.lang, { timeZone: this.facts.zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    this.lanes = [...root.querySelectorAll("figure[data-view]")].map((figure) => new Lane(
      figure,
      this.facts.films.filter((film) => film.camera === figure.dataset.view).map((film) => new Film(film, figure.querySelector(`video[data-film="${CSS.escape(film.file)}"]`))),
      this.words,
    ));
    this.start = Math.min(...this.facts.films.map((film) => film.start));
    this.end = Math.max(...this.facts.films.map((film) => film.end));
    // It opens where each camera has its film, though one began to film before another.
    const began = this.lanes.filter((lane) => lane.films.length).map((lane) => Math.min(...lane.films.map((film) => film.start)));
    Object.assign(this, { at: Math.max(this.start, ...began), playing: false, rate: 1, turn: null, last: 0, sought: -QUIET });
    this.find = (name) => root.querySelector(name);
    this.moments = [...document.querySelectorAll(".moment")];
  }

  // ---- the clock ---------------------------------------------------------------------------------------------------

  kick() { this.turn ??= requestAnimationFrame((now) => { this.turn = null; this.move(now); }); }

  move(now) {
    const passed = Math.min(now - this.last, 250);
    this.last = now;
    const films = this.lanes.map((lane) => lane.show(this.at)).filter(Boolean);
    const starved = films.some((film) => film.starved);
    let leads = null;
    if (this.playing && !starved) {
      leads = films.find((film) => !film.over && Math.abs(film.at - this.at) < 1000) ?? null;
      this.at = leads && !leads.video.paused ? Math.max(this.at, leads.at) : leads ? this.at : this.at + passed * this.rate;
      if (this.at >= this.end) { this.at = this.end; this.pause(); }
    }
    for (const film of films) {
      if (this.playing && !starved) film.steer(this.at, this.rate, film === leads);
      else { if (!film.video.paused) film.video.pause(); film.put(this.at); }
    }
    this.root.classList.toggle("waiting", this.playing && starved);
    this.paint();
    if (this.playing || starved || films.some((film) => Math.abs(film.second - film.wanted(this.at)) > SAME)) this.kick();
  }

  play() {
    if (this.at >= this.end - 50) this.at = this.start;
    this.playing = true;
    this.last = performance.now();
    this.kick();
  }

  pause() {
    this.playing = false;
    this.kick();
  }

  seek(at) {
    this.sought = performance.now();
    this.at = Math.min(Math.max(at, this.start), this.end);
    for (const lane of this.lanes) lane.show(this.at)?.put(this.at);
    this.kick();
  }

  step(pictures) {
    this.pause();
    this.seek(this.at + pictures * this.picture);
  }

  speed(rate) {
    this.rate = rate;
    this.find("#speed").value = String(rate);
    this.kick();
  }

  // ---- what is to be seen ------------------------------------------------------------------------------------------

  paint() {
    const share = (this.at - this.start) / Math.max(1, this.end - this.start);
    const slider = this.find("#scrubber");
    slider.value = String(Math.round(this.at - this.start));
    this.find(".head").style.left = `${share * 100}%`;
    const time = this.clock.format(this.at);
    if (this.find("#now").textContent !== time) this.find("#now").textContent = time;
    const state = this.playing ? "replay.pause" : "replay.play";
    const label = this.find("#play span");
    if (label.textContent !== this.words[state]) label.textContent = this.words[state];
    this.find("#play").classList.toggle("playing", this.playing);
    let current = null;
    for (const moment of this.moments) if (Date.parse(moment.dataset.at) <= this.at + 50) current = moment;
    if (current !== this.current) {
      this.current?.removeAttribute("aria-current");
      current?.setAttribute("aria-current", "true");
      this.current = current;
    }
    const story = current ? current.textContent.trim().replace(/^\S+\s+/, "") : "";
    if (this.find("#story").textContent !== story) this.find("#story").textContent = story;
    slider.setAttribute("aria-valuetext", story ? this.words["replay.at"].replace("{time}", time).replace("{story}", story) : time);
  }

  mark() {
    const marks = this.find(".marks");
    marks.replaceChildren(...this.moments.flatMap((moment) => {
      const share = (Date.parse(moment.dataset.at) - this.start) / (this.end - this.start);
      if (!(share >= 0 && share <= 1)) return [];
      const mark = document.createElement("i");
      mark.className = moment.parentElement.className;
      mark.style.left = `${share * 100}%`;
      return [mark];
    }));
  }

  // One row a camera: pictures out of its own films, and hatching where there is none.
  async strip() {
    for (const [number, canvas] of this.root.querySelectorAll(".strip canvas").entries()) {
      const width = canvas.clientWidth, height = canvas.clientHeight, fine = Math.min(devicePixelRatio, 2);
      canvas.width = width * fine;
      canvas.height = height * fine;
      const count = Math.max(3, Math.min(FRAMES, Math.floor(width / FRAME_PX)));
      const pen = canvas.getContext("2d"), cell = canvas.width / count;
      const video = document.createElement("video");
      video.muted = true;
      video.preload = "auto";
      let shown = null;
      for (let place = 0; place < count; place += 1) {
        const [first, middle, last] = [0, 0.5, 1].map((share) => this.start + ((place + share) / count) * (this.end - this.start));
        const film = this.lanes[number].film(middle) ?? this.lanes[number].films.find((one) => one.start < last && one.end > first);
        if (!film || film.broken) continue;
        const at = Math.min(Math.max(middle, film.start), film.end);
        while (performance.now() - this.sought < QUIET) await new Promise((done) => { setTimeout(done, QUIET); }); // a person comes first
        try {
          if (shown !== film) { video.src = film.blob ?? film.url; shown = film; await within(ready(video)); }
          const second = film.wanted(at);
          if (Math.abs(video.currentTime - second) > SAME) { video.currentTime = second; await within(ready(video)); }
          draw(pen, video, place * cell, cell, canvas.height);
        } catch { /* this place stays empty */ }
      }
      for (const [from, until] of this.holes(this.lanes[number])) hatch(pen, canvas, from, until);
      video.removeAttribute("src");
    }
    this.root.dataset.strip = "drawn";
  }

  // Where a camera has no film, in parts of the whole.
  holes(lane) {
    const filmed = lane.films.map((film) => [film.start, film.end]).sort(([one], [other]) => one - other);
    const holes = lane.films.flatMap((film) => film.gaps);
    let covered = this.start;
    for (const [start, end] of filmed) {
      if (start > covered) holes.push([covered, start]);
      covered = Math.max(covered, end);
    }
    if (covered < this.end) holes.push([covered, this.end]);
    const whole = this.end - this.start;
    return holes.filter(([start, end]) => end - start > 500).map((hole) => hole.map((at) => (at - this.start) / whole));
  }

  // ---- what a person does ------------------------------------------------------------------------------------------

  follow() {
    const slider = this.find("#scrubber");
    slider.max = String(Math.max(1, Math.round(this.end - this.start)));
    slider.addEventListener("input", () => this.seek(this.start + Number(slider.value)));
    this.find("#play").addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    this.find("#speed").addEventListener("change", (event) => this.speed(Number(event.target.value)));
    for (const moment of this.moments) moment.addEventListener("click", () => this.seek(Date.parse(moment.dataset.at)));
    for (const lane of this.lanes) {
      for (const film of lane.films) for (const news of ["loadedmetadata", "error"]) film.video.addEventListener(news, () => this.kick());
      lane.place.addEventListener("click", (event) => { if (this.lanes.length > 1 && event.target.closest(".screen, figcaption button")) this.enlarge(lane); });
    }
    const full = this.find("#full");
    full.hidden = !document.fullscreenEnabled;
    full.addEventListener("click", () => this.fullScreen());
    document.addEventListener("visibilitychange", () => { if (document.hidden && this.playing) this.pause(); });
    document.addEventListener("keydown", (event) => this.press(event));
    if ("requestVideoFrameCallback" in HTMLVideoElement.prototype) this.measure();
  }

  enlarge(lane) {
    const large = !lane.place.classList.contains("large");
    for (const one of this.lanes) {
      one.place.classList.toggle("large", one === lane && large);
      one.place.querySelector("figcaption button").setAttribute("aria-pressed", String(one === lane && large));
    }
  }

  // How long a picture stands, so that a step is one picture.
  measure() {
    const film = this.lanes[0]?.films[0];
    let before = null;
    const heard = (_now, { mediaTime }) => {
      const passed = before === null ? 0 : (mediaTime - before) * 1000;
      if (passed > 10 && passed < this.picture) this.picture = passed;
      before = mediaTime;
      film.video.requestVideoFrameCallback(heard);
    };
    film?.video.requestVideoFrameCallback(heard);
  }

  picture = 1000 / 10; // milliseconds, until it was measured

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (document.fullscreenEnabled) this.root.requestFullscreen().catch(() => {});
  }

  press(event) {
    const typing = event.target.closest?.("input:not([type=range], [type=checkbox]), select, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !this.find("#keys").checked) return;
    const pressing = event.target.closest?.("button, a, summary, input[type=checkbox]");
    const act = {
      " ": pressing ? null : () => (this.playing ? this.pause() : this.play()),
      k: () => (this.playing ? this.pause() : this.play()),
      j: () => this.seek(this.at - 10_000),
      l: () => (this.playing ? this.speed(Math.min(4, this.rate * 2)) : this.play()),
      arrowleft: () => this.seek(this.at - STEP * 1000),
      arrowright: () => this.seek(this.at + STEP * 1000),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      home: () => this.seek(this.start),
      end: () => this.seek(this.end),
      f: () => this.fullScreen(),
    }[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  begin() {
    for (const video of this.root.querySelectorAll("video")) video.controls = false;
    for (const hidden of this.root.querySelectorAll(".player, .keys, figcaption button")) hidden.hidden = false;
    this.find("#whole").textContent = length(this.end - this.start);
    this.root.classList.add("led");
    this.follow();
    this.mark();
    this.kick();
  }
}

const within = (work) => Promise.race([work, new Promise((_, reject) => { setTimeout(() => reject(new TypeError("late")), FRAME_WAIT); })]);

function length(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// The middle of a picture, so that it fills its place.
function draw(pen, video, left, width, height) {
  const shape = width / height, wide = video.videoWidth, tall = video.videoHeight;
  const cutWide = Math.min(wide, tall * shape), cutTall = Math.min(tall, wide / shape);
  pen.drawImage(video, (wide - cutWide) / 2, (tall - cutTall) / 2, cutWide, cutTall, left, 0, width, height);
}

function hatch(pen, canvas, from, until) {
  const left = from * canvas.width, right = until * canvas.width;
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, right - left, canvas.height);
  pen.clip();
  pen.fillStyle = "#5d6663";
  pen.fillRect(left, 0, right - left, canvas.height);
  pen.strokeStyle = "#d9d8d2";
  pen.lineWidth = 2;
  for (let x = left - canvas.height; x < right; x += 12) { pen.beginPath(); pen.moveTo(x, canvas.height); pen.lineTo(x + canvas.height, 0); pen.stroke(); }
  pen.restore();
}

// ---- the seal ----------------------------------------------------------------------------------------------------------

class Seal {
  constructor(replay, place) {
    Object.assign(this, { replay, place, words: replay.words });
    this.again = place.querySelector("button");
    this.again.addEventListener("click", () => this.look());
  }

  say(state, title, text) {
    this.place.dataset.state = state;
    this.place.querySelector("b").textContent = title;
    this.place.querySelector("[role=status] span").textContent = text;
    this.again.hidden = state !== "offline";
  }

  word(name, facts = {}) {
    return Object.entries(facts).reduce((text, [key, value]) => text.replace(`{${key}}`, value), this.words[name]);
  }

  async look() {
    const { facts } = this.replay;
    this.say("checking", this.words["seal.checking"], "");
    try {
      const found = await check(facts, (film, blob, gaps) => this.taken(film, blob, gaps), (n, of) => this.say("checking", this.words["seal.checking"], this.word("seal.checking.film", { n, of })));
      await Promise.all(this.taking ?? []);
      this.say("sealed", this.words["seal.sealed"], this.words[facts.films.length ? "seal.sealed.why" : "seal.sealed.no_film"]);
      this.place.classList.add("whole"); // what the box says is one thing, what was checked here another
      this.tell(found);
    } catch (failure) {
      this.fail(failure);
    }
  }

  fail(failure) {
    const time = failure.facts?.at === undefined ? "" : this.replay.clock.format(failure.facts.at);
    const camera = failure.facts?.camera; // by the name that people know it by
    const facts = { ...failure.facts, time, camera: this.replay.facts.films.find((film) => film.camera === camera)?.name ?? camera };
    if (failure instanceof Altered) {
      this.say("altered", this.words["seal.altered"], this.word(`seal.altered.${failure.what}`, facts));
      const lane = this.replay.lanes.find((one) => one.place.dataset.view === camera);
      lane?.place.classList.add("altered");
    } else if (failure instanceof Unable) {
      this.say("unable", this.words["seal.unable"], `${this.word(`seal.unable.${failure.what}`, facts)} ${this.words[this.replay.facts.has_proof ? "seal.unable.verify" : "seal.unable.ask"]}`);
    } else {
      this.say("offline", this.words["seal.offline"], "");
    }
  }

  taken(facts, blob, gaps) {
    for (const lane of this.replay.lanes) {
      const film = lane.films.find((one) => one.file === facts.file && one.part === facts.part);
      if (!film) continue;
      film.gaps = gaps;
      (this.taking ??= []).push(film.take(blob, lane.film(this.replay.at) === film).then(() => this.replay.kick()));
    }
  }

  // What was computed here, in full.
  tell({ manifests, checked }) {
    const { clock } = this.replay;
    const rows = [
      ...manifests.map((one) => [this.word("seal.manifest", { part: one.said.part }), one.sha256]),
      ...checked.map(({ film, sha256 }) => [this.word("seal.film", { camera: film.name, time: clock.format(film.start) }), sha256]),
      ...manifests.slice(-1).map((one) => [this.words["seal.key"], one.signer]),
      ...manifests.slice(-1).map((one) => [this.words["seal.at"], one.said.sealed_at]),
    ];
    this.place.querySelector(".hashes").replaceChildren(...rows.flatMap(([name, value]) => {
      const [term, text, code] = ["dt", "dd", "code"].map((one) => document.createElement(one));
      term.textContent = name;
      code.textContent = value;
      text.append(code);
      return [term, text];
    }));
  }
}

export async function startReplay(root) {
  const replay = new Replay(root);
  if (replay.lanes.length) replay.begin();
  if (replay.facts.state === "sealed") await new Seal(replay, root.querySelector("#seal")).look();
  if (replay.lanes.length) await replay.strip();
}
