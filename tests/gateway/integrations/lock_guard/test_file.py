"""guard.yaml: what is wrong in it is told with its line, its column and what to do."""

from pathlib import Path

import pytest

from devices.vendors.words import TopicSuffix
from gateway.integrations.lock_guard.file import load_guard_file
from gateway.integrations.lock_guard.messages import GuardSettings, Timing
from gateway.protocol.ed25519 import KeyUnusable
from gateway.protocol.keys import command_key, create_key, load_key
from gateway.system.config_section import ConfigError

X = "2-5uZ0lTXtEJlfEoFmTPyGhFNmo5jsqnSqOPDJKRjvQ"
TEXT = f"""\
lock: front-lock
gateway: {X}
house:
  host: 192.168.1.10
  tls: {{ca: ca.pem}}
  username: front-lock
  password_file: front-lock.password
radio:
  broker: {{port: 1884, username: guard, password_file: guard.password}}
  lock: {{vendor: somfy, address: "io://1/2"}}
  door: {{vendor: somfy, address: "io://1/3"}}
"""


def written(folder: Path, text: str = TEXT) -> Path:
    (folder / "guard.yaml").write_text(text)
    return folder / "guard.yaml"


def test_every_waiting_time_of_the_file_reaches_the_rules_and_without_one_each_is_as_it_always_was(
    tmp_path: Path,
) -> None:
    assert load_guard_file(written(tmp_path)).timing.model_dump() == {
        "nonce_life": 15, "answer": 5, "stable": 2, "again": 30, "moving": 30,
    }  # fmt: skip
    times = {name: 1.0 + n for n, name in enumerate(Timing.model_fields)}
    file = load_guard_file(
        written(tmp_path, TEXT + "".join(["timing:\n", *(f"  {name}: {t}\n" for name, t in times.items())]))
    )
    assert file.timing == Timing(**times)
    settings = GuardSettings(lock=file.lock, has_door=True, max_silence_s=file.silent, timing=file.timing)
    assert settings.timing.model_dump() == times


def test_a_whole_file_is_read_and_its_paths_begin_beside_it(tmp_path: Path) -> None:
    file = load_guard_file(written(tmp_path))
    assert (file.key, file.folder) == (tmp_path / "guard.key.pem", tmp_path / "ledger")
    assert file.radio.broker.password_file == tmp_path / "guard.password"
    assert file.house.tls is not None
    assert file.house.tls.ca == tmp_path / "ca.pem"
    assert file.radio.lock.topic(TopicSuffix.SET) == "perron/lock/set"
    assert file.silent == 120


@pytest.mark.parametrize(
    ("old", "new", "where", "told"),
    [
        ("lock: front-lock", "lok: front-lock", "1:1", "Did you mean `lock`?"),
        ("username: front-lock", "username: gateway", "6:3", "on the house's broker the guard is its lock"),
        ('{vendor: somfy, address: "io://1/2"}', "{vendor: scanner}", "10:10", "not a lock that accepts commands"),
        ('{vendor: somfy, address: "io://1/3"}', "{vendor: scanner}", "11:10", "cannot be asked"),
        ('{vendor: somfy, address: "io://1/2"}', "{vendor: guard}", "10:10", "unknown; known are alexa"),
        ('address: "io://1/3"', 'address: "io://1/2"', "11:3", "the door sensor is the lock's own"),
        ('address: "io://1/3"', 'address: "io://1/2#2"', "11:3", "the door sensor is the lock's own"),
        ("{port: 1884,", "{host: 192.168.1.10, port: 1884,", "8:1", "only this machine may reach it"),
        ("  tls: {ca: ca.pem}\n", "", "4:3", "tls: {ca"),
        (X, "short", "2:1", "43 characters"),
        ("radio:", "silent: 0\nradio:", "8:1", "it must be at least 1."),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(tmp_path: Path, old: str, new: str, where: str, told: str) -> None:
    assert TEXT.count(old) == 1
    path = written(tmp_path, TEXT.replace(old, new))
    with pytest.raises(ConfigError) as wrong:
        load_guard_file(path)
    assert f"{path}:{where}: " in str(wrong.value)
    assert told in str(wrong.value)


def test_house_and_radio_never_share_a_broker(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one of its own"):
        load_guard_file(written(tmp_path, TEXT.replace("192.168.1.10", "127.0.0.1").replace("1884", "1883")))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--config"):
        load_guard_file(tmp_path / "none.yaml")


def test_the_gateway_s_command_key_is_made_once_and_is_its_own_user_s_alone(tmp_path: Path) -> None:
    first = command_key(tmp_path / "key")
    assert command_key(tmp_path / "key").public.text == first.public.text
    file = tmp_path / "key" / "command.key.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(KeyUnusable, match="read by others"):
        command_key(tmp_path / "key")


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\xff" * 10])
def test_what_is_no_key_is_no_key(tmp_path: Path, pem: bytes) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem)
    file.chmod(0o600)
    with pytest.raises(KeyUnusable):
        load_key(file)


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    create_key(tmp_path / "key.pem")
    with pytest.raises(FileExistsError):
        create_key(tmp_path / "key.pem")
