// Draws how much of a time is left as a ring, before the words that say it: `<time datetime data-until data-from>`. The
// words stay for whoever does not see the ring, which a screen reader passes over. Where a person wants less motion, the ring
// goes back in steps of a tenth.
const NAMESPACE = "http://www.w3.org/2000/svg";
const CIRCUMFERENCE = 100; // the path's own length: the part that is left is a percentage
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function ringBefore(time) {
  const known = time.previousElementSibling;
  if (known?.matches("svg.ring")) return known;
  const ring = document.createElementNS(NAMESPACE, "svg");
  for (const [name, value] of [["class", "ring"], ["viewBox", "0 0 40 40"], ["aria-hidden", "true"], ["focusable", "false"]]) ring.setAttribute(name, value);
  for (const name of ["whole", "left"]) {
    const circle = document.createElementNS(NAMESPACE, "circle");
    for (const [key, value] of [["class", name], ["cx", 20], ["cy", 20], ["r", 16], ["pathLength", CIRCUMFERENCE]]) circle.setAttribute(key, value);
    ring.append(circle);
  }
  return ring;
}

// The ring of one time; `now` is the box's clock in milliseconds.
export function drawRing(time, now) {
  const start = Date.parse(time.dataset.from);
  const end = Date.parse(time.dateTime);
  if (!(end > start)) return;
  const part = Math.min(1, Math.max(0, (end - now) / (end - start)));
  const left = calm.matches ? Math.ceil(part * 10) / 10 : part;
  const ring = ringBefore(time);
  ring.lastElementChild.setAttribute("stroke-dasharray", `${(left * CIRCUMFERENCE).toFixed(1)} ${CIRCUMFERENCE}`);
  if (!ring.isConnected) time.before(ring); // drawn before it is shown: it does not grow into place
}
