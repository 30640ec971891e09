"""The store, on a real file: what the owner says, what the box must not forget, the log and the films."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from devices.commands import Light, Sound
from devices.reports import DoorReport, DoorState
from gateway.domain.delivery.permission import PermissionStatus, PermissionTerms
from gateway.domain.delivery.promise import State
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit.conditions.cold_chain import FridgeReported, FridgeState
from gateway.domain.visit.events import (
    Event,
    FactsChanged,
    ReportContext,
    Scanned,
    Stopped,
)
from gateway.domain.visit.state import Phase
from gateway.protocol.hash_chain import GENESIS, HiddenBody, find_break
from gateway.storage import box as box_module
from gateway.storage.models import CommitResult, HouseholdPresence, StoredClip, StoreFailed
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import (
    IN_WINDOW,
    entrance_state,
    make_step,
    open_store,
    receive,
    reserve_step,
    visit_delivery,
)
from tests.gateway.domain.delivery.shop import NOW, PARCEL, make_home, make_offer, noon_plus
from tests.house.reports import door_report

# ---- the owner


async def test_the_owners_word_on_a_brand_rises_in_version_and_outlives_the_configuration(tmp_path: Path) -> None:
    async with open_store(tmp_path, make_home(shop={"state": "pending"})) as store:
        answer = await receive(store, make_offer())
        assert answer.result.state is State.AWAITING_PERMISSION
        assert visit_delivery(store, now=NOW).refusal is Refusal.AWAITING_PERMISSION
        granted = await store.brands.decide("shop", PermissionStatus.GRANTED, NOW)
        assert (granted.version, granted.standing) == (2, PermissionStatus.GRANTED)
        assert [r.state for r in store.deliveries.changed_results(NOW)] == [State.SCHEDULED]
        assert (await store.brands.decide("shop", PermissionStatus.REVOKED, NOW)).version == 3
        assert [(r.state, r.reason) for r in store.deliveries.changed_results(NOW)] == [
            (State.REFUSED, "brand_not_permitted")
        ]
        assert (await store.brands.decide("farm", PermissionStatus.REFUSED, NOW)).standing is PermissionStatus.REFUSED
        with pytest.raises(LookupError):
            await store.brands.decide("nobody", PermissionStatus.GRANTED, NOW, terms=PermissionTerms())
    async with open_store(tmp_path) as store:
        assert [(p.brand, p.version, p.standing) for p in store.brands.permissions()] == [
            ("farm", 2, PermissionStatus.REFUSED),
            ("shop", 3, PermissionStatus.REVOKED),
        ]


async def test_a_stop_has_a_rising_epoch_and_stays_over_a_restart(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert (store.entrances.stop_state("front").stopped, store.entrances.stop_state("front").epoch) == (
            False,
            0,
        )
        assert await store.entrances.set_stop("front", NOW, on=True) == 1
        assert await store.entrances.set_stop("front", NOW, on=True) == 2
        assert await store.entrances.set_stop("garage", NOW, on=False, above=6) == 7
        assert await store.entrances.set_stop("garage", NOW, on=True, above=6) == 8
        with pytest.raises(LookupError):
            await store.entrances.set_stop("cellar", NOW, on=True)
        with pytest.raises(LookupError):
            store.entrances.stop_state("cellar")
    async with open_store(tmp_path) as store:
        assert (store.entrances.stop_state("front").stopped, store.entrances.stop_state("front").epoch) == (
            True,
            2,
        )
        assert store.entrances.stop_state("garage").epoch == 8


async def test_the_household_says_who_is_home(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert store.entrances.presence("front") == HouseholdPresence(somebody_home=False, away=False)
        await store.entrances.set_presence("front", HouseholdPresence(somebody_home=False, away=True), NOW)
        assert store.entrances.presence("front") == HouseholdPresence(somebody_home=False, away=True)
        with pytest.raises(LookupError):
            await store.entrances.set_presence("cellar", HouseholdPresence(somebody_home=True, away=False), NOW)
        with pytest.raises(LookupError):
            store.entrances.presence("cellar")


async def test_a_message_to_the_owner_is_stored_with_its_decision_and_waits_until_it_was_sent(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        commands = (
            c.NotifyOwner(notification=c.Notification.LOCKED_AGAIN, delivery="shop.d1", visit="v1", picture=True),
            c.ShowSignal(light=Light.OFF, sound=Sound.NONE),
            c.RaiseAlarm(code=c.AlarmCode.CAMERA_LOST, detail="cam"),
        )
        outcome = await store.commit(make_step(entrance_state(visit_delivery(store)), *commands))
        assert isinstance(outcome, CommitResult)
        first, second = outcome.messages
        await store.messages.mark_sent(first, IN_WINDOW)
    async with open_store(tmp_path) as store:
        (waiting,) = store.messages.unsent()
        assert (waiting.id, waiting.at, waiting.entrance, waiting.visit) == (second, IN_WINDOW.utc, "front", "v1")
        assert json.loads(waiting.body) == {"command": "Alarm", "code": "camera_lost", "detail": "cam"}


async def test_the_log_tells_who_asked_and_where_nobody_is_named_its_rows_are_as_ever(tmp_path: Path) -> None:
    """Rows without a person keep their bytes: a proof made before there were accounts reads like one made after."""
    bodies = []
    for by in ("p1", None):
        (tmp_path / str(by)).mkdir()
        async with open_store(tmp_path / str(by)) as store:
            await filmed(store)
            since = store.log.head().seq
            await store.brands.decide("shop", PermissionStatus.GRANTED, NOW, by=by)
            await store.brands.decide("shop", PermissionStatus.REFUSED, NOW, by=by)
            await store.brands.decide("shop", PermissionStatus.REVOKED, NOW, by=by)
            await store.entrances.set_stop("front", NOW, on=True, by=by)
            await store.entrances.set_stop("front", NOW, on=False, by=by)
            await store.entrances.set_presence("front", HouseholdPresence(somebody_home=True, away=False), NOW, by=by)
            await store.recordings.set_hold("v1", "police", NOW, by=by)
            await store.recordings.set_hold("v1", None, NOW, by=by)
            await store.recordings.mark_erased("v1", "request", NOW, by=by)
            bodies.append([e.body for e in store.log.entries(after=since) if isinstance(e.body, bytes)])
    named, unnamed = bodies
    assert [row.replace(b'"by":"p1",', b"") for row in named] == unnamed
    assert [b'"by":"p1"' in row for row in named] == [True] * 7  # what was said of a film is hidden with it
    at = b'"at":"2026-06-10T12:00:00.000000Z"'
    assert unnamed[3] == b'{%s,"entrance":"front","epoch":1,"kind":"stop","visit":null}' % at
    assert unnamed[6] == b'{%s,"entrance":null,"kind":"erased","visit":"v1","why":"request"}' % at


# ---- the box


async def test_session_numbers_never_repeat(tmp_path: Path) -> None:
    seen = []
    for _ in range(3):
        async with open_store(tmp_path) as store:
            seen += [await store.box.next_session_number(), await store.box.next_session_number()]
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_full_disk_keeps_the_box_from_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_store(tmp_path) as store:
        counted = await store.box.next_session_number()
        with monkeypatch.context() as full:
            full.setattr(box_module, "next_session_number", _disk_full)
            drawn = {await store.box.next_session_number() for _ in range(20)}
        assert len(drawn) == 20
        assert 2**32 <= min(drawn) < max(drawn) < 2**53
        assert await store.box.next_session_number() == counted + 1


def _disk_full(_connection: object) -> int:
    raise StoreFailed("database or disk is full")


async def test_three_crashes_within_a_minute_are_counted_and_a_clean_end_is_none(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        crashes = [await store.box.record_start(noon_plus(seconds=seconds)) for seconds in (0, 10, 20, 30)]
        assert crashes == [0, 1, 2, 3]
        assert await store.box.record_start(noon_plus(seconds=71)) == 3  # those at 20, 30 and now
        assert await store.box.record_start(noon_plus(seconds=500)) == 1
        await store.box.record_shutdown(noon_plus(seconds=501))
        assert await store.box.record_start(noon_plus(seconds=502)) == 0


async def test_crashes_count_whatever_the_clock_does(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.box.record_start(noon_plus(hours=5))
        assert [await store.box.record_start(noon_plus(seconds=seconds)) for seconds in (0, 1, 2)] == [1, 2, 3]


async def test_the_floor_never_falls(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert store.box.time_floor() is None
        await store.box.raise_time_floor(IN_WINDOW.utc)
        await store.box.raise_time_floor(NOW.utc)
        assert store.box.time_floor() == IN_WINDOW.utc
        store.box.post_time_floor(noon_plus(hours=3).utc)
    async with open_store(tmp_path) as store:
        assert store.box.time_floor() == noon_plus(hours=3).utc


# ---- the log


async def test_every_word_enters_the_chain(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert store.log.head().seq == 2  # two permissions were seeded
        await receive(store, make_offer())
        await store.entrances.set_stop("front", NOW, on=True)
        scan = Scanned(id="s1", scanner="scanner", code=PARCEL, matches=store.deliveries.matches(PARCEL, now=IN_WINDOW))
        refused = c.AnswerScan(scan="s1", scanner="scanner", answer=c.ScanAnswer.NO, refusal=Refusal.STOPPED_BY_OWNER)
        outcome = await store.commit(make_step(entrance_state(), refused, event=scan))
        assert outcome == CommitResult(seq=5)
        assert isinstance(outcome, CommitResult)
        await store.log.append("doctor", {"ok": True}, NOW, entrance="front")
        everything = list(store.log.entries())
        assert [e.seq for e in everything] == [1, 2, 3, 4, 5, 6]
        assert find_break(everything) is None
        assert everything[-1].hash == store.log.head().hash == store.log.hash_at(6)
        assert store.log.hash_at(7) is None
        assert [e.seq for e in store.log.entries(after=2, upto=4)] == [3, 4]
        body = everything[4].body
        assert body == outcome.row
        assert PARCEL.encode() not in outcome.row
        entry = json.loads(outcome.row)
        assert (entry["kind"], entry["entrance"], entry["phase"]) == ("step", "front", "ready")
        assert entry["at"] == "2026-06-10T14:00:00.000000Z"
        assert entry["event"]["event"] == "Scanned"
        assert entry["event"]["code"]["last"] == "2032"
        assert entry["event"]["matches"] == [{"kind": "parcel", "delivery": "shop.d1"}]
        assert entry["commands"] == [
            {
                "command": "Answer",
                "scan": "s1",
                "scanner": "scanner",
                "word": "no",
                "refusal": "stopped_by_owner",
                "lacking": [],
                "delivery": None,
            }
        ]


async def test_the_same_code_has_the_same_name_in_one_box_and_another_in_the_next(tmp_path: Path) -> None:
    names = []
    for box in ("a", "b"):
        (tmp_path / box).mkdir()
        async with open_store(tmp_path / box) as store:
            for scan in ("s1", "s2"):
                await store.commit(make_step(entrance_state(), event=Scanned(id=scan, scanner="scanner", code=PARCEL)))
            bodies = [json.loads(e.body) for e in store.log.entries(after=2) if isinstance(e.body, bytes)]
            names.append({entry["event"]["code"]["hmac"] for entry in bodies})
            names[-1].add(store.box.reader().value(str, "SELECT generation FROM box"))
    assert [len(name) for name in names] == [2, 2]
    assert not names[0] & names[1]


async def test_a_restored_older_database_shows_at_a_kept_checkpoint(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.log.append("one", {}, NOW)
    (tmp_path / "old").write_bytes((tmp_path / "perron.sqlite").read_bytes())
    async with open_store(tmp_path) as store:
        await store.log.append("two", {}, NOW)
        kept = store.log.head()
    (tmp_path / "perron.sqlite").write_bytes((tmp_path / "old").read_bytes())
    async with open_store(tmp_path) as store:
        assert store.log.hash_at(kept.seq) is None
        await store.log.append("another", {}, NOW)
        assert store.log.head().seq == kept.seq
        assert store.log.hash_at(kept.seq) != kept.hash


# ---- films


def clip(name: str, part: int = 1, **changes: Any) -> StoredClip:  # noqa: ANN401 - any field of a clip
    given: dict[str, Any] = {
        "path": f"v1/{part}/{name}.mp4",
        "entrance": "front",
        "visit": "v1",
        "part": part,
        "camera": name,
        "start": IN_WINDOW.utc,
        "end": IN_WINDOW.utc + timedelta(seconds=90),
        "sha256": "c" * 64,
        "fragments": 90,
        "size": 1000,
        "gaps": ((IN_WINDOW.utc, IN_WINDOW.utc + timedelta(seconds=1)),),
    }
    return StoredClip(**given | changes)


async def filmed(store: Store) -> None:
    await receive(store, make_offer())
    under = visit_delivery(store)
    await store.commit(make_step(entrance_state(under, phase=Phase.RINGING), c.StartRecording(visit="v1")))
    for name in ("cam", "hall"):
        await store.recordings.add_clip(clip(name), IN_WINDOW)
    await store.recordings.mark_sealed("v1", 1, "d" * 64, IN_WINDOW)


async def test_a_film_is_known_with_its_clips_its_gaps_and_its_seal(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await filmed(store)
        await store.recordings.add_clip(clip("cam"), IN_WINDOW)  # said again after a restart
        (film,) = store.recordings.films(visit="v1")
        assert (film.delivery, film.began, film.sealed, film.manifest_sha256) == (
            "shop.d1",
            IN_WINDOW.utc,
            IN_WINDOW.utc,
            "d" * 64,
        )
        assert film.clips == (clip("cam"), clip("hall"))
        assert store.recordings.films() == (film,)
        assert len(store.log.seqs_of_visit("v1")) == 4  # the step, two clips, the seal
        with pytest.raises(LookupError):
            await store.recordings.mark_sealed("v1", 2, "d" * 64, IN_WINDOW)


async def test_a_film_of_nobody_is_no_film(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        await store.commit(
            make_step(entrance_state(visit_delivery(store), phase=Phase.RINGING), c.StartRecording(visit="v1"))
        )
        await store.commit(make_step(entrance_state(), c.StopRecording(visit="v1", part=1, keep=False)))
        assert store.recordings.films() == ()


async def test_a_clip_of_a_film_whose_beginning_could_not_be_stored_is_not_lost(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.recordings.add_clip(clip("cam", part=2), IN_WINDOW)
        (film,) = store.recordings.films()
        assert (film.visit, film.part, film.entrance, film.delivery) == ("v1", 2, "front", None)


async def test_a_held_film_is_not_erased_and_an_erased_one_leaves_its_chain_whole(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await filmed(store)
        await store.recordings.set_hold("v1", "police report 7", IN_WINDOW)
        assert not await store.recordings.mark_erased("v1", "asked for", IN_WINDOW)
        await store.recordings.set_hold("v1", None, IN_WINDOW)
        assert await store.recordings.mark_erased("v1", "asked for", IN_WINDOW)
        assert not await store.recordings.mark_erased("v1", "asked for", IN_WINDOW)
        (film,) = store.recordings.films(visit="v1")
        assert film.erased == IN_WINDOW.utc
        assert len(film.clips) == 2  # until their files are gone
        await store.recordings.delete_clips("v1")
        assert store.recordings.films(visit="v1")[0].clips == ()
        entries = list(store.log.entries())
        assert find_break(entries) is None
        hidden = [e.seq for e in entries if isinstance(e.body, HiddenBody)]
        assert hidden == list(store.log.seqs_of_visit("v1"))[:-1]  # what says that it was erased stays
        with pytest.raises(LookupError):
            await store.recordings.set_hold("v9", "why", IN_WINDOW)


async def test_clips_of_a_film_that_stands_are_not_forgotten(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await filmed(store)
        await store.recordings.delete_clips("v1")
        assert len(store.recordings.films(visit="v1")[0].clips) == 2


async def test_after_its_time_all_is_forgotten_but_the_chain_and_what_is_held(tmp_path: Path) -> None:
    month = noon_plus(days=40)
    async with open_store(tmp_path) as store:
        await filmed(store)
        await store.commit(make_step(entrance_state(visit_delivery(store)), c.RaiseAlarm(code=c.AlarmCode.DISK_FULL)))
        await store.forget(replace(month, trusted=False), before=month.utc)
        assert store.messages.unsent() != ()
        await store.commit(make_step(entrance_state()))
        await store.forget(month, before=month.utc - timedelta(days=30))
        assert store.messages.unsent() == ()
        assert store.deliveries.facts("shop.d1", month) is None
        assert store.deliveries.matches(PARCEL, now=month) == ()
        assert len(store.recordings.films()) == 1  # its files are still there
        shown = [e.seq for e in store.log.entries() if not isinstance(e.body, HiddenBody)]
        assert set(store.log.seqs_of_visit("v1")) <= set(shown)
        assert find_break(store.log.entries()) is None
        assert store.log.head().hash != GENESIS


async def test_a_stop_is_stored_before_the_event_that_tells_of_it(tmp_path: Path) -> None:
    """The epoch of the event is the stored one, so an intent on the older epoch can only be overtaken."""
    async with open_store(tmp_path) as store:
        await receive(store, make_offer())
        epoch = await store.entrances.set_stop("front", IN_WINDOW, on=True)
        after_it = replace(entrance_state(), stopped=True, stop_epoch=epoch)
        await store.commit(make_step(after_it, event=Stopped(epoch=epoch)))
        outcome = await store.commit(reserve_step(visit_delivery(store), epoch=0))
        assert isinstance(outcome, FactsChanged)
        assert (outcome.stopped, outcome.epoch) == (True, 1)


async def test_no_word_of_a_device_breaks_the_log(tmp_path: Path) -> None:
    """Lone surrogates and numbers that JSON cannot hold come in by somebody's JSON; they are told, not believed."""
    async with open_store(tmp_path) as store:
        heard = ReportContext(session=1, seq=2**70, boot="\ud800")
        odd: list[Event] = [
            Scanned(id="s1", scanner="scanner", code="\udfff\x00\x1b[2J"),
            door_report(report=DoorReport(door=DoorState.OPEN), context=heard),
            FridgeReported(place="fridge", fridge=FridgeState(temp_c=float("nan"))),
            FridgeReported(place="fridge", fridge=FridgeState(temp_c=float("inf"))),
        ]
        for event in odd:
            assert isinstance(await store.commit(make_step(entrance_state(), event=event)), CommitResult)
        bodies = [e.body for e in store.log.entries(after=2) if isinstance(e.body, bytes)]
        said = [json.loads(body)["event"] for body in bodies]
        assert said[0]["code"]["last"] == "\x1b[2J"
        assert (said[1]["heard"]["seq"], said[1]["heard"]["boot"]) == (str(2**70), "\\ud800")
        assert [event["cold"]["temp_c"] for event in said[2:]] == ["nan", "inf"]
        assert all(byte >= 0x20 for body in bodies for byte in body)  # nothing that moves a terminal
