"""What a hub signs for a brand: taken where the owner allows it, and nowhere else."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.home import HubSection
from gateway.domain.delivery.permission import PermissionStatus, PermissionTerms
from gateway.domain.delivery.promise import Cancel, Offer, Update
from gateway.domain.delivery.result import Refusal
from gateway.integrations.hub_client.job_routing import DAY_S, job_handlers
from gateway.protocol import delivery_message
from gateway.protocol.box_hub import Job, JobKind, JobOutcome
from gateway.protocol.delivery_message import HubClaims
from gateway.protocol.keys import BoxKey
from gateway.storage.hub_journal import EventSigner
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import open_store, receive, visit_delivery
from tests.gateway.domain.delivery.shop import NOW, make_cancel, make_offer, make_update
from tests.shell.box import box, run_box
from tests.shell.house import make_home
from tests.stranger import HOME, HUB, HUB_KEY

NOT_PERMITTED = Refusal.HUB_SIGNED_NOT_PERMITTED.value
ALLOWED = PermissionTerms(
    entrances=frozenset({"front", "garage"}), places=frozenset({"hall", "fridge"}), carriers=frozenset({"Colissimo"}),
    hub_signed=True,
)  # fmt: skip
PLAIN = replace(ALLOWED, hub_signed=False)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path) as store:
        yield store


def passed_on(said: Offer | Update | Cancel, brand: str = "shop", *, by: BoxKey = HUB_KEY, to: str = HOME) -> bytes:
    """As a hub signs it."""
    seconds = int(NOW.utc.timestamp())
    words = HubClaims(brand=brand, aud=to, iat=seconds, nbf=seconds, exp=seconds + 3600,
                      jti=secrets.token_urlsafe(16), delivery=said)  # fmt: skip
    return delivery_message.sign_delivery(words, by, kid=delivery_message.hub_key_id(by.public.fingerprint))


async def heard(store: Store, token: bytes) -> str | None:
    """What it is answered: None: it counts, else the code."""
    answer = await store.deliveries.accept(
        token, delivery_message.verify_hub_delivery(token, HUB_KEY.public, box=HOME, now=NOW), NOW
    )
    return answer.result.code


async def test_by_default_no_brand_comes_by_the_hub_s_signature(store: Store) -> None:
    for said in (make_offer(), make_cancel()):
        assert await heard(store, passed_on(said)) == NOT_PERMITTED
    assert store.deliveries.order("shop.d1") is None
    assert (await receive(store, make_offer())).result.accepted, (
        "nor does the hub's cancel keep the brand's own word out"
    )


async def test_where_the_owner_allows_it_it_counts_until_he_allows_it_no_more(store: Store) -> None:
    await store.brands.decide("shop", PermissionStatus.GRANTED, NOW, terms=ALLOWED)
    assert await heard(store, passed_on(make_offer())) is None
    assert await heard(store, passed_on(make_update())) is None
    found = store.deliveries.order("shop.d1")
    assert found is not None
    assert found.by_hub
    assert visit_delivery(store).refusal is None
    await store.brands.decide("shop", PermissionStatus.GRANTED, NOW, terms=PLAIN)
    assert visit_delivery(store).refusal is Refusal.HUB_SIGNED_NOT_PERMITTED, "at the door too, at once"
    result = store.deliveries.result("shop.d1", NOW)
    assert result is not None
    assert (result.state, result.reason) == ("refused", NOT_PERMITTED)
    assert (await receive(store, make_update(version=3))).result.accepted, "the brand itself may promise it anew"
    assert visit_delivery(store).refusal is None


async def test_the_hub_never_alters_what_the_brand_has_signed(store: Store) -> None:
    await store.brands.decide("shop", PermissionStatus.GRANTED, NOW, terms=ALLOWED)
    await receive(store, make_offer())
    for said in (make_update(), make_cancel()):
        assert await heard(store, passed_on(said)) == NOT_PERMITTED
    assert visit_delivery(store).version == 1
    assert visit_delivery(store).refusal is None


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (passed_on(make_offer(), by=BoxKey.generate()), "unknown_key"),
        (passed_on(make_offer(), to="home-2"), "wrong_audience"),
        (passed_on(make_offer())[:-4] + b"AAAA", "wrong_signature"),
    ],
)
async def test_another_s_signature_is_not_the_hub_s(store: Store, token: bytes, code: str) -> None:
    await store.brands.decide("shop", PermissionStatus.GRANTED, NOW, terms=ALLOWED)
    assert await heard(store, token) == code
    assert store.deliveries.order("shop.d1") is None


async def test_a_box_takes_it_under_the_key_that_it_learned_at_its_joining_and_for_brands_that_it_knows(
    tmp_path: Path,
) -> None:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.store.hub_journal.set_signer(EventSigner(home=HOME, key=made.key), made.clock.now())
        section = HubSection(url=HUB, home=HOME, host="127.0.0.1", key=HUB_KEY.public.text)
        for where, state in ((section, "received"), (section.model_copy(update={"key": None}), "refused")):
            reception = made.reception
            taker = job_handlers(
                where, letting=reception.permissions, by_hub=reception.accept_from_hub,
                hub_signed=reception.accept_hub_signed,                monotonic=lambda: 0.0,
            )  # fmt: skip
            job = Job(job="job-1", kind=JobKind.HUB_DELIVERY, token=passed_on(make_offer()).decode())
            receipt = await taker[JobKind.HUB_DELIVERY](job)
            assert receipt is not None
            assert receipt.state == state
        nobody = passed_on(make_offer(), brand="nobody")
        assert await made.reception.accept_hub_signed(nobody, HOME, HUB_KEY.public.text) is JobOutcome.ANSWERED
        told_of = [one.token for one in made.store.hub_journal.unacknowledged(0, 5)]
        assert len(told_of) == 2
        assert made.store.deliveries.facts("nobody.d1", made.clock.now()) is None


async def test_a_hub_that_signs_without_end_uses_up_no_brand_s_ration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.integrations.hub_client.job_routing.MAX_HUB_SIGNED_PER_DAY", 4)
    monkeypatch.setattr("gateway.storage.offers.MAX_MESSAGES_PER_ENTRANCE", 3)  # of an entrance, and this house has two
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.store.hub_journal.set_signer(EventSigner(home=HOME, key=made.key), made.clock.now())
        reception, passed = made.reception, [0.0]
        taker = job_handlers(
            HubSection(url=HUB, home=HOME, host="127.0.0.1", key=HUB_KEY.public.text), letting=reception.permissions,
            by_hub=reception.accept_from_hub, hub_signed=reception.accept_hub_signed, monotonic=lambda: passed[0],
        )[JobKind.HUB_DELIVERY]  # fmt: skip

        async def says(number: int) -> bool:
            job = Job(
                job=f"job-{number}", kind=JobKind.HUB_DELIVERY, token=passed_on(make_offer(id=f"h{number}")).decode()
            )
            return await taker(job) is not None

        assert [await says(number) for number in range(8)] == [True] * 4 + [False] * 4
        own = await receive(made.store, make_offer(id="own", courier_sha256="c" * 64, parcels=("OWN",)))
        assert own.result.accepted, own.result.code
        passed[0] = DAY_S
        assert await says(9)
