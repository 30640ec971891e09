"""The demo page's texts: none missing, none that nobody uses."""

import re
from pathlib import Path

from devices.commands import Sound
from gateway.demo.page import script
from gateway.demo.page.site import ENGINEERS_GROUPS
from gateway.demo.page.snapshot import CHECK_NAMES
from gateway.demo.page.words import SHARED_KEY_PREFIXES, page_texts
from gateway.demo.scenarios import SCENARIO_GROUPS, SCENARIOS
from gateway.demo.scenarios.titles import FOR_VISITORS, SCENE_TITLES
from gateway.domain.custody import CustodyStage
from gateway.system.i18n import template_functions

PAGE = Path(script.__file__).parent
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for kind in ("*.py", "*.html", "*.js")
    for path in PAGE.rglob(kind)
    if path.name != "texts.html"
}
# keys that are put together: by a check, a device, a camera, a light, what the house is
FAMILIES = ("check.", "health.", "camera.", "light.", "house.", "custody.")


def test_no_text_is_left_over_and_none_that_is_asked_for_is_missing() -> None:
    quoted = re.compile(r"""["'`]([a-z_]+(?:\.[A-Za-z0-9_]+)+|[a-z_]+)["'`]""")
    used = {key for text in SOURCES.values() for key in quoted.findall(text)}
    own = {key for key in page_texts("en") if not key.startswith(SHARED_KEY_PREFIXES)}
    assert {key for key in own if not key.startswith(FAMILIES)} - used == set()
    asked = re.compile(r"""\b(?:t|say)\(\s*["']([^"'~]+)["']\s*[,)]""")
    for path, text in SOURCES.items():
        for key in asked.findall(text):
            assert key in page_texts("en"), f"{path.name}: {key}"


def test_whatever_is_put_together_has_words() -> None:
    known = page_texts("fr")
    needed = [
        *(f"check.{one}" for one in (*CHECK_NAMES, "yes", "no", "open")),
        "light.off",
        *(f"light.{sound}" for sound in Sound),
        *(f"custody.{stage}" for stage in CustodyStage),
        *(
            f"house.{one}"
            for one in (
                "locked",
                "closed",
                "shut",
                "unlocked",
                "released",
                "open",
                "key_out",
                "forced",
                "dead",
                "openings",
            )
        ),
    ]
    assert [key for key in needed if key not in known] == []


def test_each_scenario_has_a_name_for_people_and_says_what_to_watch_in_french_too() -> None:
    assert SCENE_TITLES.keys() == {scenario.title for scenario in SCENARIOS}
    names = [words.name.to("en") for words in SCENE_TITLES.values()]
    assert len(set(names)) == len(names), "no two scenes have the same name"
    for words in SCENE_TITLES.values():
        assert words.watch.to("fr") != words.watch.to("en")
        assert not re.search(r"_|[a-z]:[a-z]|[a-z]-[a-z]+-", words.name.to("en")), "no name of a test"


def test_visitors_are_offered_eight_scenes_and_each_other_scene_is_for_engineers() -> None:
    assert len(FOR_VISITORS) == 8
    for_engineers = [scenario.title for scenarios in ENGINEERS_GROUPS.values() for scenario in scenarios]
    assert sorted([*FOR_VISITORS, *for_engineers]) == sorted(scenario.title for scenario in SCENARIOS)


def test_the_end_card_has_six_claims() -> None:
    assert sum(chapter.claim is not None for chapter in script.CHAPTERS) == 6


def test_each_scenario_has_its_line_in_french_too_and_one_button() -> None:
    assert [one for ones in SCENARIO_GROUPS.values() for one in ones] == list(SCENARIOS)
    assert all(scenario.summary.to("fr") != scenario.summary.to("en") for scenario in SCENARIOS)


def test_french_signs_stay_with_their_word() -> None:
    in_words = template_functions("fr")["in_words"]
    worded = [*page_texts("fr").values(), *(in_words(scenario.summary) for scenario in SCENARIOS)]
    assert all(not re.search(r" [:;!?»]|« ", text) for text in worded)
