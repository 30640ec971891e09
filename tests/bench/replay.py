"""The replay of a visit: how long after a press, or after a move of the scrubber, all cameras show the new picture.

Two cameras filmed twenty seconds at 720p. What the browser presents counts (requestVideoFrameCallback), while it still
checks the films, which then come over HTTP, and after that, when the checked bytes are played.
"""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, Route

from tests.bench.line import BenchLine, ShowStatus, median, ms, p95
from tests.browser import visitor
from tests.gateway.web.replayed import FOLDER, replayed_site
from tests.shell.house import VISIT
from tests.shell.site import ServedSite

SCALE = 4  # of the films: 1280 x 720
MAX_START_S = 0.3  # seconds, p95
MAX_SEEK_S = 0.2  # seconds, p95
FILMED_BY_BOTH = (2.5, 8.5)  # seconds of the visit

# Milliseconds until each shown film has presented a picture for which `arrived(second of the film, its start)` holds.
UNTIL_SHOWN = """
  const films = [...document.querySelectorAll("#replay video")].filter((one) => !one.hidden);
  const until = (arrived) => Promise.all(films.map((film) => new Promise((done) => {
    const wait = () => film.requestVideoFrameCallback(
      (_now, frame) => (arrived(frame.mediaTime, film) ? done() : wait()));
    wait();
  })));
"""
START = f"""async () => {{ {UNTIL_SHOWN}
  const before = films.map((film) => film.currentTime), began = performance.now();
  const shown = until((second, film) => second > before[films.indexOf(film)] + 0.01);
  document.getElementById("play").click();
  await shown;
  const took = performance.now() - began;
  document.getElementById("play").click();
  return took;
}}"""
SEEK = f"""async ([second, from]) => {{ {UNTIL_SHOWN}
  const began = performance.now(), slider = document.getElementById("scrubber");
  const shown = until((at, film) => Math.abs(at - (second - from[film.dataset.film])) < 0.11);
  slider.value = String(second * 1000);
  slider.dispatchEvent(new Event("input"));
  await shown;
  return performance.now() - began;
}}"""
STARTS = {"cam-1-1.mp4": 0, "hall-1-1.mp4": 2}  # the second of the visit at which each film begins


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    times = 3 if quick else 30
    lines: list[BenchLine] = []
    with tempfile.TemporaryDirectory() as folder:
        say("films")
        async with replayed_site(Path(folder), scale=SCALE) as site:
            films = (site.box.home.storage.folder / FOLDER).glob("*.mp4")
            size = f"{sum(film.stat().st_size for film in films) / 1e6:.1f} MB in all"
            for checked in (False, True):
                how = "of checked films" if checked else "while its films are being checked"
                say(f"replay {how}")
                async with _replay(site, checked=checked) as page:
                    starts, seeks = await _starts(page, times), await _seeks(page, times)
                lines.append(
                    _line(f"replay {how}: from the press until all cameras move, p95", starts, MAX_START_S, size)
                )
                lines.append(_line(f"replay {how}: a seek until all cameras show it, p95", seeks, MAX_SEEK_S, size))
    return lines


@asynccontextmanager
async def _replay(site: ServedSite, *, checked: bool) -> AsyncIterator[Page]:
    """Open the page of the visit: after the check, or during it."""
    release = asyncio.Event()

    async def hold(route: Route) -> None:
        await release.wait()
        await route.abort()

    async with visitor() as somebody:
        page = await somebody.page(viewport={"width": 1280, "height": 900})
        await site.sign_in(page.context)
        if not checked:
            await page.route("**/manifest.json", hold)
        await page.goto(f"{site.address}/history/{VISIT}")
        await page.locator("#seal.whole" if checked else ".player:not([hidden])").wait_for()
        yield page
        release.set()
        await somebody.leave(forgiven="ERR_FAILED|ERR_ABORTED")


async def _starts(page: Page, times: int) -> list[float]:
    took: list[float] = []
    for second in _places(times):
        await page.evaluate(SEEK, [second, STARTS])
        took.append(await page.evaluate(START))
    return took


async def _seeks(page: Page, times: int) -> list[float]:
    return [await page.evaluate(SEEK, [second, STARTS]) for second in _places(times)]


def _places(times: int) -> Iterator[float]:
    """Yield seconds of the visit, each far from the one before: where the picture stays, no film presents one."""
    first, last = FILMED_BY_BOTH
    middle = (first + last) / 2
    for number in range(times):
        yield random.uniform(first, middle - 1) if number % 2 else random.uniform(middle + 1, last)


def _line(what: str, took_ms: list[float], goal_s: float, size: str) -> BenchLine:
    value = p95(took_ms)
    return BenchLine(
        bench="replay", what=what, value=value, unit="ms", goal=f"<= {goal_s * 1000:.0f} ms",
        met=value <= goal_s * 1000,
        parts={"p50": ms(median(took_ms) / 1000), "times": str(len(took_ms)), "films": f"two cameras, 720p, {size}"},
        why="the browser decodes from the key picture before, at most a second of film",
    )  # fmt: skip
