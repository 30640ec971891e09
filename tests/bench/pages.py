"""The pages: weight, first paint, how late a live picture is on the screen, and what viewers cost.

A picture's lateness is its burnt-in time against the instant at which Chromium shows it (requestVideoFrameCallback).
"""

import asyncio
import base64
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Page

from devices.simulators.burnt_clock import read_clock
from tests.bench.line import BenchLine, ShowStatus, median, ms, p95
from tests.bench.machine import cpu
from tests.browser import visitor
from tests.filmset.cameras import camera_set
from tests.shell.studio import CameraSite, serve_with_cameras

VIEWER_COUNT = 50
MAX_P95_DELAY_S = 0.4  # seconds, p95
MAX_PAGE_BYTES = 150_000  # bytes without video

# Each shown picture as luma, with the wall-clock instant of its presentation in milliseconds.
SHOWN = """async (count) => {
  const video = document.querySelector('[data-camera=cam] video');
  const canvas = document.createElement('canvas');
  const shown = [];
  await new Promise((done) => {
    const look = (_now, frame) => {
      canvas.width = video.videoWidth; canvas.height = video.videoHeight;
      const pen = canvas.getContext('2d', { willReadFrequently: true });
      pen.drawImage(video, 0, 0);
      const top = Math.floor(canvas.height * 0.9);
      const data = pen.getImageData(0, top, canvas.width, canvas.height - top).data;
      let text = '';
      for (let at = 1; at < data.length; at += 4) text += String.fromCharCode(data[at]);
      shown.push({ at: performance.timeOrigin + frame.presentationTime, top, width: canvas.width,
                   height: canvas.height, luma: btoa(text) });
      if (shown.length < count) video.requestVideoFrameCallback(look); else done();
    };
    video.requestVideoFrameCallback(look);
  });
  return shown;
}"""


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    pictures, seconds = (10, 2.0) if quick else (150, 10.0)
    with camera_set() as cameras, tempfile.TemporaryDirectory() as folder:
        async with serve_with_cameras(Path(folder), cameras) as there, visitor() as somebody:
            page = await somebody.page()
            await there.site.sign_in(page.context)
            say("weight and first paint")
            lines = [await _weight(page, there), await _paint(page, there, 3 if quick else 10)]
            say("live latency")
            lines.append(await _latency(page, there, pictures))
            await page.close()
            say(f"{VIEWER_COUNT} viewers of one camera")
            lines += await _viewers(there, seconds)
    return lines


async def _weight(page: Page, there: CameraSite) -> BenchLine:
    await page.goto(there.site.address)
    await page.wait_for_load_state("load")
    sizes = await page.evaluate(
        "() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map((one) => [one.name.split('/').pop() || 'page', one.encodedBodySize])"
    )
    parts = {name: f"{size:,} bytes" for name, size in sorted(sizes, key=lambda one: -one[1])}
    value = float(sum(size for _, size in sizes))
    return BenchLine(
        bench="pages",
        what="weight of the home page, without video",
        value=value / 1000,
        unit="kB",
        goal=f"<= {MAX_PAGE_BYTES // 1000} kB",
        met=value <= MAX_PAGE_BYTES,
        parts=parts,
        why="see its parts",
    )


async def _paint(page: Page, there: CameraSite, times: int) -> BenchLine:
    took: list[float] = []
    for _ in range(times):
        await page.goto(there.site.address)
        await page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
        took.append(await page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    return BenchLine(bench="pages", what="first contentful paint of the home page, p50", value=median(took), unit="ms",
                parts={"p95": f"{p95(took):.0f} ms", "times": str(times)})  # fmt: skip


async def _latency(page: Page, there: CameraSite, pictures: int) -> BenchLine:
    await page.goto(f"{there.site.address}/live")
    await page.locator("[data-camera=cam]").first.locator("[data-watch]").click()
    await page.wait_for_function("() => document.querySelector('[data-camera=cam] video').currentTime > 0")
    await asyncio.sleep(5)  # the catch-up has caught up
    late = [seconds for one in await page.evaluate(SHOWN, pictures) if (seconds := _delay_of(one)) is not None]
    value = p95(late)
    return BenchLine(
        bench="pages",
        what="a live picture's lateness on the page, p95",
        value=value * 1000,
        unit="ms",
        goal=f"<= {MAX_P95_DELAY_S * 1000:.0f} ms",
        met=value <= MAX_P95_DELAY_S,
        parts={"p50": ms(median(late)), "pictures": str(len(late))},
        why=f"p50 {ms(median(late))}: two pictures are held by demuxer and muxer (133 ms at 15 a second), the rest by"
        " the page's buffer",
    )


def _delay_of(shown: dict[str, Any]) -> float | None:
    band = np.frombuffer(base64.b64decode(shown["luma"]), np.uint8).reshape(-1, shown["width"])
    luma = np.zeros((shown["height"], shown["width"]), np.uint8)
    luma[shown["top"] :] = band
    clock = read_clock(luma)
    return None if clock is None else float(shown["at"] / 1000 - clock.timestamp())


async def _viewers(there: CameraSite, seconds: float) -> list[BenchLine]:
    """CPU of video process and pages together, with no viewer, one, and many; the viewers run elsewhere."""
    video = there.link.pid
    assert video is not None
    spent: dict[int, float] = {}
    rate: dict[int, dict[str, float]] = {}
    for how_many in (0, 1, VIEWER_COUNT):
        before, began = cpu(video) + cpu(os.getpid()), time.monotonic()
        if how_many:
            rate[how_many] = await _cpu_with_viewers(there, how_many, seconds)
        else:
            await asyncio.sleep(seconds)
        spent[how_many] = (cpu(video) + cpu(os.getpid()) - before) / (time.monotonic() - began)
    each = (spent[VIEWER_COUNT] - spent[1]) / (VIEWER_COUNT - 1)
    return [
        BenchLine(bench="pages", what=f"CPU a further viewer of one camera ({VIEWER_COUNT} of them), of one core",
             value=each * 100, unit="%", parts={f"{n} viewers": f"{share:.1%}" for n, share in spent.items()}),
        BenchLine(bench="pages", what=f"fragments a second that the slowest of {VIEWER_COUNT} viewers got",
             value=rate[VIEWER_COUNT]["least"], unit="/s", ratio=rate[VIEWER_COUNT]["least"] / rate[1]["rate"],
             against=f"a single viewer's {rate[1]['rate']:.1f}/s"),
    ]  # fmt: skip


async def _cpu_with_viewers(there: CameraSite, how_many: int, seconds: float) -> dict[str, float]:
    url = f"{there.site.address}/live/cam"
    command = ("-m", "tests.bench.viewers", url, there.site.owner.session, str(how_many), str(seconds))
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    found: dict[str, float] = json.loads(said)
    return found
