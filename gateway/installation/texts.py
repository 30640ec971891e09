"""The texts of the walk test."""

from collections.abc import Mapping

from gateway.installation.walk import WalkTestStep
from gateway.system.i18n import Language, Text, _

TRIAL_TITLES: Mapping[str, Text] = {
    "door_sensor": _("The door sensor"),
    "bolt": _("The bolt"),
    "bolt_in_air": _("The bolt out, the door open"),
    "jam": _("A jammed bolt"),
    "way_out": _("The way out by hand"),
    "key": _("The mechanical key"),
    "answer": _("The answer button"),
    "picture": _("What {camera} sees"),
    "covered": _("{camera} covered"),
    "cut": _("{camera} cut off"),
    "broker": _("The network cut off"),
    "wrong_code": _("A code that nobody promised"),
    "delivery": _("A test delivery"),
}

TRIAL_INSTRUCTIONS: Mapping[str, Text] = {
    "door_sensor": _("Close the door, open it, close it again."),
    "bolt": _("Close the door and press “Lock”. Then try to open it without a key."),
    "bolt_in_air": _("Open the door, turn the bolt out by hand, turn it in again. The box must never say “locked”."),
    "jam": _(
        "Unlock, put a wedge into the strike plate, close the door and press “Lock”. The box must not say “locked”. "
        "Take the wedge out afterwards."
    ),
    "way_out": _("Go in, close, press “Lock”, then open from inside by hand and close again."),
    "key": _("Go out, close, press “Lock”, then open from outside with the key and close again."),
    "answer": _("Press the answer button inside."),
    "picture": _("Look at the picture, with doors open as a visitor would leave them."),
    "covered": _("Cover the lens of {camera} with something black until it is seen, then uncover it."),
    "cut": _("Cut the power or the Wi-Fi of {camera} until it is seen, then restore it."),
    "broker": _("Pull the broker's network cable (or stop the broker) until it is seen, then plug it in again."),
    "wrong_code": _("Hold any barcode before the scanner, a tin's for example."),
    "delivery": _(
        "Press “Lock”, go out, and wait two minutes without touching the door. Hold the codes below before the "
        "scanner, wait for the green light, put a parcel down, leave, close."
    ),
}

TRIAL_QUESTIONS: Mapping[str, Text] = {
    "bolt": _("Did the door stay shut?"),
    "way_out": _("Did it open from inside without key or power?"),
    "key": _("Did it open from outside with the key?"),
    "picture": _("Does it show a neighbour's door, or the street?"),
    "wrong_code": _("Did the light turn red, and did the door stay shut?"),
    "delivery": _("Was the bell heard inside, and is the door locked now?"),
}

RESULT_TEXTS: Mapping[str, Text] = {
    "passed": _("passed"),
    "failed": _("not passed"),
    "not_here": _("not tried here"),
    "blocked": _("blocks: a neighbour or the street is in the picture"),
    "open": _("to do"),
}


def trial_text(table: Mapping[str, Text], step: WalkTestStep, language: Language) -> str:
    """Return the title, instruction or question of a trial; empty if it has none."""
    return table[step.trial].to(language, camera=step.camera or "") if step.trial in table else ""


def goal_text(step: WalkTestStep, language: Language) -> str:
    """Return the goal that an open trial waits for; empty if it waits for none."""
    goals = step.procedure.goals
    return goals[step.shown].value.to(language) if step.ending is None and step.shown < len(goals) else ""


def result_text(step: WalkTestStep, language: Language) -> str:
    """Return the text of a trial's result."""
    return RESULT_TEXTS[step.ending or "open"].to(language)
