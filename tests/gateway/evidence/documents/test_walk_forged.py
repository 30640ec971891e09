"""A walk test's report that was forged or altered: `perron walk-test --verify` says no for whatever carries meaning."""

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.failure import Failure
from gateway.cli.installing import verify_report
from gateway.config.home import Home
from gateway.installation.capability import WalkTestStatus
from gateway.installation.walk import TrialResult, WalkTest, walk_steps
from gateway.installation.walk_test_report import SignedWalkTest, draw_report, sign_walk, verify_walk
from gateway.protocol.keys import BoxKey
from tests.gateway.domain.delivery.shop import make_home as shop_home
from tests.gateway.evidence.visits import forged_document
from tests.house.door import BOLTED

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEY = BoxKey.generate()
THIEF = BoxKey.generate()


@pytest.fixture(scope="module")
def house() -> Home:
    return shop_home()


@pytest.fixture(scope="module")
def report(house: Home) -> tuple[bytes, bytes]:
    """What the box has signed, and the sheet, of a test that a camera failed."""
    walk = WalkTest(
        entrance="front",
        steps=walk_steps(house.entrances["front"], BOLTED),
        begun=NOW,
        by="Ida",
        before=WalkTestStatus.NEVER,
    )
    ended = tuple(
        step.model_copy(update={"ending": TrialResult.FAILED if step.camera else TrialResult.PASSED})
        for step in walk.steps
    )
    walk = walk.model_copy(update={"steps": ended})
    sheet = draw_report(house, walk, {}, {}, made=NOW, box=KEY.public)
    return sign_walk(house, walk, sheet, KEY), sheet


def test_the_true_one_holds(report: tuple[bytes, bytes]) -> None:
    found = verify_walk(*report, KEY.public)
    assert isinstance(found, SignedWalkTest)
    assert found.by == "Ida"
    assert {ending for _, _, ending, _ in found.trials} == {"passed", "failed"}


def test_no_byte_of_what_was_signed_can_be_another(report: tuple[bytes, bytes]) -> None:
    document, sheet = report
    held = []
    for at, byte in enumerate(document):
        for other in {byte ^ 1, byte ^ 0x20, ord("0") + (byte + 1) % 10, ord("A") + byte % 26} - {byte}:
            altered = document[:at] + bytes([other & 0xFF]) + document[at + 1 :]
            for key in (KEY.public, None):
                found = verify_walk(altered, sheet, key)
                if not isinstance(found, str) and altered.strip() != document.strip():
                    held.append((at, bytes([byte]), bytes([other & 0xFF])))
    assert held == []


def test_no_byte_can_be_left_out_and_none_put_in(report: tuple[bytes, bytes]) -> None:
    document, sheet = report
    for at in range(len(document)):
        assert isinstance(verify_walk(document[:at], sheet, KEY.public), str) or document[at:].strip() == b""
        shorter, longer = document[:at] + document[at + 1 :], document[:at] + b" " + document[at:]
        for altered in (shorter, longer):
            found = verify_walk(altered, sheet, KEY.public)
            assert isinstance(found, str) or altered.strip() == document.strip(), at


def test_no_byte_of_the_sheet_can_be_another(report: tuple[bytes, bytes]) -> None:
    document, sheet = report
    for at in (*range(0, len(sheet), max(1, len(sheet) // 400)), len(sheet) - 1):
        altered = sheet[:at] + bytes([sheet[at] ^ 1]) + sheet[at + 1 :]
        assert verify_walk(document, altered, KEY.public) == "the report is another than the one that was signed", at
    for altered in (b"", sheet[:-1], sheet + b"\n", b"\n" + sheet):
        assert isinstance(verify_walk(document, altered, KEY.public), str)


def _passed(body: dict[str, Any]) -> None:
    body["trials"] = [[trial, camera, "passed", picture] for trial, camera, _, picture in body["trials"]]


def _set(**fields: Any) -> Callable[[dict[str, Any]], None]:  # noqa: ANN401 - any field
    return lambda body: body.update(fields)


FORGERIES: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "every trial passed": _passed,
    "a trial left out": lambda body: body["trials"].pop(),
    "trials in another order": lambda body: body["trials"].reverse(),
    "another picture": lambda body: body["trials"].__setitem__(0, [*body["trials"][0][:3], "0" * 64]),
    "another standing": _set(standing="passed"),
    "another house": _set(box="another"),
    "another entrance": _set(entrance="garage"),
    "another day": _set(begun=(NOW + timedelta(days=30)).isoformat().replace("+00:00", "Z")),
    "another installer": _set(by="Ida B."),
    "another sheet": _set(sheet_sha256="0" * 64),
    "another kind": _set(kind="perron walk test 2"),
    "another key named": _set(key=THIEF.public.text),
    "no signature": _set(signature="A" * 86 + "=="),
    "something beside it": _set(remark="all is well"),
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES.keys())
def test_nothing_that_it_says_can_be_another(
    report: tuple[bytes, bytes], forged: Callable[[dict[str, Any]], None]
) -> None:
    document, sheet = report
    body = json.loads(document)
    forged(body)
    altered = json.dumps(body, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    assert altered.strip() != document.strip()
    for key in (KEY.public, None):
        assert isinstance(verify_walk(altered, sheet, key), str)


def test_whoever_signs_another_one_himself_is_another_box(report: tuple[bytes, bytes]) -> None:
    document, sheet = report
    true = verify_walk(document, sheet, KEY.public)
    assert isinstance(true, SignedWalkTest)
    passed = true.model_copy(update={"standing": "passed", "key": THIEF.public.text})
    his = passed.signed(THIEF).to_json()
    assert verify_walk(his, sheet, KEY.public) == "the signature does not hold"
    as_ours = forged_document(passed.model_copy(update={"key": KEY.public.text}), THIEF).to_json()
    assert verify_walk(as_ours, sheet, KEY.public) == "the signature does not hold"
    assert verify_walk(as_ours, sheet, None) == "the signature does not hold"


def test_a_word_that_stands_twice_is_no_signed_walk(report: tuple[bytes, bytes]) -> None:
    document, sheet = report
    twice = re.sub(rb'"standing":"\w+"', rb'"standing":"passed",\g<0>', document)
    assert twice != document
    assert verify_walk(twice, sheet, KEY.public) == "it is no signed walk test"


@pytest.mark.parametrize("which", ["front.pdf", "front.signed.json", "key.pem"])
def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(
    tmp_path: Path, report: tuple[bytes, bytes], which: str
) -> None:
    document, sheet = report
    files = {"front.pdf": sheet, "front.signed.json": document, "key.pem": KEY.public.pem}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    assert KEY.public.fingerprint in verify_report(tmp_path / "front.pdf", tmp_path / "key.pem")
    (tmp_path / which).unlink()
    os.mkfifo(tmp_path / which)
    with pytest.raises(Failure, match=re.escape(which)):
        verify_report(tmp_path / "front.pdf", tmp_path / "key.pem")
