"""The file of the phones' URLs: what is wrong in it is told with its line, and none of it is ever told otherwise."""

import asyncio
import logging
import sys
from pathlib import Path

import pytest
import structlog

from gateway.config.home import MessagesSection
from gateway.config.loader import load_home_file
from gateway.installation.diagnostics.finding import FindingVerdict
from gateway.installation.diagnostics.house import phone_findings
from gateway.runtime.notifications.apprise import MAX_HANGING_SENDS, ApprisePhone, delete_pictures, load_phones
from gateway.runtime.notifications.batching import Button, PhoneNotification
from gateway.runtime.notifications.phone import SendResult
from gateway.system.config_section import ConfigError
from tests.gateway.config.test_loader import TEXT, changed
from tests.gateway.installation.diagnostics.english import read_finding as read_out
from tests.shell.house import make_home
from tests.shell.receiver import SECRET_TOKEN, receiver
from tests.waiting import wait_until

KEY = b"k" * 32
NOTICE = PhoneNotification(title="Home", text="Locked again", urgent=True, picture=b"\xff\xd8 a picture",
                buttons=(Button(label="Arrêter", url="https://perron.home/link/abc"),))  # fmt: skip


def written(folder: Path, *lines: str) -> Path:
    file = folder / "phones.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    file.chmod(0o600)
    return file


def phone(folder: Path, url: str, limit: float = 20.0) -> ApprisePhone:
    (made,) = load_phones(written(folder, url), key=KEY, scratch=folder / "scratch", limit=limit)
    return made


# ---- the file


def test_blank_lines_and_remarks_are_passed_over_and_only_the_scheme_is_known(tmp_path: Path) -> None:
    file = written(tmp_path, "# mine", "", f"  JSON://127.0.0.1/{SECRET_TOKEN} ", f"ntfys://127.0.0.1/{SECRET_TOKEN}")
    found = load_phones(file, key=KEY, scratch=tmp_path)
    assert [one.scheme for one in found] == ["json", "ntfys"]
    assert SECRET_TOKEN not in repr([vars(one)["name"] for one in found])
    assert found[0].name != found[1].name
    assert [one.name for one in load_phones(file, key=KEY, scratch=tmp_path)] == [one.name for one in found]
    assert found[0].name != load_phones(file, key=b"o" * 32, scratch=tmp_path)[0].name


@pytest.mark.parametrize(
    "line",
    [
        f"{SECRET_TOKEN}",
        f"nosuchscheme://{SECRET_TOKEN}@host",
        f"{SECRET_TOKEN}://",
        f"json://{SECRET_TOKEN}:{SECRET_TOKEN}@",
        f"mailto://{SECRET_TOKEN}",
    ],
)
def test_a_line_that_is_no_url_is_refused_with_file_and_line_and_without_its_secret(tmp_path: Path, line: str) -> None:
    file = written(tmp_path, "# mine", "json://127.0.0.1/x", line, line)
    with pytest.raises(ConfigError) as refused:
        load_phones(file, key=KEY, scratch=tmp_path)
    first, second = str(refused.value).splitlines()
    assert first.startswith(f"{file}:3: ")
    assert second.startswith(f"{file}:4: ")
    assert SECRET_TOKEN not in str(refused.value)


def test_the_same_url_twice_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, f"json://127.0.0.1/{SECRET_TOKEN}", f"json://127.0.0.1/{SECRET_TOKEN}")
    with pytest.raises(ConfigError, match=r":2: the same URL stands in line 1 already") as refused:
        load_phones(file, key=KEY, scratch=tmp_path)
    assert SECRET_TOKEN not in str(refused.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file.*messages\.file"):
        load_phones(tmp_path / "none.txt", key=KEY, scratch=tmp_path)
    (tmp_path / "phones.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_phones(tmp_path / "phones.txt", key=KEY, scratch=tmp_path)
    (tmp_path / "phones.txt").write_text("#" * 70_000)
    with pytest.raises(ConfigError, match="larger"):
        load_phones(tmp_path / "phones.txt", key=KEY, scratch=tmp_path)


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"pip install 'perron\[messages\]'") as refused:
        load_phones(written(tmp_path, f"json://127.0.0.1/{SECRET_TOKEN}"), key=KEY, scratch=tmp_path)
    assert SECRET_TOKEN not in str(refused.value)


def test_the_house_file_names_the_file_beside_itself(tmp_path: Path) -> None:
    file = changed(
        tmp_path, "devices:\n", "messages:\n  file: phones.txt\n  pages: https://perron.home:8443\n\ndevices:\n"
    )
    assert load_home_file(file).messages == MessagesSection(
        file=tmp_path / "phones.txt", pages="https://perron.home:8443"
    )
    assert "# messages:" in TEXT


@pytest.mark.parametrize(
    "pages", ["perron.home", "ftp://perron.home", "https://me:secret@perron.home", "https://x/?a", "https://x/ y"]
)
def test_where_the_pages_are_is_a_plain_address(tmp_path: Path, pages: str) -> None:
    file = changed(tmp_path, "devices:\n", f"messages:\n  file: phones.txt\n  pages: {pages}\n\ndevices:\n")
    with pytest.raises(ConfigError, match=r"write the whole address under which it is reached, like https://"):
        load_home_file(file)


# ---- telling


async def test_no_log_holds_anything_of_a_url_but_its_scheme(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        async with receiver() as ear:
            for url in (ear.json, ear.ntfy):
                ear.answers = lambda _got: 200
                assert await phone(tmp_path, url).send(NOTICE) is SendResult.TAKEN
                ear.answers = lambda _got: 401
                assert await phone(tmp_path, url).send(NOTICE) is SendResult.REFUSED
            await ear.down()
            for url in (ear.json, ear.ntfy):
                assert await phone(tmp_path, url).send(NOTICE) is SendResult.REFUSED
            said = capfd.readouterr()
            everything = "\n".join([str(lines), caplog.text, said.out, said.err])
            assert SECRET_TOKEN not in everything
            assert f":{ear.port}" not in everything


async def test_a_picture_on_its_way_is_the_boxs_alone_and_gone_afterwards(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    async with receiver() as ear:

        def look(_got: object) -> int:
            seen.extend((file.name[-4:], file.stat().st_mode & 0o077) for file in (tmp_path / "scratch").iterdir())
            return 200

        ear.answers = look
        assert await phone(tmp_path, ear.ntfy).send(NOTICE) is SendResult.TAKEN
    assert seen == [(".jpg", 0)]
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_full_disk_lets_the_words_through(tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("no folder can be made here")
    async with receiver() as ear:
        assert await phone(tmp_path, ear.json).send(NOTICE) is SendResult.TAKEN
        assert ear.got[0].picture is None


def test_pictures_that_a_crash_left_are_swept(tmp_path: Path) -> None:
    (tmp_path / "left.jpg").write_bytes(b"x")
    delete_pictures(tmp_path)
    delete_pictures(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


async def test_a_phone_that_hangs_is_given_up_in_time_and_not_tried_without_end(tmp_path: Path) -> None:
    async with receiver() as ear:
        ear.hangs = asyncio.Event()
        slow = phone(tmp_path, ear.json, limit=0.05)
        assert [await slow.send(NOTICE) for _ in range(MAX_HANGING_SENDS + 2)] == [SendResult.SILENT] * (
            MAX_HANGING_SENDS + 2
        )
        ear.hangs.set()
        await wait_until(lambda: len(ear.got) == MAX_HANGING_SENDS, within=30)
        patient = phone(tmp_path, ear.json)
        assert await patient.send(NOTICE) is SendResult.TAKEN


async def test_ntfy_gets_three_buttons_in_ascii_and_what_the_owner_wrote_stays(tmp_path: Path) -> None:
    many = PhoneNotification(title="T", text="t", urgent=True, buttons=NOTICE.buttons * 4)
    async with receiver() as ear:
        assert await phone(tmp_path, ear.ntfy).send(many) is SendResult.TAKEN
        assert await phone(tmp_path, f"{ear.ntfy}?priority=low").send(many) is SendResult.TAKEN
        first, second = ear.got
        assert first.headers["X-Actions"].count("perron.home") == 3
        assert (first.headers["X-Priority"], second.headers["X-Priority"]) == ("high", "low")
        assert "X-Icon" not in first.headers  # no picture from elsewhere


# ---- the doctor


async def test_the_doctor_tries_each_phone_with_a_word(tmp_path: Path) -> None:
    async with receiver() as ear, receiver(up=False) as deaf:
        file = written(tmp_path, ear.json, deaf.ntfy)
        house = make_home(tmp_path).model_copy(update={"messages": MessagesSection(file=file)})
        found = list(map(read_out, await phone_findings(house)))
        assert [(one.what, one.verdict) for one in found] == [
            ("phone 1 (json)", FindingVerdict.GOOD),
            ("phone 2 (ntfy)", FindingVerdict.DOUBTFUL),
        ]
        assert ear.texts == ["Un essai de Perron : les messages arrivent ici."]
        assert SECRET_TOKEN not in str(found)


async def test_the_doctor_says_that_others_can_read_the_phones_addresses(tmp_path: Path) -> None:
    async with receiver() as ear:
        file = written(tmp_path, ear.json)
        file.chmod(0o640)
        house = make_home(tmp_path).model_copy(update={"messages": MessagesSection(file=file)})
        found = list(map(read_out, await phone_findings(house)))
    assert [(one.what, one.verdict) for one in found] == [
        ("phones", FindingVerdict.BAD),
        ("phone 1 (json)", FindingVerdict.GOOD),
    ]
    assert f"chmod 600 {file}" in found[0].todo
    assert SECRET_TOKEN not in str(found)


async def test_the_doctor_says_what_is_not_configured_or_cannot_be_read(tmp_path: Path) -> None:
    house = make_home(tmp_path)
    (none,) = map(read_out, await phone_findings(house))
    assert (none.what, none.verdict) == ("phones", FindingVerdict.GOOD)
    assert "none is configured" in none.said
    empty = house.model_copy(update={"messages": MessagesSection(file=written(tmp_path, "# none yet"))})
    (nobody,) = await phone_findings(empty)
    assert nobody.verdict is FindingVerdict.DOUBTFUL
    wrong = house.model_copy(update={"messages": MessagesSection(file=written(tmp_path, SECRET_TOKEN))})
    (bad,) = map(read_out, await phone_findings(wrong))
    assert (bad.verdict, SECRET_TOKEN in bad.said) == (FindingVerdict.BAD, False)
