"""The first card of an entrance: which pictures play by themselves, what it asks, and what the parcel's line shows."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.domain.delivery.result import DoorResult
from gateway.domain.frozen import replace
from gateway.domain.visit.state import Consent, Entrance, Phase, SafeMode
from gateway.web.auth.roles import Role
from gateway.web.server.context import GatewayServices, Viewer
from gateway.web.server.visit_card import MAX_ENDINGS_SHOWN, has_card, parcel_endings, visit_card_facts
from tests.shell.box import ShellBox, box
from tests.shell.house import entrance_in_visit, visit_delivery
from tests.shell.site import ServedSite, serve_site


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    async with box(tmp_path) as made, serve_site(made) as served:
        yield served


def services(site: ServedSite) -> GatewayServices:
    return site.site._services  # noqa: SLF001 - its own


def in_visit(made: ShellBox, phase: Phase, *, needs_yes: bool = False, approved: bool | None = None) -> Entrance:
    return entrance_in_visit(
        made.home, phase, delivery=visit_delivery(needs_yes=needs_yes), consent=Consent(approved=approved)
    )


async def test_pictures_play_while_something_happens_and_of_the_inside_only_where_it_may_be_watched(
    site: ServedSite,
) -> None:
    made, owner = site.box, Viewer(language="en", user=site.owner.user)
    installer = Viewer(language="en", user=(await site.guest(Role.INSTALLER)).user)
    idle = Entrance(id="front", rules=made.front.state.rules, broker_session=1)
    for state, playing in (
        (idle, ()),
        (in_visit(made, Phase.RINGING), ("cam", "hall")),
        (in_visit(made, Phase.INSIDE), ("cam", "hall")),
        (in_visit(made, Phase.HANDED_TO_OWNER), ("cam", "hall")),
        (replace(idle, incident="incident-1"), ("cam", "hall")),
        (replace(idle, safe=SafeMode()), ("cam",)),  # nothing is filmed: the inside stays private
    ):
        made.front.state = state
        assert visit_card_facts(services(site), "front", owner)["playing"] == playing
        assert visit_card_facts(services(site), "front", installer)["playing"] == ()


@pytest.mark.parametrize(
    ("phase", "needs_yes", "approved", "asks_and_vetoes"),
    [
        (Phase.RINGING, True, None, (True, True)),  # from the first moment
        (Phase.RINGING, True, True, (False, True)),  # who said yes may still say no
        (Phase.RINGING, False, None, (False, True)),
        (Phase.APPROVING, True, None, (True, True)),
        (Phase.UNLOCKING, True, True, (False, False)),
    ],
)
async def test_the_owner_may_answer_from_the_first_moment_and_no_longer_once_it_opens(
    site: ServedSite, phase: Phase, *, needs_yes: bool, approved: bool | None, asks_and_vetoes: tuple[bool, bool]
) -> None:
    site.box.front.state = in_visit(site.box, phase, needs_yes=needs_yes, approved=approved)
    card = visit_card_facts(services(site), "front", Viewer(language="en", user=site.owner.user))
    assert (card["asks"], card["may_veto"]) == asks_and_vetoes


async def test_a_visit_that_was_handed_to_the_owner_is_over_once_it_is_locked_again(site: ServedSite) -> None:
    locked = in_visit(site.box, Phase.LOCKED_AGAIN)
    assert locked.visit is not None
    assert has_card(locked)
    assert not has_card(replace(locked, visit=replace(locked.visit, door_result=DoorResult.HANDED_TO_OWNER)))


def test_the_end_of_each_parcels_number_is_shown_and_of_many_parcels_some() -> None:
    assert parcel_endings(visit_delivery(parcels=frozenset({"8L20524752032", "P9", "X"}))) == ("2032", "9")
    many = visit_delivery(parcels=frozenset(f"PARCEL{number}" for number in range(1000, 1020)))
    assert len(parcel_endings(many)) == MAX_ENDINGS_SHOWN
