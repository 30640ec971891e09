"""A device leaves the house file: everything else in it stays as somebody wrote it."""

from pathlib import Path

import pytest

from gateway.config.editor import without_item
from gateway.config.loader import load_home_file
from gateway.installation import records
from gateway.installation.capability import Measurement
from gateway.installation.removal import house_without
from gateway.mqtt.mosquitto import provisioning
from gateway.storage.models import StoreFailed
from tests.gateway.domain.delivery.shop import NOW
from tests.gateway.installation.test_proposal_workflow import CAMERA, DOOR, House, house

__all__ = ["house"]  # the fixture

TEXT = """\
# Lilac Street
box: perron-1
name: Home
broker: {bridges: [zigbee2mqtt]}

devices:
  # the old one
  porch: {kind: camera, vendor: rtsp, url: "rtsp://192.168.1.30/s"}   # by the mill
  back-door:      # added on Monday
    kind: door

    vendor: esphome
    # its battery is of June

  # at the front, from the shop in town
  guarded: {kind: lock, vendor: guard, address: guarded, guard: {key: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}}
  leaf:
    kind: door
    vendor: guard
    address: guarded
entrances: {}
"""


def test_all_other_lines_stay_as_they_were() -> None:
    block = TEXT[TEXT.index("  back-door:") : TEXT.index("\n  # at the front")]
    assert block.endswith("# its battery is of June\n")
    assert without_item(TEXT, "devices", "back-door") == TEXT.replace(block, "")
    porch = next(line for line in TEXT.splitlines(keepends=True) if "porch" in line)
    assert without_item(TEXT, "devices", "porch") == TEXT.replace(porch, "")


def test_a_house_in_braces_loses_the_device_too() -> None:
    text = '{"box": "b", "devices": {"a": {"kind": "door"}, "c": {"kind": "lock"}}, "entrances": {}}'
    assert '"c": {"kind": "lock"}' in without_item(text, "devices", "a")
    assert '"a"' not in without_item(text, "devices", "a")


def test_what_uses_a_device_is_named(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    without = house_without(TEXT, file, "guarded")
    assert without.house is None
    assert [(one.text_key, one.facts) for one in without.remarks] == [("used.device", {"name": "leaf"})]
    assert house_without(TEXT, file, "leaf").house is not None
    assert [one.text_key for one in house_without(TEXT, file, "nobody").remarks] == ["no_file"]


async def test_a_camera_that_was_added_by_mistake_leaves_no_password_and_nothing_of_it_is_shown(house: House) -> None:
    proposals = house.begins()
    for asked in (CAMERA, DOOR):
        assert await proposals.propose(asked, by="ines", now=NOW) == ()
    ids = [view.proposal.id for view in await proposals.read_views()]
    assert await proposals.accept(ids, by="anna", now=NOW) == ()
    proposals = house.begins()
    records.store_measurements(
        house.folder, {id_: Measurement(at=NOW.utc, asked=1, seconds=()) for id_ in ("porch", "x")}
    )
    assert await proposals.check_removal("porch") == ()
    assert await proposals.remove("porch", by="anna", now=NOW) == ()
    assert house.log[-1] == "device_removed porch anna"
    assert (house.beside, house.reread) == ([], 2)
    text = house.file.read_text(encoding="utf-8")
    assert "porch" not in text
    assert "# somebody's own words" in text
    assert set(load_home_file(house.file).devices) == {"back-door"}
    assert proposals.removed == {"porch"}
    assert set(records.read_measurements(house.folder)) == {"x"}
    again = house.begins()
    assert [view.proposal.name for view in await again.read_views()] == ["back-door"]
    assert again.removed == frozenset()


async def test_a_log_that_takes_nothing_keeps_the_device(house: House) -> None:
    text = await house.accepted(DOOR)
    proposals = house.begins()
    house.full = True
    with pytest.raises(StoreFailed):
        await proposals.remove("back-door", by="anna", now=NOW)
    assert (house.file.read_text(encoding="utf-8"), proposals.removed) == (text, frozenset())


async def test_its_account_ends_at_the_broker_and_a_later_device_of_its_name_has_another_password(house: House) -> None:
    folder = house.file.parent / "accounts"
    broker = "broker: {password_file: accounts/gateway.password}\nbox"
    house.file.write_text(house.file.read_text(encoding="utf-8").replace("box", broker, 1), encoding="utf-8")
    provisioning.write_house(folder, load_home_file(house.file), host="127.0.0.1", port=1883)
    await house.accepted(DOOR)
    former = (folder / "back-door.password").read_text()
    assert "back-door:" in (folder / "passwords").read_text()
    records.store_marked_accounts(house.folder, records.AccountMark.SHOWN, frozenset({"back-door", "zigbee2mqtt"}))
    assert await house.begins().remove("back-door", by="anna", now=NOW) == ()
    assert not (folder / "back-door.password").exists()
    for name in ("passwords", "access"):
        assert "back-door" not in (folder / name).read_text()
        assert "gateway" in (folder / name).read_text()
    assert records.read_marked_accounts(house.folder, records.AccountMark.SHOWN) == {"zigbee2mqtt"}
    await house.accepted(DOOR)
    assert (folder / "back-door.password").read_text() != former


async def test_an_account_that_cannot_be_ended_keeps_no_password_of_the_camera(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.installation.proposal_workflow.withdraw_accounts", fails)
    await house.accepted(CAMERA)
    assert await house.begins().remove("porch", by="anna", now=NOW) == ()
    assert house.beside == []
