"""What may come into the house file from a page, and what is refused whoever accepts it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.config.editor import (
    ENTRANCE,
    EditRejected,
    build_section,
    check_home,
    parse_value,
    read_home_text,
    with_item,
)
from gateway.config.home import Home
from gateway.installation.proposal_checks import Proposal, cautions, new_accounts, objections

FILE = Path("/house/home.yaml")
HOUSE = """\
# somebody's own words
box: perron-1
name: Home
timezone: Europe/Paris
devices:
  front-lock: {kind: lock, vendor: nukihub, address: nuki/front}   # the old one
  back-lock: {kind: lock, vendor: zigbee2mqtt, address: zigbee2mqtt/back-lock}
  front-door: {kind: door, vendor: esphome}
  doorbell: {kind: camera, vendor: rtsp, url: "rtsp://192.168.1.30/s"}
  hall-camera: {kind: camera, vendor: rtsp, url: "rtsp://192.168.1.31/s"}
  front-signal: {kind: signal, vendor: signal}
  front-scanner: {kind: scanner, vendor: scanner}
  side-door: {kind: door, vendor: esphome}
  cellar-door: {kind: door, vendor: esphome, topics: {state: house/cellar}}
  side-signal: {kind: signal, vendor: signal}
  side-scanner: {kind: scanner, vendor: scanner}
  porch: {kind: camera, vendor: rtsp, url: "rtsp://192.168.1.32/s"}
entrances:
  front:
    name: Front
    way_out_by_hand: true
    lock: front-lock
    door: front-door
    signal: front-signal
    scanners: [front-scanner]
    cameras: {outside: doorbell, inside: [hall-camera]}
    places: {hall: {name: Hall}}
"""
SIDE: Mapping[str, object] = {
    "name": "Side", "way_out_by_hand": True, "lock": "back-lock", "door": "side-door", "signal": "side-signal",
    "scanners": ["side-scanner"], "cameras.outside": "porch", "places.hall.name": "Hall",
}  # fmt: skip


def proposed(kind: str, name: str, fields: Mapping[str, object]) -> Proposal:
    at = datetime(2026, 6, 10, 12, tzinfo=UTC).isoformat()
    document = {"id": "ab" * 8, "kind": kind, "name": name, "fields": fields, "by": "ines", "at": at}
    return Proposal.model_validate(document)


def with_it(one: Proposal, text: str = HOUSE) -> tuple[Home, Home]:
    """The house without, and with it."""
    return check_home(text, FILE), check_home(
        with_item(text, FILE, one.name, build_section(one.kind, one.fields)), FILE
    )


def refused(one: Proposal, *, text: str = HOUSE, permitted: tuple[str, ...] = (), login: str | None = None) -> set[str]:
    old, new = with_it(one, text)
    return {remark.text_key for remark in objections(old, new, one, permitted_entrances=permitted, login_file=login)}


GOOD: list[tuple[str, str, Mapping[str, object]]] = [
    ("lock", "garden-lock", {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/garden-lock"}),
    ("lock", "garden-lock", {"vendor": "nukihub", "address": "nuki/garden"}),
    ("lock", "garden-lock", {"vendor": "somfy", "address": "io://1-2-3/4"}),
    ("door", "garden-door", {"vendor": "esphome"}),
    ("camera", "garden", {"vendor": "rtsp", "url": "rtsp://192.168.1.40/s"}),
    ("signal", "siren", {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/siren", "topics.event": "zigbee2mqtt/b"}),
    ("presence", "anna", {"vendor": "homeassistant", "address": "homeassistant_statestream/person/anna"}),
    (ENTRANCE, "side", SIDE),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "fields"), GOOD, ids=[f"{kind} {name}" for kind, name, _ in GOOD])
def test_what_touches_nothing_that_is_there_may_be_added(kind: str, name: str, fields: Mapping[str, object]) -> None:
    assert refused(proposed(kind, name, fields)) == set()


BAD: list[tuple[str, str, Mapping[str, object], str]] = [
    # another's topics: by the same address, by a name of its own, below it or above it
    ("lock", "twin", {"vendor": "nukihub", "address": "nuki/front"}, "topic"),
    ("door", "twin", {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/back-lock"}, "topic"),
    ("signal", "twin", {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/back-lock/set"}, "topic"),
    ("signal", "s", {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/s",
                     "topics.set": "nuki/front/lock/action"}, "topic"),
    ("signal", "s", {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/s",
                     "topics.set": "zigbee2mqtt/bridge/request/permit_join"}, "topic"),
    # another's under the other name by which a radio knows it, its state told by something else
    ("lock", "twin", {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/0x00158d0001020304",
                      "topics.state": "zigbee2mqtt/mimic"}, "topic"),
    ("lock", "twin", {"vendor": "nukihub", "address": "nuki/twin",
                      "topics.set": "zigbee2mqtt/0x00158d0001020304/set/state"}, "topic"),
    ("door", "d", {"vendor": "esphome", "topics.get": "zigbee2mqtt/0x00158d0001020304/set"}, "topic"),
    ("signal", "s", {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/s",
                     "topics.set": "zigbee2mqtt/all-locks/set"}, "topic"),
    # an account that could say what the front lock says
    ("scanner", "s", {"vendor": "scanner", "topics.bridge": "nuki/front/lock/json"}, "speaks"),
    ("lock", "hub", {"vendor": "nukihub", "address": "nuki"}, "speaks"),
    ("presence", "anna", {"vendor": "homeassistant", "address": "house/person/anna"}, "speaks"),
    # what Home Assistant shows
    ("scanner", "s", {"vendor": "scanner", "topics.event": "homeassistant/lock/front/config"}, "shown"),
    # any file of the box
    ("camera", "c", {"vendor": "rtsp", "url": "rtsp://10.0.0.9/s", "credentials_file": "/etc/shadow"}, "file"),
    ("camera", "c", {"vendor": "rtsp", "url": "rtsps://10.0.0.9/s", "ca": "accounts/gateway.password"}, "file"),
    # an entrance that makes another one weaker, or passes for it
    (ENTRANCE, "side", {**SIDE, "name": "FRONT"}, "same_name"),
    (ENTRANCE, "side", {**SIDE, "name": "\uff26ront "}, "same_name"),  # a wide F, and a space
    (ENTRANCE, "side", {**SIDE, "timing.pre_roll": 3600}, "timing"),
    (ENTRANCE, "side", {**SIDE, "cameras.outside": "hall-camera"}, "inside"),
    (ENTRANCE, "side", {**SIDE, "cameras.inside": ["doorbell"]}, "outside"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "fields", "why"), BAD, ids=[f"{n} {w} {len(f)}" for _, n, f, w in BAD])
def test_what_would_weaken_what_is_there_is_refused(
    kind: str, name: str, fields: Mapping[str, object], why: str
) -> None:
    assert why in refused(proposed(kind, name, fields))


@pytest.mark.parametrize("mark", [" ", "\u2028", "\u0085", "\u2029user gateway"])
def test_a_topic_that_the_broker_or_we_read_as_another_is_none(mark: str) -> None:
    for fields in ({"topics.event": f"nuki/front/lock/json{mark}"},
                   {"topics.state": f"x{mark}", "topics.bridge": "nuki/front/lock/json"}):  # fmt: skip
        with pytest.raises(EditRejected, match="no space at its ends"):
            with_it(proposed("scanner", "s", {"vendor": "scanner", **fields}))
    with pytest.raises(EditRejected, match="correct its address"):
        with_it(proposed("lock", "l", {"vendor": "nukihub", "address": f"nuki/l{mark or ' '}\u2028"}))


def test_the_account_of_home_assistant_gains_no_word_in_what_another_device_says() -> None:
    text = HOUSE.replace("side-scanner: {kind: scanner, vendor: scanner}",
                         "side-scanner: {kind: scanner, vendor: scanner, topics: {event: shop/scan}}")  # fmt: skip
    one = proposed("presence", "anna", {"vendor": "homeassistant", "address": "shop/person/anna"})
    assert refused(one, text=text) == {"speaks"}


SEVERAL = HOUSE.replace("  front-door:", """\
  gate-lock: {kind: lock, vendor: somfy, address: io://1-2/3}
  shed-lock: {kind: lock, vendor: zwave, address: zwave/5}
  counter: {kind: scanner, vendor: proglove, address: acme/gateway/G1/S1}
  front-door:""", 1)  # fmt: skip


def test_two_things_behind_one_gateway_are_two_and_one_thing_under_two_addresses_is_one() -> None:
    zwave = {"vendor": "zwave", "address": "zwave/6"}
    assert refused(proposed("lock", "l", zwave), text=SEVERAL) == set()
    reader = {"vendor": "proglove", "address": "acme/gateway/G1/S2"}
    assert refused(proposed("scanner", "s", reader), text=SEVERAL) == set()
    twins = [
        proposed("lock", "l", {**zwave, "topics.get": "zwave/5/98/0/currentMode"}),
        proposed("lock", "l", {**zwave, "topics.state": "zwave/mimic"}),
    ]
    for twin in twins:
        assert "topic" in refused(twin, text=SEVERAL), twin.fields
    same = [
        proposed("lock", "l", {"vendor": "zwave", "address": "zwave/hall/lock", "keys.node": "05"}),
        proposed("scanner", "s", {**reader, "address": "acme/gateway/G1/S1"}),
        proposed("lock", "l", {"vendor": "somfy", "address": "IO://1-2/3"}),
        proposed("camera", "c", {"vendor": "rtsp", "url": "rtsp://192.168.1.31:554/s/"}),
    ]
    for twin in same:
        assert "there" in refused(twin, text=SEVERAL), twin.fields
    sensor = {"vendor": "somfy", "address": "io://1-2/3"}
    assert refused(proposed("door", "d", sensor), text=SEVERAL) == set(), "a lock's address is no door sensor's"


def test_a_camera_s_account_is_the_file_that_the_box_wrote_and_no_other() -> None:
    one = proposed("camera", "c", {"vendor": "rtsp", "url": "rtsp://10.0.0.9/s", "credentials_file": "cameras/c.login"})
    assert refused(one, login="/house/cameras/c.login") == set()
    assert refused(one, login="/house/cameras/d.login") == {"file"}


def test_an_entrance_by_which_a_brand_was_let_in_before_is_not_put_up_again() -> None:
    assert refused(proposed(ENTRANCE, "side", SIDE), permitted=("front", "side")) == {"permitted"}


@pytest.mark.parametrize("key", ["lock", "door", "signal"])
def test_a_second_entrance_with_a_device_of_the_first_is_no_house(key: str) -> None:
    theirs = {"lock": "front-lock", "door": "front-door", "signal": "front-signal"}
    with pytest.raises(EditRejected, match="belongs to the entrance `front` already"):
        with_it(proposed(ENTRANCE, "side", {**SIDE, key: theirs[key]}))


def test_an_entrance_that_locks_somebody_in_is_no_house() -> None:
    with pytest.raises(EditRejected, match="nobody may be locked in"):
        with_it(proposed(ENTRANCE, "side", {**SIDE, "way_out_by_hand": False}))


def test_what_is_there_already_is_neither_changed_nor_replaced() -> None:
    one = proposed("door", "front-door", {"vendor": "esphome"})
    with pytest.raises(EditRejected) as failure:
        with_it(one)
    assert failure.value.is_id_taken
    old = check_home(HOUSE, FILE)
    assert {remark.text_key for remark in objections(old, old, one, permitted_entrances=(), login_file=None)} == {
        "taken"
    }


def test_an_addition_that_changes_anything_else_is_refused() -> None:
    one = proposed("door", "garden-door", {"vendor": "esphome"})
    old, new = with_it(one)
    other = new.model_copy(update={"devices": {**new.devices, "front-door": new.devices["side-door"].model_copy(
        update={"answers": False})}})  # fmt: skip
    assert {remark.text_key for remark in objections(old, other, one, permitted_entrances=(), login_file=None)} == {
        "else"
    }


def test_the_owner_is_told_which_account_is_missing_and_what_an_entrance_rests_on() -> None:
    old, new = with_it(proposed("door", "garden-door", {"vendor": "esphome"}))
    assert new_accounts(old, new) == ("garden-door",)
    zigbee = with_it(proposed("lock", "l", {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/l"}))
    assert new_accounts(*zigbee) == ()
    weak = proposed(ENTRANCE, "side", {**SIDE, "living_space": False, "courier_proof": False})
    assert [one.text_key for one in cautions(*with_it(weak), weak)] == [
        "which_door",
        "no_living_space",
        "no_courier_proof",
    ]


def test_comments_stay_and_what_is_no_plain_value_is_none() -> None:
    text = with_item(HOUSE, FILE, "garden-door", build_section("door", {"vendor": "esphome"}))
    assert "# somebody's own words" in text
    assert "# the old one" in text
    for value in ("&a [*a]", "!!python/object:os.system x", "{"):
        with pytest.raises(EditRejected):
            parse_value("key", value)


def test_a_name_that_is_yaml_of_its_own_stays_a_name() -> None:
    hostile = "x: 1\n  lock: front-lock # {}[]&*!|>'\"%@`"
    text = with_item(
        HOUSE, FILE, "c", build_section("camera", {"vendor": "rtsp", "url": "rtsp://h/s", "address": hostile})
    )
    with pytest.raises(EditRejected, match="would no longer be a valid house"):
        check_home(text, FILE)
    for name in ("null", "yes", "0x10", "2026-01-01", "~", "- a", "a: b", "#", "'", '"', "*x", "<<"):
        one = proposed(ENTRANCE, "side", {**SIDE, "name": name})
        assert with_it(one)[1].entrances["side"].name == name


def test_a_house_file_that_is_none_or_too_large_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    for text in ("[", "- a\n"):
        with pytest.raises(EditRejected):
            with_item(text, file, "x", build_section("door", {"vendor": "esphome"}))
    file.write_text("#" * 300_000)
    with pytest.raises(EditRejected, match="larger than"):
        read_home_text(file)
