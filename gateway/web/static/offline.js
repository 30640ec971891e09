// The box does not answer: look for it again, and show the page that was asked for as soon as it does.
const PAUSE_MS = 3000;

async function look() {
  try {
    const answer = await fetch("/manifest/en.webmanifest", { cache: "no-store", signal: AbortSignal.timeout(PAUSE_MS) });
    if (answer.ok) { location.reload(); return; }
  } catch { /* still away */ }
  setTimeout(look, PAUSE_MS);
}

addEventListener("online", () => location.reload());
setTimeout(look, PAUSE_MS);
