"""A weak set-up is named with its place and its remedy; a strong one is not complained about."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config.home import Home
from gateway.mqtt.mosquitto import audit as module
from gateway.mqtt.mosquitto.audit import foreign, kept, weak, weaknesses
from gateway.mqtt.mosquitto.audit_texts import WEAK as SENTENCES
from gateway.mqtt.mosquitto.provisioning import BrokerListener, write


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.model_validate(
        {
            "box": "b",
            "name": "n",
            "broker": {"password_file": tmp_path / "accounts" / "gateway.password", "bridges": ("zwave",)},
            "devices": {
                "front-lock": {"kind": "lock", "vendor": "zigbee2mqtt", "address": "zigbee2mqtt/front lock"},
                "front-door": {"kind": "door", "vendor": "somfy", "address": "io://2"},
                "front-signal": {"kind": "signal", "vendor": "signal"},
            },
            "entrances": {},
        }
    )


@pytest.fixture
def folder(home: Home, tmp_path: Path) -> Path:
    beyond = BrokerListener(host="192.0.2.1", port=8883, tls=True)
    write(tmp_path / "accounts", home, host="127.0.0.1", port=1883, homeassistant=True, beyond=beyond)
    return tmp_path / "accounts"


def test_what_perron_writes_is_not_weak(home: Home, folder: Path) -> None:
    assert weaknesses(folder, home) == ()
    assert foreign(folder) is None


def edited(old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        conf = folder / "mosquitto.conf"
        text = conf.read_text()
        assert old in text
        conf.write_text(text.replace(old, new))

    return edit


def allowed(line: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        access = folder / "access"
        access.write_text(access.read_text() + line + "\n")

    return edit


def secret(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def mode(name: str, bits: int) -> Callable[[Path], None]:
    return lambda folder: (folder / name).chmod(bits)


def bare(folder: Path) -> None:
    (folder / "mosquitto.conf").write_text("# Written by Perron.\nset_tcp_nodelay true\nmax_packet_size 1\n")


def twice(folder: Path) -> None:
    (folder / "front-door.password").write_text((folder / "front-signal.password").read_text())


def linked(folder: Path) -> None:
    (folder / "owner.password").unlink()
    (folder / "owner.password").symlink_to("/etc/hostname")


WEAK: list[tuple[Callable[[Path], object], str, str]] = [
    (edited("allow_anonymous false", "allow_anonymous true"), r"conf:\d+: .*no account comes in", "Write false"),
    (edited("acl_file", "# acl_file"), "no access list: every account may say everything", "broker-config"),
    (edited("password_file", "# password_file"), "no accounts", "broker-config"),
    (edited("per_listener_settings false", "per_listener_settings true"), "for the listener in line", "broker-config"),
    (edited("listener 1883 127.0.0.1", "listener 1883"), "every address:1883 .* without TLS", "127.0.0.1"),
    (edited("listener 1883 127.0.0.1", "listener 1883 0.0.0.0"), "0.0.0.0:1883 .* without TLS", "127.0.0.1"),
    (edited("listener 1883 127.0.0.1", "port 1883"), "every address:1883 .* without TLS", "127.0.0.1"),
    (edited("keyfile", "# keyfile"), "192.0.2.1:8883 .* without TLS", "--listen"),
    (edited("tls_version tlsv1.2", "tls_version tlsv1.1"), "broken long ago", "tlsv1.2"),
    (edited("use_username_as_clientid true", "# none"), "another's id", "use_username_as_clientid true"),
    (edited("set_tcp_nodelay true", "set_tcp_nodelay false"), "waits 40 ms", "set_tcp_nodelay true"),
    (edited("max_packet_size", "# max_packet_size"), "limits no packet", "broker-config"),
    (edited("persistence false", "persistence true"), "before a restart", "Write false"),
    (edited("persistence false", "include_dir /etc/mosquitto/conf.d"), "not seen here", "Delete it"),
    (edited("persistence false", "max_keepalive 60"), "cuts clients off", "Delete it"),
    (edited("persistence false", "connection cloud"), "another", "Delete the bridge"),
    (bare, "names no listener", "broker-config"),
    (allowed("user front-door\ntopic write perron/front-signal/state"), r"access:\d+: the account front-door may say",
     "Delete the line"),
    (allowed("user owner\ntopic zigbee2mqtt/+/set"), "the account owner may say what only .*front lock/set", "Delete"),
    (allowed("user installer\ntopic write #"), "the account installer may say", "Delete the line"),
    (allowed("user homeassistant\ntopic readwrite zigbee2mqtt/#"), "the account homeassistant may say", "Delete"),
    (allowed("pattern write perron/+/state"), "anybody may say what only", "Delete the line"),
    (secret("access", "topic read perron/#\n"), "whoever has no account", "user"),
    (secret("front-door.password", "hunter2\n"), r"front-door\.password .*can be guessed \(7", "Delete the file"),
    (secret("front-door.password", "aaaaaaaaaaaaaaaaaaaaaaaa\n"), "can be guessed", "Delete the file"),
    (secret("front-door.password", "\n"), r"can be guessed \(0", "Delete the file"),
    (twice, "hold the same password", "Delete the file"),
    (linked, r"owner\.password is no plain file", "Remove it"),
    (mode("gateway.password", 0o644), r"gateway\.password can be read .*mode 644", "chmod 600"),
    (mode("passwords", 0o640), r"passwords can be read .*mode 640", "chmod 600"),
    (mode("authority/authority.key", 0o640), r"authority\.key can be read .*mode 640", "chmod 600"),
    (mode("tls/broker.key", 0o604), r"broker\.key can be read .*mode 604", "chmod 600"),
    (mode(".", 0o755), "can be listed or written by others .*mode 755", "chmod 700"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "what", "todo"), WEAK)
def test_each_weakness_is_told_with_its_place_and_what_to_do(
    home: Home, folder: Path, spoil: Callable[[Path], object], what: str, todo: str
) -> None:
    spoil(folder)
    found = weaknesses(folder, home)
    told = [one for one in found if re.search(what, one.what) and todo in one.todo]
    assert told, found
    for one in told:
        french = weak(one.said, one.facts, "fr"), weak(one.mend, one.facts, "fr")
        assert french[0] != one.what
        assert one.facts.get("file", "") in french[0]
        assert re.findall("`[^`]*`", french[1]) == re.findall("`[^`]*`", one.todo)  # commands stay commands


def test_a_rule_for_ones_own_topics_or_for_reading_is_no_weakness(home: Home, folder: Path) -> None:
    allowed("user front-door\ntopic write perron/front-door/state\ntopic read #\nuser zwave\ntopic zwave/#")(folder)
    assert weaknesses(folder, home) == ()


def test_what_home_assistant_and_a_guard_say_for_others_is_no_weakness(tmp_path: Path) -> None:
    devices = {
        "front-lock": {"kind": "lock", "vendor": "guard", "address": "front-lock", "guarded": True,
                       "guard": {"key": "A" * 43}},
        "front-door": {"kind": "door", "vendor": "guard", "address": "front-lock"},
        "fridge": {"kind": "fridge", "vendor": "homeassistant", "address": "sensor.fridge"},
    }  # fmt: skip
    broker = {"password_file": tmp_path / "accounts" / "gateway.password"}
    home = Home.model_validate({"box": "b", "name": "n", "broker": broker, "devices": devices, "entrances": {}})
    write(tmp_path / "accounts", home, host="127.0.0.1", port=1883)
    assert weaknesses(tmp_path / "accounts", home) == ()
    allowed("user front-lock\ntopic write perron/fridge/state")(tmp_path / "accounts")
    [weak] = weaknesses(tmp_path / "accounts", home)
    assert "may say what only gateway / homeassistant may: perron/fridge/state" in weak.what


def test_a_gateway_without_a_password_is_refused_before_anything_is_written(home: Home, tmp_path: Path) -> None:
    nobody = home.model_copy(update={"broker": home.broker.model_copy(update={"password_file": None})})
    [weak] = kept(tmp_path / "accounts", nobody)
    assert "come as nobody" in weak.what
    assert "password_file: accounts/gateway.password" in weak.todo


def test_a_configuration_of_somebody_elses_is_never_written_over(folder: Path) -> None:
    (folder / "mosquitto.conf").write_text("listener 1883\nallow_anonymous true\n")
    weak = foreign(folder)
    assert weak is not None
    assert "was not written by Perron" in weak.what


def test_each_sentence_about_a_weak_point_is_used() -> None:
    source = Path(module.__file__).read_text(encoding="utf-8")
    for key in SENTENCES:
        assert f'"{key.removesuffix(".line")}"' in source, key
