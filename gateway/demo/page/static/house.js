// Draws the home of a scene: the page has one drawing for each kind of closure, and the feed says which of them stand where.
const GROUND = 364;
const ROOM_RIGHT = 468;
const WALL_RIGHT = 482;
const PASSAGE = 76; // pixels between two doors; `PASSAGE` of drawing.py
const PLACES = { outside: GROUND + 8, between: GROUND - 18, inside: GROUND - 18 }; // where feet are
const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);

function line(id, path) { at(id).setAttribute("d", path); }

function build(drawn) {
  const scene = at("scene");
  const { wall, room_left: room, passage, closures } = drawn;
  Object.assign(scene.dataset, { body: drawn.body, room: drawn.room });
  const isHouse = drawn.body === "house";
  line("roof", isHouse ? `M${wall - 20} 172L${(wall + WALL_RIGHT) / 2} 44L${WALL_RIGHT + 20} 172Z` : `M${wall - 10} 56H${WALL_RIGHT + 10}v14H${wall - 10}Z`);
  line("wall", `M${wall} ${isHouse ? 168 : 70}H${WALL_RIGHT}V364H${wall}Z`);
  let windows = "";
  if (!isHouse) for (let x = wall + 18; x + 26 < WALL_RIGHT; x += 44) windows += `M${x} 88h26v34h-26zM${x} 138h26v34h-26z`;
  line("windows", windows);
  line("passage", passage === null ? "" : `M${passage} 204h${PASSAGE}v160h-${PASSAGE}z`);
  line("stairs", passage === null ? "" : `M${passage} 356h20v-14h18v-14h18v-14h20`);
  line("room", `M${room} 190H${ROOM_RIGHT}V362H${room}Z`);
  line("floor", `M${room} 346H${ROOM_RIGHT}V362H${room}Z`);
  const doors = closures.filter((one) => one.width >= 100);
  line("step", doors.length ? `M${doors[0].x - 8} 362H${doors.at(-1).x + doors.at(-1).width + 8}v9H${doors[0].x - 8}z` : "");
  line("post", drawn.post === null ? "" : `M${drawn.post} 186V364`);
  at("closures").replaceChildren(...closures.map((closure) => {
    const copy = at(`drawing-${closure.kind}`).cloneNode(true);
    copy.removeAttribute("id");
    copy.dataset.closure = closure.id;
    copy.setAttribute("transform", `translate(${closure.x} 0)`);
    return copy;
  }));
  at("eyes").replaceChildren(...drawn.cameras.map((camera) => {
    const eye = document.createElementNS(SVG, "g");
    eye.setAttribute("class", "eye");
    eye.dataset.camera = camera.id;
    eye.setAttribute("transform", `translate(${camera.x} ${camera.y})`);
    const body = document.createElementNS(SVG, "rect");
    for (const [name, value] of Object.entries({ width: 18, height: 26, rx: 5 })) body.setAttribute(name, value);
    const lens = document.createElementNS(SVG, "circle");
    for (const [name, value] of Object.entries({ cx: 9, cy: 10, r: 5 })) lens.setAttribute(name, value);
    eye.append(body, lens);
    return eye;
  }));
  scene.toggleAttribute("data-dark", drawn.lamp === null);
  for (const id of ["lamp", "halo"]) at(id).setAttribute("cx", drawn.lamp ?? 0);
  at("coldbox").setAttribute("transform", `translate(${room + 10} 0)`);
  scene.toggleAttribute("data-cold", drawn.fridge);
  scene.toggleAttribute("data-guard", drawn.guard !== null);
  at("guard").setAttribute("transform", `translate(${drawn.guard ?? 0} 240)`);
}

let built = "";

export function drawHouse(now) {
  const scene = at("scene");
  const key = JSON.stringify(now.scene);
  if (now.scene && key !== built) { built = key; build(now.scene); }
  const drawn = now.scene;
  Object.assign(scene.dataset, {
    bolt: now.bolt, door: now.door, light: now.light, box: now.online ? "on" : now.died ? "dead" : "off",
    cable: now.cable ? "in" : "out", fridge: now.fridge, custody: now.custody ?? "",
  });
  scene.toggleAttribute("data-parcel", now.parcels > 0 && !now.chilled);
  scene.toggleAttribute("data-chilled", now.chilled);
  for (const copy of at("closures").children) {
    const way = now.ways[copy.dataset.closure] ?? {};
    for (const state of ["open", "free", "full"]) copy.toggleAttribute(`data-${state}`, Boolean(way[state]));
    copy.toggleAttribute("data-keyless", way.key === false);
  }
  for (const eye of at("eyes").children) eye.toggleAttribute("data-frozen", now.believed?.[eye.dataset.camera] === false);
  for (const person of scene.querySelectorAll(".person:not(.seated)")) {
    const where = now.people?.[person.dataset.who] ?? "away";
    person.dataset.where = where;
    const aside = person.dataset.who === "thief" ? -40 : person.dataset.who === "resident" ? 34 : 0;
    const x = !drawn || where === "away" ? -60 : Math.max(20, drawn[where] + aside);
    person.style.transform = `translate(${x}px, ${drawn?.room === "lobby" ? PLACES.inside : PLACES[where] ?? GROUND + 6}px)`;
    person.toggleAttribute("data-empty", !now.carries);
  }
}
