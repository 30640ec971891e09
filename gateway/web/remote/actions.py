"""Carries out an order of a remote browser like a request of its person on the home's own pages.

The rights are those of the pages' table: what the pages refuse is refused here.
"""

import json
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from hashlib import sha256
from typing import Any, assert_never

from multidict import MultiDict

from gateway.domain.delivery.permission import Permission, PermissionStatus
from gateway.protocol import browser_messages, owner_requests
from gateway.storage.consent_requests import StoredConsentRequest
from gateway.storage.rows import TERMS_ADAPTER
from gateway.web.auth.roles import Role, UserRight, has_right
from gateway.web.server.authorization import REQUEST_RIGHTS
from gateway.web.server.brand_terms import read_terms
from gateway.web.server.context import GatewayServices

NOT_FOUND, NOT_DONE, QUESTION_CHANGED = "not_here", "not_done", "ask_changed"

ORDER_RIGHTS: Mapping[str, UserRight] = {
    "stop": REQUEST_RIGHTS["stop"],
    "veto": REQUEST_RIGHTS["refuse"],
    "approve": REQUEST_RIGHTS["approve"],
    "lock": REQUEST_RIGHTS["lock"],
    "acknowledge": REQUEST_RIGHTS["acknowledge"],
    "permit": REQUEST_RIGHTS["permit"],
    "refuse": REQUEST_RIGHTS["refuse_brand"],
    "revoke": REQUEST_RIGHTS["revoke"],
    "approve-key": REQUEST_RIGHTS["permit"],
    "refuse-key": REQUEST_RIGHTS["refuse_brand"],
}
"""The right that each order needs, beside `AWAY`."""


def is_allowed(role: str, do: str) -> bool:
    """Return whether a person of this role may give this order from afar."""
    return has_right(Role(role), UserRight.AWAY) and has_right(Role(role), ORDER_RIGHTS[do])


def question_digest(permission: Permission, question: StoredConsentRequest | None) -> str:
    """Return a digest of what a brand asks: a yes counts for exactly what was shown, while it is unchanged.

    The permission's version is part of it: a yes that a hub held back does not undo a later decision.
    """
    digest = None if question is None else question.digest
    shown = [permission.brand, permission.version, permission.standing.value, sorted_terms(permission), digest]
    return sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def sorted_terms(permission: Permission) -> dict[str, Any]:
    """Return the terms of a permission as JSON in which the order of each list is always the same."""
    terms = json.loads(TERMS_ADAPTER.dump_json(permission.terms))
    return {name: sorted(value) if isinstance(value, list) else value for name, value in terms.items()}


StopResults = Sequence[Awaitable[str | None]]
"""The results of a stop, one for each door, to be awaited; the stop is active already."""


class OrderExecutor:
    """Carries out the orders of all remote browsers of the box."""

    def __init__(self, services: GatewayServices) -> None:
        self._services = services

    def stop(self, order: browser_messages.StopOrder, person: str) -> StopResults:
        """Stop at once, before anything is stored; `wait_stopped` awaits the results."""
        return [
            self._services.inbox.submit_request(name, owner_requests.OwnerStopRequest(id=_new_id(), do="stop"), person)
            for name in self._services.home.entrances
            if order.entrance in (None, name)
        ]

    async def execute(self, order: browser_messages.OrderAction, person: str) -> str | None:
        """Carry out an order; None, or why it was not done."""
        match order:
            case browser_messages.StopOrder():
                return await wait_stopped(self.stop(order, person))
            case browser_messages.DecideOrder() | browser_messages.AcknowledgeOrder():
                do = "refuse" if order.do == "veto" else order.do
                return await self._submit(order.entrance, person, {"do": do, "visit": order.visit})
            case browser_messages.LockOrder():
                return await self._submit(order.entrance, person, {"do": "lock"})
            case browser_messages.PermitOrder():
                return await self._permit(order, person)
            case browser_messages.DenyOrder():
                permissions = self._services.inbox.permissions
                standing = PermissionStatus.REVOKED if order.do == "revoke" else PermissionStatus.REFUSED
                return None if await permissions.decide(order.brand, standing, person) is None else NOT_DONE
            case browser_messages.KeyOrder():
                return await self._decide_key(order, person)
            case _:
                assert_never(order)

    async def _submit(self, entrance: str, person: str, fields: Mapping[str, str]) -> str | None:
        """Submit a request; one about a visit only while that visit runs."""
        try:
            visit = self._services.entrance_state(entrance)[0].visit
        except KeyError:
            return NOT_FOUND
        if "visit" in fields and (visit is None or visit.id != fields["visit"]):
            return NOT_FOUND
        request = owner_requests.REQUEST_ADAPTER.validate_python({**fields, "id": _new_id()})
        return None if await self._services.inbox.submit_request(entrance, request, person) is None else NOT_DONE

    async def _permit(self, order: browser_messages.PermitOrder, person: str) -> str | None:
        """Permit a brand if it still asks what was shown: a later decision is not undone."""
        brands = self._services.store.brands
        permission, question = brands.permission(order.brand), brands.request_of(order.brand)
        if permission is None:
            return NOT_FOUND
        if question_digest(permission, question) != order.ask:
            return QUESTION_CHANGED
        try:
            terms = read_terms(_terms_form(order.terms), self._services.home, self._services.clock.now())
        except ValueError:
            return NOT_DONE
        ask = None if question is None else question.digest
        permissions = self._services.inbox.permissions
        reason = await permissions.decide(
            order.brand, PermissionStatus.GRANTED, person, terms=terms, ask=ask, version=permission.version
        )
        return None if reason is None else NOT_DONE

    async def _decide_key(self, order: browser_messages.KeyOrder, person: str) -> str | None:
        """Accept or refuse a waiting key, which the order names by the key itself."""
        waiting = self._services.store.brands.waiting_keys()
        kid = next((key.kid for key in waiting if (key.brand, key.x) == (order.brand, order.key)), None)
        if kid is None:
            return NOT_FOUND
        permissions, approves = self._services.inbox.permissions, order.do == "approve-key"
        reason = await permissions.decide_key(order.brand, kid, "approved" if approves else "refused", person)
        return None if reason is None else NOT_DONE


async def wait_stopped(results: StopResults) -> str | None:
    """Wait until the stop is stored at each door; None, or why it is not."""
    failed = [reason for reason in [await result for result in results] if reason is not None]
    return NOT_FOUND if not results else NOT_DONE if failed else None


def _terms_form(terms: browser_messages.OrderedTerms) -> MultiDict[str]:
    """Return the terms as the form of the brands page would send them."""
    opens, _, closes = terms.hours.partition("-")
    return MultiDict([
        *(("entrance", id_) for id_ in terms.entrances), *(("place", id_) for id_ in terms.places),
        *(("day", day) for day in terms.days), ("carriers", ",".join(terms.carriers)), ("from", opens), ("to", closes),
        ("openings", str(terms.openings)), ("until", terms.until or ""), ("each", "1" if terms.ask_each_time else ""),
        ("hub_signed", "1" if terms.hub_signed else ""),
    ])  # fmt: skip


def _new_id() -> str:
    return f"away-{secrets.token_hex(8)}"
