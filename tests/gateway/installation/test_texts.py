"""The texts of installation: none missing for any trial, goal or ending."""

from collections.abc import Mapping

from gateway.config.closure_names import KIND_NAMES
from gateway.domain.visit.closures import BoltedDoor, Compartment, Strike
from gateway.installation.capability import WALK_TEST_CAPABILITIES, WalkTestStatus
from gateway.installation.texts import (
    RESULT_TEXTS,
    TRIAL_INSTRUCTIONS,
    TRIAL_QUESTIONS,
    TRIAL_REMEDIES,
    TRIAL_TITLES,
    goal_text,
    remedy_text,
    result_text,
    trial_text,
    trial_title,
)
from gateway.installation.trials import TRIAL_PROCEDURES, WalkTrial
from gateway.installation.walk import TrialResult, WalkTestStep
from gateway.system.i18n import Text


def test_every_trial_goal_ending_and_standing_has_its_words() -> None:
    asking = {trial for trial, rite in TRIAL_PROCEDURES.items() if rite.good_answer is not None}
    every: tuple[tuple[Mapping[str, Text], set[WalkTrial]], ...] = (
        (TRIAL_TITLES, {*WalkTrial}), (TRIAL_INSTRUCTIONS, {*WalkTrial}), (TRIAL_REMEDIES, {*WalkTrial}),
        (TRIAL_QUESTIONS, asking),
    )  # fmt: skip
    for table, trials in every:
        of_kinds = {key for key in table if "." in key}
        assert table.keys() - of_kinds == trials
        kinds, tried = zip(*(key.split(".") for key in of_kinds), strict=True) if of_kinds else ((), ())
        assert {*kinds} <= {*KIND_NAMES, "way"}
        assert {*tried} <= trials
    assert RESULT_TEXTS.keys() == {*TrialResult, "open"}
    assert WALK_TEST_CAPABILITIES.keys() == set(WalkTestStatus)


def test_an_open_trial_says_what_it_waits_for_and_one_that_ended_what_came_of_it() -> None:
    step = WalkTestStep(trial=WalkTrial.CUT, camera="doorbell", shown=1)
    assert trial_text(TRIAL_TITLES, step, "en") == "doorbell cut off"
    assert goal_text(step, "en") == "waits for: picture lost"
    assert result_text(step, "fr") == "à faire"
    ended = step.model_copy(update={"ending": TrialResult.BLOCKED})
    assert goal_text(ended, "en") == ""
    assert "neighbour" in result_text(ended, "en")


def test_a_trial_of_one_of_several_closures_names_it_and_its_kind() -> None:
    flat = (Strike(id="street"), BoltedDoor(id="door"))
    street = WalkTestStep(trial=WalkTrial.DOOR_SENSOR, closure="street", ending=TrialResult.FAILED)
    assert trial_title(street, "en", flat) == "Street door · The door sensor"
    assert trial_title(street, "fr", flat).startswith("Porte de la rue")
    assert "home.yaml" in remedy_text(street, "en", flat)
    assert remedy_text(street.model_copy(update={"ending": TrialResult.PASSED}), "en", flat) == ""
    boxes = (Compartment(id="c1"), Compartment(id="c2"))
    lid = WalkTestStep(trial=WalkTrial.DOOR_SENSOR, closure="c2")
    assert trial_title(lid, "en", boxes) == "Compartment (c2) · The sensor of the lid"
    assert "the lid" in trial_text(TRIAL_INSTRUCTIONS, lid, "en", boxes)
    only = WalkTestStep(trial=WalkTrial.DOOR_SENSOR)
    assert trial_title(only, "en", (BoltedDoor(id="door"),)) == "The door sensor"
