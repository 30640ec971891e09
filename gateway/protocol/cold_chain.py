"""Reads from the log of a visit the cold chain of each item: its passport. Pure.

The entry that begins a visit has `items`: each item with its limits, the scanners that hang at places, and the air of
each place at that moment. Later entries have the scans, the readings of the air, and when the way in was secured. Box
and verifier read the same entries with this module, so a manifest cannot differ from its log.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AliasPath, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.domain.delivery.cold_verdict import AirSample, ColdReason, ColdVerdict, ItemSightings, judge_item
from gateway.domain.delivery.temperature import NO_LIMITS, Limits, is_reading, read_label_limits, stricter, strictest
from gateway.domain.visit.closures.contract import OPEN_DOOR_STATES
from gateway.protocol.signed_document import CanonicalModel, Hash

MAX_POINTS = 120  # of the air of one place in a passport: enough for a plot
MAX_ITEMS = 50
MAX_CELSIUS = 200.0  # °C: a reading beyond it counts as unknown

Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Last4 = Annotated[str, StringConstraints(max_length=4)]
Celsius = Annotated[float, Field(ge=-MAX_CELSIUS, le=MAX_CELSIUS, allow_inf_nan=False)]


class StatedLimits(CanonicalModel):
    """Limits of the air in °C; None: no such limit."""

    min_c: Celsius | None = None
    max_c: Celsius | None = None

    @property
    def limits(self) -> Limits:
        """Return the limits."""
        return Limits(min_c=self.min_c, max_c=self.max_c)


class StatedRange(CanonicalModel):
    """The lowest and the highest temperature of a time, in °C."""

    min_c: Celsius
    max_c: Celsius


class AirPoint(CanonicalModel):
    """The air of a place from `at` on; `celsius` None: unknown. `open`: whether the fridge stands open."""

    at: AwareDatetime
    celsius: Celsius | None
    open: bool | None = None


class PlaceAir(CanonicalModel):
    """The air of one place in the visit.

    `device`: what measures it. `silence_s`: its temperature is unknown after so many seconds without a reading; None:
    the box is told when the device is lost. `left_out`: the number of readings without room in `points`, which has the
    first, the last, the lowest and the highest.
    """

    place: Word
    device: Annotated[str, StringConstraints(max_length=64)] | None
    silence_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    points: Annotated[tuple[AirPoint, ...], Field(max_length=MAX_POINTS)]
    left_out: Annotated[int, Field(ge=0)] = 0


class ItemPassport(CanonicalModel):
    """The cold chain of one item, from the door to its place.

    `code`: the digest of its code in the log, `last` the code's last characters. `order`, `legal`, `label`: the limits
    by the order, by its legal `profile` and on its label; `limits`: the strictest. `seconds`: from door to place.
    `before`, `during`, `after`: the air of its place when it came in, until it was scanned there, and from then on.
    """

    code: Hash
    last: Last4
    place: Word
    profile: Word | None
    order: StatedLimits
    legal: StatedLimits
    label: StatedLimits
    limits: StatedLimits
    max_seconds: Annotated[int, Field(ge=1)]
    door_at: AwareDatetime | None
    stowed_at: AwareDatetime | None
    seconds: Annotated[float, Field(ge=0)] | None
    before: Celsius | None
    during: StatedRange | None
    after: StatedRange | None
    verdict: ColdVerdict
    reasons: tuple[ColdReason, ...]


class ColdChainAccount(CanonicalModel):
    """The cold chain of a visit: each item in the order of the retailer's list, and the air of each place.

    `began`: when the box accepted the scan. `ended`: when the way in was secured, or handed over to the owner.
    """

    began: AwareDatetime
    ended: AwareDatetime
    items: Annotated[tuple[ItemPassport, ...], Field(min_length=1, max_length=MAX_ITEMS)]
    air: tuple[PlaceAir, ...]


def read_cold_chain(bodies: Iterable[object]) -> ColdChainAccount | None:
    """Read the entries of a visit's log, in their order; None: no items, or nothing was opened for them."""
    reader: _Reader | None = None
    for body in bodies:
        if reader is None and not (isinstance(body, dict) and body.get("route")):  # only the route names items
            continue
        row = _parsed(_Row, body)
        if row is None or row.kind != "step":
            continue
        if reader is None:
            begun = None if row.route is None else row.route.items
            reader = None if begun is None or row.route is None else _Reader(begun, row.route.parcels, row)
        if reader is not None and reader.read(row):
            return reader.account()
    return None


# ---- rows of the log -------------------------------------------------------------------------------------------------


class _Part(BaseModel):
    """A part of a row; the log has more fields than are read here."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


PartT = TypeVar("PartT", bound=_Part)


class _LoggedLimits(_Part):
    min_c: Celsius | None = None
    max_c: Celsius | None = None

    @property
    def stated(self) -> StatedLimits:
        return StatedLimits(min_c=self.min_c, max_c=self.max_c)


class _LoggedItem(_Part):
    hmac: Hash = Field(validation_alias=AliasPath("code", "hmac"))
    last: Last4 = Field(validation_alias=AliasPath("code", "last"))
    place: Word
    profile: Word | None = None
    order: _LoggedLimits
    legal: _LoggedLimits
    label: _LoggedLimits
    max_seconds: Annotated[int, Field(ge=1)]
    is_parcel: bool = False


class _LoggedAir(_Part):
    temp_c: Any = None
    door: str = ""
    device: Annotated[str, StringConstraints(max_length=64)] | None = None
    silence_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class _LoggedItems(_Part):
    scanners: Mapping[str, Word] = {}
    air: Mapping[Word, _LoggedAir] = {}
    list_: Annotated[tuple[_LoggedItem, ...], Field(alias="list", min_length=1, max_length=MAX_ITEMS)]


class _Route(_Part):
    items: _LoggedItems | None = None
    parcels: tuple[str, ...] = ()


class _Code(_Part):
    hmac: str


class _Event(_Part):
    event: str
    place: str = ""
    cold: _LoggedAir | None = None
    scanner: str = ""
    retained: bool = False
    code: _Code | None = None
    label: Mapping[str, str] = {}


class _Command(_Part):
    command: str
    word: str = ""
    house: str = ""


class _Row(_Part):
    kind: str
    at: AwareDatetime
    trusted: bool = False
    event: _Event
    commands: tuple[Any, ...] = ()
    route: _Route | None = None


_OBSERVATION_ENDS = frozenset({"BrokerDown", "BrokerUp", "Restarted"})
_NOT_OPENED = "not_opened"


class _Reader:
    """Reads one row after the other, from the one that begins the visit."""

    def __init__(self, begun: _LoggedItems, parcels: Sequence[str], row: _Row) -> None:
        self.begun, self.began, self.ended = begun, row.at, row.at
        self.places = {item.place for item in begun.list_}
        self.air: dict[str, list[AirSample]] = {
            place: [_sample(row.at, begun.air[place])] if place in begun.air else [] for place in sorted(self.places)
        }
        # A parcel scanned before its courier's code has its own entry, before the visit's log begins
        self.door_at = {item.hmac: row.at for item in begun.list_ if item.hmac in parcels or not item.is_parcel}
        self.stowed_at: dict[str, datetime] = {}
        self.elsewhere: set[str] = set()
        self.moved: set[str] = set()
        self.labels: dict[str, Limits] = {}
        self.unreadable: set[str] = set()
        self.is_trusted = True
        self.is_opened = True

    def read(self, row: _Row) -> bool:
        """Take a row; return whether the way in is secured, so that nothing later counts."""
        self.is_trusted = self.is_trusted and row.trusted and row.at >= self.ended
        self.ended = max(self.ended, row.at)
        commands = [command for one in row.commands if (command := _parsed(_Command, one)) is not None]
        event = row.event
        if event.event == "FridgeHeard" and event.place in self.air and event.cold is not None:
            self.air[event.place].append(_sample(row.at, event.cold))
        elif event.event in _OBSERVATION_ENDS:
            for samples in self.air.values():
                samples.append(AirSample(at=row.at, celsius=None))
        elif event.event == "Scanned" and event.code is not None and not event.retained:
            self._scan(event, event.code.hmac, row.at, is_refused=any(command.word == "no" for command in commands))
        results = [command.house for command in commands if command.command == "HouseResult"]
        self.is_opened = _NOT_OPENED not in results
        return bool(results)

    def _scan(self, event: _Event, hmac: str, at: datetime, *, is_refused: bool) -> None:
        item = next((one for one in self.begun.list_ if one.hmac == hmac), None)
        if item is None:
            return
        limits = read_label_limits(event.label)
        if limits is None:
            self.unreadable.add(hmac)
        else:
            self.labels[hmac] = stricter(self.labels.get(hmac, NO_LIMITS), limits)
        place = self.begun.scanners.get(event.scanner)
        if place != item.place and hmac in self.stowed_at:  # whether it was put back, and when, nobody saw
            self.moved.add(hmac)
        if place is None:
            if not is_refused:
                self.door_at.setdefault(hmac, at)
        elif place == item.place:
            self.stowed_at.setdefault(hmac, at)
        else:
            self.elsewhere.add(hmac)

    def account(self) -> ColdChainAccount | None:
        if not self.is_opened:
            return None
        return ColdChainAccount(
            began=self.began,
            ended=self.ended,
            items=tuple(map(self._passport, self.begun.list_)),
            air=tuple(self._place_air(place, samples) for place, samples in self.air.items()),
        )

    def _passport(self, item: _LoggedItem) -> ItemPassport:
        label = stricter(item.label.stated.limits, self.labels.get(item.hmac, NO_LIMITS))
        limits = strictest((item.order.stated.limits, item.legal.stated.limits, label))
        door_at, stowed_at = self.door_at.get(item.hmac), self.stowed_at.get(item.hmac)
        seen = ItemSightings(
            door_at=door_at,
            stowed_at=stowed_at,
            air=self.air[item.place],
            end=self.ended,
            is_elsewhere=item.hmac in self.elsewhere,
            was_moved=item.hmac in self.moved,
            has_unreadable_label=item.hmac in self.unreadable,
            is_clock_trusted=self.is_trusted,
        )
        judged = judge_item(seen, limits, max_seconds=item.max_seconds)
        return ItemPassport(
            code=item.hmac,
            last=item.last,
            place=item.place,
            profile=item.profile,
            order=item.order.stated,
            legal=item.legal.stated,
            label=StatedLimits(min_c=label.min_c, max_c=label.max_c),
            limits=StatedLimits(min_c=limits.min_c, max_c=limits.max_c),
            max_seconds=item.max_seconds,
            door_at=door_at,
            stowed_at=stowed_at,
            seconds=judged.seconds,
            before=judged.before,
            during=None if judged.during is None else StatedRange(**vars(judged.during)),
            after=None if judged.after is None else StatedRange(**vars(judged.after)),
            verdict=judged.verdict,
            reasons=judged.reasons,
        )

    def _place_air(self, place: str, samples: Sequence[AirSample]) -> PlaceAir:
        known = self.begun.air.get(place)
        kept = _kept_samples(samples)
        return PlaceAir(
            place=place,
            device=None if known is None else known.device,
            silence_s=None if known is None else known.silence_s,
            points=tuple(AirPoint(at=sample.at, celsius=sample.celsius, open=sample.is_open) for sample in kept),
            left_out=len(samples) - len(kept),
        )


def _sample(at: datetime, logged: _LoggedAir) -> AirSample:
    celsius = logged.temp_c if is_reading(logged.temp_c) and abs(logged.temp_c) <= MAX_CELSIUS else None
    known = None if logged.door in {"", "unknown"} else logged.door in OPEN_DOOR_STATES
    return AirSample(at=at, celsius=celsius, is_open=known)


def _kept_samples(samples: Sequence[AirSample]) -> list[AirSample]:
    """Return at most `MAX_POINTS` samples: those that matter for the verdict, and others at even distances."""
    if len(samples) <= MAX_POINTS:
        return list(samples)
    measured = [n for n, sample in enumerate(samples) if sample.celsius is not None]
    lowest = min(measured, key=lambda n: samples[n].celsius or 0.0, default=0)
    highest = max(measured, key=lambda n: samples[n].celsius or 0.0, default=0)
    unknown = [n for n, sample in enumerate(samples) if sample.celsius is None]
    changes = [n for n in range(1, len(samples)) if samples[n].is_open != samples[n - 1].is_open]
    chosen = dict.fromkeys([0, len(samples) - 1, lowest, highest, *unknown[: MAX_POINTS // 4]])
    chosen |= dict.fromkeys(changes[: MAX_POINTS // 4])
    step = len(samples) / (MAX_POINTS - len(chosen))
    chosen |= dict.fromkeys(int(n * step) for n in range(MAX_POINTS - len(chosen)))
    return [samples[n] for n in sorted(chosen)]


def _parsed(model: type[PartT], body: object) -> PartT | None:
    try:
        return model.model_validate(body)
    except ValidationError:
        return None
