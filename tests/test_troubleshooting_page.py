"""docs/reference/troubleshooting.md and its French twin hold each word and sentence with which the program complains.

A sentence stands there as the table of texts has it, its facts in braces: a new sentence needs a new row.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.main import get_command

from devices.reports import OperationError
from gateway.cli.failure import ExitCode
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.mqtt.mosquitto.folder_check import FOLDER_TEXTS
from gateway.runtime.maintenance.startup_checks import UNEXPECTED_FILE_TEXTS
from gateway.runtime.notifications.texts import READINESS_TEXTS, REFUSAL_TEXTS, STORE_DOUBT_TEXTS
from gateway.system.i18n import Language, Text, _, in_language
from gateway.video.open_errors import OPEN_FAILURE_TEXTS
from tests.gateway.cli.terminal import every_command
from tests.gateway.installation.diagnostics.messages import complaints, forbidding

DOCS = Path(__file__).parents[1] / "docs" / "reference"
PAGES: Mapping[Language, str] = {
    "en": (DOCS / "troubleshooting.md").read_text(encoding="utf-8"),
    "fr": (DOCS / "troubleshooting.fr.md").read_text(encoding="utf-8"),
}
CODE = re.compile(r"`([^`]+)`")

# Only facts, of people, or good.
NO_ROW = {
    "{text}",
    "their authority is {fingerprint}, good until {until}",
    "what it says of people is not shown here",
    "in doubt: {why}",
}


def written(text: Text, language: Language) -> str:
    """A text as its row has it: with the names of those facts that differ each time."""
    row = text.template(language)
    for name, fact in text.facts:
        row = row.replace(f"{{{name}}}", in_language(fact, language))
    return row


def examination() -> Iterator[Text]:
    yield from (text for text in (*complaints(), *forbidding()) if text.message not in NO_ROW)
    yield from (fault for fault, _todo in FOLDER_TEXTS.values())
    yield from UNEXPECTED_FILE_TEXTS
    yield from (reason for reason, _todo in OPEN_FAILURE_TEXTS.values())
    yield from (_("in doubt: {why}", why=text) for text in STORE_DOUBT_TEXTS.values())


def codes(page: str) -> set[str]:
    return set(CODE.findall(page))


@pytest.mark.parametrize("language", PAGES)
def test_each_sentence_of_the_examination_has_a_row(language: Language) -> None:
    page = PAGES[language]
    texts = [written(text, language) for text in examination()]
    assert len(texts) > 120
    assert [text for text in texts if f"`{text}`" not in page] == []


@pytest.mark.parametrize("language", PAGES)
@pytest.mark.parametrize(
    "words", [Refusal, AlarmCode, Notification, OperationError], ids=lambda kind: str(kind.__name__)
)
def test_each_refusal_alarm_message_and_failure_of_a_lock_has_a_row(
    language: Language, words: type[Refusal | AlarmCode | Notification | OperationError]
) -> None:
    assert [word.value for word in words if word.value not in codes(PAGES[language])] == []


@pytest.mark.parametrize("language", PAGES)
def test_each_word_of_not_ready_and_each_refusal_stands_with_what_the_owner_reads(language: Language) -> None:
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGES[language].splitlines()]
    shown = {(row[0].strip("`"), row[1]) for row in rows if len(row) == 3}
    assert {
        (word, text.to(language)) for word, text in [*READINESS_TEXTS.items(), *REFUSAL_TEXTS.items()]
    } - shown == set()


def test_each_exit_code_of_a_command_is_explained() -> None:
    for code in ExitCode:
        assert re.search(rf"^\| {code.value} \| `{code.name}` \| ", PAGES["en"], re.MULTILINE), code


def test_each_start_refusal_is_explained() -> None:
    words = [text.message.removeprefix("{file} ") for text in UNEXPECTED_FILE_TEXTS]
    beginning = PAGES["en"][PAGES["en"].index("## The gateway does not start") :]
    assert [word for word in words if word.removeprefix("is ") not in beginning] == []
    for said in ("Another gateway runs in", "is damaged", "cannot be used", "WAL mode", "another program's database"):
        assert said in beginning, said


def test_each_command_is_in_a_family_of_errors_and_none_that_is_gone() -> None:
    commands = get_command(every_command()).commands  # type: ignore[attr-defined]  # a group
    known = {name for name, command in commands.items() if not command.hidden}
    table = PAGES["en"][PAGES["en"].index("| family |") : PAGES["en"].index("## perron doctor\n")]
    families = [row.strip("|").split(" | ")[1] for row in table.splitlines()[2:] if row]
    named = {word.split()[0] for cell in families for word in CODE.findall(cell)}
    assert named - {"--home"} == known - {"run", "schema"}


def test_what_forbids_a_visit_is_what_the_program_says_forbids() -> None:
    assert len({*forbidding()}) == 7
