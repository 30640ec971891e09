"""Reads from the sealed log of a visit what each closure of its route did. Pure.

Everything that a manifest states about a way in, this module reads from the log. The verifier reads the log again, so a
manifest cannot differ from its log. Each kind of closure defines which answers mean open and secured.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.domain.custody import CustodyStage
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures import KINDS
from gateway.domain.visit.closures.contract import MAIN_CLOSURE, UNKNOWN, Closure, Fact, View
from gateway.domain.visit.state import Evidence, Phase
from gateway.evidence.collected import CollectedParcels, collected_parcels
from gateway.evidence.permits import MAX_PERMITS, OpeningPermit, PermitFault, read_permits
from gateway.protocol.cold_chain import ColdChainAccount, read_cold_chain
from gateway.protocol.key_custody import COURIER, KEEPER, key_custody
from gateway.protocol.signed_document import CanonicalModel

MAX_CLOSURES = 100  # of a route
MAX_AGES = 100  # values of all closures of a route that grow old
MAX_OPENED = 100  # openings of a closure that a manifest lists: the first ones
RECEIVER = "receiver"

_WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
Word = Annotated[str, StringConstraints(pattern=rf"^{_WORD.pattern}$")]
Gap = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_:.-]{1,80}$")]
MAX_NAME = 64  # characters of a name from the log
MAX_LIFE_S = 3600.0  # of an order, as the house file bounds `command_life`
ShortText = Annotated[str, StringConstraints(max_length=80)]


class RouteGap(StrEnum):
    """Why the log of a visit is incomplete, so that a claim about its route is weaker."""

    CLOCK_STEPPED = "clock_stepped"  # the box's clock went back, or was not trusted: times do not compare
    LOG_INCOMPLETE = "log_incomplete"  # the disk failed during the visit: decisions may be missing in the log


class SensorAnswer(CanonicalModel):
    """A sensor's newest report: the number of the query that it answers, when the query was sent, and when it answered.

    A basic sensor answers no query: `query` and `asked` are None.
    """

    value: Word
    query: int | None
    asked: AwareDatetime | None
    answered: AwareDatetime


class SecuredProof(CanonicalModel):
    """The proof that a closure was secured at an instant: the answers of its sensors."""

    at: AwareDatetime
    answers: dict[Word, SensorAnswer]


class RouteClosure(CanonicalModel):
    """What one closure of the route did. Times are UTC by the box's clock; None: it did not happen, or nobody knows.

    `intent`: the intent was stored. `ordered`: the order to open was decided. `published`: it left the box.
    `passable`: the courier got "go". `opened`: when it was seen to open. `passed`: the proof with which the next
    closure was ordered open. `secured`: when the visit became `locked_again`, with the `answers` that prove it for this
    closure.
    """

    closure: Word
    kind: Word
    guarded: bool
    intent: AwareDatetime | None
    ordered: AwareDatetime | None
    published: AwareDatetime | None
    passable: AwareDatetime | None
    opened: Annotated[tuple[AwareDatetime, ...], Field(max_length=MAX_OPENED)]
    passed: SecuredProof | None
    secured: AwareDatetime | None
    answers: dict[Word, SensorAnswer]


class RouteMark(CanonicalModel):
    """A mark of a closure in the visit: the key was taken, or is back on its hook."""

    mark: Word
    at: AwareDatetime


class CustodyStep(CanonicalModel):
    """One step in the custody of a key, or of a parcel at a reception (`parcel`: the end of its code).

    `by`: the keeper, or the receiver who took it, declined it or handed it over; None: the courier or the household.
    """

    step: Word
    at: AwareDatetime
    by: ShortText | None = None
    parcel: Annotated[str, StringConstraints(max_length=4)] | None = None
    reason: Word | None = None


class DeliveryPlace(CanonicalModel):
    """The delivery's place, and the number of the chosen route to it: 0 is the preferred route."""

    id: Word
    alternative: int = Field(ge=0, le=1000)


Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class AgedValue(CanonicalModel):
    """How old a value was when a closure was ordered open by it, and how old it might be; of a sensor such as a fix.

    It has seconds and a word, and nothing from which a place follows.
    """

    closure: Word
    sensor: Word
    value: Word
    age_s: Seconds
    max_age_s: Seconds


class RouteEvidence(CanonicalModel):
    """The evidence that the house requires (None: no visit), and the gaps that the log declares."""

    required: Evidence | None
    gaps: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_:.-]{1,80}$")], ...], Field(max_length=50)
    ]


class RouteAccount(CanonicalModel):
    """The statements of a manifest of version 3 about the way in, and about who had what."""

    route: Annotated[tuple[RouteClosure, ...], Field(max_length=MAX_CLOSURES)] = ()
    evidence: RouteEvidence = RouteEvidence(required=None, gaps=())
    holder: ShortText | None = None  # `courier`, `household`, `receiver`, or `keeper:` and a name; None: an incident
    marks: tuple[RouteMark, ...] = ()
    custody: tuple[CustodyStep, ...] = ()
    place: DeliveryPlace | None = None  # None: an incident, or a reception
    collected: CollectedParcels | None = None  # since version 5; None: nothing was to be collected, or nobody knows
    cold_chain: ColdChainAccount | None = None  # since version 5; None: no items with limits, or nothing was opened
    permits: Annotated[tuple[OpeningPermit, ...], Field(max_length=MAX_PERMITS)] = ()  # since version 6
    ages: Annotated[tuple[AgedValue, ...], Field(max_length=MAX_AGES)] = ()  # since version 6


# ---- rows of the log -------------------------------------------------------------------------------------------------


class _Part(BaseModel):
    """A part of a row; the log has more fields than are read here."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, defer_build=True)


PartT = TypeVar("PartT", bound=_Part)


class _LoggedClosure(_Part):
    closure: Word
    kind: Word
    guarded: bool
    sensors: list[Word]
    basic: dict[Word, Word]


class _LoggedRoute(_Part):
    place: Word
    alternative: Annotated[int, Field(ge=0, le=1000)]
    evidence: Annotated[Evidence, Field(strict=False)]
    holder: ShortText = COURIER
    closures: Annotated[list[_LoggedClosure], Field(max_length=MAX_CLOSURES)]


class _Heard(_Part):
    session: int
    retained: bool
    answers: int | None = None
    boot: str | None = None
    seq: int | None = None


class _Event(_Part):
    event: str
    heard: _Heard | None = None
    sensor: str = ""
    device: str = ""
    value: str | None = None
    session: int | None = None
    closure: str | None = None
    at: Annotated[AwareDatetime | None, Field(strict=False)] = None
    ok: bool | None = None


class _LoggedAge(_Part):
    sensor: Word
    value: Word
    age_s: Seconds
    max_age_s: Seconds


class _Command(_Part):
    command: str
    closure: str | None = None
    stage: int = 0
    life: Annotated[float, Field(gt=0, le=MAX_LIFE_S, allow_inf_nan=False)] | None = None
    number: int = 0
    session: int = 0
    word: str = ""
    what: str = ""
    house: str = ""
    part: int = 0
    gaps: Annotated[list[Gap], Field(default_factory=list)]
    ages: Annotated[list[_LoggedAge], Field(max_length=MAX_AGES, default_factory=list)]


class _Row(_Part):
    kind: str
    at: Annotated[AwareDatetime, Field(strict=False)]
    trusted: bool = False
    event: _Event
    # Each command is parsed alone; the reader skips one that it cannot parse
    commands: Annotated[list[Any], Field(default_factory=list)]
    phase: str = ""
    phase_before: str | None = None
    route: _LoggedRoute | None = None


class _CustodyRow(_Part):
    kind: str
    at: Annotated[AwareDatetime, Field(strict=False)]
    stage: Word
    stage_before: Word
    code: dict[str, Any]
    receiver: ShortText | None = None
    reason: Word | None = None


# ---- the fold --------------------------------------------------------------------------------------------------------


class Ordering(Frozen):
    """An order to open: when, until when it may act, and its place in the log."""

    at: datetime
    life: float
    place: int


class StandingAnswer(Frozen):
    """An answer as the checks need it: `asked_place` is the query's place in the log, None for a basic sensor."""

    answer: SensorAnswer
    asked_place: int | None


class ProofAtOrder(Frozen):
    """The answers of an earlier closure that stood when a later one was ordered open."""

    closure: str
    later: str
    at: datetime
    ordered: Ordering | None  # the order to open the earlier closure, if there was one until then
    last_order: int  # place in the log of the newest order of any sort to the earlier closure until then
    answers: Mapping[str, StandingAnswer]


class _Tracked:
    """One closure while the log is read."""

    def __init__(self, logged: _LoggedClosure, kind: Closure | None, began: datetime) -> None:
        self.logged, self.kind = logged, kind
        self.values: dict[str, str] = {}  # the newest report of each role, of any age
        self.answers: dict[str, StandingAnswer] = {}
        self.heard: dict[str, tuple[str | None, int]] = {}  # role -> boot and sequence number of its device
        self.intents: list[datetime] = []
        self.orders: list[Ordering] = []
        self.last_order: int = -1  # place in the log of the newest order of any sort
        self.published: datetime | None = None
        self.passable: datetime | None = None
        self.opened: list[datetime] = []
        self.is_open = False
        self.passed: SecuredProof | None = None
        for role, value in logged.basic.items():
            self.values[role] = value
            answer = SensorAnswer(value=value, query=None, asked=None, answered=began)
            self.answers[role] = StandingAnswer(answer=answer, asked_place=None)

    @property
    def is_by_key(self) -> bool:
        """Whether a key opens it, and no order of the box."""
        return self.kind is not None and not self.kind.opening().is_ordered

    def says_open(self) -> bool:
        facts = {role: Fact(value=value) for role, value in self.values.items()}
        return self.kind is not None and self.kind.opened(_view(self.kind, facts))

    def standing(self) -> dict[str, StandingAnswer]:
        """Return the answers that stand; of a sensor that it does not need, only one queried since the last order."""
        return {
            role: found
            for role, found in sorted(self.answers.items())
            if self.needs(role) or (found.asked_place is not None and found.asked_place > self.last_order)
        }

    def needs(self, role: str) -> bool:
        """Whether the kind needs this sensor to be secured."""
        return self.kind is not None and role in needed_sensors(self.kind)


class RouteReading(Frozen):
    """The result of reading a log: the account, and the data that only the checks need.

    `unexplained`: closures that the log orders open and that are on no route: the visit began under a release whose log
    has no route. `unreadable`: the number of orders that are not as in the format. `orders`, `last_orders`, `intents`,
    `at_end` and `kinds` are by closure. `permit_faults`: what is wrong with the yes of an opening.
    `permit_boxes`: the closure of each signed yes, and the box for which it was signed.
    """

    account: RouteAccount
    unexplained: tuple[str, ...]
    unreadable: int
    orders: Mapping[str, tuple[Ordering, ...]]
    last_orders: Mapping[str, int]
    intents: Mapping[str, int]  # how many are stored
    at_orders: tuple[ProofAtOrder, ...]
    at_end: Mapping[str, Mapping[str, StandingAnswer]]
    kinds: Mapping[str, Closure | None]
    permit_faults: tuple[PermitFault, ...]
    permit_boxes: tuple[tuple[str, str], ...]
    went_back: bool  # the box's clock went back, was not trusted, or a yes was used when it was not valid
    is_incomplete: bool  # the disk failed during the visit


def read_route(bodies: Iterable[object], *, part: int = 1) -> RouteReading:
    """Read the entries of a visit's log, in their order; `part` is the part of the visit that is sealed.

    Entries that are no decisions are skipped.
    """
    rows = tuple(bodies)
    reader = _Reader(part)
    for body in rows:
        row = _parsed(_Row, body)
        if row is not None and row.kind == "step":
            reader.read(row)
        elif row is None:
            reader.unreadable += _count_orders(body)
    return reader.reading(rows)


class _Reader:
    """Reads one row after the other."""

    def __init__(self, part: int) -> None:
        self.part = part
        self.place = 0  # counts entries and the commands in them: an order and a query may stand in one entry
        self.route: _LoggedRoute | None = None
        self.tracked: dict[str, _Tracked] = {}
        self.session: int | None = None
        self.queries: dict[tuple[int, int], tuple[datetime, int]] = {}  # session and number -> when, and its place
        self.times: list[datetime] = []
        self.all_trusted = True
        self.is_incomplete = False
        self.disk_unknown = False
        self.here: _Tracked | None = None  # the closure that was ordered open last
        self.unexplained: list[str] = []
        self.unreadable = 0
        self.at_orders: list[ProofAtOrder] = []
        self.ages: list[AgedValue] = []
        self.claimed: tuple[datetime, dict[str, dict[str, StandingAnswer]]] | None = None
        self.marks: list[RouteMark] = []
        self.gaps: tuple[str, ...] = ()

    def read(self, row: _Row) -> None:
        self.place += 1
        self.times.append(row.at)
        self.all_trusted = self.all_trusted and row.trusted
        if row.route is not None and self.route is None:
            self._begin(row.route, row.at)
        self._event(row)
        for logged in row.commands:
            self.place += 1
            command = _parsed(_Command, logged)
            if command is not None:
                self._command(command, row.at)
            elif _is_order(logged):
                self.unreadable += 1
        if row.phase == Phase.LOCKED_AGAIN and row.phase_before != Phase.LOCKED_AGAIN:
            standing = {ident: tracked.standing() for ident, tracked in self.tracked.items() if self._was_used(tracked)}
            self.claimed = row.at, standing
        elif row.phase not in {Phase.LOCKED_AGAIN, "ready"}:
            self.claimed = None

    def _begin(self, route: _LoggedRoute, at: datetime) -> None:
        self.route = route
        for logged in route.closures:
            self.tracked[logged.closure] = _Tracked(logged, _kind_of(logged), at)

    def _was_used(self, tracked: _Tracked) -> bool:
        return bool(tracked.orders) or (tracked.is_by_key and self.here is not None)

    def _event(self, row: _Row) -> None:
        event = row.event
        match event.event:
            case "BrokerUp":
                self.session = event.session
                self._lose()
            case "BrokerDown" | "ReportsMissed":
                self._lose()
            case "Restarted":
                self.disk_unknown = True
                self._lose()
            case "DeviceLost":
                self._lose(event.device)
            case "DiskChanged":
                self.is_incomplete |= not (event.ok and self.disk_unknown)
                self.disk_unknown = False
            case "DeviceSpoke" if event.heard is not None:
                self._is_news(event.device, event.heard)
            case "SensorReported" if event.heard is not None and event.value is not None:
                value = event.value if _WORD.fullmatch(event.value) else UNKNOWN
                self._report(event.sensor, value, event.heard, row.at)
            case "UnlockPublished":
                tracked = self.tracked.get(event.closure or "")
                if tracked is not None and tracked.orders and tracked.published is None:
                    tracked.published = event.at
            case _:
                pass

    def _find(self, name: str) -> tuple[_Tracked, str] | None:
        ident, slash, role = name.rpartition("/")
        tracked = self.tracked.get(ident if slash else MAIN_CLOSURE)
        return None if tracked is None or role not in tracked.logged.sensors else (tracked, role)

    def _lose(self, name: str | None = None) -> None:
        """Forget all answers: observation was lost."""
        if name is None:
            for tracked in self.tracked.values():
                tracked.answers.clear()
            return
        found = self._find(name)
        if found is not None:
            found[0].answers.pop(found[1], None)

    def _is_news(self, name: str, heard: _Heard) -> bool:
        """Whether a message is of this session, and neither a stored copy nor older than what came before."""
        found = self._find(name)
        if found is None or heard.retained or (self.session is not None and heard.session != self.session):
            return False
        tracked, role = found
        boot, seq = tracked.heard.get(role, (None, -1))
        if heard.seq is not None and heard.boot == boot and heard.seq <= seq:
            return False
        tracked.heard[role] = heard.boot, seq if heard.seq is None else heard.seq
        return True

    def _report(self, name: str, value: str, heard: _Heard, at: datetime) -> None:
        found = self._find(name)
        if found is None or not self._is_news(name, heard):
            return
        tracked, role = found
        before, tracked.values[role] = tracked.values.get(role, UNKNOWN), value
        query = None if heard.answers is None else self.queries.get((heard.session, heard.answers))
        if query is not None or role in tracked.logged.basic:  # an unlogged query proves nothing
            asked_at, asked_place = query or (None, None)
            number = None if query is None else heard.answers
            answer = SensorAnswer(value=value, query=number, asked=asked_at, answered=at)
            tracked.answers[role] = StandingAnswer(answer=answer, asked_place=asked_place)
        elif value != before:
            tracked.answers.pop(role, None)
        self._see_open(tracked, at)

    def _see_open(self, tracked: _Tracked, at: datetime) -> None:
        was_open, tracked.is_open = tracked.is_open, tracked.says_open()
        is_seen = tracked.is_open and not was_open and self._was_used(tracked)
        if is_seen and len(tracked.opened) < MAX_OPENED:
            tracked.opened.append(at)

    def _command(self, command: _Command, at: datetime) -> None:
        tracked = self.tracked.get(command.closure or "")
        match command.command:
            case "Query":
                self.session = command.session
                self.queries[command.session, command.number] = at, self.place
            case "Reserve" if tracked is not None:
                tracked.intents.append(at)
            case "Unlock":
                self._order(command, at)
            case "Lock" | "Close" if tracked is not None:
                tracked.last_order = self.place
            case "Answer" if command.word == "go" and self.here is not None and self.here.passable is None:
                self.here.passable = at
            case "Note":
                self._note(command.what, at)
            case "Seal" if command.part == self.part:
                self.gaps = tuple(dict.fromkeys(command.gaps))
            case _:
                pass

    def _order(self, command: _Command, at: datetime) -> None:
        ordered = command.closure or ""
        tracked = self.tracked.get(ordered)
        if command.life is None:
            self.unreadable += 1
            return
        if tracked is None:
            self.unexplained.append(ordered or MAIN_CLOSURE)
            return
        for earlier in self._before(tracked):
            self.at_orders.append(ProofAtOrder(
                closure=earlier.logged.closure, later=ordered, at=at, last_order=earlier.last_order,
                ordered=earlier.orders[-1] if earlier.orders else None,
                answers=earlier.standing(),
            ))  # fmt: skip
        if self.here is not None and self.here is not tracked:
            self.here.passed = SecuredProof(at=at, answers=_plain(self.here.standing()))
        tracked.orders.append(Ordering(at=at, life=command.life, place=self.place))
        self.ages += (AgedValue(closure=ordered, **dict(one)) for one in command.ages)
        tracked.last_order, self.here = self.place, tracked
        if tracked.is_open and not tracked.opened:
            tracked.opened.append(at)  # somebody else had opened it already

    def _before(self, tracked: _Tracked) -> Iterator[_Tracked]:
        """Yield the closures that the courier came through before this one."""
        for other in self.tracked.values():
            if other is tracked:
                return
            if not other.is_by_key:
                yield other

    def _note(self, what: str, at: datetime) -> None:
        mark = what.partition(":")[0]  # a name may follow
        if mark in _MARKS:
            self.marks.append(RouteMark(mark=mark, at=at))

    def reading(self, bodies: tuple[object, ...]) -> RouteReading:
        at, at_end = self.claimed or (None, {})
        supervised = read_permits(bodies)
        closures = tuple(self._closure(tracked, at, at_end) for tracked in self.tracked.values())
        parcels = tuple(_parcel_steps(bodies))
        holder = None if self.route is None else self.route.holder
        keeper = holder.removeprefix(KEEPER) if holder is not None and holder.startswith(KEEPER) else None
        keys = tuple(
            CustodyStep(step=step.word.value, at=step.at, by=None if step.holder is None else step.holder[:MAX_NAME])
            for step in key_custody(bodies, holder=keeper)
        )
        own = (RouteGap.LOG_INCOMPLETE.value,) if self.is_incomplete and self.route is not None else ()
        account = RouteAccount(
            route=closures,
            evidence=RouteEvidence(
                required=None if self.route is None else self.route.evidence, gaps=(*self.gaps, *own)
            ),
            holder=RECEIVER if parcels else holder,
            marks=tuple(self.marks),
            custody=parcels or keys,
            place=None
            if self.route is None
            else DeliveryPlace(id=self.route.place, alternative=self.route.alternative),
            collected=collected_parcels(bodies),
            cold_chain=read_cold_chain(bodies),
            permits=supervised.permits,
            ages=tuple(self.ages[:MAX_AGES]),
        )
        went_back = not self.all_trusted or any(later < earlier for earlier, later in pairwise(self.times))
        went_back = went_back or any(fault.is_time for fault in supervised.faults)
        return RouteReading(
            account=account,
            unexplained=tuple(self.unexplained),
            unreadable=self.unreadable,
            orders={ident: tuple(tracked.orders) for ident, tracked in self.tracked.items()},
            last_orders={ident: tracked.last_order for ident, tracked in self.tracked.items()},
            intents={ident: len(tracked.intents) for ident, tracked in self.tracked.items()},
            at_orders=tuple(self.at_orders),
            at_end=at_end,
            kinds={ident: tracked.kind for ident, tracked in self.tracked.items()},
            permit_faults=supervised.faults,
            permit_boxes=supervised.boxes,
            went_back=went_back,
            is_incomplete=self.is_incomplete,
        )

    def _closure(
        self, tracked: _Tracked, at: datetime | None, at_end: Mapping[str, Mapping[str, StandingAnswer]]
    ) -> RouteClosure:
        answers = _plain(at_end.get(tracked.logged.closure, {}))
        is_claimed = tracked.logged.closure in at_end
        if self.is_incomplete and not proves_secured(tracked.kind, answers):
            is_claimed, answers = False, {}  # the answers may be among the entries that were not stored
        return RouteClosure(
            closure=tracked.logged.closure,
            kind=tracked.logged.kind,
            guarded=tracked.logged.guarded,
            intent=tracked.intents[0] if tracked.intents else None,
            ordered=tracked.orders[0].at if tracked.orders else None,
            published=tracked.published,
            passable=tracked.passable,
            opened=tuple(tracked.opened),
            passed=tracked.passed,
            secured=at if is_claimed else None,
            answers=answers if is_claimed else {},
        )


_MARKS = frozenset({"key_taken", "key_returned"})


def _parcel_steps(bodies: Iterable[object]) -> Iterator[CustodyStep]:
    """Yield the steps of a custody in which a parcel's stage changed."""
    for body in bodies:
        row = _parsed(_CustodyRow, body) if isinstance(body, dict) and body.get("kind") == "custody" else None
        if row is None or row.stage == row.stage_before:
            continue
        last = row.code.get("last")
        yield CustodyStep(
            step=row.stage,
            at=row.at,
            by=None if row.stage == CustodyStage.CONFIRMED else row.receiver,
            parcel=last[-4:] if isinstance(last, str) else None,
            reason=row.reason,
        )


def _is_order(command: object) -> bool:
    return isinstance(command, dict) and command.get("command") in ("Unlock", "Lock", "Close")


def _count_orders(body: object) -> int:
    """Return the number of orders in an entry that is no decision as in the format."""
    commands = body.get("commands") if isinstance(body, dict) and body.get("kind") == "step" else None
    return sum(map(_is_order, commands)) if isinstance(commands, list) else 0


def _parsed(model: type[PartT], body: object) -> PartT | None:
    try:
        return model.model_validate(body)
    except ValidationError:
        return None


def _plain(answers: Mapping[str, StandingAnswer]) -> dict[str, SensorAnswer]:
    return {role: found.answer for role, found in answers.items()}


# ---- what the kinds define -------------------------------------------------------------------------------------------


def _kind_of(logged: _LoggedClosure) -> Closure | None:
    """Return a closure of this kind, which defines open and secured; None: this release has no such kind.

    The section of the closure in the house file is not in the log, and no kind needs it for this decision.
    """
    kind = KNOWN_KINDS.get(logged.kind)
    if kind is None:
        return None
    return kind.model_construct(id=logged.closure, devices=dict.fromkeys(logged.sensors, "device"))


KNOWN_KINDS: Mapping[str, type[Closure]] = {kind.model_fields["kind"].default: kind for kind in KINDS}


def _view(kind: Closure, facts: Mapping[str, Fact]) -> View:
    return View(facts, {role: role for role in kind.roles})


def proves_secured(kind: Closure | None, answers: Mapping[str, SensorAnswer]) -> bool:
    """Return whether these answers alone prove that a closure is secured, as its kind defines it."""
    facts = {role: Fact(value=answer.value, proven=True) for role, answer in answers.items()}
    return kind is not None and kind.secured(_view(kind, facts))


def needed_sensors(kind: Closure) -> frozenset[str]:
    """Return the sensors without which the kind is never secured."""
    return frozenset(role for role, sensor in kind.sensors.items() if sensor.detects_passage)
