"""The phone book: phones come and go while the box runs, by the same file that its owner may write by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.config.home import MessagesSection
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Entrance
from gateway.runtime.notifications.apprise import is_known_url, public_host
from gateway.runtime.notifications.contacts import (
    MAX_PHONES,
    MAX_URL_CHARACTERS,
    URL_TEMPLATES,
    Contacts,
    PhoneUrlError,
    RemovedPhone,
    is_open_to_others,
    phone_url_error,
)
from gateway.runtime.notifications.phone import SendResult
from gateway.storage.handover import TASK_FORGET_PHONES
from tests.gateway.domain.delivery.house import make_step
from tests.shell.box import ShellBox, box, run_tasks
from tests.shell.house import make_home
from tests.shell.parts import ManualTime
from tests.shell.receiver import SECRET_TOKEN, MessageReceiver, receiver
from tests.waiting import wait_until

PATIENCE = 30.0
JAMMED = c.RaiseAlarm(code=c.AlarmCode.LOCK_JAMMED)


@dataclass
class Booked:
    """A box whose pocket runs, and its phone book."""

    box: ShellBox
    book: Contacts

    @property
    def lines(self) -> list[str]:
        return self.book.file.read_text(encoding="utf-8").splitlines()

    async def says(self, alarm: c.RaiseAlarm = JAMMED) -> None:
        """Something that no phone may miss."""
        await self.box.store.commit(make_step(Entrance(id="front"), alarm, now=self.box.clock.now()))
        self.box.time.mono += 11  # nobody hands it over: it is found in the store

    async def until(self, so: object) -> None:
        await wait_until(so, within=PATIENCE)  # type: ignore[arg-type]  # any condition


@asynccontextmanager
async def booked(folder: Path, time: ManualTime | None = None) -> AsyncIterator[Booked]:
    async with box(folder, make_home(folder), time=time or ManualTime()) as made:
        await made.pocket.register_phones()
        async with run_tasks(made.pocket.run()):
            yield Booked(made, made.phonebook)


def answered(ear: MessageReceiver) -> int:
    return len(ear.got)


# ---- while it runs


async def test_a_phone_that_is_added_gets_messages_from_then_on_without_a_restart(tmp_path: Path) -> None:
    async with receiver() as ear, booked(tmp_path) as made:
        await made.says(c.RaiseAlarm(code=c.AlarmCode.NOT_LOCKED))
        assert await made.book.add(f"  {ear.json} ", "p-anna") is None
        await made.says()
        await made.until(lambda: answered(ear) == 1)
        assert "serrure est bloquée" in ear.texts[0]
        (listed,) = made.book.list_phones()
        await made.until(lambda: made.book.list_phones()[0].standing.reached is not None)
        assert (listed.scheme, listed.host) == ("json", "127.0.0.1")
        assert SECRET_TOKEN not in repr(listed)


async def test_the_next_owners_first_phone_does_not_bring_back_phones_of_the_former_household(tmp_path: Path) -> None:
    """Their file could not be emptied at the hand-over; a folder that can be written lets the page replace it."""
    async with receiver() as former, receiver() as ear, booked(tmp_path) as made:
        made.book.file.write_text(f"{former.json}\n", encoding="utf-8")
        await made.box.store.handover.set_task(TASK_FORGET_PHONES, sha256(made.book.file.read_bytes()).hexdigest())
        assert await made.book.add(ear.json, "p-clara") is None
        assert made.lines == [ear.json]
        await made.says()
        await made.until(lambda: answered(ear) == 1)
        assert await made.book.add(other := f"{ear.json}/kitchen", "p-clara") is None
        assert made.lines == [ear.json, other]
        assert answered(former) == 0


async def test_a_phone_that_is_removed_gets_nothing_more_and_others_go_on(tmp_path: Path) -> None:
    async with receiver() as ear, receiver() as other, booked(tmp_path) as made:
        assert await made.book.add(ear.json, "p-anna") is None
        assert await made.book.add(other.json, "p-anna") is None
        first, second = made.book.list_phones()
        assert await made.book.remove(first.name, "p-anna") == RemovedPhone(waiting=0, others=True)
        assert [one.name for one in made.book.list_phones()] == [second.name]
        await made.says()
        await made.until(lambda: answered(other) == 1)
        assert answered(ear) == 0
        with pytest.raises(LookupError):
            await made.book.remove(first.name, "p-anna")


async def test_what_a_removed_phone_still_waited_for_is_told_to_one_that_came_later(tmp_path: Path) -> None:
    async with receiver(up=False) as deaf, receiver() as ear, booked(tmp_path) as made:
        assert await made.book.add(deaf.json, "p-anna") is None
        await made.says()
        await made.until(lambda: made.book.list_phones()[0].standing.tried is not None)
        assert await made.book.add(ear.json, "p-anna") is None
        (first, _) = made.book.list_phones()
        assert (first.standing.waiting, first.standing.reached) == (1, None)
        assert first.standing.heard == SendResult.REFUSED
        assert answered(ear) == 0, "it came later, and the first one still may get it"
        assert await made.book.remove(first.name, "p-anna") == RemovedPhone(waiting=1, others=True)
        await made.until(lambda: answered(ear) == 1)


async def test_the_last_phone_s_messages_are_said_to_be_dropped(tmp_path: Path) -> None:
    async with receiver(up=False) as deaf, booked(tmp_path) as made:
        assert await made.book.add(deaf.json, "p-anna") is None
        await made.says()
        await made.until(lambda: made.book.list_phones()[0].standing.tried is not None)
        (only,) = made.book.list_phones()
        assert await made.book.remove(only.name, "p-anna") == RemovedPhone(waiting=1, others=False)
        assert made.lines == []
        assert made.book.list_phones() == ()


async def test_each_phone_is_told_in_its_own_language_also_after_a_restart(tmp_path: Path) -> None:
    time = ManualTime()
    async with receiver() as french, receiver() as english:
        async with booked(tmp_path, time) as made:
            for ear in (french, english):
                assert await made.book.add(ear.json, "p-anna") is None
            await made.book.set_language(made.book.list_phones()[1].name, "en")
            await made.says()
            await made.until(lambda: answered(french) == answered(english) == 1)
            with pytest.raises(LookupError):
                await made.book.set_language("nobody", "en")
        assert ("la serrure est bloquée" in french.texts[0], "the lock is jammed" in english.texts[0]) == (True, True)
        urls = (french.json, english.json)
        async with box(tmp_path, make_home(tmp_path), time=time) as made_again:
            book = made_again.phonebook
            await asyncio.to_thread(made_again.home.phones_file.write_text, "\n".join(urls))
            await book._reload()  # noqa: SLF001 - what the app does at its start
            await made_again.pocket.register_phones()
            assert [one.language for one in book.list_phones()] == [None, "en"]


async def test_a_word_to_try_a_phone_says_what_came_of_it(tmp_path: Path) -> None:
    async with receiver() as ear, receiver(up=False) as deaf, booked(tmp_path) as made:
        for one in (ear, deaf):
            assert await made.book.add(one.json, "p-anna") is None
        ear.hangs = asyncio.Event()
        names = [one.name for one in made.book.list_phones()]
        assert [made.book.send_test(name) for name in (*names, "nobody")] == [True, True, False]
        assert not made.book.send_test(names[0]), "one is on its way"
        trial = made.book.list_phones()[0].trial
        assert trial is not None
        assert trial.heard is None
        ear.hangs.set()
        await made.until(lambda: all(one.trial is not None and one.trial.heard for one in made.book.list_phones()))
        assert [one.trial and one.trial.heard for one in made.book.list_phones()] == [
            SendResult.TAKEN,
            SendResult.REFUSED,
        ]
        assert ear.texts == ["Un essai de Perron : les messages arrivent ici."]


async def test_the_log_tells_who_added_and_removed_a_phone_and_nothing_of_its_address(tmp_path: Path) -> None:
    async with receiver() as ear, booked(tmp_path) as made:
        assert await made.book.add(ear.json, "p-anna") is None
        await made.book.remove(made.book.list_phones()[0].name, "p-bob")
        rows = made.box.store.log.newest_bodies(("phone_added", "phone_removed"), at_most=9)
        assert [(row["kind"], row["by"], row["scheme"]) for row in rows] == [
            ("phone_removed", "p-bob", "json"),
            ("phone_added", "p-anna", "json"),
        ]
        assert SECRET_TOKEN not in str(rows)


# ---- the file


async def test_what_was_written_by_hand_stays_and_the_file_is_the_box_s_alone(tmp_path: Path) -> None:
    async with receiver() as ear, receiver() as other, booked(tmp_path) as made:
        made.book.file.write_text(f"# mine\n\n{ear.json}", encoding="utf-8")
        made.book.file.chmod(0o644)
        assert is_open_to_others(made.book.file)
        assert await made.book.add(ear.json, "p-anna") is PhoneUrlError.KNOWN
        assert await made.book.add(other.json, "p-anna") is None
        assert made.lines == ["# mine", "", ear.json, other.json]
        assert not is_open_to_others(made.book.file)
        assert made.book.file.stat().st_mode & 0o777 == 0o600
        await made.book.remove(made.book.list_phones()[0].name, "p-anna")
        assert made.lines == ["# mine", "", other.json]


async def test_a_file_that_a_hand_has_broken_is_not_written_over(tmp_path: Path) -> None:
    async with receiver() as ear, booked(tmp_path) as made:
        made.book.file.write_text("nonsense\n", encoding="utf-8")
        assert await made.book.add(ear.json, "p-anna") is PhoneUrlError.FILE
        assert made.lines == ["nonsense"]


async def test_there_is_an_end_to_the_phones(tmp_path: Path) -> None:
    async with booked(tmp_path) as made:
        lines = [f"json://127.0.0.1/{number}" for number in range(MAX_PHONES)]
        made.book.file.write_text("\n".join(lines), encoding="utf-8")
        assert await made.book.add("json://127.0.0.1/more", "p-anna") is PhoneUrlError.TOO_MANY
        assert made.lines == lines


def test_without_a_word_in_the_house_file_the_phones_stand_beside_the_store(tmp_path: Path) -> None:
    house = make_home(tmp_path)
    assert house.phones_file == tmp_path / "phones.txt"
    named = house.model_copy(update={"messages": MessagesSection(file=tmp_path / "mine")})
    assert named.phones_file == tmp_path / "mine"


# ---- what is let in


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("dbus://", PhoneUrlError.NOT_LET_IN),
        ("syslog://local0", PhoneUrlError.NOT_LET_IN),
        ("gnome://", PhoneUrlError.NOT_LET_IN),
        ("macosx://", PhoneUrlError.NOT_LET_IN),
        ("windows://", PhoneUrlError.NOT_LET_IN),
        ("vapid://subscriber@example.org?keyfile=/etc/shadow", PhoneUrlError.NOT_LET_IN),
        ("fcm://project/key?keyfile=/etc/shadow", PhoneUrlError.NOT_LET_IN),
        ("file:///etc/shadow", PhoneUrlError.NOT_LET_IN),
        ("exec://rm", PhoneUrlError.NOT_LET_IN),
        ("discord://1234567890/abcdefghij?template=/etc/shadow", PhoneUrlError.OPENS_FILES),
        ("discord://1234567890/abcdefghij?%74emplate=/etc/shadow", PhoneUrlError.OPENS_FILES),
        ("discord://1234567890/abcdefghij?x=1;TEMPLATE%253D/etc/shadow", PhoneUrlError.OPENS_FILES),
        ("mailto://a:b@example.org?pgppub=/etc/shadow", PhoneUrlError.OPENS_FILES),
        ("ntfy://example.org/topic?attach=file:///etc/shadow", PhoneUrlError.OPENS_FILES),
        ("mailto://nobody", PhoneUrlError.INCOMPLETE),
        ("ntfys", PhoneUrlError.NO_URL),
        ("ntfys://example.org/a b", PhoneUrlError.NO_URL),
        ("ntfys://example.org/a\nsyslog://", PhoneUrlError.NO_URL),
        ("ntfys://example.org/\u202ea", PhoneUrlError.NO_URL),
        ("ntfys://example.org/" + "a" * MAX_URL_CHARACTERS, PhoneUrlError.NO_URL),
        ("", PhoneUrlError.NO_URL),
        ("ntfys://example.org/topic", None),
        ("json://127.0.0.1/x", None),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", None),
    ],
)
def test_only_services_over_the_network_are_let_in_and_none_that_opens_a_file(
    url: str, why: PhoneUrlError | None
) -> None:
    assert phone_url_error(url) is why


def test_each_service_that_is_let_in_is_one_that_apprise_has() -> None:
    import apprise  # noqa: PLC0415 - it takes long, and only this test asks for all of it

    schemes = {
        scheme for one in apprise.Apprise().details()["schemas"]
        for scheme in (*(one["protocols"] or ()), *(one["secure_protocols"] or ()))
    }  # fmt: skip
    assert set(URL_TEMPLATES) <= schemes
    assert not is_known_url("nosuchscheme://x")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ntfys://ntfy.example.org/secret", "ntfy.example.org"),
        ("ntfys://secret", None),  # a topic
        ("json://user:secret@192.168.1.9:8080/secret", "192.168.1.9"),
        ("jsons://[::1]/secret", "::1"),
        ("mailtos://user:secret@example.org", "example.org"),
        ("tgram://123456789:secret/12", None),
        ("discord://123.456/secret", None),
        ("matrix://secret", None),
        ("json://[nonsense", None),
    ],
)
def test_only_a_host_that_is_no_secret_is_ever_shown(url: str, host: str | None) -> None:
    assert public_host(url) == host
