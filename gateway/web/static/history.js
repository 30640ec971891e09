// The list of visits: what is older comes as one scrolls. Without this script the link "Older visits" leads there.
const wide = matchMedia("(min-width: 60rem)");
const calendar = document.getElementById("calendar");
if (wide.matches) calendar.open = true;

async function more(link) {
  const answer = await fetch(link.href);
  if (!answer.ok) throw new TypeError(`status ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html"); // the box's own template: everything in it was escaped there
  document.getElementById("cards")?.append(...page.querySelectorAll("#cards > li"));
  const next = page.getElementById("older");
  if (next) link.href = next.href;
  else { seen.disconnect(); link.remove(); }
}

const seen = new IntersectionObserver(async ([entry]) => {
  const link = entry.target;
  if (!entry.isIntersecting || link.dataset.busy !== undefined) return;
  link.dataset.busy = "";
  try {
    await more(link);
    delete link.dataset.busy;
    seen.unobserve(link); // still in sight where little came: then it is asked once more
    if (link.isConnected) seen.observe(link);
  } catch {
    seen.disconnect(); // the link stays, to be pressed
  }
}, { rootMargin: "400px" });
const older = document.getElementById("older");
if (older && document.getElementById("cards")) seen.observe(older);
