"""Which place belongs to which entrance: told in the terms, and a wrong pair is refused at once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import update

from gateway.hub.boxes.box_events import HomeTransaction
from gateway.hub.database.tables import homes
from gateway.protocol.box_hub import EntranceDescription, Hello, PermissionDecision
from tests.announcing import ConnectedHome, connected_home
from tests.hubs import hub_file, run_hub
from tests.sandboxes import create_sandbox

ENTRANCES = (
    EntranceDescription(id="garage", name="Garage", places=("shelf", "cellar"), courier_proof=False),
    EntranceDescription(id="front", name="Front door", places=("hall", "fridge"), courier_proof=False),
)
GRANTED: dict[str, Any] = {
    "entrances": ("front", "garage"), "places": ("hall", "fridge", "shelf"), "carriers": ("Chronopost",),
    "days": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "hub_signed": True,
}  # fmt: skip


async def grants(home: ConnectedHome, version: int) -> None:
    await home.says(PermissionDecision(brand=home.brand, version=version, standing="granted", **GRANTED))


async def greets(home: ConnectedHome, *entrances: EntranceDescription) -> None:
    """The box begins a session, and describes its entrances."""
    async with home.hub.hub.store.writing() as tx:
        at = await HomeTransaction.begin(tx, home.id, home.hub.hub.now())
        assert at is not None
        await at.on_hello(Hello(boot="b1", events=0, open=(), entrances=entrances, timezone="Europe/Paris"))
        await tx.execute(update(homes).where(homes.c.id == home.id).values(there=True))


async def terms(home: ConnectedHome) -> dict[str, Any]:
    _, said = await home.ask("GET", f"/v1/connections/{home.connection}")
    return dict(said["terms"])


async def test_the_terms_say_which_permitted_place_belongs_to_which_entrance(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await grants(home, 2)
        assert (await terms(home))["entrance_places"] is None, "an older home reports flat lists"
        await greets(home, *ENTRANCES)
        assert (await terms(home))["entrance_places"] == {"front": ["hall", "fridge"], "garage": ["shelf"]}
        assert "cellar" not in str(await terms(home)), "a place that the owner did not give is not told"
        await greets(home, ENTRANCES[1])
        assert (await terms(home))["entrance_places"] == {"front": ["hall", "fridge"]}
        await greets(home, *ENTRANCES)
        await grants(home, 3)
        _, told = await home.ask("GET", "/v1/events?types=connection.decided")
        places = [one["data"]["terms"]["entrance_places"] for one in told["data"]]
        assert places[-1] == (await terms(home))["entrance_places"], "the event tells the same"


async def test_a_place_that_does_not_belong_to_the_entrance_is_refused_at_once(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await grants(home, 2)
        await home.announce(entrance="garage", place="hall", name="unknown")  # the home decides
        await greets(home, *ENTRANCES)
        wrong: tuple[tuple[dict[str, Any], str], ...] = (
            ({"entrance": "garage", "place": "hall"}, "/delivery/place"),
            ({"place": "hall", "items": [{"code": "106141411234567897", "place": "shelf", "max_celsius": 8}]},
             "/delivery/items/0/place"),
        )  # fmt: skip
        for changes, pointer in wrong:
            body = {"connection": home.connection, "delivery": home.promise(**changes)}
            status, said = await home.ask("POST", "/v1/deliveries", body)
            (error,) = said["errors"]
            assert (status, said["code"], error["code"]) == (422, "not_permitted", "place_not_permitted")
            assert error["pointer"] == pointer
        made = await home.announce(name="right", place="fridge")
        path = f"/v1/deliveries/{made['id']}"
        for change, named in (({"place": "shelf"}, "place"), ({"entrance": "garage"}, "entrance")):
            status, said = await home.ask("PATCH", path, {"delivery": change})
            assert (status, said["errors"][0]["code"]) == (422, "place_not_permitted"), change
            assert said["errors"][0]["pointer"] == f"/delivery/{named}", "of a change a field that it names"
        status, said = await home.ask("PATCH", path, {"delivery": {"place": "shelf", "entrance": "garage"}})
        assert (status, said["place"]) == (200, "shelf")
        signed = home.offer("signed").model_copy(update={"entrance": "garage"})
        status, said = await home.ask(
            "POST", "/v1/deliveries", {"connection": home.connection, "token": home.token(signed)}
        )
        assert (status, said["errors"][0]["pointer"], said["errors"][0]["code"]) == (
            422, "/token", "place_not_permitted",
        )  # fmt: skip


async def test_availability_asks_for_a_place_too(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        await grants(home, 2)
        await greets(home, *ENTRANCES)
        start = datetime.now(UTC) + timedelta(days=1)
        span = {"start": start.isoformat(), "end": (start + timedelta(hours=2)).isoformat()}
        rows = (("front", "hall", None), ("garage", "hall", "place_not_permitted"), (None, "shelf", None),
                (None, "cellar", "place_not_permitted"), ("front", "attic", "place_not_permitted"))  # fmt: skip
        for entrance, place, why in rows:
            where = {"place": place} if entrance is None else {"place": place, "entrance": entrance}
            query = "&".join(f"{name}={quote(value)}" for name, value in {**span, **where}.items())
            status, said = await home.ask("GET", f"/v1/connections/{home.connection}/availability?{query}")
            assert (status, said["why"], said["possible"]) == (200, why, why is None), where
            question = {"connection": home.connection, **span, **where}
            _, batch = await home.ask("POST", "/v1/availability", {"items": [question]})
            assert batch["data"][0]["body"] == said


async def test_the_sandbox_refuses_a_wrong_pair_as_a_home_does(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        box = await create_sandbox(hub)
        _, connection = await box.ask("GET", f"/v1/connections/{box.said['connection']}")
        assert connection["terms"]["entrance_places"] == {"garage": ["shelf"], "front": ["hall", "fridge"]}
        body = {"connection": box.said["connection"], "delivery": box.promise("A1", place="hall")}
        status, said = await box.ask("POST", "/v1/deliveries", body)
        assert (status, said["errors"][0]["code"]) == (422, "place_not_permitted"), "the review's `hall` at `garage`"
