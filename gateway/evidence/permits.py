"""Reads from the sealed log of a visit who said yes to which opening, and whether each opening had its own yes. Pure.

The log has each supervisor's decision: the message that the supervisor's browser signed, the public key, and the hash
of the picture on which it was made; and each intent names the message that it used. Only a visit whose route says
`yes_each` needs them. Until 30 November 2026 the log had the message's hash only.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.domain.frozen import Frozen
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.robot_token import MAX_DECISION_BYTES, DecisionClaims, read_decision
from gateway.protocol.signed_document import CanonicalModel, Hash

MAX_CLOCK_SKEW: Final = timedelta(seconds=2)  # that the clock of a supervisor's browser may run ahead of the box's
MAX_PERMITS = 100  # openings of a visit, one for each closure of its route
_Name = Annotated[str, StringConstraints(max_length=80)]


class OpeningPermit(CanonicalModel):
    """One opening, and the yes that it used.

    `used`: when the intent was stored. `by` is the supervisor; the message with `message_sha256` was `signed` by his
    browser's clock, could be used until `expires`, and names the picture with `picture_sha256`. These four are None if
    the decision is among the entries that a failing disk did not store. `key_sha256` is the thumbprint of the key that
    signed the message (RFC 7638); None: the log has not the signed messages of all openings.
    """

    closure: _Name
    used: AwareDatetime
    message_sha256: Hash
    by: _Name | None
    signed: AwareDatetime | None
    expires: AwareDatetime | None
    picture_sha256: Hash | None
    key_sha256: Hash | None = None  # since version 7


class PermitFault(Frozen):
    """Why an opening was not permitted. `is_missing`: something is not in the log. `is_time`: times contradict."""

    closure: str
    reason: str
    is_missing: bool = False
    is_time: bool = False


class PermitReading(Frozen):
    """The openings of a visit with their permits, in the order of the log, and what is wrong with them.

    `boxes`: the closure of each signed yes, and the box for which it was signed.
    """

    permits: tuple[OpeningPermit, ...] = ()
    faults: tuple[PermitFault, ...] = ()
    boxes: tuple[tuple[str, str], ...] = ()


class _Decision(BaseModel):
    """An entry `OpeningDecided`; a no has no picture."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    visit: str
    closure: _Name
    yes: bool
    by: _Name
    issued: Annotated[AwareDatetime, Field(strict=False)]
    expires: Annotated[AwareDatetime, Field(strict=False)]
    message_sha256: Hash
    picture_sha256: str
    token: Annotated[str, StringConstraints(max_length=MAX_DECISION_BYTES)] = ""
    key: dict[str, str] | None = None

    @property
    def has_signature(self) -> bool:
        """Whether the log has what was signed."""
        return bool(self.token) or self.key is not None

    def jwk(self) -> Jwk | None:
        """The key that signed it; None: there is none, or it is no such key."""
        try:
            return Jwk.model_validate(self.key)
        except ValidationError:
            return None


class _Reserve(BaseModel):
    """A command `Reserve`; without `permit` no yes was used."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    visit: str
    closure: _Name
    permit: Hash | None = None


class _Reader:
    def __init__(self) -> None:
        self.decisions: dict[str, _Decision] = {}  # digest of its message -> a yes
        self.withdrawn: set[str] = set()  # the yeses before a no
        self.used: set[str] = set()
        self.permits: list[OpeningPermit] = []
        self.boxes: list[tuple[str, str]] = []
        self.faults: list[PermitFault] = []

    def decide(self, decision: _Decision) -> None:
        if decision.yes:
            self.decisions.setdefault(decision.message_sha256, decision)
        else:
            self.withdrawn.update(self.decisions)

    def reserve(self, reserve: _Reserve, at: datetime) -> None:
        if reserve.permit is None:
            self.faults.append(PermitFault(closure=reserve.closure, reason="it used no yes"))
            return
        found = self.decisions.get(reserve.permit)
        said: dict[str, Any] = {"by": None, "signed": None, "expires": None, "picture_sha256": None}
        if found is not None:
            key = found.jwk()
            said = {
                "by": found.by, "signed": found.issued, "expires": found.expires,
                "picture_sha256": found.picture_sha256, "key_sha256": None if key is None else key.sha256,
            }  # fmt: skip
        permit: dict[str, Any] = {"closure": reserve.closure, "used": at, "message_sha256": reserve.permit}
        self.permits.append(OpeningPermit.model_validate(permit | said))
        self.faults += self._faults(reserve, found, at)
        self.used.add(reserve.permit)

    def _faults(self, reserve: _Reserve, found: _Decision | None, at: datetime) -> Iterator[PermitFault]:
        closure = reserve.closure
        if reserve.permit in self.used:
            yield PermitFault(closure=closure, reason="its yes was used before")
        if found is None:
            yield PermitFault(closure=closure, reason="the log has no such yes as it used", is_missing=True)
            return
        if (found.visit, found.closure) != (reserve.visit, closure):
            yield PermitFault(closure=closure, reason=f"its yes is for {found.closure}, or for another visit")
        if found.message_sha256 in self.withdrawn:
            yield PermitFault(closure=closure, reason="a no came after its yes")
        if found.has_signature:
            yield from self._signature_faults(found)
        if not found.issued - MAX_CLOCK_SKEW <= at < found.expires:
            yield PermitFault(closure=closure, reason="its yes was not valid at that time", is_time=True)

    def _signature_faults(self, found: _Decision) -> Iterator[PermitFault]:
        """Compare what was signed with what the log says of it."""
        key, token = found.jwk(), found.token.encode()
        claims = None if key is None else read_decision(token, key)
        if not isinstance(claims, DecisionClaims):
            yield PermitFault(closure=found.closure, reason="the signature of its yes does not hold")
            return
        self.boxes.append((found.closure, claims.aud))
        signed = (
            claims.sub, claims.visit, claims.closure, claims.yes, claims.picture_sha256, claims.issued, claims.expires,
            sha256(token).hexdigest(),
        )  # fmt: skip
        logged = (
            found.by, found.visit, found.closure, found.yes, found.picture_sha256, found.issued, found.expires,
            found.message_sha256,
        )  # fmt: skip
        if signed != logged:
            yield PermitFault(closure=found.closure, reason="its yes is not what the supervisor signed")


def read_permits(bodies: Iterable[object]) -> PermitReading:
    """Return the permits in the entries of a visit; of a visit that needs none, nothing."""
    reader, needs = _Reader(), False
    for body in bodies:
        if not isinstance(body, dict) or body.get("kind") != "step":
            continue
        route, event = body.get("route"), body.get("event")
        needs = needs or (isinstance(route, dict) and route.get("yes_each") is True)
        if not needs:
            continue
        if isinstance(event, dict) and event.get("event") == "OpeningDecided":
            decision = _read_decision(event)
            if decision is not None:
                reader.decide(decision)
        for reserve, at in _reserves(body):
            reader.reserve(reserve, at)
    permits = tuple(reader.permits[:MAX_PERMITS])
    if not are_signed(permits):  # the visit began under a release that did not log the messages
        permits = tuple(permit.model_copy(update={"key_sha256": None}) for permit in permits)
    return PermitReading(permits=permits, faults=tuple(reader.faults), boxes=tuple(reader.boxes))


def are_signed(permits: Iterable[OpeningPermit]) -> bool:
    """Return whether each opening whose yes is known names the key that signed it, and one does."""
    keys = [permit.key_sha256 for permit in permits if permit.by is not None]
    return bool(keys) and None not in keys


def _read_decision(event: dict[str, Any]) -> _Decision | None:
    """Return a decision; None: it is not as in the format, so that it permits nothing."""
    try:
        decision = _Decision.model_validate(event)
    except ValidationError:
        return None
    return decision if not decision.yes or _is_digest(decision.picture_sha256) else None


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _reserves(body: dict[str, Any]) -> Iterator[tuple[_Reserve, datetime]]:
    commands, at = body.get("commands"), body.get("at")
    if not isinstance(commands, list) or not isinstance(at, str):
        return
    for command in commands:
        if isinstance(command, dict) and command.get("command") == "Reserve":
            try:
                yield _Reserve.model_validate(command), datetime.fromisoformat(at)
            except ValueError:
                continue
