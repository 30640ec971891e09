"""What an examination says: every sentence in both languages, and one for whatever can be found."""

import re
from pathlib import Path

import pytest

from devices.reports import (
    AlarmPanelReport,
    AlarmPanelState,
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    DoorReport,
    DoorState,
    FridgeReport,
    GarageDoorReport,
    GarageDoorState,
    LockReport,
    LockState,
    PresenceReport,
    PresenceState,
    Report,
    StreamReport,
)
from gateway.installation.diagnostics.finding import Sentence
from gateway.installation.diagnostics.texts import FINDING_TEXTS, report_text, sentence_text
from gateway.system.i18n import Language
from gateway.video.ipc import OpenFailure, StreamFault

MODULES = Path(__file__).parents[4] / "gateway" / "installation" / "diagnostics"


def test_a_sentence_names_the_same_number_of_commands_in_each_language() -> None:
    for key, text in FINDING_TEXTS.items():
        french, english = (text.template(language).count("`") for language in ("fr", "en"))
        assert french == english, key
        assert english % 2 == 0, key


def test_each_sentence_that_is_said_is_there_and_none_is_left_over() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in MODULES.glob("*.py") if "texts" not in path.name)
    source += (MODULES / "texts.py").read_text(encoding="utf-8").partition("def sentence_text")[2]
    named = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)+|late)"', source)) & set(FINDING_TEXTS)
    families = (
        "trouble.",
        "hub.broker.",
        "unopened.",
        "fault.",
        "report.",
        "weak.",
        "batteries.of.",
        "store.in_the_way.",
        "store.doubt.",
    )
    assert {key for key in FINDING_TEXTS if not key.startswith(families)} - named == set()
    assert set(re.findall(r'Said\(\s*"([a-z_.]+)"', source)) - set(FINDING_TEXTS) == set()
    assert [why for why in OpenFailure if not {f"unopened.{why}", f"unopened.{why}.todo"} <= set(FINDING_TEXTS)] == []
    assert [fault for fault in StreamFault if f"fault.{fault}" not in FINDING_TEXTS] == []
    assert [
        key for key in FINDING_TEXTS if key.startswith("trouble.") and key.removesuffix(".todo") not in FINDING_TEXTS
    ] == []


EVERYTHING: list[Report] = [
    *(LockReport(bolt=bolt, jammed=jammed) for bolt in LockState for jammed in (True, False)),
    *(DoorReport(door=door) for door in DoorState),
    *(GarageDoorReport(cover=cover, clear=clear) for cover in GarageDoorState for clear in (None, True, False)),
    *(PresenceReport(presence=presence) for presence in PresenceState),
    *(AlarmPanelReport(panel=panel) for panel in AlarmPanelState),
    *(BatteryReport(level=level) for level in BatteryLevel),
    BatteryReport(percent=4),
    FridgeReport(compartment=""),
    AvailabilityReport(online=False),
    AvailabilityReport(online=True),
]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_whatever_a_device_can_be_has_words(language: Language) -> None:
    for report in EVERYTHING:
        assert report_text(report, language).strip()
        assert "{" not in report_text(report, language)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_where_a_camera_says_its_pictures_are_never_tells_its_account(language: Language) -> None:
    said = report_text(StreamReport(uri="rtsp://perron:hunter2@10.0.0.9/stream"), language)
    assert "10.0.0.9" in said
    assert "hunter2" not in said


def test_a_path_is_written_as_the_reader_may_type_it() -> None:
    said = Sentence("trouble.account.todo", {"folder": Path("/etc/perron/accounts")})
    assert "`perron broker-config /etc/perron/accounts`" in sentence_text(said, "fr")
    assert "`perron broker-config accounts`" in sentence_text(said, "en", show=lambda path: path.name)


def test_what_a_sentence_does_not_know_is_a_bug_and_no_empty_place() -> None:
    with pytest.raises(KeyError):
        sentence_text(Sentence("disk.free"), "en")
