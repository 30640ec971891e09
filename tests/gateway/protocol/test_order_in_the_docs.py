"""docs/retailer/api.md lists the claims of a signed order that a box reads, and a box accepts its examples."""

import json
import re
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.delivery.promise import Cancel, Claims, Offer, SignedMessage
from gateway.domain.delivery.promise_v2 import CancelV2, ClaimsV2, OfferV2
from gateway.domain.now import Now
from gateway.protocol.delivery_message import sign_delivery, verify_delivery
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.jws import EnrolledKey

ROOT = Path(__file__).parents[3]
SECTION = re.compile(r"^#### What a signed order contains\n(.*?)^An order that was accepted", re.DOTALL | re.MULTILINE)
JSON = re.compile(r"^```json\n(.*?)^```", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)


def section() -> str:
    found = SECTION.search((ROOT / "docs" / "retailer" / "api.md").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def examples() -> list[Any]:
    return [json.loads(block) for block in JSON.findall(section())]


def names_of(table: str) -> set[str]:
    """The names in the first column of the table with this head."""
    rows = section().split(f"| {table} |", 1)[1].split("\n\n", 1)[0]
    return {name for row in ROW.findall(rows) for name in re.findall(r"\w+", row)}


@pytest.mark.parametrize(("n", "model"), [(0, Claims), (1, ClaimsV2)], ids=["version 1", "version 2"])
def test_a_box_reads_the_example_as_the_page_has_it(n: int, model: type[Claims]) -> None:
    header, payload = examples()[2 * n : 2 * n + 2]
    claims = model.model_validate_json(json.dumps(payload))
    key = SigningKey.generate()
    token = sign_delivery(claims, key, kid=header["kid"])
    assert read_part(token, 0) == header
    assert read_part(token, 1).keys() == payload.keys()
    keys = {header["kid"]: EnrolledKey(payload["iss"], key.public)}
    now = Now(utc=datetime.fromtimestamp(payload["iat"], UTC) + timedelta(seconds=1), mono=1.0, trusted=True)
    assert verify_delivery(token, keys, box=payload["aud"], now=now) == claims


def test_every_optional_field_is_in_the_examples() -> None:
    first, second = (examples()[n]["delivery"].keys() for n in (1, 3))
    assert first == set(Offer.model_fields)
    assert second == set(OfferV2.model_fields)


def test_the_page_lists_every_claim_and_every_field() -> None:
    assert names_of("claim | meaning") == {*SignedMessage.model_fields, "delivery"}
    assert names_of("field of `delivery` | meaning") == set(OfferV2.model_fields)


def test_a_cancel_has_the_fields_that_the_page_says() -> None:
    assert set(Cancel.model_fields) == {"do", "id", "version"}
    assert set(CancelV2.model_fields) == {"do", "id", "version", "needs"}


def read_part(token: bytes, n: int) -> Any:  # noqa: ANN401 - JSON
    return json.loads(urlsafe_b64decode(token.split(b".")[n] + b"=="))
