"""What people wrote is read at once, whole and bounded, or refused in words: a pipe stalls no reload."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config.home import PagesSection
from gateway.config.loader import find_storage_folder, load_home_file
from gateway.mqtt.tls import tls_context
from gateway.runtime.notifications.apprise import load_phones
from gateway.system import regular_file
from gateway.system.config_section import ConfigError
from gateway.system.mqtt_settings import BrokerSection, BrokerTls
from tests.shell.box import box
from tests.shell.house import make_home
from tests.shell.site import serve_site

WAIT = 10.0  # seconds; what stalls waits for ever


def pipe(path: Path) -> None:
    """A pipe that nobody writes to."""
    os.mkfifo(path)


def endless(path: Path) -> None:
    """A device without an end, under the file's name."""
    path.symlink_to("/dev/zero")


def vast(path: Path) -> None:
    """A plain file of a hundred gigabytes, of which none is on the disk."""
    path.touch()
    os.truncate(path, 100 * 2**30)


def folder(path: Path) -> None:
    path.mkdir()


def house_file(path: Path) -> None:
    load_home_file(path)


def password(path: Path) -> None:
    BrokerSection(username="gateway", password_file=path).password()


def authority(path: Path) -> None:
    tls_context(BrokerSection(username="gateway", tls=BrokerTls(ca=path)))


def phones(path: Path) -> None:
    load_phones(path, key=b"", scratch=path.parent)


@pytest.mark.parametrize("reads", [house_file, password, authority, phones])
@pytest.mark.parametrize(
    ("lies", "why"),
    [(pipe, "no plain file|not a plain file"), (endless, "not a plain file"), (vast, "more than 1048576 bytes"),
     (folder, "not a plain file|directory")],
)  # fmt: skip
def test_what_is_no_plain_file_of_a_sane_size_is_refused_at_once_and_says_which(
    tmp_path: Path, lies: Callable[[Path], None], why: str, reads: Callable[[Path], None]
) -> None:
    path = tmp_path / "a-file"
    lies(path)
    refused: list[ConfigError] = []

    def tries() -> None:
        try:
            reads(path)
        except ConfigError as error:
            refused.append(error)

    reader = threading.Thread(target=tries, daemon=True)
    reader.start()
    reader.join(WAIT)
    assert not reader.is_alive(), "it waits for a word that never comes"
    assert [str(path) in str(error) for error in refused] == [True]
    assert any(word in str(refused[0]) for word in why.split("|")), refused


def test_where_a_pipe_lies_in_the_house_file_s_place_its_storage_folder_is_not_known(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "home.yaml")
    assert find_storage_folder(tmp_path / "home.yaml") is None


def test_a_link_to_a_secret_is_followed_as_services_are_handed_theirs(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\r\n", encoding="utf-8")
    (tmp_path / "link").symlink_to("secret")
    assert BrokerSection(username="gateway", password_file=tmp_path / "link").password() == "open sesame"
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match=r"."):
        regular_file.read_bytes(tmp_path / "round")


def test_a_file_of_the_largest_size_is_read_and_a_byte_more_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 8)
    assert regular_file.read_text(file, at_most=8) == "x" * 8
    with pytest.raises(OSError, match="more than 7 bytes"):
        regular_file.read_text(file, at_most=7)


async def test_a_pipe_in_the_place_of_the_pages_certificate_stands_in_no_door_s_way(tmp_path: Path) -> None:
    """Pages and door share one loop: what waited here would hold both."""
    path = tmp_path / "chain.pem"
    pipe(path)
    rescue = threading.Timer(WAIT, lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)))
    async with box(tmp_path, make_home(tmp_path)) as made, serve_site(made) as pages:
        await pages.site.close()
        pages.site._pages = PagesSection(certificate=path, key=path)  # noqa: SLF001 - as a house file may name them
        rescue.start()
        with pytest.raises(OSError, match="not a plain file"):
            await pages.site.open()
        rescue.cancel()
