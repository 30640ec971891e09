// Checks in the browser that the films of a visit are those that the box sealed: the box's signature of each manifest
// (Ed25519) and the SHA-256 of each film's bytes, both by the browser's own WebCrypto. No cryptography is written here.
const LARGEST = 512_000_000; // bytes of a film: WebCrypto hashes only what is whole in memory

export class Altered extends Error {
  constructor(what, facts = {}) { super(what); this.what = what; this.facts = facts; }
}
export class Unable extends Error {
  constructor(what, facts = {}) { super(what); this.what = what; this.facts = facts; }
}

const hex = (buffer) => [...new Uint8Array(buffer)].map((one) => one.toString(16).padStart(2, "0")).join("");

function bytesOf(base64url) {
  const text = base64url.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

async function load(address) {
  const answer = await fetch(address, { cache: "no-store" });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new TypeError(`status ${answer.status}`);
  return answer.arrayBuffer();
}

const manifestName = (part, end) => (part === 1 ? `manifest.${end}` : `manifest-${part}.${end}`);

async function importKey(text) {
  try {
    return await crypto.subtle.importKey("raw", bytesOf(text), "Ed25519", false, ["verify"]);
  } catch {
    throw new Unable("old");
  }
}

async function isSignedBy(text, signature, data) {
  return crypto.subtle.verify("Ed25519", await importKey(text), signature, data);
}

// The signed list of one part; what is signed is its exact bytes, and nothing of it is read before they are checked.
async function readManifest(facts, part, previous) {
  const [data, signature] = await Promise.all(["json", "sig"].map((end) => load(facts.proof + manifestName(part, end))));
  if (data === null || signature === null) throw new Altered("gone", { part });
  let signer = null;
  for (const key of facts.keys) if (await isSignedBy(key, signature, data)) signer = key;
  if (signer === null) {
    let own = null; // a forger may have put in a key of his own
    try { own = JSON.parse(new TextDecoder().decode(data)).key; } catch { /* not even a list */ }
    const foreign = typeof own === "string" && !facts.keys.includes(own) && await isSignedBy(own, signature, data).catch(() => false);
    throw new Altered(foreign ? "key" : "manifest", { part });
  }
  const said = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  if (said.kind !== "perron manifest" || said.visit !== facts.visit || said.part !== part || said.previous_sha256 !== previous) {
    throw new Altered("visit", { part });
  }
  return { said, signer, sha256: hex(await crypto.subtle.digest("SHA-256", data)) };
}

// The list on this page must be the sealed one: no film more, none less, none at another time, also not a second time.
function compare(films, sealed) {
  const isOf = (film) => (clip) => film.file === clip.file && film.part === clip.part;
  for (const clip of sealed) {
    if (!films.some((film) => isOf(film)(clip))) throw new Altered("missing", { camera: clip.camera, at: Date.parse(clip.start) });
  }
  for (const film of films) {
    const clip = sealed.find(isOf(film));
    if (!clip) throw new Altered("added", { file: film.file });
    const same = film.camera === clip.camera && [["start", clip.start], ["end", clip.end]].every(([name, at]) => Math.abs(film[name] - Date.parse(at)) <= 1);
    if (!same) throw new Altered("times", { camera: clip.camera });
  }
}

// The sealed holes within a film: one that only the store names would hide what was filmed.
function gapsOf(film, manifests) {
  const gaps = manifests.filter((one) => one.said.part === film.part).flatMap((one) => one.said.gaps ?? []);
  return gaps.filter((gap) => gap.camera === film.camera)
    .map((gap) => [Date.parse(gap.start), Date.parse(gap.end)])
    .filter(([start, end]) => start < film.end && end > film.start);
}

// Check everything. `onFilm(film, blob, gaps)` gets each film's checked bytes and its sealed holes, `onStep(n, of)` how far
// it is. Returns what was found, for the details. Raises Altered, Unable, or TypeError where the box does not answer.
export async function check(facts, onFilm, onStep) {
  if (!window.isSecureContext || !globalThis.crypto?.subtle) throw new Unable("insecure");
  await Promise.all(facts.keys.map(importKey));
  const manifests = [];
  for (const part of facts.parts) manifests.push(await readManifest(facts, part, manifests.at(-1)?.sha256 ?? null));
  const sealed = manifests.flatMap((one) => one.said.clips.map((clip) => ({ ...clip, part: one.said.part })));
  compare(facts.films, sealed);
  const checked = [];
  for (const [number, film] of facts.films.entries()) {
    onStep(number + 1, facts.films.length);
    if (film.size > LARGEST) throw new Unable("large", { camera: film.camera });
    const bytes = await load(film.url);
    if (bytes === null) throw new Altered("missing", { camera: film.camera, at: film.start });
    const sha256 = hex(await crypto.subtle.digest("SHA-256", bytes));
    if (sha256 !== sealed.find((clip) => clip.file === film.file && clip.part === film.part).sha256) {
      throw new Altered("film", { camera: film.camera, at: film.start, film });
    }
    checked.push({ film, sha256 });
    onFilm(film, new Blob([bytes], { type: "video/mp4" }), gapsOf(film, manifests));
  }
  return { manifests, checked };
}
