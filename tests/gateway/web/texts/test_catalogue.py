"""The pages' texts that are chosen by a key: none missing, none that nobody uses."""

import re
from pathlib import Path

import pytest

from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.result import Outcome
from gateway.domain.pause import PauseRefusal
from gateway.domain.visit.state import LockRequestResult, Phase
from gateway.domain.visit.summary import ClosureState
from gateway.installation.diagnostics.finding import FindingVerdict
from gateway.runtime.notifications.phone import SendResult
from gateway.web.auth.roles import Role
from gateway.web.pages.add_device_form import FORM_FIELDS
from gateway.web.server.courier_view import LABEL_KINDS, PHASE_STEPS, CourierStep
from gateway.web.server.fragments import NAMING_PHASES, CourierPosition, DoorSummary
from gateway.web.texts.catalogue import TEXTS

WEB = Path(__file__).parents[4] / "gateway" / "web"
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for kind in ("*.py", "*.html", "*.js")
    for path in WEB.rglob(kind)
    if path.parent.name != "texts"
}
# keys that are put together: by a phase, an outcome, a door, a standing, a day, an event of the log
FAMILIES = ("phase.", "way.", "outcome.", "door.", "closure.", "brand.", "day.", "error.", "turn.",
            "role.", "invite.", "link.", "label.kind.", "lock.", "pause.no.",
            "phone.heard.", "house.file.", "examine.",
            "add.no.", "add.note.", "add.kind.", "add.stands.", "install.what.",
            "seal.", "away.do.", "away.way.", "away.heard.", "away.gone.", "away.no.")  # fmt: skip


def used() -> set[str]:
    quoted = re.compile(r"""["']([a-z_]+(?:\.[A-Za-z0-9_]+)+|[a-z_]+)["']""")
    return {key for text in SOURCES.values() for key in quoted.findall(text) if key in TEXTS}


def test_no_text_is_left_over() -> None:
    lone = {key for key in TEXTS if not key.startswith(FAMILIES)} - used()
    assert lone == set()


def test_a_template_writes_no_sign_itself_that_french_sets_apart() -> None:
    own_sign = re.compile(r"\}\}\s*[:;?!](\s|<|\")")
    found = [
        f"{path.name}: {line.strip()}"
        for path, text in SOURCES.items()
        if path.suffix == ".html"
        for line in text.splitlines()
        if own_sign.search(line)
    ]
    assert found == []


def test_each_text_that_a_template_asks_for_is_there() -> None:
    asked = re.compile(r"""\bt\(\s*["']([^"'~]+)["']\s*[,)]""")
    for path, text in SOURCES.items():
        for key in asked.findall(text):
            assert key in TEXTS, f"{path.name}: {key}"


def test_whatever_a_door_a_visit_or_its_outcome_can_be_has_words() -> None:
    needed = [
        *(f"phase.{phase}" for phase in (*Phase, "ready")),
        *(f"outcome.{outcome}" for outcome in Outcome),
        *(f"lock.{result}" for result in LockRequestResult),
        *(f"pause.no.{no}" for no in PauseRefusal),
        *(f"door.{door}{why}" for door in DoorSummary for why in ("", ".why", ".each")),
        *(f"closure.{state}" for state in ClosureState),
        *(f"way.{position}" for position in CourierPosition),
        *(f"phase.{phase}.each" for phase in NAMING_PHASES),
        *(f"turn.{turn}{how}" for turn in CourierStep for how in ("", ".how")),
        *(f"label.kind.{kind}" for kind in LABEL_KINDS),
        *(f"role.{role}" for role in Role),
        *(f"phone.heard.{heard}" for heard in SendResult),
        *(f"link.brand.{standing}" for standing in PermissionStatus),
        *(f"examine.{verdict}" for verdict in FindingVerdict),
        *(f"add.kind.{kind}" for kind in FORM_FIELDS),
    ]
    assert [key for key in needed if key not in TEXTS] == []
    assert PHASE_STEPS.keys() == set(Phase)


@pytest.mark.parametrize(
    ("script", "template", "message"),
    [
        ("label.js", "label_reader.html", r"""call message\("([a-z]+)", "[a-z]*", _\(".+"\)\) %}<"""),
        ("scan.js", "scan.html", r"""{{ message\("([a-z]+)", "[a-z]*", _\(".+"\)\) }}"""),
    ],
)
def test_whatever_a_reader_of_labels_says_has_words_and_for_the_courier_a_picture(
    script: str, template: str, message: str
) -> None:
    scripts = SOURCES[WEB / "static" / script] + SOURCES[WEB / "static" / "label_camera.js"]
    said = set(re.findall(r"""(?:say\(|end\(mine, )"([a-z]+)"\)""", scripts))
    assert said == set(re.findall(message, SOURCES[WEB / "templates" / template]))
