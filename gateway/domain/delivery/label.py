"""Evaluates what a parcel's GS1 label permits: whether it may be left, and when it may be delivered.

Source: GS1 General Specifications, section 3 (application identifiers 4321 to 4333). A rule that cannot be read counts
as a prohibition: an unknown value is never good. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from gateway.domain.delivery.barcodes import gs1_elements
from gateway.domain.delivery.result import Refusal
from gateway.domain.delivery.temperature import read_label_limits

_RULE_IDENTIFIERS = frozenset({*(f"43{i}" for i in range(21, 27)), *(f"43{i}" for i in range(30, 34))})
_DATE_AND_TIME = re.compile(r"[0-9]{10}")
_NO_TIME = "9999"  # in place of hours and minutes
_UNREADABLE = ""  # the value of a rule that the label states twice, differently

LabelElements = Mapping[str, str]
"""The rules on a label: application identifier -> data, as they are printed."""

NO_LABEL: LabelElements = MappingProxyType({})


class LabelRule(StrEnum):
    """The rules that the box obeys, by their application identifiers."""

    AUTHORITY_TO_LEAVE = "4322"  # 1: may be left without a person who takes it
    SIGNATURE_REQUIRED = "4323"  # 1: a person signs for it
    NOT_BEFORE = "4324"  # YYMMDDhhmm, local time of the delivery's place
    NOT_AFTER = "4325"


def read_label(raw: str) -> LabelElements:
    """Return the rules in a scanned code. A code that is no GS1 element string and no GS1 Digital Link has none."""
    rules: dict[str, str] = {}
    for identifier, value in gs1_elements(raw):
        if identifier in _RULE_IDENTIFIERS:
            rules[identifier] = value if rules.get(identifier, value) == value else _UNREADABLE
    return rules


def label_refusal(label: LabelElements, required: Iterable[str], *, local: datetime) -> Refusal | None:
    """Return why the label does not permit an opening, or None.

    `required`: rules that the order says are on the label; one that was not read is a prohibition. `local`: the wall
    clock at the house, without a zone.
    """
    if set(required) - label.keys():
        return Refusal.LABEL_FORBIDS
    if read_label_limits(label) is None:
        return Refusal.LABEL_FORBIDS
    if label.get(LabelRule.AUTHORITY_TO_LEAVE, "1") != "1" or label.get(LabelRule.SIGNATURE_REQUIRED, "0") != "0":
        return Refusal.LABEL_FORBIDS
    begin, end = (label.get(rule) for rule in (LabelRule.NOT_BEFORE, LabelRule.NOT_AFTER))
    if begin is not None and not _has_begun(begin, local):
        return Refusal.OUTSIDE_WINDOW
    if end is not None and not _lasts(end, local):
        return Refusal.OUTSIDE_WINDOW
    return None


def _has_begun(text: str, local: datetime) -> bool:
    start = _instant(text, local, otherwise="0000")
    return start is not None and local >= start


def _lasts(text: str, local: datetime) -> bool:
    """Return whether the minute that the label names is not over."""
    last = _instant(text, local, otherwise="2359")
    return last is not None and local < last + timedelta(minutes=1)


def _instant(text: str, local: datetime, *, otherwise: str) -> datetime | None:
    """Return the instant of YYMMDDhhmm on the wall clock, or None if there is no such instant.

    `otherwise`: the hours and minutes of a date without a time. The century is the one in which the year lies less than
    50 years after and at most 50 years before now (GS1 General Specifications, section 7.12).
    """
    if not _DATE_AND_TIME.fullmatch(text):
        return None
    year, time = int(text[:2]), text[6:]
    ahead = (year - local.year + 50) % 100 - 50  # from -50 to 49
    try:
        day = datetime.strptime(f"{local.year + ahead:04}{text[2:6]}", "%Y%m%d")  # noqa: DTZ007 - the wall clock has no zone
        clock = datetime.strptime(otherwise if time == _NO_TIME else time, "%H%M")  # noqa: DTZ007 - as above
    except ValueError:
        return None
    return day + timedelta(hours=clock.hour, minutes=clock.minute)
