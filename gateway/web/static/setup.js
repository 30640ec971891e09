// The box ends and begins again when it reads a changed house. So a form that changes it is sent from the page that is
// shown, which says so, looks until the box is back, and goes on there. Without a script the form is sent as any other.
const LOOK_MS = 700;

async function look(page) {
  try {
    const answer = await fetch(page, { cache: "no-store" });
    const shown = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok && shown.getElementById("changing") === null) { location.assign(page); return; }
  } catch {
    // it is not back yet
  }
  setTimeout(look, LOOK_MS, page);
}

function waitFor(page) {
  document.querySelector("main [role=alert]")?.remove(); // it was about an answer before this one
  const said = document.getElementById("said");
  said.textContent = said.dataset.changing;
  said.hidden = false;
  said.scrollIntoView({ block: "center" });
  setTimeout(look, LOOK_MS, page);
}

addEventListener("submit", async (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.matches("form[data-changes]")) return; // another script has sent it
  event.preventDefault();
  const button = event.submitter ?? form.querySelector("button");
  button.disabled = true;
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (answer.type === "opaqueredirect") { waitFor(form.dataset.changes); return; }
    const shown = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(shown.querySelector("main"));
    document.querySelector("[role=alert]")?.scrollIntoView({ block: "center" });
  } catch {
    form.submit();
  }
});

if (document.getElementById("changing") !== null) waitFor(location.pathname);
