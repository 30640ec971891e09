"""The pages' texts: complete in both languages, none missing, none that nobody uses."""

import re
import string
from pathlib import Path

import pytest

from gateway.domain.delivery.permission import Standing
from gateway.domain.pause import No
from gateway.domain.visit.state import LockRequestResult, Outcome, Phase
from gateway.installation import survey
from gateway.installation.diagnostics.finding import Verdict
from gateway.installation.survey_jobs import No as SurveyNo
from gateway.installation.survey_jobs import Trouble
from gateway.runtime.maintenance.decommission import Why
from gateway.runtime.notifications import action_links
from gateway.runtime.notifications.apprise import Heard
from gateway.runtime.notifications.contacts import Unfit
from gateway.system.i18n import languages
from gateway.web.auth.accounts import Refused
from gateway.web.auth.roles import Role
from gateway.web.server.courier_view import LABELS, Turn
from gateway.web.server.fragments import Door
from gateway.web.texts.catalogue import WORDS, say

WEB = Path(__file__).parents[4] / "gateway" / "web"
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for kind in ("*.py", "*.html", "*.js")
    for path in WEB.rglob(kind)
    if path.parent.name != "texts"
}
# keys that are put together: by a phase, an outcome, a door, a standing, a day, an event of the log
FAMILIES = ("phase.", "outcome.", "door.", "brand.", "day.", "story.", "nav.", "error.", "turn.", "courier.help.",
            "trust.", "refused.", "role.", "link.", "label.kind.", "label.said.", "lock.", "pause.no.", "did.",
            "unfit.", "phone.heard.", "way.", "house.file.", "examine.", "survey.no.", "survey.trouble.",
            "survey.ended.", "add.no.", "add.note.", "add.field.", "add.kind.", "add.stands.",
            "add.answer.", "install.what.", "away.do.", "away.way.", "away.heard.", "away.gone.",
            "away.no.", "hub.no.")  # fmt: skip


def used() -> set[str]:
    quoted = re.compile(r"""["']([a-z_]+(?:\.[A-Za-z0-9_]+)+|[a-z_]+)["']""")
    return {key for text in SOURCES.values() for key in quoted.findall(text) if key in WORDS}


def test_each_text_is_there_in_both_languages_and_names_the_same_facts() -> None:
    for key, texts in WORDS.items():
        assert set(texts) == set(languages()), key
        facts = {
            language: {name for _, name, _, _ in string.Formatter().parse(text) if name}
            for language, text in texts.items()
        }
        assert facts["fr"] == facts["en"], key
        assert all(text.strip() for text in texts.values()), key


def test_no_text_is_left_over() -> None:
    lone = {key for key in WORDS if not key.startswith(FAMILIES)} - used()
    assert lone == set()


def test_each_text_that_a_template_asks_for_is_there() -> None:
    asked = re.compile(r"""\bt\(\s*["']([^"'~]+)["']\s*[,)]""")
    for path, text in SOURCES.items():
        for key in asked.findall(text):
            assert key in WORDS, f"{path.name}: {key}"


def test_whatever_a_door_a_visit_or_its_outcome_can_be_has_words() -> None:
    needed = [
        *(f"phase.{phase}" for phase in (*Phase, "ready")),
        *(f"outcome.{outcome}" for outcome in Outcome),
        *(f"lock.{result}" for result in LockRequestResult),
        *(f"pause.no.{no}" for no in No),
        *(f"door.{door}{why}" for door in Door for why in ("", ".why")),
        *(f"turn.{turn}{how}" for turn in Turn for how in ("", ".how")),
        *(f"refused.{why}" for why in Refused),
        *(f"link.{why}" for why in action_links.Refused),
        *(f"label.kind.{kind}" for kind in LABELS),
        *(f"way.{why}" for why in Why),
        *(f"role.{role}" for role in Role if role is not Role.COURIER),
        *(f"unfit.{why}" for why in Unfit),
        *(f"phone.heard.{heard}" for heard in Heard),
        *(f"link.brand.{standing}" for standing in Standing),
        *(f"survey.no.{no}" for no in SurveyNo),
        *(f"survey.trouble.{trouble}" for trouble in Trouble),
        *(f"survey.ended.{why}" for why in survey.Why),
        *(f"examine.{verdict}" for verdict in Verdict),
    ]
    assert [key for key in needed if key not in WORDS] == []


def test_a_fact_that_is_not_given_is_a_bug_and_not_an_empty_place() -> None:
    with pytest.raises(KeyError):
        say("age.ago", "fr")
    assert say("age.ago", "fr", age="3 s") == "il y a 3 s"


def test_whatever_the_reader_of_labels_says_has_words_and_a_picture() -> None:
    said = set(re.findall(r"""(?:say\(|end\(mine, )"([a-z]+)"\)""", SOURCES[WEB / "static" / "label.js"]))
    shown = set(re.findall(r"""call said\("([a-z]+)\"""", SOURCES[WEB / "templates" / "label.html"]))
    assert said == shown == {key.removeprefix("label.said.") for key in WORDS if key.startswith("label.said.")}
