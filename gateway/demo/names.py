"""Names of the demo's houses, entrances and places in each language, and the demo's time of day. Pure.

A real house has one name for each thing, in its owner's language. The demo has readers of two languages at once, so the
names of its house are put into the words of each reader.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache

from gateway.system.i18n import Fact, Language, Text, _, languages_of

HOUSE_NAME = _("The house in Lilac Street")
FLAT_NAME = _("Flat")
GARAGE_NAME = _("Garage")
PARCEL_BOX_NAME = _("Parcel box")
KEY_SAFE_NAME = _("House with a key safe")
RECEPTION_NAME = _("Concierge")
CAR_NAME = _("Boot of the car")

NAMES_BY_ID: Mapping[str, Text] = {
    "front": _("Front door"),
    "hall": _("In the hall"),
    "fridge": _("In the kitchen's fridge"),
}
"""The names of the entrance and of the places of `config/home.yaml`, by their ids."""

ALL_NAMES: tuple[Text, ...] = (
    HOUSE_NAME, FLAT_NAME, GARAGE_NAME, PARCEL_BOX_NAME, KEY_SAFE_NAME, RECEPTION_NAME, CAR_NAME, *NAMES_BY_ID.values(),
)  # fmt: skip

DEMO_HOUR = 14  # of the house's clock, at which a run begins
DEMO_HOURS = f"{DEMO_HOUR}:00-{DEMO_HOUR + 2}:00"
BEFORE_WINDOW = timedelta(minutes=5)  # a run begins so long after the hour at least: a window can begin before it


def afternoon_zone(utc: datetime) -> str:
    """Return the name of the time zone in which it is from 14:05 to 15:05 now.

    The clock of a demo's house is the machine's own. Its house stands where it is the afternoon.
    """
    hours_ahead = DEMO_HOUR - (utc - BEFORE_WINDOW).hour
    return "Etc/GMT" if hours_ahead == 0 else f"Etc/GMT{-hours_ahead:+d}"  # east of Greenwich is minus there (POSIX)


def name_of(name: str) -> Fact:
    """Return the text of a name of the demo's houses; any other name stays as it is."""
    return next((text for text in ALL_NAMES for language in _languages() if text.to(language) == name), name)


def with_readers_names(text: str, language: Language) -> str:
    """Put the names of the demo's houses that stand in a text into this language."""
    pattern, names = _translations(language)
    return pattern.sub(lambda found: names[found[0]], text)


@cache
def _translations(language: Language) -> tuple[re.Pattern[str], Mapping[str, str]]:
    names = {name.to(other): name.to(language) for name in ALL_NAMES for other in _languages() if other != language}
    return re.compile("|".join(rf"\b{re.escape(name)}\b" for name in sorted(names, key=len, reverse=True))), names


def _languages() -> tuple[Language, ...]:
    return languages_of(HOUSE_NAME)
