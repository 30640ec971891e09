"""A lock behind a guard, as home.yaml names it, and what the rest of the box makes of it."""

from pathlib import Path

import pytest

from gateway.config.broker_acl import access_list, account_names
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.config.topics import depends_on_lock
from gateway.installation.device_probe import probe_devices
from gateway.mqtt.client import connect_once
from gateway.runtime.entrance_configuration import entrance_rules
from gateway.system.config_section import ConfigError
from tests.gateway.integrations.lock_guard.yard import DOOR, LOCK, guard_testbed

CONFIG = Path(__file__).parents[4] / "config" / "home.yaml"
X = "2-5uZ0lTXtEJlfEoFmTPyGhFNmo5jsqnSqOPDJKRjvQ"
LOCK_LINES = f"""\
  front-lock:
    kind: lock
    vendor: guard
    address: front-lock
    guard: {{key: {X}}}
  front-door:
    kind: door
    vendor: guard
    address: front-lock
"""


def house(folder: Path, old: str = "", new: str = "") -> Path:
    """The demo's house, its lock and door behind a guard."""
    text = CONFIG.read_text(encoding="utf-8")
    begins, ends = text.index("  front-lock:\n"), text.index("  doorbell:\n")
    text = text[:begins] + LOCK_LINES + text[ends:]
    assert old in text
    file = folder / "home.yaml"
    file.write_text(text.replace(old, new, 1) if old else text, encoding="utf-8")
    return file


def guarded(folder: Path) -> Home:
    return load_home_file(house(folder))


def test_a_lock_with_a_guard_is_guarded_without_that_being_said(tmp_path: Path) -> None:
    assert entrance_rules(guarded(tmp_path), "front").closures[0].guarded is True


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    guard: {key: " + X + "}\n", "", "belong together"),
        ("kind: lock\n    vendor: guard", "kind: lock\n    vendor: somfy", "belong together"),
        ("address: front-lock\n    guard", "address: back-lock\n    guard", "write `address: front-lock`"),
        ("kind: door\n    vendor: guard\n    address: front-lock", "kind: door\n    vendor: guard\n    address: x",
         "the id of the lock whose guard"),
        ("    guard: {key", "    topics: {state: a/b}\n    guard: {key", "leave this out"),
        (X, "no-key", "43 characters"),
        ("    guard: {key", "    guard: {kee", "Did you mean `key`?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load_home_file(house(tmp_path, old, new))
    assert told in str(wrong.value)


def test_the_guard_has_its_lock_s_account_and_no_more(tmp_path: Path) -> None:
    home = guarded(tmp_path)
    assert "front-lock" in account_names(home)
    assert not {"front-door", "perron", "guard"} & set(account_names(home))
    lines = access_list(home).splitlines()
    at = lines.index("user front-lock")
    own = [line for line in lines[at + 1 : at + 20] if line.startswith("topic")][:6]
    assert all(" perron/front-lock/" in line for line in own)
    assert not [line for line in lines if line == "topic readwrite perron/#" and lines.index(line) > at]


def test_a_door_sensor_behind_the_guard_is_no_part_of_the_lock(tmp_path: Path) -> None:
    assert not depends_on_lock(guarded(tmp_path), "front-lock", "front-door")


@pytest.mark.slow
async def test_doctor_asks_lock_and_door_behind_a_guard_and_believes_signed_answers_only(tmp_path: Path) -> None:
    async with guard_testbed(tmp_path) as place, place.guard():
        await place.ready()
        home = place.box.home
        attacker = home.broker.model_copy(
            update={"username": "attacker", "password_file": tmp_path / "attacker.password"}
        )
        (tmp_path / "attacker.password").write_text(place.house.accounts["attacker"])
        async with connect_once(attacker, [f"perron/{LOCK}/#"], monotonic=lambda: 0.0) as guest:
            found = await probe_devices(home, guest, (LOCK, DOOR), timeout_s=3, correlation_prefix="ask", min_wait_s=0)
        assert {id_: heard.answer is not None for id_, heard in found.devices.items()} == {LOCK: True, DOOR: True}
