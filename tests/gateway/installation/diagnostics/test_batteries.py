"""The doctor shows every battery that the gateway has heard of, also of devices that sleep while it asks."""

import json
from typing import Any

import pytest

from gateway.config.device_names import BUTTON
from gateway.config.devices import DEVICE_SECTIONS
from gateway.config.home import Home
from gateway.config.topics import entrance_topic
from gateway.installation.diagnostics.devices import battery_findings
from gateway.installation.diagnostics.finding import FindingVerdict, sentence_text
from gateway.system.clock_settings import ClockSection
from tests.gateway.cli.terminal import account_session
from tests.gateway.installation.diagnostics.english import FindingText, findings_of, read_finding
from tests.gateway.installation.diagnostics.test_closures import FENCED


def found(home: Home, body: Any) -> list[FindingText]:  # noqa: ANN401 - whatever may stand there
    stored = {entrance_topic("front", "state"): body if isinstance(body, bytes) else json.dumps(body).encode()}
    return [read_finding(one) for one in battery_findings(home, stored)]


@pytest.mark.parametrize(
    ("levels", "soon", "verdict", "said"),
    [
        ({"lock": "good"}, [], FindingVerdict.GOOD, "Lock, battery good"),
        ({"lock": "low"}, ["lock"], FindingVerdict.DOUBTFUL, "Lock, battery low"),
        ({"lock": "critical"}, ["lock"], FindingVerdict.BAD, "Lock, battery critical"),
        (
            {"door": "critical", "lock": "good"},
            [],
            FindingVerdict.BAD,
            "Door sensor, battery critical, Lock, battery good",
        ),
        ({"button/bell": "critical"}, [], FindingVerdict.DOUBTFUL, "Button (bell), battery critical"),
        ({"fridge/cooler": "good"}, ["fridge/cooler"], FindingVerdict.DOUBTFUL, "Fridge (cooler), running out"),
    ],
)
def test_what_was_heard_last_is_said_and_only_what_keeps_the_door_shut_is_red(
    home: Home, levels: dict[str, str], soon: list[str], verdict: FindingVerdict, said: str
) -> None:
    (finding,) = found(home, {"batteries": levels, "batteries_soon": soon})
    assert (finding.what, finding.verdict, finding.said) == ("batteries, front", verdict, said)
    assert bool(finding.todo) is (verdict is not FindingVerdict.GOOD)


def test_the_battery_of_a_sensor_of_any_closure_is_said_and_a_critical_one_is_red() -> None:
    stored = {entrance_topic("locker", "state"): b'{"batteries": {"box/lid": "critical"}}'}
    (finding,) = [read_finding(one) for one in battery_findings(FENCED, stored)]
    said = "Compartment of a parcel box, Compartment, battery critical"
    assert (finding.verdict, finding.said) == (FindingVerdict.BAD, said)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", {}, {"batteries": []}, {"batteries": {"lock": "full"}},
     {"batteries": {"toaster/a": "low"}}, {"batteries": {"lock": 7}},
     {"batteries": {"lock": []}, "batteries_soon": [[]]}, b"[" * 100_000],
)  # fmt: skip
def test_where_none_was_told_or_nothing_can_be_read_nothing_is_said(home: Home, body: object) -> None:
    assert found(home, body) == []


def test_everything_that_may_tell_a_battery_has_words_in_both_languages(home: Home) -> None:
    kinds = {*DEVICE_SECTIONS, BUTTON}
    whose = {kind if kind in ("lock", "door") else f"{kind}/a": "low" for kind in kinds}
    (finding,) = battery_findings(home, {entrance_topic("front", "state"): json.dumps({"batteries": whose}).encode()})
    for language in ("fr", "en"):
        assert sentence_text(finding.statement, language).count("low" if language == "en" else "faible") == len(kinds)


@pytest.mark.slow
@pytest.mark.usefixtures("broker")
async def test_the_doctor_reads_it_from_the_broker(home: Home) -> None:
    house = home.model_copy(update={"clock": ClockSection(source="host")})
    body = json.dumps({"batteries": {"signal/bell": "low"}, "batteries_soon": ["signal/bell"]}).encode()
    async with account_session(home, "gateway") as gateway:
        gateway.publish(entrance_topic("front", "state"), body, retain=True)
        seen = await findings_of(house)
    assert seen["batteries, front"].verdict is FindingVerdict.DOUBTFUL
    assert seen["batteries, front"].said == "Door light and buzzer (bell), battery low"
