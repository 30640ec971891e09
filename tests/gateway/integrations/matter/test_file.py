"""matter.yaml: what is wrong in it is told with what to do; no Matter server is spoken to through strangers."""

import re
from pathlib import Path

import pytest

from devices.vendors.definition import BrokerAccess
from devices.vendors.matter import settings
from gateway.integrations.matter.file import load_matter_file
from gateway.system.config_section import ConfigError
from tests.certified import make_certificate

TEXT = """\
base: matter
broker: {username: matter, password_file: matter.password}
server: {url: 'wss://matter.home.arpa/ws', ca: authority.pem, timeout: 3}
"""


def written(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in TEXT
    (folder / "matter.yaml").write_text(TEXT.replace(old, new, 1) if old else TEXT, encoding="utf-8")
    return folder / "matter.yaml"


def test_a_whole_file_is_read_and_its_paths_begin_beside_it(tmp_path: Path) -> None:
    file = load_matter_file(written(tmp_path))
    assert file.server.ca == tmp_path / "authority.pem"
    assert file.broker.password_file == tmp_path / "matter.password"


def test_the_file_that_the_docs_show_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "installer" / "matter.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n# matter\.yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "matter.yaml").write_text(block, encoding="utf-8")
    assert load_matter_file(tmp_path / "matter.yaml").server.url == "ws://127.0.0.1:5580/ws"


@pytest.mark.parametrize("authority", ["", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"])
def test_the_file_that_a_page_shows_with_the_account_is_one(tmp_path: Path, authority: str) -> None:
    access = BrokerAccess(
        host="box.local" if authority else "127.0.0.1", port=8883, user="matter", password=authority[:9],
        topic="matter", authority=authority,
    )  # fmt: skip
    (tmp_path / "matter.yaml").write_text(settings(access), encoding="utf-8")
    file = load_matter_file(tmp_path / "matter.yaml")
    assert (file.base, file.broker.username, file.broker.port) == ("matter", "matter", 8883)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("'wss://matter.home.arpa/ws', ca: authority.pem", "'ws://192.168.1.9:5580/ws'", "is not this machine"),
        ("'wss://matter.home.arpa/ws', ca: authority.pem", "'ws://localhost.evil.example/ws'", "is not this machine"),
        ("'wss://matter.home.arpa/ws', ca: authority.pem", "'ws://user:word@127.0.0.1/ws'", "write the address"),
        ("'wss://matter.home.arpa/ws', ca: authority.pem", "'ws://[2001:db8::1]:5580/ws'", "is not this machine"),
        ("wss://matter.home.arpa/ws", "ws://127.0.0.1:5580/ws", "this one shows no certificate"),
        ("wss://matter.home.arpa/ws", "http://127.0.0.1:5580/ws", "write the address of the Matter server"),
        ("base: matter", "base: home/matter", "a base topic is one word"),
        ("base: matter", "base: thread", "its account is its base topic"),
        ("username: matter", "username: gateway", "its account is its base topic"),
        ("{username: matter,", "{host: 192.168.1.10, username: matter,", "is not this machine"),
        ("timeout: 3", "timeout: 0", "timeout"),
        ("timeout: 3", "code: '20202021'", "`code` is not known here"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_matter_file(written(tmp_path, old, new))


@pytest.mark.parametrize("url", ["ws://127.0.0.1:5580/ws", "ws://localhost:5580/ws", "ws://[::1]:5580/ws"])
def test_a_server_on_this_machine_needs_no_certificate(tmp_path: Path, url: str) -> None:
    file = load_matter_file(written(tmp_path, "'wss://matter.home.arpa/ws', ca: authority.pem", f"'{url}'"))
    assert file.server.tls() is True


def test_an_authority_that_is_none_is_told_and_one_that_is_counts(tmp_path: Path) -> None:
    (tmp_path / "authority.pem").write_text("nothing", encoding="utf-8")
    with pytest.raises(ConfigError, match="the authority cannot be read"):
        load_matter_file(written(tmp_path)).server.tls()
    authority, _, _ = make_certificate(tmp_path, "matter.home.arpa")
    file = load_matter_file(written(tmp_path, "authority.pem", authority.name))
    assert file.server.tls() is not True
