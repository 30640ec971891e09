"""Draws a run as SVG (`templates/visit.svg`): phases, bolt, door, people, films, messages over one time axis."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from gateway.demo.result import LogLine, ScenarioResult, instant_of
from gateway.domain.frozen import Frozen
from gateway.system.html_templates import html_environment

TEMPLATES = html_environment("gateway.demo")
LEFT_PX, RIGHT_PX = 150, 976  # pixels: the ends of the axis
PHASE_COLOURS = {
    "ringing": "#f2c14e", "approving": "#f2c14e", "unlocking": "#f78154", "unlocked": "#4d9078", "inside": "#5fad56",
    "advancing": "#9a8c98", "relocking": "#f78154", "locked_again": "#3d6b9c", "handed_to_owner": "#b4436c",
}  # fmt: skip
PLACE_COLOURS = {"outside": "#9aa5b1", "inside": "#5fad56"}
FILM_COLOUR, GAP_COLOUR = "#c0392b", "#fbfaf7"
DARK_COLOURS = {"#3d6b9c", "#b4436c", "#4d9078", FILM_COLOUR}  # white letters are read best on these


class Span(Frozen, kw_only=False):
    """What lasts from `start` to `end`: a bar of this colour with a word on it."""

    start: datetime
    end: datetime
    colour: str
    word: str


class DemoTimeAxis(Frozen, kw_only=False):
    """Maps instants to pixels."""

    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Return the horizontal place of an instant in pixels, limited to the picture."""
        part = (at - self.start) / (self.end - self.start)
        return LEFT_PX + min(1.0, max(0.0, part)) * (RIGHT_PX - LEFT_PX)


def draw_picture(result: ScenarioResult, log: Sequence[LogLine]) -> str:
    """Draw a run; text from outside is escaped."""
    axis = _make_axis(result, log)
    phases = [(phase.at, str(phase.phase)) for phase in result.phases]
    return TEMPLATES.get_template("visit.svg").render(
        result=result,
        axis=axis,
        left=LEFT_PX,
        right=RIGHT_PX,
        dark_colours=DARK_COLOURS,
        grid=_grid(axis),
        phases=_spans(phases, axis.end, PHASE_COLOURS),
        people=sorted(_people(log, axis.end), key=lambda span: span.end),
        bolt=_level_changes(log, "bolt", "withdrawn"),
        door=_level_changes(log, "door", "open"),
        films={camera: _films(result, camera) for camera in dict.fromkeys(clip.camera for clip in result.clips)},
    )


def _make_axis(result: ScenarioResult, log: Sequence[LogLine]) -> DemoTimeAxis:
    """Return the axis from the first relevant event to the last; booting devices do not count."""
    times = [
        *(instant_of(line) for line in log if line["what"] in {"bolt", "door", "person", "scan", "bell"}),
        *(phase.at for phase in result.phases),
        *(time for clip in result.clips for time in (clip.start, clip.end)),
        *(message.at for message in result.messages),
    ] or [instant_of(line) for line in log]
    return DemoTimeAxis(min(times), max(*times, min(times) + timedelta(seconds=1)))


def _grid(axis: DemoTimeAxis) -> dict[int, float]:
    """Return the seconds at which the picture has a line, at most 13 in an hour, with their places."""
    whole = (axis.end - axis.start).total_seconds()
    every = next(step for step in (1, 2, 5, 10, 20, 60, 120, 300, 600, 3600) if whole / step <= 12 or step == 3600)
    return {second: axis.x(axis.start + timedelta(seconds=second)) for second in range(0, int(whole) + 1, every)}


def _spans(
    changes: Iterable[tuple[datetime, str]], end: datetime, colours: Mapping[str, str], who: str = ""
) -> Iterator[Span]:
    """Yield each state that has a colour, from its beginning to the next one's."""
    for (start, state), (until, _) in pairwise([*changes, (end, "")]):
        if state in colours:
            yield Span(start, until, colours[state], f"{who} {state.replace('_', ' ')}".strip())


def _people(log: Iterable[LogLine], end: datetime) -> Iterator[Span]:
    places: dict[str, list[tuple[datetime, str]]] = {}
    for line in log:
        if line["what"] == "person":
            places.setdefault(str(line["who"]), []).append((instant_of(line), str(line["where"])))
    for who, changes in places.items():
        yield from _spans(changes, end, PLACE_COLOURS, who)


def _films(result: ScenarioResult, camera: str) -> Iterator[Span]:
    for clip in result.clips:
        if clip.camera == camera:
            yield Span(clip.start, clip.end, FILM_COLOUR, "filmed")
            yield from (Span(start, end, GAP_COLOUR, "gap") for start, end in clip.gaps)


def _level_changes(log: Iterable[LogLine], what: str, high: str) -> list[tuple[datetime, bool]]:
    return [(instant_of(line), line["state"] == high) for line in log if line["what"] == what]
