"""The wheel of the release before version 2 (628f8b08): how a box and a hub of it take today's messages."""

import json
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.protocol.brand_messages import FactsQuery, sign_facts_query
from gateway.protocol.delivery_message import sign_delivery
from tests.gateway.domain.delivery.shop import make_cancel, make_claims, make_offer, make_update
from tests.gateway.protocol.golden import AT, FILE, SECONDS
from tests.gateway.protocol.golden_versions import BRAND_KEY, VERSIONS_FILE
from tests.gateway.protocol.released.box import COMMIT, ROOT, ask, unpack

V1: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
V2: dict[str, str] = json.loads(VERSIONS_FILE.read_text(encoding="utf-8"))
Asking = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    """A box of that release."""
    folder: Path = tmp_path_factory.mktemp("released")
    unpack(folder)
    house = json.loads((folder / "house.json").read_text(encoding="utf-8"))

    def asking(**said: list[str]) -> dict[str, Any]:
        return ask(folder, house, **said)

    return asking


def signed(said: Any, **changes: Any) -> str:  # noqa: ANN401 - an order, any claim
    """As today's tools sign it, at the time of the golden tokens."""
    times: dict[str, Any] = {"iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 3600}
    return sign_delivery(make_claims(said, **times, **changes), BRAND_KEY, kid="shop-1").decode()


def words(results: list[dict[str, Any]]) -> list[tuple[bool, str | None, str | None]]:
    return [(one["accepted"], one.get("code"), one.get("state")) for one in results]


def test_its_files_are_those_of_the_commit(tmp_path: Path) -> None:
    """Where this clone has the commit: a shallow one has not."""
    unpack(tmp_path)
    kept = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "house.json"]
    assert {"jws.py", "offers.py", "0012.sql"} <= {file.name for file in kept}
    if subprocess.run(["git", "-C", ROOT, "cat-file", "-e", COMMIT], check=False, capture_output=True).returncode:  # noqa: S607 - git is where it is
        return
    for file in kept:
        name = f"{COMMIT}:{file.relative_to(tmp_path)}"
        shown = subprocess.run(["git", "-C", ROOT, "show", name], capture_output=True, check=True)  # noqa: S607 - as above
        assert shown.stdout == file.read_bytes(), name


def test_it_answers_version_2_clearly_and_keeps_nothing_of_it(older: Asking) -> None:
    tokens = [V1["offer"], V2["offer_v2"], V2["update_v2"], V2["cancel_v2"], V1["offer"]]
    first, *refused, again = older(tokens=tokens)["results"]
    assert (first["accepted"], first["state"]) == (True, "window_open")
    for token, result in zip(tokens[1:], refused, strict=False):
        assert (result["accepted"], result["code"]) == (False, "wrong_type")
        assert result["why"] == "typ is perron-delivery+jwt"
        assert result["token_sha256"] == sha256(token.encode()).hexdigest()
        assert "delivery" not in result, "nothing of it was read"
    assert again == first


def test_what_the_hub_signs_in_version_2_it_refuses_as_clearly(older: Asking) -> None:
    (result,) = older(hub_tokens=[V2["hub_signed_v2"]])["results"]
    assert (result["accepted"], result["code"]) == (False, "wrong_type")


def test_it_answers_a_brand_s_question_for_its_facts_clearly(older: Asking) -> None:
    times: dict[str, Any] = {"iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 3600}
    asked = FactsQuery(iss="shop", aud="box-1", jti="a-question-00001", **times)
    token = sign_facts_query(asked, BRAND_KEY, kid="shop-1")
    (result,) = older(tokens=[token.decode()])["results"]
    assert (result["accepted"], result["code"]) == (False, "wrong_type")
    assert result["token_sha256"] == sha256(token).hexdigest(), "by it the hub knows which message was refused"


def test_it_takes_what_today_s_tools_sign_in_version_1(older: Asking) -> None:
    window = {"start": AT, "end": AT.replace(hour=14)}
    tokens = [signed(make_offer(window=window)), signed(make_update(window=window)), signed(make_cancel(version=3))]
    assert words(older(tokens=tokens)["results"]) == [
        (True, None, "window_open"), (True, None, "window_open"), (True, None, "cancelled"),
    ]  # fmt: skip


def test_a_hub_of_it_reads_what_today_s_box_says_of_version_1(older: Asking) -> None:
    first, statement = older(events=[V2["event_v1"], V2["box_statement"]])["events"]
    assert first["result"]["state"] == "scheduled"
    assert statement == "wrong_header", "no event: it is dropped, and the chain does not notice"


def test_a_hub_of_that_release_refuses_events_in_format_2(older: Asking) -> None:
    """So a box sends it only to a hub that has published that it reads it."""
    assert older(events=[V2["event_moved"], V2["event_answer"]])["events"] == ["wrong_claims"] * 2
