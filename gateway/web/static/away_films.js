// Pictures and films out of the house: sealed by the box, piece by piece, opened here. The hub carries what it cannot see.
import { encode } from "./away_crypto.js";
import { age, h, moment, name, plain, say } from "./away_view.js";

const STALE = 3000; // milliseconds after which a live picture is greyed
const LIVE = 120_000; // milliseconds after which a live view ends by itself: it costs the house's line
const BETWEEN = 400; // milliseconds between two live pictures
const LARGEST = 100_000_000; // bytes of a film: what browsers hold of one
const MOST = 100; // pieces of one picture

function jpeg(bytes) {
  const text = encode(bytes ?? new Uint8Array()).replaceAll("-", "+").replaceAll("_", "/");
  return `data:image/jpeg;base64,${text}${"=".repeat((4 - (text.length % 4)) % 4)}`;
}

export function tellRefused(failure) {
  return failure.why === "refused" ? say(`away.no.${failure.word}`) : say(`away.heard.${failure.why}`);
}

export class Pictures {
  constructor(line, place) {
    Object.assign(this, { line, place, live: null });
  }

  // ---- live --------------------------------------------------------------------------------------------------------

  async watch(camera) {
    this.end();
    const mine = { ends: Date.now() + LIVE };
    this.live = mine;
    const view = this.place.querySelector("#live");
    const image = h("img", { class: "still", alt: say("away.live", { camera: plain(camera) }) });
    const light = h("p", { class: "small", role: "status" }, say("live.waiting"));
    const stop = h("button", { type: "button", class: "quiet", press: () => this.end() }, say("away.live.end"));
    view.replaceChildren(h("h2", {}, say("away.live", { camera: plain(camera) })), light, stop);
    view.hidden = false;
    view.scrollIntoView({ block: "nearest" });
    stop.focus();
    let at = null;
    const look = setInterval(() => {
      if (at === null) return;
      const old = this.line.boxNow() - at;
      image.classList.toggle("unheard", old > STALE);
      light.textContent = old > STALE ? say("live.stale") : `${say("nav.live")}, ${age(old)}`;
    }, 250);
    while (this.live === mine && Date.now() < mine.ends && !document.hidden) {
      try {
        const { answer, bytes, at: given } = await this.line.ask({ ask: "live", camera });
        if (this.live !== mine) break;
        image.src = jpeg(bytes);
        at = answer.live === false ? 0 : given; // not live: a picture that stands still is told as old
        if (!image.isConnected) view.insertBefore(image, stop);
      } catch (failure) {
        if (!failure.why) throw failure;
        if (failure.why === "refused") { image.remove(); at = null; light.textContent = tellRefused(failure); break; }
      }
      await new Promise((resolve) => { setTimeout(resolve, BETWEEN); });
    }
    clearInterval(look);
    if (this.live === mine) { image.remove(); stop.remove(); if (at !== null) light.textContent = say("away.live.over"); this.live = null; }
  }

  end() {
    this.live = null;
    const view = this.place.querySelector("#live");
    view.hidden = true;
    view.replaceChildren();
  }

  // ---- what was filmed ---------------------------------------------------------------------------------------------

  async list(zone) {
    const button = this.place.querySelector("#films-list");
    button.disabled = true;
    try {
      const { answer } = await this.line.ask({ ask: "visits" });
      const visits = answer.visits.map((one) => this.visit(one, zone));
      this.place.querySelector("#visits").replaceChildren(...(visits.length ? visits : [h("li", {}, say("away.films.none"))]));
      this.said("");
    } catch (failure) {
      if (!failure.why) throw failure;
      this.said(tellRefused(failure));
    } finally {
      button.disabled = false;
    }
  }

  said(text) { this.place.querySelector("#films-said").textContent = text; }

  visit(one, zone) {
    const shown = h("div", { class: "shown" });
    const when = moment(one.began, zone);
    const button = (label, press) => h("button", { type: "button", class: "quiet", "aria-label": `${label}, ${when}`, press }, label);
    return h("li", { "data-visit": one.id }, h("p", {}, h("b", {}, when), " ", name(one.entrance), one.brand && " · ", one.brand && name(one.brand)),
      h("div", { class: "wishes" }, one.films.map((film) => [
        button(say("away.picture", { camera: plain(film.name ?? film.camera) }), () => this.picture(film, shown, when)),
        button(say("visit.film", { camera: plain(film.name ?? film.camera) }), () => this.film(film, shown)),
      ]).flat()),
      shown);
  }

  async picture(film, shown, when) {
    const second = Math.max(0, Math.floor((Date.parse(film.end) - Date.parse(film.start)) / 2000));
    try {
      const pieces = [];
      for (let of = 1; pieces.length < of && of <= MOST;) {
        const { answer, bytes } = await this.line.ask({ ask: "picture", path: film.path, second, piece: pieces.length });
        of = answer.pieces ?? 1;
        pieces.push(bytes ?? new Uint8Array());
      }
      const image = h("img", { class: "still", alt: `${say("away.picture", { camera: plain(film.name ?? film.camera) })}, ${when}` });
      image.src = jpeg(new Uint8Array(await new Blob(pieces).arrayBuffer()));
      shown.replaceChildren(image);
    } catch (failure) {
      if (!failure.why) throw failure;
      shown.replaceChildren(h("p", { class: "bad", role: "status" }, tellRefused(failure)));
    }
  }

  // A film begins to play with its first pieces where the browser can; a piece that did not come is asked for again.
  async film(film, shown) {
    const video = h("video", { controls: true, muted: true, playsinline: true, "aria-label": say("visit.film", { camera: plain(film.name ?? film.camera) }) });
    const progress = h("p", { class: "small", role: "status" });
    shown.replaceChildren(video, progress);
    if (!(film.size <= LARGEST)) { progress.textContent = say("away.film.large"); return; }
    let sink = null;
    for (let piece = 0, of = 1; piece < of && video.isConnected; piece += 1) {
      const got = await this.piece(film, piece, progress);
      if (got === null) return;
      of = got.answer.pieces;
      progress.textContent = say("away.film.part", { n: piece + 1, of });
      try {
        sink ??= await opened(video, got.bytes);
        await sink.take(got.bytes);
      } catch {
        progress.textContent = say("away.film.broken");
        return;
      }
      if (piece === 0) video.play().catch(() => {}); // not where a press is asked for first
    }
    sink?.end();
    progress.textContent = say("away.film.whole");
  }

  async piece(film, piece, progress) {
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.line.ask({ ask: "film", path: film.path, piece });
      } catch (failure) {
        if (!failure.why) throw failure;
        progress.textContent = tellRefused(failure);
        if (failure.why === "refused" || failure.why === "ended" || tries === 5 || !progress.isConnected) return null;
        await new Promise((resolve) => { setTimeout(resolve, 1000 * 2 ** tries); });
      }
    }
  }
}

// Where a film's pieces go: into a source that plays as they come, else into one whole that plays at its end.
async function opened(video, first) {
  const Source = self.ManagedMediaSource ?? self.MediaSource;
  const kind = kindOf(first);
  if (kind === null || Source === undefined || !Source.isTypeSupported(kind)) {
    const pieces = [];
    return { take: async (bytes) => { pieces.push(bytes); }, end: () => { video.src = URL.createObjectURL(new Blob(pieces, { type: "video/mp4" })); } };
  }
  const source = new Source();
  video.disableRemotePlayback = true; // a managed source begins only so
  video.src = URL.createObjectURL(source);
  await new Promise((resolve) => { source.addEventListener("sourceopen", resolve, { once: true }); });
  URL.revokeObjectURL(video.src);
  const buffer = source.addSourceBuffer(kind);
  return {
    take: (bytes) => new Promise((resolve, reject) => {
      buffer.onupdateend = resolve;
      buffer.onerror = () => reject(new TypeError("no film"));
      buffer.appendBuffer(bytes);
    }),
    end: () => { if (source.readyState === "open") source.endOfStream(); },
  };
}

// What a film is made of, as its own header says (ISO 14496-15: profile, compatibility and level behind `avcC`).
function kindOf(bytes) {
  for (let at = 0; at + 8 < bytes.length; at += 1) {
    if (bytes[at] === 0x61 && bytes[at + 1] === 0x76 && bytes[at + 2] === 0x63 && bytes[at + 3] === 0x43) {
      const told = [...bytes.subarray(at + 5, at + 8)].map((one) => one.toString(16).padStart(2, "0")).join("");
      return `video/mp4; codecs="avc1.${told}"`;
    }
  }
  return null;
}
