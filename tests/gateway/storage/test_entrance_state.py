"""The state of an entrance is read from a store that an earlier release wrote."""

import json
import sqlite3
from contextlib import closing
from dataclasses import MISSING, fields
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from gateway.domain.frozen import replace
from gateway.domain.visit.state import Entrance, SafeMode
from gateway.storage import entrance_state, entrances
from gateway.storage.database import Database
from tests.gateway.domain.delivery.house import make_step, open_store
from tests.gateway.storage.test_store import writer_of

BEFORE = Path(__file__).with_name("entrance_state.json").read_text()
"""A state in which nothing has its default, written by the release before the renames (d96f34a)."""


LATER = entrance_state.SHAPE + 1


def test_what_outlives_a_restart_is_read_from_a_state_that_an_earlier_release_stored() -> None:
    state = entrance_state.load(BEFORE)
    assert state.visit is not None
    assert state.grace_visit is not None
    visits = (state.visit, state.grace_visit)
    parts: tuple[Any, ...] = (
        state, *visits, *(part for visit in visits for part in (visit.consent, visit.entry, visit.recording))
    )  # fmt: skip
    lost = [
        f"{type(part).__name__}.{field.name}"
        for part in (*parts, *state.scan_lockouts.values(), *state.preflights)
        for field in fields(part)
        if field.default is not MISSING and getattr(part, field.name) == field.default
    ]
    # Observations, pending scans and procedures begin anew after a boot; there were no stages, marks, keepers, robots,
    # witnesses or guests
    anew = {
        "Entrance.pending_scan", "Entrance.lock_request", "Visit.route", "Visit.securing", "Visit.closing",
        "Visit.detecting", "Visit.refused", "Visit.jammed", "Visit.courier_left", "Entry.stage", "Entry.queried",
        "Entry.arrival_scan", "Entry.marks", "Entry.obeyed", "Visit.keeper", "Visit.collected",
        "Visit.robot", "Visit.holder_left", "Visit.holder_astray", "Consent.stopped",
        "Entrance.stays", "Entrance.objections", "Recording.is_filmed",
    }  # fmt: skip
    assert set(lost) == anew
    assert (state.facts, state.timers) == ({}, {})
    assert state.safe == SafeMode()
    assert state.visit.route == ("door",)
    of_door = (state.opened_by_hand, set(state.visit.entry.ordered_at), state.visit.entry.opened)
    assert [set(names) for names in of_door] == [{"door"}] * 3
    assert not state.visit.entry.observed_throughout
    assert (state.surroundings, set(state.scan_lockouts)) == ({}, {"sc"})
    assert state.visit.breaches == {"fridge_too_warm", "fridge_left_open"}


def test_a_visit_without_an_intent_has_none_afterwards() -> None:
    stored = json.loads(BEFORE)
    stored["visit"]["committed"] = False
    state = entrance_state.load(json.dumps(stored))
    assert state.visit is not None
    assert not state.visit.unlock_intent


def test_a_state_of_a_later_release_is_not_guessed() -> None:
    stored = json.loads(entrance_state.dump(Entrance(id="front")))
    with pytest.raises(entrance_state.UnknownShape, match=f"shape {LATER}"):
        entrance_state.load(json.dumps({**stored, "shape": LATER}))


def test_a_state_that_was_stored_now_is_read_as_it_was() -> None:
    for state in (entrance_state.load(BEFORE), Entrance(id="front")):
        texts = entrance_state.dump(state), entrance_state.dump_preflights(state)
        assert entrance_state.load(*texts) == state
        assert entrance_state.load(texts[0]) == replace(state, preflights=())


@pytest.mark.parametrize("version", range(1, 34))
async def test_a_state_that_an_earlier_version_stored_in_the_entrance_s_row_is_read_and_stored_anew(
    tmp_path: Path, version: int
) -> None:
    file = tmp_path / "perron.sqlite"
    copy(Path(__file__).parents[1] / "databases" / f"{version:04}.sqlite", file)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE entrance SET state = ? WHERE id = 'front'", (BEFORE,))
    former = entrance_state.load(BEFORE)
    assert former.preflights
    async with open_store(tmp_path) as store:
        assert store.entrances.state("front") == former
        await store.commit(make_step(former))
        assert store.entrances.state("front") == former
    async with open_store(tmp_path) as store:
        assert store.entrances.state("front") == former


async def test_the_preflights_are_stored_when_they_change_and_also_after_a_job_that_was_undone(tmp_path: Path) -> None:
    former = entrance_state.load(BEFORE)
    others = replace(former, preflights=())

    def stores_and_fails(db: Database) -> None:
        entrances.store_state(db, "front", others)
        raise ArithmeticError

    async with open_store(tmp_path) as store:
        for state in (former, former, others, others, former):
            await store.commit(make_step(state))
            assert store.entrances.state("front") == state
        with pytest.raises(ArithmeticError):
            await writer_of(store).do(stores_and_fails)
        assert store.entrances.state("front") == former
        await store.commit(make_step(others))
        assert store.entrances.state("front") == others


def test_the_alarms_of_a_visit_that_the_release_before_conditions_stored_are_not_raised_again() -> None:
    visit = entrance_state.load(BEFORE).visit
    stored = json.loads(entrance_state.dump(Entrance(id="front", visit=visit)))
    stored |= {"shape": 2, "fridges": {"fridge": {"temp_c": 9.5, "door": "open"}}, "presence": {"claire": "home"}}
    stored |= {"alarm_panel": "armed_away"}
    del stored["visit"]["breaches"]
    stored["visit"]["notified"] = ["jam", "warm", "fridge"]
    state = entrance_state.load(json.dumps(stored))
    assert state.surroundings == {}
    assert state.visit is not None
    assert state.visit.notified == {"jam"}
    assert state.visit.breaches == {"fridge_too_warm", "fridge_left_open"}


def test_a_robot_that_left_before_an_update_is_still_out_after_it() -> None:
    visit = entrance_state.load(BEFORE).visit
    stored = json.loads(entrance_state.dump(Entrance(id="front", visit=visit, grace_visit=visit)))
    for part in ("visit", "grace_visit"):
        del stored[part]["holder_left"]
        stored[part] |= {"robot": "r1", "robot_left": True}
    state = entrance_state.load(json.dumps(stored))
    assert [one.holder_left for one in (state.visit, state.grace_visit) if one is not None] == [True, True]


def test_that_nobody_knows_where_the_robot_is_outlives_a_restart_and_an_older_state_says_nothing_of_it() -> None:
    visit = entrance_state.load(BEFORE).visit
    assert visit is not None
    stored = entrance_state.dump(Entrance(id="front", visit=replace(visit, robot="r1", holder_astray=True)))
    read = entrance_state.load(stored).visit
    older = json.loads(stored)
    del older["visit"]["holder_astray"]
    before = entrance_state.load(json.dumps(older)).visit
    assert [one.holder_astray for one in (read, before) if one is not None] == [True, False]


@pytest.mark.parametrize("text", ["[]", "null", "{}", "no JSON"])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|Field required|Expecting"):
        entrance_state.load(text)
