"""The texts of installation: none missing for any trial, goal or ending."""

from gateway.installation.capability import WALK_TEST_CAPABILITIES, WalkTestStatus
from gateway.installation.texts import (
    RESULT_TEXTS,
    TRIAL_INSTRUCTIONS,
    TRIAL_QUESTIONS,
    TRIAL_TITLES,
    goal_text,
    result_text,
    trial_text,
)
from gateway.installation.walk import TRIAL_PROCEDURES, TrialResult, WalkTestStep, WalkTrial


def test_every_trial_goal_ending_and_standing_has_its_words() -> None:
    assert TRIAL_TITLES.keys() == TRIAL_INSTRUCTIONS.keys() == set(WalkTrial)
    assert TRIAL_QUESTIONS.keys() == {trial for trial, rite in TRIAL_PROCEDURES.items() if rite.good_answer is not None}
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
