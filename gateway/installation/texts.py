"""The texts about devices, entrances and the walk test."""

from collections.abc import Mapping

from gateway.installation.capability import Capability
from gateway.installation.walk import WalkTestStep
from gateway.system.i18n import Language, Text, _

CAPABILITY_TEXTS: Mapping[str, Text] = {
    "bolt.declared": _("A lock of this kind tells where its bolt is; not tried here yet (`perron test {device}`)."),
    "bolt.measured": _("Asked, it told where its bolt is."),
    "bolt.missing": _(
        "It answers, but not where its bolt is: nobody can know that the door is locked. No unattended visit."
    ),
    "guarded.declared": _("Guarded: it refuses a late or repeated command by itself."),
    "guarded.missing": _(
        "Basic: it cannot refuse a late or repeated command; Perron waits {life} s longer before it says “locked”."
    ),
    "auto_lock.declared": _("It locks by itself, also when the box is dead."),
    "auto_lock.missing": _(
        "It does not lock by itself: should the box die during a visit, the door stays unlocked until somebody locks "
        "it."
    ),
    "auto_lock.unknown": _(
        "Nobody has said whether it locks by itself: write `auto_lock: true` or `false` under {device}."
    ),
    "door.declared": _("A sensor that can be asked; not tried here yet (`perron test {device}`)."),
    "door.measured": _("Asked, it told where the door is."),
    "door.basic": _(
        "It speaks by itself, at least every {heartbeat} s, and cannot be asked: not for an entrance to the living "
        "space."
    ),
    "door.untold": _("It answers, but not where the door is. No unattended visit."),
    "door.independent": _("{door} sees the door and does not depend on the lock {lock}."),
    "door.dependent": _(
        "{door} is the lock {lock}'s own sensor: a lock that is wrong about its bolt may be wrong about the door. Put "
        "up an independent one; until then no unattended visit."
    ),
    "door.unasked": _(
        "{door} cannot be asked: that will not do for an entrance to the living space. No unattended visit. No Zigbee "
        "contact that we know of will do: those that answer run on a battery and sleep. Put up a wired sensor "
        "(ESPHome), or take another entrance."
    ),
    "way_out.declared": _("Declared: from inside the door opens by hand, without key or power."),
    "way_out.measured": _("Tried here: from inside the door opens by hand, without key or power."),
    "way_out.missing": _(
        "From inside the door does not open by hand: somebody could be locked in. No unattended visit."
    ),
    "picture.declared": _("Its burnt-in clock is known: a picture that stands still is noticed."),
    "picture.missing": _(
        "Without a known burnt-in clock (`clock_region`) a frozen picture cannot be told from an empty hall."
    ),
    "latency.declared": _("Declared to answer within {declared} s; not measured yet (`perron test {device}`)."),
    "latency.measured": _("Answers within {median} s (median), {longest} s at most."),
    "latency.within": _("Answers within {median} s (median), {longest} s at most; declared: {declared} s."),
    "latency.longer": _(
        "It took {longest} s (median {median} s), longer than the {declared} s declared: write `latency: {fit}` under "
        "{device}."
    ),
    "latency.silent": _("It did not answer {silent} of {asked} times."),
    "walk.never": _("The walk test was not made yet: `perron walk-test {entrance}`."),
    "walk.under_way": _("The walk test is under way: `perron walk-test {entrance}` goes on."),
    "walk.stale": _("The walk test was passed with other devices: make it anew (`perron walk-test {entrance}`)."),
    "walk.passed": _("The walk test is passed: the known faults were tried here."),
    "walk.failed": _("The walk test is not passed: no unattended visit before it is (`perron walk-test {entrance}`)."),
    "walk.blocked": _(
        "A camera sees a neighbour's door or the street: no unattended visit before it is turned and the test made "
        "anew (`perron walk-test {entrance}`)."
    ),
}


def sentence_text(
    key: str, language: Language, facts: Mapping[str, str], table: Mapping[str, Text] = CAPABILITY_TEXTS
) -> str:
    """Return the text of a key in a language.

    Raises:
        KeyError: the key is unknown, or a fact is missing.
    """
    return table[key].to(language, **facts)


def capability_text(promise: Capability, language: Language) -> str:
    """Return the text of a capability."""
    return sentence_text(promise.text_key, language, promise.facts)


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

GOAL_TEXTS: Mapping[str, Text] = {
    "closed": _("waits for: door closed"),
    "open": _("waits for: door open"),
    "locked": _("waits for: door closed and bolt out, proven"),
    "bolt_out": _("waits for: bolt out"),
    "free": _("waits for: bolt in"),
    "not_proven": _("waits for: “locking not proven”"),
    "answered": _("waits for: the answer button"),
    "live": _("waits for: live picture"),
    "not_live": _("waits for: picture lost"),
    "broker_gone": _("waits for: broker lost"),
    "broker_back": _("waits for: broker back, lock and door heard"),
    "wrong": _("waits for: code refused and counted"),
    "rang": _("waits for: the bell has confirmed"),
    "delivered": _("waits for: delivered, door locked again"),
}

RESULT_TEXTS: Mapping[str, Text] = {
    "passed": _("passed"),
    "failed": _("not passed"),
    "not_here": _("not tried here"),
    "blocked": _("blocks: a neighbour or the street is in the picture"),
    "open": _("to do"),
}

REPORT_TEXTS: Mapping[str, Text] = {
    "title": _("Walk test"),
    "made": _("Begun on {begun} by {by}. Box {box}, key {key}."),
    "trials": _("What was tried"),
    "devices": _("What each device can promise"),
    "pictures": _("What the cameras see"),
    "signature": _("Date and signature of the installer"),
    "verified": _("The box has signed this report: `perron walk-test --verify` checks it."),
}


def trial_text(table: Mapping[str, Text], step: WalkTestStep, language: Language) -> str:
    """Return the title, instruction or question of a trial; empty if it has none."""
    return sentence_text(step.trial, language, {"camera": step.camera or ""}, table) if step.trial in table else ""


def goal_text(step: WalkTestStep, language: Language) -> str:
    """Return the goal that an open trial waits for; empty if it waits for none."""
    goals = step.procedure.goals
    return (
        sentence_text(goals[step.shown], language, {}, GOAL_TEXTS)
        if step.ending is None and step.shown < len(goals)
        else ""
    )


def result_text(step: WalkTestStep, language: Language) -> str:
    """Return the text of a trial's result."""
    return sentence_text(step.ending or "open", language, {}, RESULT_TEXTS)
