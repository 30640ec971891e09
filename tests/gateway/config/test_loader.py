"""home.yaml: what is wrong, where, and what to do."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from gateway.config.devices import CameraDevice
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.config.schema import schema_of
from gateway.runtime.entrance_configuration import entrance_rules
from gateway.system.config_section import ConfigError

HOME = Path(__file__).parents[3] / "config" / "home.yaml"
TEXT = HOME.read_text(encoding="utf-8")


def changed(tmp_path: Path, old: str, new: str) -> Path:
    assert old in TEXT, old
    file = tmp_path / "home.yaml"
    file.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return file


def line_of(text: str, needle: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if needle in line)


def test_the_house_of_the_demo_is_a_house() -> None:
    home = load_home_file(HOME)
    assert set(home.devices) == {
        "front-lock", "front-door", "doorbell", "hall-camera", "front-scanner", "front-signal", "kitchen-fridge",
    }  # fmt: skip
    assert home.entrances["front"].places.keys() == {"hall", "fridge"}
    assert home.brands["cdiscount"].permission.state == "granted"
    assert sum(brand.permission.state == "pending" for brand in home.brands.values()) == 1


def test_relative_paths_begin_at_the_files_own_folder() -> None:
    home = load_home_file(HOME)
    assert home.storage.folder == HOME.parents[1] / "var"
    assert home.broker.password_file == HOME.parent / "accounts" / "gateway.password"
    assert home.broker.account("owner").password_file == HOME.parent / "accounts" / "owner.password"


FRIDGE = "vendor: smartthings\n    address: kitchen-fridge-1"
ENTITY = "vendor: homeassistant\n    address:"
SIGNAL = "    signal: front-signal"

WRONG = [
    # what is written, where it is seen, what a person reads
    ("guarded: true", "gaurded: true", "gaurded", "Did you mean `guarded`?"),
    ("timezone:", "time_zone:", "time_zone", "Did you mean `timezone`?"),
    ("open_limit: 120", "open_limt: 120", "open_limt", "Did you mean `open_limit`?"),
    ("living_space: true", "entirely_unknown: true", "entirely_unknown", "Known: alarm, cameras, closures"),
    ("kind: lock", "kind: lok", "front-lock:", "`kind: lok` is unknown; it must be one of 'lock', 'cover', 'door'"),
    ("kind: lock", "kind: lok", "front-lock:", "Did you mean `lock`?"),
    ("    kind: door\n", "", "front-door:", "say what this is: `kind: lock`, cover, door, strike, compartment"),
    ("latency: 3 ", "latency: -1 ", "latency: -1", "`latency` is -1: it must be more than 0."),
    ("latency: 3 ", "latency: '3' ", "latency: '3'", "`latency` is '3': input should be a valid number"),
    ("guarded: true", "guarded: yes", "guarded: yes", "`guarded` is 'yes': write true or false"),
    ("vendor: somfy", "vendor: somfi", "vendor: somfi", "Did you mean `somfy`?"),
    ("language: fr", "language: xx", "language: xx", "it can be 'de', 'fr' or 'en'"),
    ("days: [mon", "days: [monday", "days: [monday", "value 1 of `days` is 'monday': it can be 'mon'"),
    ("scanners: [front-scanner]", "scanners: front-scanner", "scanners: front-scanner", "a list, [front-scanner]"),
    ("drift_ppm: 100", "drift_ppm: .inf", "drift_ppm: .inf", "not a plain number"),
    ("name: Cdiscount", 'name: "\\u202etnuocsidC"', "name:", "one line, in one direction"),
    ("name: Cdiscount", 'name: "Cdis\\u200bcount"', "name:", "a character that nobody sees, U+200B"),
    ("host: 127.0.0.1  ", "host: 0.0.0.0  ", "pages:", "names has to say how phones reach the box"),
    ("url: rtsp://127", "url: file:///127", "url: file", "nothing else is opened"),
    ("url: rtsp://127", "url: exec:ffmpeg", "url: exec", "nothing else is opened"),
    ("url: rtsp://127.0.0.1:8554/doorbell", "url: rtsp://127.0.0.1:8554/doorbell\n    ca: c.pem", "doorbell:", "rtsps://"),
    ("alexa\n    address: doorbell-1", "rtsp\n    address: doorbell-1", "doorbell:", "has no MQTT: leave out address"),
    ("    address: doorbell-1\n", "", "doorbell:", "address is missing"),
    ("8554/doorbell", "8554/user={user}&password={password}", "doorbell:", "name the file with them as"),
    ("8554/doorbell", "8554/doorbell\n    fingerprint: AA", "fingerprint:", "SHA-256 over the device's certificate"),
    ("timezone: Europe/Paris", "timezone: Europe/Pari", "timezone:", "knows no time zone 'Europe/Pari'"),
    ("timezone: Europe/Paris", "timezone: ../../etc/passwd", "timezone:", "knows no time zone"),
    ("hours: 08:00-20:00", "hours: 20:00-08:00", "hours:", "the earlier time first"),
    ("hours: 08:00-20:00", "hours: 08:61-20:00", "hours:", "not a span of one day"),
    ("hours: 08:00-20:00", "hours: always", "hours:", "write hours like 08:00-20:00"),
    ("ask_each_time: false", "expires: 31.12.2026", "expires:", "write it like 2027-01-31"),
    ("ask_each_time: false", "expires: '2999-12-31'", "expires:", "from 2000-01-01 to 2199-12-31"),
    ("ask_each_time: false", "expires: '0027-01-31'", "expires:", "from 2000-01-01 to 2199-12-31"),
    ("  front-lock:", "  bridge:", "  bridge:", "a word of Perron's own topics"),
    ("  front-lock:", "  deliveries:", "  deliveries:", "a word of Perron's own topics"),
    ("  front-lock:", "  entrance:", "  entrance:", "a word of Perron's own topics"),
    ("  front-lock:", "  owner:", "  owner:", "topics or accounts"),
    ("  front-scanner:", "  Front+Scanner:", "Front+Scanner", "an id is 1 to 64 of a-z, 0-9 and -"),
    ("  front-scanner:", "  '#':", "'#'", "an id is 1 to 64"),
    ("  front-scanner:", "  ../x:", "../x", "an id is 1 to 64"),
    ("    lock: front-lock", "    lock: front-door", "lock: front-door", "is a door, but a lock is needed"),
    ("    lock: front-lock", "    lock: back-lock", "lock: back-lock", "Devices of kind lock: front-lock."),
    ("fridge: kitchen-fridge", "fridge: cellar", "fridge: cellar", "Devices of kind fridge: kitchen-fridge."),
    ("inside: [hall-camera]", "inside: [doorbell]", "outside: doorbell", "not at both"),
    ("way_out_by_hand: true", "way_out_by_hand: false", "  front:", "nobody may be locked in"),
    ("answers: true", "answers: false", "    door: front-door", "space needs a sensor that answers queries"),
    ("openings: 1 ", "openings: 1\n      openings: 2 ", "openings: 2", "stands here twice"),
    ("port: 1883", "port: &p 1883", "port: &p", "anchors and aliases"),
    ("port: 1883", "port: *p", "port: *p", "anchors and aliases"),
    ("box: perron-demo", "box: !!python/object/apply:os.system [x]", "box: !!", "neither a value, a list nor"),
    ("box: perron-demo", "box: !binary aGk=", "box: !binary", "not a text, number"),
    ("box: perron-demo", "box: [1", "box:", "close it with ]"),
    ("retention_days: 30", "retention_days: 31", "retention_days: 31", "it must be at most 30."),
    ("entrances: [front]", "entrances: [garage]", "entrances: [garage]", "there is no entrance `garage`"),
    ("port: 1883\n", "port: 1883\n  bridges: [perron]\n", "bridges:", "no bridge's"),
    ("port: 1883\n", "port: 1883\n  bridges: [perron/entrance]\n", "bridges:", "no bridge's"),
    ("port: 1883\n", "port: 1883\n  bridges: [$SYS]\n", "bridges:", "no bridge's"),
    ("clock:\n", "homeassistant: {discovery_prefix: perron}\nclock:\n", "prefix:", "every code that is scanned"),
    ("places: [hall, fridge]", "places: [hall, attic]", "places: [hall, attic]", "has a place `attic`"),
    ("kid: la-ferme-2026", "kid: cdiscount-2026", "kid: cdiscount-2026", "names another key already"),
    ("compartment: cooler", "topics: {state: perron/front-lock/state}", "topics: {", "not for a device to take"),
    ("compartment: cooler", "topics: {state: $SYS/x}", "topics: {", "the broker's own"),
    ("compartment: cooler", "topics: {state: $share/x/perron/deliveries/offer}", "topics: {", "the broker's own"),
    ("compartment: cooler", "topics: {state: fridge/+}", "topics: {", "no + or #"),
    ("vendor: scanner", "vendor: scanner\n    keys: {text: a.b}", "front-scanner:", "`text` is not a value of a scan"),
    ("vendor: scanner", "vendor: scanner\n    keys: {event: a.b}", "front-scanner:", "where the code stands"),
    ("vendor: scanner", "vendor: scanner\n    keys: {code: a..b}", "keys:", "names, separated by points"),
    ("vendor: scanner", "vendor: proglove", "front-scanner:", "<gateway's serial>/<scanner's serial>"),
    ("vendor: scanner", "vendor: proglove\n    address: x/g/G1/S1\n    keys: {code: a}", "front-scanner:", "keys are"),
    ("vendor: scanner", "vendor: proglove\n    address: x/+/G1/S1", "address:", "would be its topic"),
    ("vendor: scanner", "vendor: proglove\n    address: perron/gateway/G1/S1", "address:", "would be its topic"),
    ("vendor: scanner", "vendor: proglove\n    address: $share/gateway/G1/S1", "address:", "would be its topic"),
    (FRIDGE, f"{ENTITY} fridge", "kitchen-fridge:", "domains that fit"),
    (FRIDGE, f"{ENTITY} ha/person/x", "kitchen-fridge:", "domains that fit here: sensor"),
    (FRIDGE, f"{ENTITY} ha/+/sensor/x", "address:", "would be its topic"),
    ("compartment: cooler", "unit: F", "kitchen-fridge:", "leave unit out"),
    (SIGNAL, f"{SIGNAL}\n    presence: [front-door]", "presence:", "a presence is needed"),
    (SIGNAL, f"{SIGNAL}\n    alarm: panel", "alarm:", "Devices of kind alarm: none yet"),
    ("compartment: cooler", "topics: {shout: fridge/x}", "topics: {", "`shout` is 'shout'"),
    ("clock_region: [0.0, 0.91, 1.0, 0.09]", "clock_region: [0.5, 0, 1, 1]", "clock_region:", "inside it"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "seen", "told"), WRONG, ids=[f"{new.strip()[:40]}" for _, new, _, _ in WRONG])
def test_what_is_wrong_is_told_with_its_line_and_what_to_do(
    tmp_path: Path, old: str, new: str, seen: str, told: str
) -> None:
    file = changed(tmp_path, old, new)
    with pytest.raises(ConfigError) as caught:
        load_home_file(file)
    text = str(caught.value)
    assert told in text
    lines = [n for n, line in enumerate(file.read_text().splitlines(), 1) if seen in line]
    assert any(f"{file}:{n}:" in text for n in lines), (text, lines)


def test_line_and_column_are_those_of_the_key(tmp_path: Path) -> None:
    file = changed(tmp_path, "guarded: true", "gaurded: true")
    with pytest.raises(ConfigError, match=f":{line_of(file.read_text(), 'gaurded')}:5: "):
        load_home_file(file)


def test_an_unknown_vendor_is_told_which_are_known_and_nothing_that_is_not_near(tmp_path: Path) -> None:
    file = changed(tmp_path, "vendor: somfy", "vendor: yale")
    with pytest.raises(ConfigError) as caught:
        load_home_file(file)
    known = "'somfy', 'alexa', 'nukihub', 'zigbee2mqtt', 'zwave', 'matter' or 'guard'"
    assert str(caught.value).splitlines()[0].endswith(f"no such vendor: 'yale'; known are {known}.")


def test_several_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = changed(tmp_path, "guarded: true", "gaurded: true")
    file.write_text(file.read_text().replace("language: fr", "language: xx"))
    with pytest.raises(ConfigError) as caught:
        load_home_file(file)
    assert [line.split("`")[1] for line in str(caught.value).splitlines()] == ["language", "gaurded"]


def test_what_is_missing_is_told_where_it_should_stand(tmp_path: Path) -> None:
    file = changed(tmp_path, "    lock: front-lock\n", "")
    with pytest.raises(ConfigError, match="`lock` and `door` belong together") as caught:
        load_home_file(file)
    assert f":{line_of(file.read_text(), '  front:')}:3:" in str(caught.value)


def test_two_entrances_never_share_a_door(tmp_path: Path) -> None:
    at = TEXT.index("  front:\n    name:")
    end = TEXT.index("\n# Retailers")
    garage = TEXT[at:end].replace("  front:", "  garage:")
    file = tmp_path / "home.yaml"
    file.write_text(TEXT[:end] + garage + TEXT[end:])
    with pytest.raises(ConfigError) as caught:
        load_home_file(file)
    text = str(caught.value)
    for device in ("front-lock", "front-door", "front-signal", "front-scanner"):
        assert f"`{device}` belongs to the entrance `front` already" in text
    assert "doorbell" not in text  # cameras and fridges may serve several
    assert "kitchen-fridge" not in text


def test_two_devices_never_share_a_topic(tmp_path: Path) -> None:
    file = changed(tmp_path, "compartment: cooler", "topics: {state: x/y}")
    file.write_text(file.read_text().replace("guarded: true", "topics: {state: x/y}"))
    with pytest.raises(ConfigError, match="one topic, one meaning"):
        load_home_file(file)


def test_a_basic_door_will_do_for_a_garage(tmp_path: Path) -> None:
    file = changed(tmp_path, "answers: true", "answers: false")
    file.write_text(file.read_text().replace("living_space: true", "living_space: false"))
    assert entrance_rules(load_home_file(file), "front").basic_sensors == {"door"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a house is written as"),
        ("- a list", "a house is written as"),
        ("x", "a house is written as"),
        ("[" * 10_000, "nested more than"),
        ("{a: " * 100, "nested more than"),
        ("a: &a [x]\nb: [*a, *a]", "anchors and aliases"),
        ("a: " + "9" * 5000, "not a text, number"),
        ("a: 1" + "e" * 400, "is missing"),
        ("#" * 300_000, "larger than"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("a: \x07", "not valid YAML"),
        ("? [a]\n: b", "a key must be a plain word"),
    ],
)
def test_no_text_crashes_the_reader(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "home.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=told):
        load_home_file(file)


def test_a_file_that_is_no_text_or_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_home_file(tmp_path / "nowhere.yaml")
    (tmp_path / "home.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_home_file(tmp_path / "home.yaml")


def test_a_zero_byte_that_no_path_may_have_is_told_with_its_place(tmp_path: Path) -> None:
    file = changed(tmp_path, "folder: ../var", 'folder: "\\0x"')
    with pytest.raises(ConfigError) as caught:
        load_home_file(file)
    line = line_of(TEXT, "folder: ../var")
    assert str(caught.value) == f"{file}:{line}:3: a text has no character \\0."


def test_control_characters_from_the_file_never_reach_the_screen(tmp_path: Path) -> None:
    file = changed(tmp_path, "name: Cdiscount", 'name: "a\\e[31m\\nb"')
    with pytest.raises(ConfigError) as caught:
        load_home_file(file)
    file.write_text(TEXT.replace("guarded: true", '"gu\\e[31marded": true'))
    with pytest.raises(ConfigError) as other:
        load_home_file(file)
    assert "\x1b" not in str(caught.value) + str(other.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_schema_takes_the_house_of_the_demo_and_refuses_an_unknown_key() -> None:
    data = json.loads(json.dumps(YAML(typ="safe").load(TEXT)))
    jsonschema.Draft202012Validator.check_schema(schema_of(Home))
    validator = jsonschema.Draft202012Validator(schema_of(Home))
    assert list(validator.iter_errors(data)) == []
    assert list(validator.iter_errors({**data, "unknown": 1}))


def test_a_product_with_topics_of_its_own_keeps_them(tmp_path: Path) -> None:
    file = changed(tmp_path, "vendor: scanner", "vendor: scanner\n    topics: {event: barcode/front}")
    home: Home = load_home_file(file)
    assert {channel.value: topic for channel, topic in home.devices["front-scanner"].topics.items()} == {
        "event": "barcode/front"
    }


@pytest.mark.parametrize(
    "line",
    ["url: rtsp://admin:n0bodyKnows@127.0.0.1/doorbell", "url: http://admin:n0bodyKnows@127.0.0.1/doorbell",
     "url: [rtsp://admin:n0bodyKnows@127.0.0.1/doorbell]", "url: rtsp://127.0.0.1/user=admin&password=n0bodyKnows&x=1",
     "url: {rtsp://admin:n0bodyKnows@127.0.0.1/doorbell: 1}"],
)  # fmt: skip
def test_a_camera_s_account_in_the_house_file_is_refused_and_never_repeated(tmp_path: Path, line: str) -> None:
    file = tmp_path / "home.yaml"
    text = HOME.read_text(encoding="utf-8")
    file.write_text(text.replace("url: rtsp://127.0.0.1:8554/doorbell", line), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"{file}:\d+:\d+: ") as refused:
        load_home_file(file)
    assert "n0bodyKnows" not in str(refused.value)


def test_a_camera_s_files_begin_at_the_house_file_s_folder(tmp_path: Path) -> None:
    file = tmp_path / "home.yaml"
    text = HOME.read_text(encoding="utf-8")
    more = "url: rtsps://127.0.0.1/doorbell\n    credentials_file: doorbell.login\n    ca: doorbell.pem"
    file.write_text(text.replace("url: rtsp://127.0.0.1:8554/doorbell", more), encoding="utf-8")
    camera = load_home_file(file).devices["doorbell"]
    assert isinstance(camera, CameraDevice)
    assert (camera.credentials_file, camera.ca) == (tmp_path / "doorbell.login", tmp_path / "doorbell.pem")
