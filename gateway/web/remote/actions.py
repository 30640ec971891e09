"""What an order comes to: the very wishes and decisions that the house's own pages ask for, in its person's name.

Which right each asks for stands in the pages' table; what is refused there is refused here.
"""

import json
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from hashlib import sha256
from typing import assert_never

from multidict import MultiDict

from gateway.domain.delivery.permission import Permission
from gateway.protocol import browser_messages, owner_requests
from gateway.storage.consent_requests import Ask
from gateway.storage.rows import TERMS
from gateway.web.auth.roles import Right, Role, may
from gateway.web.pages.home import terms_of
from gateway.web.server.authorization import WISHES
from gateway.web.server.context import Box

NOT_HERE, NOT_DONE, ASK_CHANGED = "not_here", "not_done", "ask_changed"

RIGHTS: Mapping[str, Right] = {
    "stop": WISHES["stop"],
    "veto": WISHES["refuse"],
    "approve": WISHES["approve"],
    "lock": WISHES["lock"],
    "acknowledge": WISHES["acknowledge"],
    "permit": WISHES["permit"],
    "refuse": WISHES["refuse_brand"],
    "revoke": WISHES["revoke"],
    "approve-key": WISHES["permit"],
    "refuse-key": WISHES["refuse_brand"],
}
"""Which right each order asks for, beside the one to speak from afar at all."""


def allowed(role: str, do: str) -> bool:
    """Whether somebody of this role may order this from afar."""
    return may(Role(role), Right.AWAY) and may(Role(role), RIGHTS[do])


def ask_of(permission: Permission, question: Ask | None) -> str:
    """What the owner is asked of a brand, as a digest: a yes counts for what was shown, and while that stands.

    The permission's version is in it: a yes that a hub held back does not undo what was decided meanwhile.
    """
    terms = {
        name: sorted(value) if isinstance(value, list) else value
        for name, value in json.loads(TERMS.dump_json(permission.terms)).items()
    }
    asked = None if question is None else question.digest
    said = [permission.brand, permission.version, permission.standing.value, terms, asked]
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


Stopping = Sequence[Awaitable[str | None]]
"""A stop that holds already: for each door what became of it."""


class Deeds:
    """One for the box."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def stop(self, deed: browser_messages.Stop, person: str) -> Stopping:
        """Stop from this instant on, before anything is stored; what became of it tells `stopped`."""
        where = self._where(deed.entrance)
        return [self._box.wished(name, owner_requests.Stop(id=_id(), do="stop"), person) for name in where]

    async def do(self, deed: browser_messages.Deed, person: str) -> str | None:
        """Do it; None, or why it was not done."""
        match deed:
            case browser_messages.Stop():
                return await stopped(self.stop(deed, person))
            case browser_messages.Decide():
                word = owner_requests.Decide(
                    id=_id(), do="approve" if deed.do == "approve" else "refuse", visit=deed.visit
                )
                return await self._at(deed.entrance, deed.visit, word, person)
            case browser_messages.Acknowledge():
                wish = owner_requests.Acknowledge(id=_id(), do="acknowledge", visit=deed.visit)
                return await self._at(deed.entrance, deed.visit, wish, person)
            case browser_messages.Lock():
                return await self._wish(deed.entrance, owner_requests.Lock(id=_id(), do="lock"), person)
            case browser_messages.Permit():
                return await self._permit(deed, person)
            case browser_messages.Deny():
                letting = self._box.letting
                judge = letting.revoke if deed.do == "revoke" else letting.refuse
                return None if await judge(deed.brand, person) is None else NOT_DONE
            case browser_messages.ApproveKey() | browser_messages.RefuseKey():
                return await self._key(deed, person)
            case _:
                assert_never(deed)

    def _where(self, entrance: str | None) -> tuple[str, ...]:
        known = tuple(self._box.home.entrances)
        return known if entrance is None else tuple(name for name in known if name == entrance)

    async def _at(self, entrance: str, visit: str, wish: owner_requests.AnyWish, person: str) -> str | None:
        """Of a visit that runs: one that has ended is not decided on any more."""
        try:
            state, _ = self._box.entrance(entrance)
        except KeyError:
            return NOT_HERE
        running = state.visit is not None and state.visit.id == visit
        return await self._wish(entrance, wish, person) if running else NOT_HERE

    async def _wish(self, entrance: str, wish: owner_requests.AnyWish, person: str) -> str | None:
        if entrance not in self._box.home.entrances:
            return NOT_HERE
        return None if await self._box.wished(entrance, wish, person) is None else NOT_DONE

    async def _permit(self, deed: browser_messages.Permit, person: str) -> str | None:
        """Let a brand in, if what was shown is what stands: nothing that was decided since is undone."""
        store = self._box.store
        permission, question = store.permission(deed.brand), store.brands.ask(deed.brand)
        if permission is None:
            return NOT_HERE
        if ask_of(permission, question) != deed.ask:
            return ASK_CHANGED
        try:
            terms = terms_of(_form(deed.terms), self._box.home, self._box.clock.now())
        except ValueError:
            return NOT_DONE
        ask = None if question is None else question.digest
        letting = self._box.letting.permit(deed.brand, terms, person, ask=ask, version=permission.version)
        return None if await letting is None else NOT_DONE

    async def _key(self, deed: browser_messages.ApproveKey | browser_messages.RefuseKey, person: str) -> str | None:
        """Say of a key that waits whether it counts: of that key, whatever it is called."""
        waiting = self._box.store.brands.new_keys()
        kid = next((key.kid for key in waiting if (key.brand, key.x) == (deed.brand, deed.key)), None)
        if kid is None:
            return NOT_HERE
        letting = self._box.letting
        judge = letting.approve_key if isinstance(deed, browser_messages.ApproveKey) else letting.refuse_key
        return None if await judge(deed.brand, kid, person) is None else NOT_DONE


async def stopped(asked: Stopping) -> str | None:
    """Wait until a stop is stored at each door; None, or why it is not."""
    failed = [why for why in [await one for one in asked] if why is not None]
    return NOT_HERE if not asked else NOT_DONE if failed else None


def _form(terms: browser_messages.Terms) -> MultiDict[str]:
    """The terms as the form of the house's own page tells them."""
    opens, _, closes = terms.hours.partition("-")
    return MultiDict([
        *(("entrance", one) for one in terms.entrances), *(("place", one) for one in terms.places),
        *(("day", one) for one in terms.days), ("carriers", ",".join(terms.carriers)), ("from", opens), ("to", closes),
        ("openings", str(terms.openings)), ("until", terms.until or ""), ("each", "1" if terms.ask_each_time else ""),
        ("hub_signed", "1" if terms.hub_signed else ""),
    ])  # fmt: skip


def _id() -> str:
    return f"away-{secrets.token_hex(8)}"
