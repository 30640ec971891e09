"""Draws a run as SVG: phases, bolt, door, people, films and messages over one time axis."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from gateway.demo.result import LogLine, ScenarioResult, instant_of
from gateway.domain.frozen import Frozen

WIDTH_PX, LEFT_PX, RIGHT_PX, TOP_PX = 1000, 150, 24, 56
ROW_HEIGHT_PX, STEP_HEIGHT_PX = 34, 20  # pixels: from row to row, and the height of a step
LETTER_WIDTH_PX = 6.3  # pixels: about the width of one letter at 11 px
STYLE = (
    "text{font:11px sans-serif;fill:#22303c}.row{text-anchor:end;font-weight:bold}"
    ".title{font-size:16px;font-weight:bold}.on{fill:#fff}.faint{fill:#667}"
)
PHASE_COLOURS = {
    "ringing": "#f2c14e", "approving": "#f2c14e", "unlocking": "#f78154", "unlocked": "#4d9078", "inside": "#5fad56",
    "relocking": "#f78154", "locked_again": "#3d6b9c", "handed_to_owner": "#b4436c",
}  # fmt: skip
FILM_COLOUR = "#c0392b"
DARK_COLOURS = {"#3d6b9c", "#b4436c", "#4d9078", FILM_COLOUR}  # white letters are read best on these


class DemoTimeAxis(Frozen, kw_only=False):
    """Maps instants to pixels."""

    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Return the horizontal place of an instant in pixels, limited to the picture."""
        part = (at - self.start) / (self.end - self.start)
        return LEFT_PX + min(1.0, max(0.0, part)) * (WIDTH_PX - LEFT_PX - RIGHT_PX)


def draw_picture(result: ScenarioResult, log: Sequence[LogLine]) -> str:
    """Draw a run; text from outside is escaped."""
    axis = _make_axis(result, log)
    rows = [
        ("phase", _draw_phases(result, axis)),
        ("bolt", _draw_steps(axis, _level_changes(log, "bolt", "withdrawn"), ("locked", "unlocked"))),
        ("door", _draw_steps(axis, _level_changes(log, "door", "open"), ("closed", "open"))),
        ("people", _draw_people(axis, log)),
        *(
            (f"film: {camera}", _draw_films(axis, result, camera))
            for camera in dict.fromkeys(c.camera for c in result.clips)
        ),
    ]
    body: list[str] = []
    for number, (name, drawn) in enumerate(rows):
        y = TOP_PX + number * ROW_HEIGHT_PX
        body.append(f'<g transform="translate(0 {y})">{_draw_text(LEFT_PX - 12, 15, name, "row")}{"".join(drawn)}</g>')
    below = TOP_PX + len(rows) * ROW_HEIGHT_PX
    height = below + 10 + len(result.messages) * 16 + 30
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height}" role="img">',
        f"<title>{escape(result.scenario)}: {escape(str(result.outcome))}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH_PX}" height="{height}" rx="8" fill="#fbfaf7"/>',
        _draw_text(24, 30, f"{result.scenario}: {_result_line(result)}", "title"),
        *_draw_grid(axis, height),
        *body,
        *_draw_messages(axis, result, below + 10),
        "</svg>",
    ]) + "\n"  # fmt: skip


def _result_line(result: ScenarioResult) -> str:
    house = "" if result.house is None else f", {result.house.value.replace('_', ' ')}"
    proof = (
        "" if result.proof.folder is None else f"; the proof {'holds' if result.proof.verified else 'does not hold'}"
    )
    return f"{'no visit' if result.outcome is None else result.outcome.value.replace('_', ' ')}{house}{proof}"


def _make_axis(result: ScenarioResult, log: Sequence[LogLine]) -> DemoTimeAxis:
    """Return the axis from the first relevant event to the last; booting devices do not count."""
    happened = [instant_of(line) for line in log if line["what"] in {"bolt", "door", "person", "scan", "bell"}]
    times = [
        *happened,
        *(phase.at for phase in result.phases),
        *(time for clip in result.clips for time in (clip.start, clip.end)),
        *(message.at for message in result.messages),
    ]
    if not times:
        times = [instant_of(line) for line in log]
    return DemoTimeAxis(min(times), max(*times, min(times) + timedelta(seconds=1)))


def _draw_grid(axis: DemoTimeAxis, height: float) -> Iterable[str]:
    whole = (axis.end - axis.start).total_seconds()
    every = next(step for step in (1, 2, 5, 10, 20, 60, 120, 300, 600, 3600) if whole / step <= 12 or step == 3600)
    for number in range(int(whole // every) + 1):
        x = axis.x(axis.start + timedelta(seconds=number * every))
        yield f'<path d="M{x:.1f} {TOP_PX - 8}V{height - 30}" stroke="#e2ded3"/>'
        yield f'<text x="{x:.1f}" y="{height - 14}" text-anchor="middle" class="faint">{number * every} s</text>'


def _draw_phases(result: ScenarioResult, axis: DemoTimeAxis) -> Iterable[str]:
    ends = [*(phase.at for phase in result.phases[1:]), axis.end]
    for phase, end in zip(result.phases, ends, strict=False):  # without phases there is one end too many
        if phase.phase != "ready":
            yield _draw_bar(axis, phase.at, end, PHASE_COLOURS[phase.phase], phase.phase.replace("_", " "))


def _level_changes(log: Iterable[LogLine], what: str, high: str) -> list[tuple[datetime, bool]]:
    return [(instant_of(line), line["state"] == high) for line in log if line["what"] == what]


def _draw_steps(axis: DemoTimeAxis, track: Sequence[tuple[datetime, bool]], words: tuple[str, str]) -> Iterable[str]:
    path, up = [f"M{LEFT_PX} {STEP_HEIGHT_PX}"], False
    labels = [_draw_text(LEFT_PX + 4, STEP_HEIGHT_PX - 4, words[0], "faint")]
    for at, high in track:
        x = axis.x(at)
        path.append(f"H{x:.1f}V{0 if high else STEP_HEIGHT_PX}")
        labels.append(_draw_text(x + 4, 11 if high else STEP_HEIGHT_PX - 4, words[high], ""))
        up = high
    path.append(f"H{WIDTH_PX - RIGHT_PX}V{0 if up else STEP_HEIGHT_PX}")
    yield f'<path d="{"".join(path)}" fill="none" stroke="#22303c" stroke-width="2"/>'
    yield from labels


def _draw_people(axis: DemoTimeAxis, log: Iterable[LogLine]) -> Iterable[str]:
    since: dict[str, tuple[datetime, str]] = {}
    end = {"outside": "#9aa5b1", "inside": "#5fad56"}
    for line in log:
        if line["what"] != "person":
            continue
        who, where, at = str(line["who"]), str(line["where"]), instant_of(line)
        if who in since and since[who][1] in end:
            yield _draw_bar(axis, since[who][0], at, end[since[who][1]], f"{who} {since[who][1]}")
        since[who] = (at, where)
    for who, (at, where) in since.items():
        if where in end:
            yield _draw_bar(axis, at, axis.end, end[where], f"{who} {where}")


def _draw_films(axis: DemoTimeAxis, result: ScenarioResult, camera: str) -> Iterable[str]:
    for clip in result.clips:
        if clip.camera == camera:
            yield _draw_bar(axis, clip.start, clip.end, FILM_COLOUR, "filmed")
            for start, end in clip.gaps:
                yield _draw_bar(axis, start, end, "#fbfaf7", "gap")


def _draw_messages(axis: DemoTimeAxis, result: ScenarioResult, top: float) -> Iterable[str]:
    """Draw the owner's messages, each on its own line from its time on; a long one ends at the right edge."""
    for number, message in enumerate(result.messages):
        x, y = axis.x(message.at), top + number * 16
        fits = x + len(message.text) * LETTER_WIDTH_PX < WIDTH_PX - RIGHT_PX
        yield f'<circle cx="{x:.1f}" cy="{y - 4:.1f}" r="3" fill="#b4436c"/>'
        anchor, place = ("start", x + 7) if fits else ("end", x - 7)
        yield f'<text x="{place:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(message.text)}</text>'


def _draw_bar(axis: DemoTimeAxis, start: datetime, end: datetime, colour: str, word: str) -> str:
    left, right = axis.x(start), axis.x(end)
    rect = (
        f'<rect x="{left:.1f}" width="{max(1.0, right - left):.1f}" height="{STEP_HEIGHT_PX}" rx="3" fill="{colour}"/>'
    )
    fits = len(word) * LETTER_WIDTH_PX + 8 < right - left
    written = _draw_text(left + 5, 14, word, "on" if colour in DARK_COLOURS else "") if fits else ""
    return f"<g><title>{escape(word)}</title>{rect}{written}</g>"


def _draw_text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'
