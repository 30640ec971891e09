"""Counts how often a camera or a radio would have refused a delivery, and draws it. Pure.

A look stands for a courier who came then. Refused is what would have refused him: a camera whose pictures failed for
longer than the rules allow (`gateway/installation/survey_outage.py`), a lock or door sensor that did not answer within
what it declares. What the household does with its door meanwhile is no refusal. Nothing of what a camera saw is kept,
only whether it was live. While nobody looks there are no looks: that time counts as neither good nor refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto
from html import escape

from gateway.config.home import Home
from gateway.system.config_section import ConfigSection

ROW_HEIGHT, COLUMN_WIDTH, MIN_COLUMN_WIDTH, MAX_CHART_WIDTH, LEFT_MARGIN, TOP_MARGIN = (
    22,
    14,
    3,
    672,
    130,
    34,
)  # of the picture, in its own units
GOOD_COLOUR, SOME_COLOUR, MANY_COLOUR, NO_SAMPLE_COLOUR = "#087a36", "#f09600", "#be1220", "#dadfe2"
BAD_REFUSED_SHARE = 0.05  # of an hour's looks: more is red
MAX_SURVEY_AGE = timedelta(
    days=28
)  # a survey that has not come to its end by then is over; so many hours are drawn at most
MAX_SAMPLES_PER_HOUR, MAX_SAMPLES = 60, 24 * 60


class SurveyPlan(ConfigSection):
    """What a survey set out to do. `by`: who began it on a page, by name and by id; None: at the terminal."""

    entrance: str
    begun: datetime
    every: float  # seconds between two looks
    looks: int  # that it wants
    devices: tuple[str, ...]
    by: str | None = None
    person: str | None = None


class SurveySample(ConfigSection):
    """One look: which devices would have refused then."""

    at: datetime
    refused: tuple[str, ...] = ()


class SurveyEndReason(StrEnum):
    """Why a survey was ended before it was whole."""

    ASKED = auto()
    DEVICES_CHANGED = auto()  # the entrance has others than those that were looked at
    NOT_ALLOWED = auto()  # who began it no longer has the right to: removed, or the house was handed over
    TOO_OLD = auto()


class SurveyEnd(ConfigSection):
    """It was ended. `by`: who asked, by name."""

    ended: datetime
    why: SurveyEndReason
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyRecord:
    """A survey as far as it has come."""

    begun: SurveyPlan
    looks: tuple[SurveySample, ...] = ()
    ended: SurveyEnd | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it is neither ended nor whole."""
        return self.ended is None and len(self.looks) < self.begun.looks


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveySummary:
    """What came of it. `refused`: looks at which at least one device refused; `by_device`: each one's."""

    looks: int
    wanted: int
    refused: int
    by_device: Mapping[str, int]

    @property
    def share(self) -> float:
        """The share of deliveries that would have been refused, 0 to 1."""
        return self.refused / self.looks if self.looks else 0.0

    @property
    def whole(self) -> bool:
        """Whether it has come to its end."""
        return self.looks >= self.wanted


def surveyed_devices(home: Home, entrance: str) -> tuple[str, ...]:
    """Name what is looked at: lock, door sensor, cameras.

    Raises:
        KeyError: no such entrance.
    """
    section = home.entrances[entrance]
    return tuple(dict.fromkeys((section.lock, section.door, section.cameras.outside, *section.cameras.inside)))


def sampling(hours: int) -> tuple[int, float]:
    """Say how many looks so many hours get on a page, and how many seconds lie between two.

    One a minute for a day; of more hours as many in all, so that no survey costs a lock's battery more than a day's.
    """
    looks = min(MAX_SAMPLES, hours * MAX_SAMPLES_PER_HOUR)
    return looks, hours * 3600 / looks


def summarise(begun: SurveyPlan, looks: Sequence[SurveySample]) -> SurveySummary:
    """Count."""
    by_device = {device: sum(device in look.refused for look in looks) for device in begun.devices}
    refused = sum(bool(look.refused) for look in looks)
    return SurveySummary(looks=len(looks), wanted=begun.looks, refused=refused, by_device=by_device)


def draw_svg(begun: SurveyPlan, looks: Sequence[SurveySample], *, title: str) -> str:
    """Draw each device's hours as an SVG: green without a refusal, red from 5 % on, grey where nobody looked."""
    over = min(
        MAX_SURVEY_AGE, max((look.at for look in looks), default=begun.begun) - begun.begun
    )  # clocks may have been set
    hours = max(1, 1 + int(over / timedelta(hours=1)))
    column = max(MIN_COLUMN_WIDTH, min(COLUMN_WIDTH, MAX_CHART_WIDTH // hours))
    wide, tall = LEFT_MARGIN + hours * column + 36, TOP_MARGIN + len(begun.devices) * ROW_HEIGHT + 26
    cells = "".join(_hour_cells(begun, looks, hours, column))
    names = "".join(
        f'<text x="6" y="{TOP_MARGIN + n * ROW_HEIGHT + 15}">{escape(device)}</text>'
        for n, device in enumerate(begun.devices)
    )
    told = range(0, hours, 6 if column == COLUMN_WIDTH else 24)
    axis = "".join(f'<text x="{LEFT_MARGIN + hour * column}" y="{tall - 8}">{hour} h</text>' for hour in told)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" width="{wide}" height="{tall}" role="img"'
        f' aria-label="{escape(title)}" font-family="sans-serif" font-size="11">'
        f'<rect width="{wide}" height="{tall}" fill="#fff"/>'
        f'<text x="6" y="20" font-size="13">{escape(title)}</text>{names}{cells}{axis}</svg>\n'
    )


def _hour_cells(begun: SurveyPlan, looks: Sequence[SurveySample], hours: int, column: int) -> Iterator[str]:
    of_hour: dict[int, list[SurveySample]] = {}
    for look in looks:
        of_hour.setdefault(int((look.at - begun.begun) / timedelta(hours=1)), []).append(look)
    for row, device in enumerate(begun.devices):
        for hour in range(hours):
            seen = of_hour.get(hour, [])
            bad = sum(device in look.refused for look in seen)
            fill = (
                NO_SAMPLE_COLOUR
                if not seen
                else GOOD_COLOUR
                if not bad
                else MANY_COLOUR
                if bad / len(seen) > BAD_REFUSED_SHARE
                else SOME_COLOUR
            )
            at = f'x="{LEFT_MARGIN + hour * column}" y="{TOP_MARGIN + row * ROW_HEIGHT}"'
            told = escape(f"{device}, {hour} h: {bad}/{len(seen)}")
            yield (
                f'<rect {at} width="{column - 1}" height="{ROW_HEIGHT - 4}" fill="{fill}"><title>{told}</title></rect>'
            )
