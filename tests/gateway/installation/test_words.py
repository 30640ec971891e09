"""The texts of installation: none missing for any trial, goal or ending."""

from gateway.installation.capability import Walked
from gateway.installation.walk import RITES, Ending, Goal, Step, Trial
from gateway.installation.words import (
    ENDINGS,
    GOALS,
    PROMISES,
    QUESTIONS,
    TITLES,
    TO_DO,
    ending,
    trial,
    waits_for,
)


def test_every_trial_goal_ending_and_standing_has_its_words() -> None:
    assert TITLES.keys() == TO_DO.keys() == set(Trial)
    assert QUESTIONS.keys() == {trial for trial, rite in RITES.items() if rite.good is not None}
    assert GOALS.keys() == set(Goal)
    assert ENDINGS.keys() == {*Ending, "open"}
    assert {f"walk.{walked}" for walked in Walked} <= PROMISES.keys()


def test_an_open_trial_says_what_it_waits_for_and_one_that_ended_what_came_of_it() -> None:
    step = Step(trial=Trial.CUT, camera="doorbell", shown=1)
    assert trial(TITLES, step, "en") == "doorbell cut off"
    assert waits_for(step, "en") == "waits for: picture lost"
    assert ending(step, "fr") == "à faire"
    ended = step.model_copy(update={"ending": Ending.BLOCKED})
    assert waits_for(ended, "en") == ""
    assert "neighbour" in ending(ended, "en")
