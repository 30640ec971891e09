// Reads the codes of a label from a camera's pictures or from a photo, as a scanner would say them.
import { LARGEST } from "./reader.js";

const FORMATS = ["Code128", "Code39", "Code93", "Codabar", "ITF", "QRCode", "DataMatrix", "Aztec", "PDF417"];
const ANGLES = [0, 45, 22, -22]; // degrees by which the picture is turned: a bar code is read only when nearly straight
const ROUND = 2 * ANGLES.length; // pictures that are looked at after the first find: all codes of a label, each angle twice
const AIM = { width: 0.9, height: 0.8 }; // of the picture on the screen: what the frame in label.css shows
const SHAPE = 4 / 3; // of the picture on the screen
const PAUSE = 60; // milliseconds between two pictures
const HINT = 6000; // milliseconds without any find until that is said
export const GS = "\x1d"; // GS1's separator; a scanner writes it for FNC1, which also begins a GS1 code
// What the door takes (gateway/domain/delivery/barcodes.py): GS1's symbols and links carry addresses and rules.
export const PRINTED = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;
export const longest = (code) => (code.startsWith(GS) || /^https?:/i.test(code) ? 512 : 128);

const paper = document.createElement("canvas");
const pen = paper.getContext("2d", { willReadFrequently: true });

// What a scanner would say; null for what the door could not take, and for a courier's code, which is no label.
function saidBy(found) {
  const code = found.contentType === "GS1" ? GS + found.text : found.text;
  return PRINTED.test(code.replaceAll(GS, "")) && code.length <= longest(code) && !/^perron:/i.test(code) ? code : null;
}

async function readAt(zxing, source, part, scale, angle) {
  const turn = (angle * Math.PI) / 180;
  const [cos, sin] = [Math.abs(Math.cos(turn)), Math.abs(Math.sin(turn))];
  const [width, height] = [part.width * scale, part.height * scale];
  paper.width = Math.ceil(width * cos + height * sin);
  paper.height = Math.ceil(width * sin + height * cos);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, paper.width, paper.height);
  pen.translate(paper.width / 2, paper.height / 2);
  pen.rotate(turn);
  pen.drawImage(source, part.x, part.y, part.width, part.height, -width / 2, -height / 2, width, height);
  const picture = pen.getImageData(0, 0, paper.width, paper.height);
  const options = { formats: FORMATS, textMode: "Plain", tryInvert: false, maxNumberOfSymbols: 8 };
  const found = await zxing.readBarcodes(picture, options);
  return [...new Set(found.map(saidBy).filter((code) => code !== null))];
}

function aimed(video) {
  const width = Math.min(video.videoWidth, video.videoHeight * SHAPE);
  const part = { width: width * AIM.width, height: (width / SHAPE) * AIM.height };
  return { ...part, x: (video.videoWidth - part.width) / 2, y: (video.videoHeight - part.height) / 2 };
}

// The codes of a label before the camera, each read twice; none once `goes` is false.
export async function watch(zxing, video, goes, findsNothing) {
  const times = new Map(); // how often each code was seen
  const begun = performance.now();
  let last = Infinity;
  for (let picture = 0; goes(); picture += 1) {
    const codes = video.videoWidth ? await readAt(zxing, video, aimed(video), 1, ANGLES[picture % ANGLES.length]) : [];
    if (codes.length && last === Infinity) last = picture + ROUND;
    for (const code of codes) times.set(code, (times.get(code) ?? 0) + 1);
    if (picture === last) {
      const sure = [...times.keys()].filter((code) => times.get(code) > 1); // once may be misread
      if (sure.length) return sure;
      times.clear();
      last = Infinity;
    }
    if (times.size === 0 && performance.now() - begun > HINT) findsNothing();
    await new Promise((next) => { setTimeout(next, PAUSE); });
  }
  return [];
}

// The codes on a photo; none where the file is no picture.
export async function readPhoto(zxing, file) {
  const photo = await createImageBitmap(file).catch(() => null);
  if (!photo) return [];
  const codes = new Set();
  const part = { x: 0, y: 0, width: photo.width, height: photo.height };
  const scale = Math.min(1, LARGEST / Math.max(photo.width, photo.height));
  for (const angle of ANGLES) for (const code of await readAt(zxing, photo, part, scale, angle)) codes.add(code);
  return [...codes];
}
