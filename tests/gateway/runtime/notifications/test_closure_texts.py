"""A message about one of several closures names it, in each language; an only door stays "the door"."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.config.closure_names import KIND_NAMES
from gateway.demo.plan import DemoPlan, make_plan
from gateway.demo.scenarios.car_homes import with_car
from gateway.demo.scenarios.ways_in_homes import with_flat, with_parcel_box
from gateway.domain.now import Now
from gateway.domain.visit.commands import AlarmCode, Notification, NotifyOwner, OwnerMessage, RaiseAlarm
from gateway.runtime.notifications.closure_texts import CLOSURE_ALARM_TEXTS, CLOSURE_NOTIFICATION_TEXTS
from gateway.runtime.notifications.composer import MessageComposer
from gateway.runtime.notifications.texts import ALARM_TEXTS, NOTIFICATION_TEXTS, message_facts, worded
from gateway.storage.store import Store

PARIS = ZoneInfo("Europe/Paris")
NOW = Now(utc=datetime(2026, 11, 29, 12, 7, tzinfo=UTC), trusted=True, mono=5)


@pytest.mark.parametrize("about", [*CLOSURE_NOTIFICATION_TEXTS, *CLOSURE_ALARM_TEXTS])
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_sentence_about_a_closure_names_it_and_keeps_its_other_facts(
    about: Notification | AlarmCode, language: str, kind: str
) -> None:
    facts = message_facts(
        NOW.utc, PARIS, trusted=True, entrance="Flat 4", closure="street", closure_kind=kind, detail="why"
    )
    said = worded(about, facts, language)
    assert f"{KIND_NAMES[kind].to(language)} (street)" in said
    assert "Flat 4" in said
    assert "[" not in said
    assert "{" not in said


def test_no_sentence_about_the_only_door_changed() -> None:
    facts = message_facts(NOW.utc, PARIS, trusted=True, entrance="Front door")
    assert worded(Notification.DOOR_OPEN, facts, "en") == "The door is still open (Front door)"
    assert worded(AlarmCode.DOOR_LEFT_OPEN, facts, "en") == "Alarm 13:07: the door was left open (Front door)"


def test_each_of_them_has_a_sentence_for_an_only_door_too() -> None:
    assert CLOSURE_NOTIFICATION_TEXTS.keys() <= NOTIFICATION_TEXTS.keys()
    assert CLOSURE_ALARM_TEXTS.keys() <= ALARM_TEXTS.keys()


@pytest.mark.parametrize(
    ("changed", "command", "english", "french"),
    [
        (
            with_flat,
            NotifyOwner(notification=Notification.DOOR_OPEN, closure="street"),
            "Still open: Street door",
            "Toujours ouvert : Porte de la rue",
        ),
        (
            with_flat,
            RaiseAlarm(code=AlarmCode.DOOR_FORCED_OPEN, closure="door"),
            "Alarm 13:07: Door: forced open",
            "Alerte 13:07 : Porte : ouverture forcée",
        ),
        (
            with_parcel_box,
            RaiseAlarm(code=AlarmCode.NOT_LOCKED, closure="box-2"),
            "Alarm 13:07: Compartment (box-2): not proven locked",
            "Alerte 13:07 : Casier (box-2) : fermeture non prouvée",
        ),
        (
            with_flat,  # a stored message of a closure that the house no longer has
            RaiseAlarm(code=AlarmCode.NOT_LOCKED, closure="gate"),
            "Alarm 13:07: gate: not proven locked",
            "Alerte 13:07 : gate : fermeture non prouvée",
        ),
    ],
)
async def test_a_phone_reads_which_one(
    tmp_path: Path, changed: Callable[[DemoPlan], DemoPlan], command: OwnerMessage, english: str, french: str
) -> None:
    home = changed(make_plan(tmp_path, fast=True)).home
    store = await Store.open(tmp_path / "perron.sqlite3", home=home, now=NOW)
    try:
        message = MessageComposer(home, store).compose(command, "front", None, NOW)
        assert message.words("en").startswith(english)
        assert message.words("fr").startswith(french)
    finally:
        await store.close()


@pytest.mark.parametrize(("changed", "rings"), [(with_flat, True), (with_car, False)], ids=["a flat", "a car"])
async def test_the_owner_reads_in_how_many_seconds_it_opens_unless_nothing_rings_there(
    tmp_path: Path, changed: Callable[[DemoPlan], DemoPlan], *, rings: bool
) -> None:
    plan = changed(make_plan(tmp_path, fast=True))
    store = await Store.open(tmp_path / "perron.sqlite3", home=plan.home, now=NOW)
    try:
        told = NotifyOwner(notification=Notification.AT_THE_DOOR)
        message = MessageComposer(plan.home, store).compose(told, plan.entrance, None, NOW)
    finally:
        await store.close()
    assert ("opening in" in message.words("en")) is rings
    assert ("ouverture dans" in message.words("fr")) is rings
