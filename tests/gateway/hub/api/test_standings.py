"""Every state and every reason of a delivery, said by its home's box and read over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.delivery.promise import FINAL_STATES, Cancel, DeliveryResult, State
from gateway.hub.boxes.box_events import EventOutcome
from gateway.protocol.box_hub import PermissionDecision, token_digest
from gateway.protocol.delivery_state import PUBLIC_REASONS
from tests.announcing import ConnectedHome, connected_home, sent_jobs
from tests.hubs import hub_file, run_hub


async def read(home: ConnectedHome, made: dict[str, Any]) -> dict[str, Any]:
    status, said = await home.ask("GET", f"/v1/deliveries/{made['id']}")
    assert status == 200
    return said


@pytest.mark.slow
async def test_a_delivery_s_whole_life_is_told_by_its_home(tmp_path: Path) -> None:
    told: list[tuple[str, dict[str, Any]]] = [("scheduled", {}), ("window_open", {}), ("visiting", {}),
            ("partly_delivered", {"missing": 1, "house": "handed_to_owner"}),
            ("delivered", {"missing": 0, "house": "locked_again"})]  # fmt: skip
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        assert (made["state"], made["answered"]) == ("awaiting_permission", None), (
            "nothing is said before the home does"
        )
        for state, more in told:
            assert await home.stands(made, state, **more) is EventOutcome.KEPT
            said = await read(home, made)
            assert (said["state"], said["answered"]) == (state, 1)
            assert {name: said[name] for name in more} == more
        _, page = await home.ask("GET", f"/v1/deliveries/{made['id']}/timeline")
        assert [step["state"] for step in page["data"]] == ["awaiting_permission", *(state for state, _ in told)]
        _, page = await home.ask("GET", "/v1/events?types=delivery.changed")
        assert [event["data"]["state"] for event in page["data"]] == [state for state, _ in told]


@pytest.mark.slow
async def test_every_state_is_reached_and_in_the_last_ones_it_is_too_late(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        for state in State:
            made = await home.announce(parcels=[])
            await home.stands(made, state)
            assert (await read(home, made))["state"] == state
            path = f"/v1/deliveries/{made['id']}"
            changed, _ = await home.ask("PATCH", path, {"delivery": {"parcels": ["ABC1"]}})
            cancelled, said = await home.ask("POST", f"{path}/cancel", {})
            if state not in FINAL_STATES:
                assert (changed, cancelled, said["state"]) == (200, 200, state), "the home has not said otherwise"
            elif state == State.CANCELLED:
                assert (changed, cancelled) == (409, 200), "it is what was asked for"
            else:
                assert (changed, cancelled, said["code"]) == (409, 409, "too_late")


@pytest.mark.slow
async def test_every_reason_is_told_and_what_is_the_household_s_own_is_not(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        for reason in sorted(PUBLIC_REASONS):
            made = await home.announce()
            await home.stands(made, "refused", reason=reason)
            assert (await read(home, made))["reason"] == reason
        for reason in ("household_present", "not_ready", "stopped_by_owner", "paused", "camera_unavailable"):
            made = await home.announce()
            await home.stands(made, "refused", reason=reason, lacking=("front lock: battery",))
            status, said = await home.ask("GET", f"/v1/deliveries/{made['id']}/timeline")
            assert (status, said["data"][-1]["state"], said["data"][-1]["reason"]) == (200, "refused", None), reason
            assert "battery" not in str(said)
        _, events = await home.ask("GET", "/v1/events?limit=100&types=delivery.changed")
        assert "battery" not in str(events)
        assert "household_present" not in str(events)


async def test_a_change_that_came_too_late_leaves_what_was_promised_before(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        await home.stands(made, "scheduled", accepted=True)
        path = f"/v1/deliveries/{made['id']}"
        _, second = await home.ask("PATCH", path, {"delivery": {"place": "shed"}})
        assert (second["place"], second["version"], second["answered"]) == ("shed", 2, 1)
        await home.stands(second, "visiting", accepted=False, code="too_late")
        said = await read(home, made)
        assert (said["place"], said["version"], said["answered"], said["state"]) == ("hall", 2, 2, "visiting")
        _, third = await home.ask("PATCH", path, {"delivery": {"parcels": ["ABC1"]}})
        assert (third["version"], third["place"]) == (3, "hall"), "what the home refused is no part of what follows"
        _, page = await home.ask("GET", f"{path}/timeline")
        answers = [step["answer"] for step in page["data"]]
        assert {"version": 2, "accepted": False, "code": "too_late"} in answers


async def events_of(home: ConnectedHome, made: dict[str, Any]) -> list[tuple[int, int | None, str]]:
    """Version, newest version that the home answered, and state of each event of a delivery, oldest first."""
    _, page = await home.ask("GET", "/v1/events?limit=100")
    about = [event["data"] for event in page["data"] if event["about"] == made["id"]]
    return [(data["version"], data["answered"], data["state"]) for data in about]


@pytest.mark.parametrize(("first", "second"), [("awaiting_label", "scheduled"), ("scheduled", "scheduled")])
async def test_a_home_s_word_of_a_version_that_was_changed_since_is_no_event_and_its_next_answer_is(
    tmp_path: Path, first: str, second: str
) -> None:
    """A label named at once gave version 2 `awaiting_permission`, then 1 `awaiting_label`, then 2 `scheduled`."""
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce(parcels=[])
        _, labelled = await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"delivery": {"parcels": ["ABC1"]}})
        await home.stands(made, first, accepted=True)
        assert (await read(home, made))["state"] == first, "it stands so"
        await home.stands(labelled, second, accepted=True)
        assert await events_of(home, made) == [
            (1, None, "awaiting_label"), (2, None, "awaiting_permission"), (2, 2, second),
        ]  # fmt: skip


async def test_what_becomes_of_a_visit_is_an_event_also_while_a_change_waits_for_its_answer(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        made = await home.announce()
        await home.stands(made, "scheduled", accepted=True)
        await home.ask("PATCH", f"/v1/deliveries/{made['id']}", {"delivery": {"place": "shed"}})
        for state in ("visiting", "delivered"):
            await home.stands(made, state)
        assert await events_of(home, made) == [
            (1, None, "awaiting_permission"), (1, 1, "scheduled"), (2, 1, "scheduled"), (2, 1, "visiting"),
            (2, 1, "delivered"),
        ]  # fmt: skip


async def test_a_cancel_that_races_with_the_visit_is_decided_by_the_home(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        for answer, state in (({"accepted": True}, "cancelled"), ({"accepted": False, "code": "too_late"}, "visiting")):
            made = await home.announce()
            await home.stands(made, "window_open")
            _, asked = await home.ask("POST", f"/v1/deliveries/{made['id']}/cancel", {})
            assert (asked["state"], asked["version"], asked["answered"]) == ("window_open", 2, 1), "nobody has said yet"
            await home.stands(asked, state, **answer)
            said = await read(home, made)
            assert (said["state"], said["answered"]) == (state, 2)
            assert said["parcels"] == made["parcels"]


async def test_what_the_box_does_not_believe_is_refused_with_its_reason(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub)
        token = home.token(home.offer())
        _, made = await home.ask("POST", "/v1/deliveries", {"connection": home.connection, "token": token})
        digested = token_digest(token.encode())
        said_no = DeliveryResult(
            box="box", at=hub.hub.now(), accepted=False, code="key_distrusted", token_sha256=digested
        )
        assert await home.says(said_no) is EventOutcome.KEPT
        said = await read(home, made)
        assert (said["state"], said["reason"], said["answered"]) == ("refused", "key_distrusted", 1)


async def test_a_home_s_yes_over_its_line_sends_what_was_held(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home = await connected_home(hub, state="pending")
        token = home.token(home.offer())
        _, made = await home.ask("POST", "/v1/deliveries", {"connection": home.connection, "token": token})
        decided = {"brand": home.brand, "version": 2, "standing": "granted", "entrances": ("front",)}
        assert await home.says(PermissionDecision.model_validate(decided)) is EventOutcome.KEPT
        async with asyncio.timeout(60):
            while not (rung := await sent_jobs(home)):  # noqa: ASYNC110 - the hub is looked at from outside
                await asyncio.sleep(0.1)
        assert rung == [("delivery", token.encode())]
        body = {"token": home.token(Cancel(id="order-1", version=2))}
        status, _ = await home.ask("POST", f"/v1/deliveries/{made['id']}/cancel", body)
        assert status == 200


async def test_a_home_speaks_of_its_own_deliveries_only(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        home, other = await connected_home(hub), await connected_home(hub)
        made = await home.announce()
        other.brand = home.brand
        await other.stands(made, "delivered")
        assert (await read(home, made))["state"] == "awaiting_permission"
