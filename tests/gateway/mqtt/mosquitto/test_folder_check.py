"""A file that Perron did not write or that others can use is named with its remedy; what Perron wrote is not."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config.home import Home
from gateway.mqtt.mosquitto import folder_check as module
from gateway.mqtt.mosquitto.folder_check import FOLDER_TEXTS, folder_faults, foreign_configuration, read_options
from gateway.mqtt.mosquitto.provisioning import write_house
from gateway.system.mosquitto import BrokerListener
from tests.test_documented_commands import fault


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
    write_house(tmp_path / "accounts", home, host="127.0.0.1", port=1883, homeassistant=True, lan_listener=beyond)
    return tmp_path / "accounts"


def test_what_perron_writes_is_not_weak(home: Home, folder: Path) -> None:
    assert folder_faults(folder, home) == ()
    assert foreign_configuration(folder) is None


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


def foreign(folder: Path) -> None:
    (folder / "mosquitto.conf").write_text("listener 1883\nallow_anonymous true\n")


def twice(folder: Path) -> None:
    (folder / "front-door.password").write_text((folder / "front-signal.password").read_text())


def linked(folder: Path) -> None:
    (folder / "owner.password").unlink()
    (folder / "owner.password").symlink_to("/etc/hostname")


ALTERED = "is not what Perron writes for this house"

FAULTS: list[tuple[Callable[[Path], object], str, str]] = [
    (foreign, r"mosquitto\.conf was not written by Perron", "Move it away"),
    (edited("allow_anonymous false", "allow_anonymous true"), rf"mosquitto\.conf {ALTERED}", "broker-config"),
    (edited("acl_file", "# acl_file"), ALTERED, "broker-config"),
    (edited("per_listener_settings false", "per_listener_settings true"), ALTERED, "broker-config"),
    (edited("listener 1883 127.0.0.1", "listener 1883"), ALTERED, "broker-config"),
    (edited("listener 1883 127.0.0.1", "listener 1883 0.0.0.0"), ALTERED, "broker-config"),
    (edited("listener 1883 127.0.0.1", "port 1883"), ALTERED, "broker-config"),
    (edited("listener 1883 127.0.0.1", "listener mqtt 127.0.0.1"), ALTERED, "broker-config"),
    (edited("listener 1883 127.0.0.1", "listener 1 127.0.0.1\nlistener 2 127.0.0.1"), ALTERED, "broker-config"),
    (edited("listener", "# listener"), ALTERED, "broker-config"),
    (edited("keyfile", "# keyfile"), ALTERED, "broker-config"),
    (edited("tls_version tlsv1.2", "tls_version tlsv1.1"), ALTERED, "broker-config"),
    (edited("use_username_as_clientid true", "# none"), ALTERED, "broker-config"),
    (edited("persistence false", "persistence false\ninclude_dir /etc/mosquitto/conf.d"), ALTERED, "broker-config"),
    (edited("persistence false", "persistence false\nconnection cloud"), ALTERED, "broker-config"),
    (allowed("user front-door\ntopic write perron/front-signal/state"), rf"access {ALTERED}", "broker-config"),
    (secret("access", "topic read perron/#\n"), rf"access {ALTERED}", "broker-config"),
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


@pytest.mark.parametrize(("spoil", "fault", "todo"), FAULTS)
def test_each_fault_is_named_with_its_file_and_what_to_do(
    home: Home, folder: Path, spoil: Callable[[Path], object], fault: str, todo: str
) -> None:
    spoil(folder)
    found, *_others = folder_faults(folder, home)  # what a link leads to is open to others too
    english, french = found.to("en"), found.to("fr")
    assert re.search(fault, english)
    assert todo in english
    assert french != english
    assert found.facts["file"] in french
    assert re.findall("`[^`]*`", french) == re.findall("`[^`]*`", english)  # commands stay commands


@pytest.mark.parametrize("spoil", [edited("listener", "# listener"), secret("front-door.password", "hunter2\n"), twice])
def test_a_command_that_writes_the_folder_again_can_be_typed_as_it_is_told(
    home: Home, folder: Path, spoil: Callable[[Path], object]
) -> None:
    odd = folder.rename(folder.with_name("Anne's accounts"))
    spoil(odd)
    [command] = re.findall("`perron ([^`]*)`", folder_faults(odd, home)[0].to("en"))
    words = shlex.split(command)
    assert fault(words) is None
    assert words == ["broker-config", str(odd)]


def test_the_listener_beyond_this_machine_cannot_become_plain(home: Home, folder: Path) -> None:
    edited("certfile", "# certfile")(folder)
    [found] = folder_faults(folder, home)
    assert ALTERED in found.to("en")


def test_a_house_that_changed_has_its_access_list_written_again(home: Home, folder: Path) -> None:
    fewer = {id_: device for id_, device in home.devices.items() if id_ != "front-lock"}
    [found] = folder_faults(folder, home.model_copy(update={"devices": fewer}))
    assert found.facts["file"] == str(folder / "access")


def test_what_home_assistant_and_a_guard_may_publish_is_as_perron_writes_it(tmp_path: Path) -> None:
    devices = {
        "front-lock": {"kind": "lock", "vendor": "guard", "address": "front-lock", "guarded": True,
                       "guard": {"key": "A" * 43}},
        "front-door": {"kind": "door", "vendor": "guard", "address": "front-lock"},
        "fridge": {"kind": "fridge", "vendor": "homeassistant", "address": "sensor.fridge"},
    }  # fmt: skip
    broker = {"password_file": tmp_path / "accounts" / "gateway.password"}
    home = Home.model_validate({"box": "b", "name": "n", "broker": broker, "devices": devices, "entrances": {}})
    write_house(tmp_path / "accounts", home, host="127.0.0.1", port=1883)
    assert folder_faults(tmp_path / "accounts", home) == ()


def test_the_options_of_the_last_time_are_read_from_the_folder(folder: Path) -> None:
    options = read_options(folder)
    assert options.listeners == (
        BrokerListener(host="127.0.0.1", port=1883),
        BrokerListener(host="192.0.2.1", port=8883, tls=True),
    )
    assert options.homeassistant
    assert "192.0.2.1" in options.names


def test_a_foreign_configuration_has_no_options(folder: Path) -> None:
    foreign(folder)
    assert read_options(folder) == module.WrittenOptions()


def test_each_text_about_a_fault_is_used() -> None:
    source = Path(module.__file__).read_text(encoding="utf-8")
    for key in FOLDER_TEXTS:
        assert source.count(f'"{key}"') > 1, key
