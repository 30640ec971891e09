// The search begins by itself where nothing was looked for yet, and says that it runs. Without a script the button does it.
const search = document.getElementById("search");
const said = search.querySelector("[data-busy]");

async function look() {
  search.querySelector("button").disabled = true;
  said.textContent = said.dataset.busy;
  try {
    const answer = await fetch(search.action, { method: "POST", headers: { Accept: "application/json" } });
    if (answer.ok) { location.reload(); return; }
  } catch {
    // the page says itself that the box does not answer
  }
  said.textContent = "";
  search.querySelector("button").disabled = false;
}

search.addEventListener("submit", (event) => { event.preventDefault(); look(); });
if (search.dataset.begins !== undefined) look();
