"""Every vendor and every golden payload, both ways. Where they come from: ../payloads/README.md."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from devices import commands, reports
from devices.commands import Command
from devices.reports import Report, UnreadablePayload
from devices.vendors import VENDORS
from devices.vendors.words import DeviceRef, Publication, TopicSuffix

PAYLOADS = Path(__file__).parent.parent / "payloads"

Golden = dict[str, Any]


def _goldens(kind: str) -> list[Any]:
    found = []
    for path in sorted(PAYLOADS.glob("*.json")):
        name = path.stem.partition("-")[0]
        file = json.loads(path.read_text(encoding="utf-8"))
        for entry in file[kind]:
            device_ref = DeviceRef(file["address"], file.get("keys", {}), entry.get("kind", ""))
            found.append(pytest.param(name, device_ref, entry, id=f"{path.stem}: {entry['name']}"))
    return found


def _letter(golden: Golden) -> Publication:
    payload = golden["text"] if "text" in golden else json.dumps(golden["payload"])
    return Publication(suffix=TopicSuffix(golden["channel"]), payload=payload.encode())


@functools.cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _report(fields: Golden) -> Report:
    kind = getattr(reports, fields["type"])
    report: Report = _adapter(kind).validate_python(
        {name: fields[name] for name in fields if name not in ("type", "unsayable")}
    )
    return report


def _command(fields: Golden) -> Command:
    kind = getattr(commands, fields["type"])
    command: Command = _adapter(kind).validate_python({name: fields[name] for name in fields if name != "type"})
    return command


@pytest.mark.parametrize(("vendor", "device_ref", "golden"), _goldens("reports"))
def test_what_a_device_sends_means_what_its_maker_says(vendor: str, device_ref: DeviceRef, golden: Golden) -> None:
    letter = _letter(golden)
    expected = tuple(_report(fields) for fields in golden["reports"])
    assert VENDORS[vendor].decode_report(letter.suffix, letter.payload, device_ref) == expected


@pytest.mark.parametrize(("vendor", "device_ref", "golden"), _goldens("reports"))
def test_a_simulated_device_says_it_so_that_it_means_the_same(
    vendor: str, device_ref: DeviceRef, golden: Golden
) -> None:
    for fields in golden["reports"]:
        report = _report(fields)
        if "unsayable" in golden or "unsayable" in fields:
            with pytest.raises(ValueError, match=r"."):
                VENDORS[vendor].encode_report(report, device_ref)
            continue
        letters = VENDORS[vendor].encode_report(report, device_ref)
        heard = tuple(
            found for x in letters for found in VENDORS[vendor].decode_report(x.suffix, x.payload, device_ref)
        )
        assert heard == (report,)


@pytest.mark.parametrize(("vendor", "device_ref", "golden"), _goldens("commands"))
def test_a_command_is_written_in_the_maker_s_words(vendor: str, device_ref: DeviceRef, golden: Golden) -> None:
    if "decode_only" not in golden:
        letter = VENDORS[vendor].encode_command(_command(golden["command"]), device_ref)
        assert letter.suffix == golden["channel"]
        wanted = golden["text"] if "text" in golden else golden["payload"]
        assert (letter.payload.decode() if "text" in golden else json.loads(letter.payload)) == wanted


@pytest.mark.parametrize(("vendor", "device_ref", "golden"), _goldens("commands"))
def test_a_simulated_device_understands_the_maker_s_words(vendor: str, device_ref: DeviceRef, golden: Golden) -> None:
    letter = _letter(golden)
    understood = VENDORS[vendor].decode_command(letter.suffix, letter.payload, device_ref)
    if "encode_only" in golden:
        assert isinstance(understood, UnreadablePayload)
        return
    assert understood == _command(golden["command"])


def test_every_vendor_has_its_payloads_and_no_file_is_left_over() -> None:
    assert {file.stem.partition("-")[0] for file in PAYLOADS.glob("*.json")} == set(VENDORS)
    assert all((PAYLOADS / f"{name}.json").exists() for name in VENDORS)
