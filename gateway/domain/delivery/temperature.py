"""Defines the limits of a temperature, and reads them from a GS1 label. Pure.

Source of the label's rules: GS1 General Specifications, application identifiers 4330 to 4333: maximum in °F and °C,
minimum in °F and °C, six digits in hundredths of a degree, a minus sign behind a value below zero. A label names each
limit in one unit only.
"""

import math
import re
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Final

from gateway.domain.frozen import Frozen

_HUNDREDTHS = re.compile(r"[0-9]{6}-?")
MAX_FAHRENHEIT, MAX_CELSIUS, MIN_FAHRENHEIT, MIN_CELSIUS = "4330", "4331", "4332", "4333"
TEMPERATURE_IDENTIFIERS: Final = frozenset({MAX_FAHRENHEIT, MAX_CELSIUS, MIN_FAHRENHEIT, MIN_CELSIUS})


class Limits(Frozen):
    """The air may be neither colder than `min_c` nor warmer than `max_c`, in °C; None: no such limit."""

    min_c: float | None = None
    max_c: float | None = None

    @property
    def is_none(self) -> bool:
        """Return whether there is no limit at all."""
        return self.min_c is None and self.max_c is None

    @property
    def is_contradictory(self) -> bool:
        """Return whether no temperature is within both limits."""
        return self.min_c is not None and self.max_c is not None and self.min_c > self.max_c

    def is_too_warm(self, celsius: float) -> bool:
        """Return whether this temperature is above the limit; one that is no number is above any limit."""
        return self.max_c is not None and not celsius <= self.max_c

    def is_too_cold(self, celsius: float) -> bool:
        """Return whether this temperature is below the limit; one that is no number is below any limit."""
        return self.min_c is not None and not celsius >= self.min_c


NO_LIMITS: Final = Limits()


def stricter(first: Limits, second: Limits) -> Limits:
    """Return the limits that both require: the higher minimum and the lower maximum."""
    minima = [limit for limit in (first.min_c, second.min_c) if limit is not None]
    maxima = [limit for limit in (first.max_c, second.max_c) if limit is not None]
    return Limits(min_c=max(minima, default=None), max_c=min(maxima, default=None))


def strictest(limits: Iterable[Limits]) -> Limits:
    """Return the limits that all of these require."""
    return reduce(stricter, limits, NO_LIMITS)


def read_label_limits(label: Mapping[str, str]) -> Limits | None:
    """Return the limits in a label's rules (`label.LabelElements`); None: they are there and cannot be read.

    A limit that is printed in both units cannot be read either: GS1 forbids it, and the two may differ.
    """
    if {MAX_FAHRENHEIT, MAX_CELSIUS} <= label.keys() or {MIN_FAHRENHEIT, MIN_CELSIUS} <= label.keys():
        return None
    values: dict[str, float] = {}
    for identifier in TEMPERATURE_IDENTIFIERS & label.keys():
        value = _degrees(label[identifier])
        if value is None:
            return None
        values[identifier] = value
    limits = Limits(
        min_c=values.get(MIN_CELSIUS, _celsius(values.get(MIN_FAHRENHEIT))),
        max_c=values.get(MAX_CELSIUS, _celsius(values.get(MAX_FAHRENHEIT))),
    )
    return None if limits.is_contradictory else limits


def _degrees(text: str) -> float | None:
    if not _HUNDREDTHS.fullmatch(text):
        return None
    value = int(text[:6]) / 100
    return -value if text.endswith("-") else value


def _celsius(fahrenheit: float | None) -> float | None:
    return None if fahrenheit is None else round((fahrenheit - 32) * 5 / 9, 2)


def is_reading(value: object) -> bool:
    """Return whether a logged value is a temperature: a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
