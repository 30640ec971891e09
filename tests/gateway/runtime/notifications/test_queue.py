"""The owner's pocket: a real receiver on 127.0.0.1 gets everything at least once, whatever goes down in between."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.config.home import Home, MessagesSection
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance, Phase
from gateway.runtime.notifications.action_links import ActionLink, LinkError, LinkPurpose, verify_link
from gateway.runtime.notifications.apprise import ApprisePhone
from gateway.runtime.notifications.apprise import load_phones as phones_of
from gateway.runtime.notifications.batching import PhoneNotification
from gateway.runtime.notifications.outbox import Outbox
from gateway.runtime.notifications.phone import SendResult
from gateway.runtime.notifications.queue import (
    MESSAGE_ACTIONS,
    PHONE_BACKOFF,
    SEND_LEASE,
    NotificationQueue,
)
from gateway.storage.models import CommitResult, StoreFailed
from gateway.storage.store import Store
from gateway.system.backoff import shortened
from gateway.system.i18n import Language
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import NOW, make_offer
from tests.shell.box import run_tasks
from tests.shell.house import VISIT, entrance_in_visit, home_without_permission, make_home
from tests.shell.parts import FakePublisher, ManualTime
from tests.shell.receiver import receiver
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

KEY = b"k" * 32
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
LOCKED = c.NotifyOwner(notification=c.Notification.LOCKED_AGAIN, delivery="shop.d1", visit=VISIT, picture=True)
NOT_READY = c.NotifyOwner(notification=c.Notification.NOT_READY, detail="lock")
JAMMED = c.RaiseAlarm(code=c.AlarmCode.LOCK_JAMMED)
PAGES = "https://perron.home:8443"
PATIENCE = 30.0


def house(folder: Path, **changes: Any) -> Home:  # noqa: ANN401 - any part of a house
    messages = MessagesSection(file=folder / "phones.txt", pages=PAGES)
    return make_home(folder).model_copy(update={"messages": messages, "language": "en"} | changes)


@dataclass
class Pocketed:
    """A box's store, office and pocket, which a test moves through time."""

    home: Home
    store: Store
    time: ManualTime
    office: Outbox
    pocket: NotificationQueue
    phones: tuple[ApprisePhone, ...]

    @property
    def failures(self) -> list[int]:
        """Each phone's number of failures in a row, in the order of the file."""
        return [sender.failures for sender in self.pocket._senders.values()]  # noqa: SLF001 - nothing else shows it

    async def says(
        self, command: c.NotifyOwner | c.RaiseAlarm, state: Entrance | None = None, jpeg: bytes | None = None
    ) -> None:
        """Commit a step that tells this, and hand it over as `perform` does."""
        state = state or entrance_in_visit(self.home, Phase.LOCKED_AGAIN)
        now = self.time.clock().now()
        outcome = await self.store.commit(make_step(state, command, now=now))
        assert isinstance(outcome, CommitResult)

        async def picture() -> bytes | None:
            return jpeg

        self.office.notify(command, state, now, message=outcome.messages[0], picture=picture)

    def owed(self) -> list[str]:
        """What any phone is still owed, as numbers of messages."""
        now = replace(self.time.clock().now(), utc=NOW.utc + timedelta(days=10_000))  # nobody holds anything then
        return [
            f"{phone.name}:{one.id}"
            for phone in self.phones
            for one in self.store.phones.pending(phone.name, now, until=now.utc + SEND_LEASE)
        ]

    async def until(self, so: Any) -> None:  # noqa: ANN401 - any condition
        await wait_until(so, within=PATIENCE)

    async def fails(self, times: int) -> None:
        """Until so many more tries have failed."""
        for _ in range(times):
            before = self.failures[0]
            self.time.mono += PHONE_BACKOFF.max_s
            await self.until(lambda before=before: self.failures[0] > before)

    async def told(self) -> None:
        """Until nothing is owed. A try that was still on its way may fail yet, so after each failure time passes."""
        seen = -1

        def so() -> bool:
            nonlocal seen
            if self.failures[0] != seen:
                seen = self.failures[0]
                self.time.mono += PHONE_BACKOFF.max_s
            return not self.owed()

        await self.until(so)


@asynccontextmanager
async def pocketed(
    folder: Path, *urls: str, made: Home | None = None, time: ManualTime | None = None, stuck: str = ""
) -> AsyncIterator[Pocketed]:
    made, time = made or house(folder), time or ManualTime()
    file = folder / "phones.txt"
    file.write_text("# the owner's\n\n" + "\n".join(urls) + "\n", encoding="utf-8")
    store = await Store.open(folder / "perron.sqlite3", home=made, now=NOW)
    phones = phones_of(file, key=KEY, scratch=folder / "pocket")
    if stuck:  # this one alone is given up soon
        phones = (ApprisePhone(stuck, key=KEY, scratch=folder / "pocket", timeout_s=0.2), *phones)
    clock = time.clock()
    pocket = NotificationQueue(
        made, phones=phones, store=store, clock=clock, key=KEY, jitter=lambda: 1.0, poll_interval_s=0.02
    )
    office = Outbox(made, store=store, publisher=FakePublisher(), clock=clock, notify_phones=pocket.notify)
    try:
        await pocket.register_phones()
        async with run_tasks(office.run(), pocket.run()):
            yield Pocketed(made, store, time, office, pocket, phones)
    finally:
        await store.close()


# ---- at once


async def test_a_picture_arrives_as_the_same_bytes_and_nothing_of_it_stays(tmp_path: Path) -> None:
    async with receiver() as ear, pocketed(tmp_path, ear.json, ear.ntfy) as made:
        await receive(made.store, make_offer())
        await made.says(LOCKED, jpeg=JPEG)
        await made.until(lambda: len(ear.got) == 2 and not made.owed())
        assert [one.picture for one in ear.got] == [JPEG, JPEG]
        assert set(ear.texts) == {"Locked again 14:00, Front (shop)"}
        assert list((tmp_path / "pocket").iterdir()) == []


async def test_a_brand_s_name_that_is_a_link_arrives_as_a_name(tmp_path: Path) -> None:
    made_home = house(tmp_path)
    shop = made_home.brands["shop"].model_copy(update={"name": "[Payer 1,99](https://evil.example) @all"})
    made_home = made_home.model_copy(update={"brands": {**made_home.brands, "shop": shop}})
    async with receiver() as ear, pocketed(tmp_path, ear.json, ear.ntfy, made=made_home) as made:
        await receive(made.store, make_offer())
        await made.says(LOCKED)
        await made.until(lambda: len(ear.got) == 2 and not made.owed())
        assert set(ear.texts) == {"Locked again 14:00, Front ((Payer 1,99)(evil\u2024example) \uff20all)"}


async def test_an_alarm_is_marked_urgent(tmp_path: Path) -> None:
    async with receiver() as ear, pocketed(tmp_path, ear.json, ear.ntfy) as made:
        await made.says(JAMMED)
        await made.until(lambda: len(ear.got) == 2)
        said = {one.path.count("/"): one for one in ear.got}
        assert said[2].json["type"] == "warning"
        assert said[1].headers["X-Priority"] == "high"


async def test_buttons_are_signed_links_that_ask_for_this_visit(tmp_path: Path) -> None:
    async with receiver() as ear, pocketed(tmp_path, ear.json, ear.ntfy) as made:
        await made.says(
            c.NotifyOwner(notification=c.Notification.ASKS_FOR_YES), entrance_in_visit(made.home, Phase.APPROVING)
        )
        await made.until(lambda: len(ear.got) == 2)
        plain, ntfy = sorted(ear.got, key=lambda one: "X-Actions" in one.headers)
        buttons = json.loads(ntfy.headers["X-Actions"])
        tokens = [one["url"].removeprefix(f"{PAGES}/link/") for one in buttons]
        links = [link for token in tokens if isinstance(link := verify_link(token, KEY, NOW), ActionLink)]
        assert [link.purpose for link in links] == [LinkPurpose.APPROVE, LinkPurpose.VETO, LinkPurpose.STOP]
        assert [link.entrance for link in links] == ["front"] * 3
        assert [getattr(link.request, "visit", None) for link in links] == [VISIT, VISIT, None]
        assert PAGES not in ntfy.text
        assert plain.text.splitlines()[1:] == [f"{one['label']} : {one['url']}" for one in buttons]  # the same links


@pytest.mark.parametrize("rings", [True, False])
async def test_who_comes_can_be_refused_only_where_it_rings_before_it_opens(tmp_path: Path, *, rings: bool) -> None:
    made_home = house(tmp_path)
    front = made_home.entrances["front"]
    front = front.model_copy(update={"signal": front.signal if rings else None})
    made_home = made_home.model_copy(update={"entrances": {"front": front}})
    async with receiver() as ear, pocketed(tmp_path, ear.ntfy, made=made_home) as made:
        at_door = c.NotifyOwner(notification=c.Notification.AT_THE_DOOR)
        await made.says(at_door, entrance_in_visit(made.home, Phase.RINGING))
        await made.until(lambda: ear.got)
        tokens = [one["url"].removeprefix(f"{PAGES}/link/") for one in json.loads(ear.got[0].headers["X-Actions"])]
        links = [link for token in tokens if isinstance(link := verify_link(token, KEY, NOW), ActionLink)]
        expected = [LinkPurpose.VETO, LinkPurpose.STOP] if rings else [LinkPurpose.STOP]
        assert [link.purpose for link in links] == expected


async def test_a_message_without_pages_carries_no_links(tmp_path: Path) -> None:
    bare = house(tmp_path, messages=MessagesSection(file=tmp_path / "phones.txt"))
    async with receiver() as ear, pocketed(tmp_path, ear.json, made=bare) as made:
        await made.says(JAMMED)
        await made.until(lambda: ear.got)
        assert ear.texts == ["Alarm 14:00: the lock is jammed (Front)"]


@pytest.mark.parametrize(("standing", "asked"), [("pending", True), ("granted", False), ("refused", False)])
async def test_a_brand_is_answered_for_only_while_nobody_has_decided(
    tmp_path: Path, standing: str, *, asked: bool
) -> None:
    made_home = home_without_permission(house(tmp_path), state=standing)
    async with receiver() as ear, pocketed(tmp_path, ear.ntfy, made=made_home) as made:
        await made.says(c.NotifyOwner(notification=c.Notification.NOT_OPENED, detail="awaiting_permission"))
        await made.until(lambda: ear.got)
        tokens = [one["url"].rpartition("/")[2] for one in json.loads(ear.got[0].headers["X-Actions"])]
        made_links = [verify_link(token, KEY, NOW) for token in tokens]
        wishes = [link for link in made_links if isinstance(link, ActionLink)]
        brands_asked = [
            (one.request.do, one.permission_version) for one in wishes if one.permission_version is not None
        ]
        permission_now = made.store.brands.permission("shop")
        assert permission_now is not None
        version = permission_now.version
        assert brands_asked == ([("permit", version), ("refuse_brand", version)] if asked else [])


@pytest.mark.parametrize(
    ("terms", "text", "asked"),
    [
        ({}, "shop, by Colissimo, asks to be let in: Hall, Fridge only (Front, Garage), at any hour.",
         ["permit", "refuse_brand"]),
        ({"hours": "14:00-16:30", "places": ("hall",), "entrances": ("garage",)},
         "shop, by Colissimo, asks to be let in: Hall only (Garage), between 14:00 and 16:30.",
         ["permit", "refuse_brand"]),
        ({"places": ()}, "shop asks to be let in.", ["refuse_brand"]),  # a yes would let it in nowhere
    ],
)  # fmt: skip
async def test_a_brand_that_asks_is_told_with_what_a_yes_would_let_in_and_alone(
    tmp_path: Path, terms: dict[str, Any], text: str, asked: list[str]
) -> None:
    made_home = home_without_permission(house(tmp_path), **terms)
    async with receiver(up=False) as ear, pocketed(tmp_path, ear.ntfy, made=made_home) as made:
        answer = await receive(made.store, make_offer())
        assert answer.permission_message is not None
        for detail in ("lock", "door", "disk", "clock"):
            await made.says(replace(NOT_READY, detail=detail))
        await made.until(lambda: made.failures[0])
        made.time.mono += 11  # as after a restart: nobody hands it over any more
        await ear.up()
        await made.told()
        (request,) = (got for got in ear.got if "asks to be let in" in got.text)
        assert request.text.startswith(text)
        assert "Without an answer from you it is no" in request.text
        tokens = [one["url"].rpartition("/")[2] for one in json.loads(request.headers["X-Actions"])]
        made_links = [verify_link(token, KEY, NOW) for token in tokens]
        assert [link.request.do for link in made_links if isinstance(link, ActionLink)] == asked


# ---- down, up, late


@pytest.mark.parametrize(
    ("language", "late"),
    [
        ("en", "Locked again 14:00, Front (shop) (late: this was so at 14:00)"),
        ("fr", "Reverrouillé à 14:00, Front (shop) (en retard : c'était à 14:00)"),
    ],
)
async def test_what_a_phone_missed_is_told_when_it_is_back_and_says_since_when(
    tmp_path: Path, language: Language, late: str
) -> None:
    made_home = house(tmp_path, language=language)
    async with receiver(up=False) as ear, pocketed(tmp_path, ear.json, made=made_home) as made:
        await made.says(replace(LOCKED, delivery=None, visit=None))
        await made.until(lambda: made.failures == [1])
        await ear.up()
        made.time.mono += 3600
        await made.until(lambda: ear.got and not made.owed())
        assert ear.texts == [late]


async def test_a_phone_that_is_down_for_a_moment_gets_the_picture_too(tmp_path: Path) -> None:
    async with receiver() as ear, pocketed(tmp_path, ear.json) as made:
        ear.answers = lambda _got: 503 if len(ear.got) <= 2 else 200
        await made.says(LOCKED, jpeg=JPEG)
        await made.until(lambda: made.failures == [1])
        made.time.mono += PHONE_BACKOFF.first_s
        await made.until(lambda: not made.owed())
        assert [one.picture for one in ear.got] == [JPEG, None, JPEG]  # refused, refused without it, taken
        assert "late" not in ear.got[-1].text


async def test_what_was_owed_is_told_after_a_restart_and_only_once(tmp_path: Path) -> None:
    time = ManualTime()
    async with receiver(up=False) as ear:
        async with pocketed(tmp_path, ear.json, time=time) as made:
            await receive(made.store, make_offer())
            await made.says(LOCKED, jpeg=JPEG)
            await made.says(JAMMED)
            await made.until(lambda: made.failures[0] >= 2)
        time.mono += 26 * 3600
        await ear.up()
        async with pocketed(tmp_path, ear.json, time=time) as made:
            await made.until(lambda: not made.owed())
        async with pocketed(tmp_path, ear.json, time=time) as made:
            await made.says(NOT_READY)
            await made.until(lambda: not made.owed())
        assert ear.texts == [
            "Locked again 14:00, Front (shop) (late: this was so on Wed 10 Jun at 14:00)",
            next(text for text in ear.texts if text.startswith("Alarm 14:00: the lock is jammed (Front) (late:")),
            next(text for text in ear.texts if text.startswith("The entrance Front is not ready")),
        ]
        assert ear.got[0].picture is None  # pictures are not kept on disk


@pytest.mark.slow
async def test_a_message_whose_process_was_killed_after_the_decision_is_told_by_the_next(tmp_path: Path) -> None:
    async with receiver() as ear:
        async with pocketed(tmp_path, ear.json):
            pass  # enlisted
        script = (
            "import asyncio, os, signal, sys\n"
            "from pathlib import Path\n"
            "from gateway.storage.store import Store\n"
            "from gateway.domain.visit import commands as c\n"
            "from tests.gateway.domain.delivery.house import make_step\n"
            "from tests.gateway.domain.delivery.shop import NOW\n"
            "from tests.gateway.runtime.notifications.test_queue import house\n"
            "from gateway.domain.visit.state import Entrance\n"
            "async def work(folder):\n"
            "    store = await Store.open(folder / 'perron.sqlite3', home=house(folder), now=NOW)\n"
            "    alarm = c.RaiseAlarm(code=c.AlarmCode.NOT_LOCKED)\n"
            "    await store.commit(make_step(Entrance(id='front'), alarm, now=NOW))\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "asyncio.run(work(Path(sys.argv[1])))\n"
        )
        root = Path(__file__).parents[4]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, str(tmp_path), cwd=root, env=dict(os.environ)
        )
        assert await process.wait() == -signal.SIGKILL
        time = ManualTime()
        time.mono += 5 * 60
        async with pocketed(tmp_path, ear.json, time=time) as made:
            await made.until(lambda: ear.got and not made.owed())
        (text,) = ear.texts
        assert text.startswith("Alarm 14:00: the door is not proven locked (Front) (late: this was so at 14:00)")


async def test_what_a_killed_process_was_telling_is_told_again_when_nobody_can_be_telling_it_any_more(
    tmp_path: Path,
) -> None:
    time = ManualTime()
    async with receiver(up=False) as ear:
        async with pocketed(tmp_path, ear.json, time=time) as made:
            await made.says(JAMMED)
            await made.until(lambda: made.failures == [1])
            now = time.clock().now()
            await made.store.phones.claim(made.phones[0].name, (1,), now, until=now.utc + SEND_LEASE)  # and dies
        await ear.up()
        async with pocketed(tmp_path, ear.json, time=time) as made:
            await made.says(NOT_READY)
            await made.until(lambda: len(ear.got) == 1 and len(made.owed()) == 1)
            time.mono += SEND_LEASE.total_seconds()
            await made.until(lambda: not made.owed())
        assert [text.partition(" ")[0] for text in ear.texts] == ["The", "Alarm"]


async def test_two_processes_never_tell_the_same_twice(tmp_path: Path) -> None:
    time = ManualTime()
    async with receiver() as ear, pocketed(tmp_path, ear.json, time=time) as one:
        async with pocketed(tmp_path, ear.json, time=time) as other:
            for number in range(12):
                alarm = c.RaiseAlarm(code=c.AlarmCode.CAMERA_LOST, detail=f"cam-{number}")
                await one.store.commit(make_step(Entrance(id="front"), alarm, now=time.clock().now()))
            time.mono += 11  # nobody hands them over: both processes find all of them at once
            await one.until(lambda: not one.owed())
            await other.until(lambda: not other.owed())
        told_so = Counter(text.partition("pictures from ")[2].partition(" ")[0] for text in ear.texts)
        assert told_so == Counter(f"cam-{number}" for number in range(12))


# ---- many


async def test_alarms_and_locked_again_are_told_one_by_one_and_the_rest_as_one(tmp_path: Path) -> None:
    async with receiver(up=False) as ear, pocketed(tmp_path, ear.json) as made:
        for detail in ("lock", "door", "disk", "clock", "broker"):
            await made.says(replace(NOT_READY, detail=detail))
            made.time.mono += 60
        await made.says(replace(LOCKED, delivery=None))
        await made.says(JAMMED)
        await made.says(JAMMED)
        await made.fails(2)  # the second of these began when all had been said
        await ear.up()
        await made.told()
        alone = [text for text in ear.texts if "waiting" not in text]
        assert sorted(text[:12] for text in alone) == ["Alarm 14:05:", "Alarm 14:05:", "Locked again"]
        (merged,) = (text for text in ear.texts if "waiting" in text)
        first, count, *others = merged.splitlines()
        assert "there is no connection to the broker (late: this was so at 14:04)" in first
        assert count == "4 other messages were waiting, the oldest at 14:00:"
        assert [line.partition(": ")[2].partition(" (")[0] for line in others if line.startswith("- ")] == [
            "the time is not certain",
            "the disk is full or failing",
            "the door is not proven closed",
            "the lock is not proven locked",
        ]


async def test_no_alarm_is_dropped_while_a_phone_is_away_for_hours(tmp_path: Path) -> None:
    async with receiver(up=False) as ear, pocketed(tmp_path, ear.json) as made:
        for number in range(40):
            await made.says(c.RaiseAlarm(code=c.AlarmCode.CAMERA_LOST, detail=f"cam-{number}"))
            made.time.mono += 30 * 60
        await made.until(lambda: made.failures[0] >= 1)
        await ear.up()
        await made.told()
        assert len(ear.texts) == 40
        assert {text.partition("pictures from ")[2].partition(" ")[0] for text in ear.texts} == {
            f"cam-{n}" for n in range(40)
        }


# ---- phones and disks that misbehave


async def test_a_phone_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    async with receiver() as stuck, receiver() as ear:
        stuck.hangs = asyncio.Event()
        async with pocketed(tmp_path, ear.json, stuck=stuck.json) as made:
            await made.says(JAMMED)
            await made.until(lambda: ear.got and made.failures == [1, 0])
            await made.says(replace(LOCKED, delivery=None))
            await made.until(lambda: len(ear.got) == 2 and len(made.owed()) == 2)
            assert [one.partition(":")[0] for one in made.owed()] == [made.phones[0].name] * 2
            stuck.hangs.set()


async def test_a_service_that_takes_no_pictures_gets_the_words(tmp_path: Path) -> None:
    async with receiver() as ear, pocketed(tmp_path, ear.ntfy) as made:
        ear.answers = lambda got: 400 if got.picture is not None else 200
        await made.says(replace(LOCKED, delivery=None), jpeg=JPEG)
        await made.until(lambda: not made.owed())
        assert ear.texts == ["Locked again 14:00, Front (shop)"]


async def test_an_alarm_that_the_disk_did_not_take_reaches_the_phone_all_the_same(tmp_path: Path) -> None:
    async with receiver(up=False) as ear, pocketed(tmp_path, ear.json) as made:
        state, now = Entrance(id="front"), made.time.clock().now()
        full = c.RaiseAlarm(code=c.AlarmCode.DISK_FULL)
        made.office.notify(full, state, now, message=None, picture=None)
        await made.until(lambda: made.failures == [1])
        await ear.up()
        made.time.mono += PHONE_BACKOFF.first_s
        await made.until(lambda: ear.got)
        made.office.on_connected()  # the broker is back: it is told, the phone is not told again
        await made.says(JAMMED)
        await made.until(lambda: len(ear.got) == 2 and not made.owed())
        assert [text.splitlines()[0] for text in ear.texts] == [
            "Alarm 14:00: the disk is full or failing, no more openings",
            "Alarm 14:00: the lock is jammed (Front)",
        ]


async def test_each_phone_reads_its_own_language_also_of_what_the_disk_did_not_take(tmp_path: Path) -> None:
    async with receiver() as french, receiver() as ear, pocketed(tmp_path, french.json, ear.json) as made:
        await made.store.phones.set_language(made.phones[0].name, "fr")
        now = made.time.clock().now()
        full = c.RaiseAlarm(code=c.AlarmCode.DISK_FULL)
        made.office.notify(full, Entrance(id="front"), now, message=None, picture=None)
        await made.says(JAMMED)
        await made.until(lambda: len(french.got) == len(ear.got) == 2 and not made.owed())
        assert {text.splitlines()[0] for text in french.texts} == {
            "Alerte 14:00 : la serrure est bloquée (Front)",
            "Alerte 14:00 : le disque est plein ou en panne, plus aucune ouverture",
        }
        assert {text.splitlines()[0] for text in ear.texts} == {
            "Alarm 14:00: the lock is jammed (Front)",
            "Alarm 14:00: the disk is full or failing, no more openings",
        }


async def test_a_disk_that_takes_nothing_any_more_lets_a_message_be_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_given: object, **_named: object) -> frozenset[int]:
        raise StoreFailed("no space left on device")

    async with receiver() as ear, pocketed(tmp_path, ear.json) as made:
        with monkeypatch.context() as patched:
            for name in ("claim", "release", "mark_delivered"):
                patched.setattr(made.store.phones, name, full)
            await made.says(JAMMED)
            await made.until(lambda: ear.got)
            await made.says(replace(LOCKED, delivery=None))
            await made.until(lambda: len(ear.got) == 2)
            assert len(made.owed()) == 2
        await made.until(lambda: not made.owed())
        assert len(ear.got) == 2


async def test_hostile_names_are_inert_on_the_phone(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\u202e\n[x](http://evil.example)"
    async with (
        receiver() as ear,
        pocketed(tmp_path, *(ear.json + f"?format={shape}" for shape in ("html", "markdown", "text"))) as made,
    ):
        state = entrance_in_visit(made.home, Phase.RINGING)
        assert state.visit is not None
        delivery = replace(state.visit.delivery, carrier=evil)
        await made.says(
            c.NotifyOwner(notification=c.Notification.ATTENDED),
            replace(state, visit=replace(state.visit, delivery=delivery)),
        )
        await made.until(lambda: len(ear.got) == 3 and not made.owed())
        for text in ear.texts:
            assert text.isprintable()
            assert len(text.splitlines()) == 1
            assert "\u2039script\u203aalert" in text, "of each shape, the same plain words"
            assert not any(mark in text for mark in ("<", "[", "://", "evil.example"))


# ---- tables


def test_back_offs_grow_are_spread_and_end_at_five_minutes() -> None:
    assert [PHONE_BACKOFF.delay_s(n) for n in (0, 1, 2, 8, 10_000)] == [2.0, 4.0, 8.0, 300.0, 300.0]
    assert [shortened(PHONE_BACKOFF.delay_s(n), 0.0) for n in (0, 10_000)] == [1.0, 150.0]


def test_each_action_is_carried_by_some_message() -> None:
    assert {purpose for carried in MESSAGE_ACTIONS.values() for purpose in carried} == set(LinkPurpose)


async def test_what_is_too_old_to_be_answered_carries_no_answer(tmp_path: Path) -> None:
    heard: list[PhoneNotification] = []

    class Kept(ApprisePhone):
        async def send(self, notification: PhoneNotification) -> SendResult:
            heard.append(notification)
            return SendResult.TAKEN

    time = ManualTime()
    async with pocketed(tmp_path, time=time) as made:
        phones = [Kept("test://kept", key=KEY, scratch=tmp_path)]
        pocket = NotificationQueue(
            made.home, phones=phones, store=made.store, clock=time.clock(), key=KEY, poll_interval_s=0.02
        )
        await pocket.register_phones()
        await made.says(
            c.NotifyOwner(notification=c.Notification.ASKS_FOR_YES), entrance_in_visit(made.home, Phase.APPROVING)
        )
        time.mono += 15 * 60
        async with run_tasks(pocket.run()):
            await made.until(lambda: heard)
    assert [one.label for one in heard[0].buttons] == ["Stop everything"]
    token = heard[0].buttons[0].path.rpartition("/")[2]
    assert verify_link(token, KEY, replace(NOW, utc=NOW.utc + timedelta(hours=24))) is LinkError.EXPIRED
