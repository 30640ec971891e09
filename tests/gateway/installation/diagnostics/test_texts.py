"""What an examination says: every sentence in both languages, and one for whatever can be found."""

from itertools import chain
from pathlib import Path

import pytest

from devices.reports import (
    AlarmPanelReport,
    AlarmPanelState,
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    ContentReport,
    DoorReport,
    DoorState,
    FridgeReport,
    GarageDoorReport,
    GarageDoorState,
    KeyReport,
    LockReport,
    LockState,
    ParkedReport,
    PositionReport,
    PresenceReport,
    PresenceState,
    Report,
    StreamReport,
)
from gateway.evidence.rollback import StoreDoubt
from gateway.installation.diagnostics.devices import report_text
from gateway.installation.diagnostics.finding import joined, sentence_text
from gateway.installation.diagnostics.stream import FAULT_TEXTS
from gateway.mqtt.mosquitto.folder_check import FOLDER_TEXTS
from gateway.runtime.notifications.texts import STORE_DOUBT_TEXTS
from gateway.system.i18n import Language, _
from gateway.video.ipc import OpenFailure, StreamFault
from gateway.video.open_errors import OPEN_FAILURE_TEXTS
from tests.gateway.installation.diagnostics.messages import every_message


def test_a_message_names_the_same_number_of_commands_in_each_language() -> None:
    pairs = chain.from_iterable((*FOLDER_TEXTS.values(), *OPEN_FAILURE_TEXTS.values()))
    messages = [*every_message(), *pairs]
    assert len(messages) > 250
    for text in messages:
        french, english = (text.template(language).count("`") for language in ("fr", "en"))
        assert french == english, text
        assert english % 2 == 0, text


def test_each_failure_has_its_text() -> None:
    assert set(OPEN_FAILURE_TEXTS) == set(OpenFailure)
    assert set(FAULT_TEXTS) == set(StreamFault)
    assert set(STORE_DOUBT_TEXTS) == set(StoreDoubt)


EVERYTHING: list[Report] = [
    *(LockReport(bolt=bolt, jammed=jammed) for bolt in LockState for jammed in (True, False)),
    *(DoorReport(door=door) for door in DoorState),
    *(GarageDoorReport(cover=cover, clear=clear) for cover in GarageDoorState for clear in (None, True, False)),
    *(ContentReport(occupied=occupied) for occupied in (True, False, None)),
    *(KeyReport(present=present) for present in (True, False, None)),
    *(ParkedReport(parked=parked) for parked in (True, False, None)),
    PositionReport(),
    PositionReport(latitude=48.85, longitude=2.35, accuracy_m=15, age_s=12),
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
        told = report_text(report).to(language)
        assert told.strip()
        assert "{" not in told


@pytest.mark.parametrize("language", ["fr", "en"])
def test_where_a_camera_says_its_pictures_are_never_tells_its_account(language: Language) -> None:
    said = report_text(StreamReport(uri="rtsp://perron:hunter2@10.0.0.9/stream")).to(language)
    assert "10.0.0.9" in said
    assert "hunter2" not in said


def test_a_path_is_written_as_the_reader_may_type_it() -> None:
    command = _("As root: `perron broker-config {folder} --check`", folder=Path("/etc/perron/accounts"))
    said = joined((command, command))
    assert sentence_text(said, "fr").count("`perron broker-config /etc/perron/accounts --check`") == 2
    shown = sentence_text(said, "en", show=lambda path: path.name)
    assert shown.count("`perron broker-config accounts --check`") == 2


def test_what_a_sentence_does_not_know_is_a_bug_and_no_empty_place() -> None:
    with pytest.raises(KeyError):
        sentence_text(_("{free} MiB free at {folder}, {needed} needed"), "en")
