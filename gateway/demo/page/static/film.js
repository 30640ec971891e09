// A visit's films and its timeline move together: a line brings all films to its moment, playing marks the line.
export function followFilms() {
  const films = [...document.querySelectorAll("video[data-film]")];
  const moments = [...document.querySelectorAll(".moment")];
  if (!films.length || !moments.length) return;

  const starts = (film) => Date.parse(film.dataset.start);
  const instant = (film) => starts(film) + film.currentTime * 1000;

  function mark(at) {
    let current = null;
    for (const moment of moments) if (Date.parse(moment.dataset.at) <= at + 50) current = moment;
    for (const moment of moments) {
      if (moment === current) moment.setAttribute("aria-current", "true");
      else moment.removeAttribute("aria-current");
    }
  }

  function seek(at, but = null) {
    for (const film of films) {
      if (film === but) continue;
      const second = (at - starts(film)) / 1000;
      if (second >= 0 && at <= Date.parse(film.dataset.end) && Math.abs(film.currentTime - second) > 0.3) film.currentTime = second;
    }
  }

  for (const moment of moments) {
    moment.addEventListener("click", () => { const at = Date.parse(moment.dataset.at); seek(at); mark(at); });
  }
  for (const film of films) {
    film.addEventListener("timeupdate", () => mark(instant(film)));
    film.addEventListener("seeked", () => { if (document.activeElement === film) seek(instant(film), film); });
  }
}
