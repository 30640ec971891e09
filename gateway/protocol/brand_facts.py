"""Computes what a brand did in this home: counts and times from the signed log, nothing about a person. Pure.

`brand_facts` reads rows of the log (`gateway/storage/decisions.py`) and the windows that the brand signed. The box's
statement about them, and a brand's messages, are in `brand_messages.py`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum, auto
from statistics import median
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.state import Phase
from gateway.protocol.brand_messages import BrandFacts


class Complaint(StrEnum):
    """What the owner may say of a visit. It is chosen, not written, so that it says nothing about a person."""

    DAMAGED = auto()
    MISSING = auto()
    WRONG_PLACE = auto()
    LATE = auto()
    LEFT_OPEN = auto()
    OTHER = auto()


class PromisedWindow(Frozen, kw_only=False):
    """The window of one delivery order that the brand signed."""

    start: datetime
    end: datetime
    cancelled: bool = False


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Match(_Part):
    delivery: str


class _Event(_Part):
    event: str = ""
    matches: tuple[_Match, ...] = ()


class _Command(_Part):
    command: str = ""
    delivery: str | None = None
    code: str | None = None
    outcome: str | None = None
    house: str | None = None
    refusal: str | None = None


class _Row(_Part):
    kind: Literal["step", "complaint"]
    at: AwareDatetime
    visit: str | None = None
    phase: str | None = None
    event: _Event = _Event()
    commands: tuple[_Command, ...] = ()
    delivery: str | None = None  # of a complaint
    complaint: Complaint | None = None


class _Visit:
    """What is known of one visit while its rows are read."""

    def __init__(self) -> None:
        self.delivery: str | None = None
        self.began: datetime | None = None
        self.entered: datetime | None = None  # since then somebody is inside
        self.inside = timedelta(0)
        self.was_opened = False
        self.outcome: str | None = None
        self.left_open = False
        self.handed_over = False

    def read(self, row: _Row) -> None:
        self.began = self.began or row.at
        if row.phase == Phase.INSIDE:
            self.was_opened, self.entered = True, self.entered or row.at
        elif self.entered is not None and row.phase is not None:
            self.inside, self.entered = self.inside + max(row.at - self.entered, timedelta(0)), None
        for command in row.commands:
            self.delivery = self.delivery or command.delivery
            self.outcome = command.outcome or self.outcome
            self.left_open = self.left_open or command.code == AlarmCode.DOOR_LEFT_OPEN
            self.handed_over = self.handed_over or command.house == DoorResult.HANDED_TO_OWNER


def brand_facts(
    brand: str, rows: Iterable[object], windows: Mapping[str, PromisedWindow], *, until: datetime
) -> BrandFacts:
    """Compute the facts of one brand. `rows`: of the log, in their order; `windows` by delivery, `brand.id`.

    A row that is malformed or of another brand counts for nothing; a scan that several brands' codes fit counts for
    none of them.
    """
    prefix, since = f"{brand}.", None
    visits: dict[str, _Visit] = {}
    refusals, complaints = Counter[str](), Counter[str]()
    for raw in rows:
        try:
            row = _Row.model_validate(raw)
        except ValidationError:
            continue
        since = since or row.at
        if row.kind == "complaint":
            if row.complaint is not None and (row.delivery or "").startswith(prefix):
                complaints[row.complaint.value] += 1
            continue
        if row.visit is not None:
            visits.setdefault(row.visit, _Visit()).read(row)
        if row.event.matches and all(match.delivery.startswith(prefix) for match in row.event.matches):
            refusals.update(command.refusal for command in row.commands if command.refusal is not None)
    ours = [visit for visit in visits.values() if (visit.delivery or "").startswith(prefix)]
    own_windows = {key: window for key, window in windows.items() if key.startswith(prefix) and not window.cancelled}
    return _summary(ours, own_windows, since=since, until=until, refusals=refusals, complaints=complaints)


def _summary(  # noqa: PLR0913 - each part of the facts
    visits: list[_Visit],
    windows: Mapping[str, PromisedWindow],
    *,
    since: datetime | None,
    until: datetime,
    refusals: Counter[str],
    complaints: Counter[str],
) -> BrandFacts:
    opened = [visit for visit in visits if visit.was_opened]
    inside = [visit.inside.total_seconds() for visit in opened if visit.entered is None]
    done = {Outcome.DELIVERED, Outcome.PARTLY_DELIVERED, Outcome.COLLECTED, Outcome.PARTLY_COLLECTED}
    on_time = {
        visit.delivery
        for visit in visits
        if visit.outcome in done
        and visit.began is not None
        and (window := windows.get(visit.delivery or "")) is not None
        and window.start <= visit.began < window.end
    }
    visited = {visit.delivery for visit in visits}
    return BrandFacts(
        since=since,
        until=until,
        announced=sum(window.start <= until for window in windows.values()),
        visits=len(opened),
        outcomes=dict(sorted(Counter(visit.outcome for visit in visits if visit.outcome is not None).items())),
        on_time=len(on_time),
        missed=sum(window.end <= until and key not in visited for key, window in windows.items()),
        inside_median_s=median(inside) if inside else None,
        inside_longest_s=max(inside, default=None),
        doors_left_open=sum(visit.left_open for visit in opened),
        handed_to_owner=sum(visit.handed_over for visit in visits),
        refusals=dict(sorted(refusals.items())),
        complaints=dict(sorted(complaints.items())),
    )
