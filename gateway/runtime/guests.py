"""Gives and withdraws guests' passes, and plans stays. Pages and the demo use this service; they check the rights."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import structlog

from gateway.config.devices import KeypadDevice
from gateway.config.home import Home
from gateway.domain.frozen import Frozen, replace
from gateway.domain.guests.passes import (
    Pass,
    PassProblem,
    PassState,
    Stay,
    is_page_token,
    page_token,
    pass_code,
    pass_code_digest,
)
from gateway.domain.guests.provisioning import (
    FORBIDDEN_PIN_START,
    PIN_CHARACTERS,
    PIN_DIGITS,
    CodeState,
    PassCode,
    free_slot,
)
from gateway.domain.visit import events as e
from gateway.evidence.stay_statement import StayStatement, state_stay
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.i18n import Text, _

log = structlog.get_logger(__name__)

PASS_STATE_TEXTS: Mapping[PassState, Text] = MappingProxyType({
    PassState.PROPOSED: _("Proposed: it opens nothing until you grant it"),
    PassState.GRANTED: _("Granted"),
    PassState.ENDED: _("Ended"),
    PassState.REVOKED: _("Withdrawn: it opens nothing"),
})  # fmt: skip
CODE_STATE_TEXTS: Mapping[CodeState, Text] = MappingProxyType({
    CodeState.WANTED: _("The keypad gets the code when its time comes"),
    CodeState.SET: _("Sent to the keypad, not proven yet: do not give it to the guest before it is"),
    CodeState.PROVEN: _("Proven: the keypad reports that it has the code"),
    CodeState.WITHDRAWING: _("Being withdrawn: the keypad may still take it"),
    CodeState.WITHDRAWN: _("Withdrawn: the keypad reports that the code is gone"),
})  # fmt: skip
PASS_PROBLEM_TEXTS: Mapping[PassProblem, Text] = MappingProxyType({
    PassProblem.NO_NAME: _("Give the guest a name of at most 60 characters."),
    PassProblem.NO_ENTRANCE: _("Choose at least one entrance that admits guests."),
    PassProblem.BACKWARDS: _("The end has to come after the beginning."),
    PassProblem.PAST: _("That is over already."),
    PassProblem.TOO_LONG: _("That is longer than a year: is the year right?"),
    PassProblem.TOO_FAR: _("That is more than two years ahead: is the year right?"),
    PassProblem.HOURS: _("Write the hours like 08:00-22:00, and choose at least one day."),
    PassProblem.OPENINGS: _("A pass opens 1 to 1000 times, or without a limit."),
    PassProblem.TOO_MANY: _("A hundred are open already: end some first."),
    PassProblem.CLOCK_UNTRUSTED: _("The box's time is not certain: until it is, nothing is planned."),
    PassProblem.CHANGED: _("Its source has other dates by now than those that you saw. Look at them and answer again."),
    PassProblem.UNKNOWN: _("This is over, or does not exist any more."),
})  # fmt: skip


class NewPass(Frozen):
    """What the host fills in for a pass. Times are UTC."""

    guest: str
    entrances: frozenset[str]
    starts: datetime
    ends: datetime
    days: frozenset[str]
    hours: str = "00:00-24:00"
    openings: int | None = None


@dataclass(frozen=True, eq=False)
class GuestService:
    """Passes and stays of one house. `post` gives an event to an entrance.

    `update` gets the keys of passes that changed. Each method that stores raises `StoreFailed` without the disk.
    """

    home: Home
    store: Store
    clock: Clock
    post: Callable[[str, e.Event], None]
    update: Callable[[tuple[str, ...]], None]
    _followers: list[Callable[[tuple[Stay, ...]], None]] = field(default_factory=list)
    _giving: asyncio.Lock = field(default_factory=asyncio.Lock)  # two codes never take one slot
    _stating: asyncio.Lock = field(default_factory=asyncio.Lock)  # one statement at a time reads the store

    def follow_stays(self, follower: Callable[[tuple[Stay, ...]], None]) -> None:
        """Call `follower` with the stays that are not over, now and after each change."""
        self._followers.append(follower)
        follower(self.store.guests.open_stays(self.clock.now()))

    @property
    def entrances(self) -> tuple[str, ...]:
        """The entrances that admit guests."""
        return self.home.guest_entrances

    @property
    def has_keypads(self) -> bool:
        """Whether a pass brings codes for keypads too."""
        return any(self._keypads(name) for name in self.entrances)

    @property
    def key(self) -> bytes:
        """The box's own key for codes and pages of guests."""
        return self.store.guests.key()

    async def grant(self, new: NewPass, by: str | None, *, proposed_by: str | None = None) -> Pass | PassProblem:
        """Store a pass, or a proposal if a calendar or an import made it; return it, or why it cannot be."""
        state = PassState.GRANTED if proposed_by is None else PassState.PROPOSED
        held = Pass(
            id=secrets.token_hex(6), version=1, state=state, proposed_by=proposed_by,
            **{**vars(new), "entrances": new.entrances & set(self.entrances)},
        )  # fmt: skip
        problem = await self.store.guests.add_pass(held, pass_code_digest(held, self.key), self.clock.now(), by=by)
        if problem is None and state is PassState.GRANTED:
            await self._want_codes(held)
        return problem or held

    async def change(self, ident: str, state: PassState, by: str | None) -> Pass | PassProblem:
        """Grant a proposal, or end or revoke a pass; its former code opens nothing from now on."""
        held = self.store.guests.find_pass(ident)
        if held is None:
            return PassProblem.UNKNOWN
        digest = pass_code_digest(replace(held, version=held.version + 1), self.key)
        changed = await self.store.guests.change_pass(ident, state, digest, self.clock.now(), by=by)
        if isinstance(changed, Pass):
            if state is PassState.GRANTED:
                await self._want_codes(changed)
            self.update((changed.key,))
        return changed

    async def _want_codes(self, held: Pass) -> None:
        """Store a code for each keypad of the pass's entrances; the keypad gets it when its time comes.

        A limited pass gets none: the lock itself takes the code, on each day and at each hour, as often as one likes.
        """
        if not held.is_limited:
            async with self._giving:
                await self._want_codes_in_turn(held)

    async def _want_codes_in_turn(self, held: Pass) -> None:
        live = self.store.guests.live_codes()
        keypads = {pad for name in held.entrances for pad in self._keypads(name)}
        for keypad in sorted(keypads):
            device = self.home.devices[keypad]
            if not isinstance(device, KeypadDevice) or device.definition.keypad is None:
                continue
            number = None
            if not device.definition.keypad.chooses_slot:
                taken = frozenset(code.number for code in live if code.keypad == keypad and code.number is not None)
                number = free_slot(device.slots, taken)
                if number is None:
                    log.warning("keypad_full", keypad=keypad, todo="give it more `slots`, or withdraw a pass")
                    continue
            ident = secrets.token_hex(4)
            code = PassCode(
                id=ident, held=held.id, keypad=keypad, name=f"p{ident}", pin=new_pin(), starts=held.starts,
                ends=held.ends, number=number,
            )  # fmt: skip
            await self.store.guests.add_code(code, self.clock.now())

    def _keypads(self, entrance: str) -> tuple[str, ...]:
        section = self.home.entrances[entrance].guests
        return () if section is None else section.keypads

    def code(self, held: Pass) -> str:
        """Return what the guest's QR contains."""
        return pass_code(held, self.key)

    def page(self, held: Pass) -> str:
        """Return the path of the guest's page."""
        return f"/guest/{page_token(held, self.key)}"

    def find(self, token: str) -> Pass | None:
        """Return the pass of a guest's page; None: there is no such page, or its pass has changed since."""
        held = self.store.guests.find_pass(token.partition(".")[0][:64])
        return held if held is not None and is_page_token(token, held, self.key) else None

    async def plan_stay(self, new: Stay, by: str | None) -> PassProblem | None:
        """Plan a stay, or store a proposal; return why it cannot be."""
        problem = await self.store.guests.add_stay(new, self.clock.now(), by=by)
        self.publish_stays()
        return problem

    async def accept_stay(self, ident: str, by: str | None) -> PassProblem | None:
        """Let a proposed stay hold."""
        found = await self.store.guests.accept_stay(ident, self.clock.now(), by=by)
        self.publish_stays()
        return found if isinstance(found, PassProblem) else None

    async def end_stay(self, ident: str, by: str | None) -> PassProblem | None:
        """End a stay, or withdraw one that has not begun."""
        found = await self.store.guests.end_stay(ident, self.clock.now(), by=by)
        self.publish_stays()
        return found if isinstance(found, PassProblem) else None

    async def state_stay(self, ident: str) -> StayStatement | None:
        """Return the signed statement of what was filmed in a stay that has begun; None: there is no such stay."""
        now = self.clock.now()
        stays = self.store.guests.stays()
        stay = next((one for one in stays if one.id == ident and not one.is_proposed and one.starts < now.utc), None)
        if stay is None:
            return None
        async with self._stating:
            return await asyncio.to_thread(state_stay, stay, self.home, now)

    async def accept_booking(self, key: str, by: str | None) -> PassProblem | None:
        """Grant the pass and plan the stay that a booking proposes."""
        found = self.store.bookings.find(key, self.clock.now())
        if found is None:
            return PassProblem.UNKNOWN
        if found.held is not None and found.held.state is PassState.PROPOSED:
            changed = await self.change(found.held.id, PassState.GRANTED, by)
            if isinstance(changed, PassProblem):
                return changed
        is_proposed = found.stay is not None and found.stay.is_proposed
        return await self.accept_stay(found.stay.id, by) if found.stay is not None and is_proposed else None

    async def withdraw_booking(self, key: str, by: str | None) -> PassProblem | None:
        """Withdraw the pass and end the stay of a booking, proposed or accepted; it is proposed no more."""
        found = self.store.bookings.find(key, self.clock.now())
        if found is None:
            return PassProblem.UNKNOWN
        if found.held is not None:
            await self.change(found.held.id, PassState.REVOKED, by)
        return None if found.stay is None else await self.end_stay(found.stay.id, by)

    async def keep_booking(self, key: str) -> PassProblem | None:
        """Leave what the host accepted as it is; he is asked again when the source says something else."""
        answered = await self.store.bookings.answer(key, self.clock.now())
        return PassProblem.UNKNOWN if answered is None else None

    async def move_booking(self, key: str, by: str | None) -> PassProblem | None:
        """Give what the host accepted the dates that the source has now."""
        found = await self.store.bookings.move(key, self.clock.now(), by=by)
        if isinstance(found, PassProblem):
            return found
        moved = None if found.held is None else self.store.guests.find_pass(found.held.id)
        if moved is not None:
            if moved.state is PassState.GRANTED:
                await self._want_codes(moved)
            self.update((moved.key,))
        self.publish_stays()
        return None

    def publish_stays(self) -> None:
        """Give every entrance its stays as they are stored now."""
        for name in self.home.entrances:
            self.post(name, e.StaysChanged(stays=self.store.guests.stays_of(name)))
        for follower in self._followers:
            follower(self.store.guests.open_stays(self.clock.now()))


def new_pin() -> str:
    """Return a random PIN that every keypad takes."""
    while True:
        pin = "".join(secrets.choice(PIN_CHARACTERS) for _ in range(PIN_DIGITS))
        if not pin.startswith(FORBIDDEN_PIN_START) and len(set(pin)) > 2:
            return pin
