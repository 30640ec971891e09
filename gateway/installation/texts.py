"""The texts of the walk test.

The key of a text for one kind of closure begins with the kind: `compartment.door_sensor`.
"""

from collections.abc import Mapping, Sequence

from gateway.config.closure_names import closure_name
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.installation.walk import TrialResult, WalkTestStep
from gateway.system.i18n import Language, Text, _

TRIAL_TITLES: Mapping[str, Text] = {
    "door_sensor": _("The door sensor"),
    "compartment.door_sensor": _("The sensor of the lid"),
    "key_safe.door_sensor": _("The sensor of the flap"),
    "bolt": _("The bolt"),
    "bolt_in_air": _("The bolt out, the door open"),
    "jam": _("A jammed bolt"),
    "wedged": _("The door wedged open"),
    "not_caught": _("A lid whose latch does not catch"),
    "content": _("The sensor inside"),
    "key_hook": _("The sensor of the key"),
    "car_boot.door_sensor": _("The boot"),
    "locked": _("The central lock"),
    "ignition": _("Parked, and driven"),
    "place": _("Where it stands"),
    "obstruction": _("Something in the way"),
    "way_out": _("The way out by hand"),
    "key": _("The mechanical key"),
    "answer": _("The answer button"),
    "picture": _("What {camera} sees"),
    "covered": _("{camera} covered"),
    "cut": _("{camera} cut off"),
    "sees": _("The person in the picture of {camera}"),
    "batteries": _("The batteries"),
    "broker": _("The network cut off"),
    "wrong_code": _("A code that nobody promised"),
    "delivery": _("A test delivery"),
    "holds": _("Shut without a key"),
}

TRIAL_INSTRUCTIONS: Mapping[str, Text] = {
    "door_sensor": _("Close the door, open it, close it again."),
    "compartment.door_sensor": _("Push the lid shut, open it with its own key, push it shut again."),
    "key_safe.door_sensor": _("Close the flap, open it with its own code or key, close it again. Leave the key there."),
    "bolt": _("Close the door and press “Lock”. Then try to open it without a key."),
    "bolt_in_air": _("Open the door, turn the bolt out by hand, turn it in again. The box must never say “locked”."),
    "jam": _(
        "Unlock, put a wedge into the strike plate, close the door and press “Lock”. The box must not say “locked”. "
        "Take the wedge out afterwards."
    ),
    "wedged": _(
        "Open the door and put a wedge in, so that it stands open by a finger's breadth. The box must not show "
        "“closed”. Take the wedge out afterwards."
    ),
    "not_caught": _(
        "Open the lid with its own key. Hold the latch back with a strip of tape over it, and push the lid to. The "
        "box must not show “locked”. Take the tape off afterwards and push the lid shut."
    ),
    "content": _(
        "With the compartment empty, push the lid shut. Open it with its own key, put a parcel in, push it shut. Open "
        "it again, take the parcel out, push it shut."
    ),
    "key_hook": _(
        "Open the flap with its own code or key and take the key. Close the flap without the key: the box must not "
        "show “locked”. Then hang the key back and close the flap."
    ),
    "car_boot.door_sensor": _("Push the boot shut, open it with the key, push it shut again."),
    "locked": _("Lock the car with its key, unlock it, lock it again. A modem may take a minute to report each."),
    "ignition": _("Leave the car parked. Switch the ignition on until this page shows it, then switch it off again."),
    "place": _(
        "Leave the car where it must stand until this page shows it. Drive it out of its fence, at least 200 metres, "
        "until this page shows that too, and come back."
    ),
    "obstruction": _(
        "Hold something into the light beam, for example a broom, until this page shows it. Take it away again."
    ),
    "way_out": _("Go in, close, press “Lock”, then open from inside by hand and close again."),
    "key": _("Go out, close, press “Lock”, then open from outside with the key and close again."),
    "keyed_door.key": _(
        "Go out, close, press “Lock”. Take the key from its safe, open the door with it, and close it again. Then hang "
        "the key back."
    ),
    "strike.way_out": _("Go in, let the door fall shut, press “Lock”, then open from inside by hand and close again."),
    "car_boot.way_out": _(
        "Sit in the boot or reach its inside, have it pushed shut, press “Lock”, then open it from inside by its "
        "emergency handle and push it shut again."
    ),
    "keyed_door.way_out": _("Go in, pull the door shut, press “Lock”, then open from inside by hand and close again."),
    "answer": _("Press the answer button inside."),
    "picture": _("Look at the picture, with doors open as a visitor would leave them."),
    "covered": _("Cover the lens of {camera} with something black until it is seen, then uncover it."),
    "cut": _("Cut the power or the Wi-Fi of {camera} until it is seen, then restore it."),
    "sees": _("Stand in front of it as a courier would, and look at the picture."),
    "batteries": _("Change each battery that is running out. Devices without a battery report none."),
    "broker": _(
        "Pull the broker's network cable until it is seen, then plug it in again. A box that is its own broker has no "
        "such cable: stop the broker in its terminal (sudo systemctl stop perron-broker), then start it again."
    ),
    "wrong_code": _("Hold any barcode before the scanner, a tin's for example."),
    "delivery": _(
        "Press “Lock”, go out, and wait two minutes without touching the door. Hold the codes below before the "
        "scanner, wait for the green light, put a parcel down, leave, close."
    ),
    "way.delivery": _(
        "Press “Lock”, go out, and wait two minutes without touching anything. Hold the codes below before the first "
        "scanner. At each closure, follow the signal and the courier's page. Put a parcel down, leave, and close "
        "everything behind you."
    ),
    "compartment.delivery": _(
        "Leave the parcel of the previous delivery in its compartment, and wait a minute until that visit is over. "
        "Hold the codes below before the scanner: this compartment has to open. Put a parcel in and push the lid shut."
    ),
    "holds": _("Wait until the strike holds the door again. Then push against the door, without a key."),
    "key_safe.holds": _("Wait until the safe holds its flap again. Then pull at the flap, without code or key."),
    "keyed_door.holds": _("Pull the door shut. Then push against it, without a key."),
}

TRIAL_QUESTIONS: Mapping[str, Text] = {
    "bolt": _("Did the door stay shut?"),
    "way_out": _("Did it open from inside without key or power?"),
    "key": _("Did it open from outside with the key?"),
    "picture": _("Does it show a neighbour's door, or the street?"),
    "sees": _("Does it show the person who stands there?"),
    "wrong_code": _("Did the light turn red, and did the door stay shut?"),
    "delivery": _("Was the bell heard inside, and is the door locked now?"),
    "way.delivery": _("Did each closure open only when its turn came, and is everything shut now?"),
    "compartment.delivery": _("Did this compartment and no other open, and is it shut now?"),
    "holds": _("Did it stay shut?"),
}

_SENSOR_REMEDY: Text = _(
    "The sensor does not follow. Look at its place, the distance of its magnet and its battery, and whether home.yaml "
    "names the right device; then try again."
)

TRIAL_REMEDIES: Mapping[str, Text] = {
    "door_sensor": _SENSOR_REMEDY,
    "bolt": _(
        "The lock reports the bolt out although the door opens, or the bolt does not go out. Adjust lock and strike "
        "plate, calibrate the lock, then try again."
    ),
    "bolt_in_air": _(
        "The box showed an open door as locked: its sensor depends on the lock, or reports “closed” at this place. "
        "Mount an independent sensor, then try again."
    ),
    "jam": _(
        "The lock reports a jammed bolt as locked. Calibrate it or replace it; with such a lock nobody may come in."
    ),
    "wedged": _(
        "The sensor reports an ajar door as closed. Move its magnet away until a finger's breadth counts as open, "
        "then try again."
    ),
    "not_caught": _(
        "The box showed a lid that is not latched as locked: the board reports the lid as the latch. Connect the "
        "switch of the latch, or replace the board, then try again."
    ),
    "content": _(
        "The sensor does not distinguish a parcel from an empty compartment. Clean it, point it at the middle of the "
        "floor, and try again with the smallest parcel that you expect."
    ),
    "key_hook": _(
        "The sensor reports a key that is out as present, or a key that is back as absent. Mount it under the hook, "
        "where it detects only the key's own tag, then try again."
    ),
    "locked": _(
        "The car does not report its locks, or too late. Let the modem report every 10 seconds while it is awake, and "
        "look whether the module knows this model's locks."
    ),
    "ignition": _(
        "The module does not know whether this model drives. Look in its list of metrics for v.e.on and v.p.speed; "
        "without them no boot may open."
    ),
    "place": _(
        "The position is too old, not exact enough, or the fence is elsewhere. A modem that switches its GPS "
        "off while the car is parked never has a young one."
    ),
    "obstruction": _(
        "The box gets no report of the light beam. Clean and align the beam, and check whether the opener reports it. "
        "If it cannot, a garage door may have `beam: false`: then the box never closes it."
    ),
    "way_out": _("Somebody could be locked in. Change the lock or the handle before anybody comes in."),
    "key": _("The key does not open. Fit one that does: it is the way in when the box is dead."),
    "keyed_door.key": _("The key in the safe is not the key of this door. Hang the right key there, then try again."),
    "answer": _("The button is not heard. Look at its battery and its device in home.yaml, then try again."),
    "picture": _("Turn the camera, or mask what belongs to others, then try again."),
    "covered": _(
        "The box does not notice a covered lens. Look at the camera's settings and its clock, then try again."
    ),
    "cut": _("The box does not notice a lost camera. Look how it is connected, then try again."),
    "sees": _(
        "Turn or move the camera until the person who stands there is in the picture, or name another camera for this "
        "closure."
    ),
    "batteries": _("Change the battery that is running out, wait for its report, then try again."),
    "broker": _("Lock or sensors do not come back after a loss. Look at their reconnection and at the broker's log."),
    "wrong_code": _("The code was not refused here. Check that home.yaml names this scanner at this closure."),
    "delivery": _(
        "The delivery failed, or something is not locked again. The page History shows the step. Repair that, then "
        "try again."
    ),
    "holds": _(
        "It opens without a key: the opener releases it for too long, or the latch does not catch. Shorten the time, "
        "adjust the strike, then try again."
    ),
    "keyed_door.holds": _("It does not latch when it is pulled shut. Adjust the strike plate, then try again."),
}
"""What to do where a trial failed."""

RESULT_TEXTS: Mapping[str, Text] = {
    "passed": _("passed"),
    "failed": _("not passed"),
    "not_here": _("not tried here"),
    "blocked": _("blocks: a neighbour or the street is in the picture"),
    "open": _("to do"),
}


def trial_text(
    table: Mapping[str, Text], step: WalkTestStep, language: Language, closures: Sequence[AnyClosure] = ()
) -> str:
    """Return the instruction, question or remedy of a trial; empty if it has none. `closures`: of its entrance."""
    text = _find_text(table, step, closures)
    return "" if text is None else text.to(language, camera=step.camera or "")


def trial_title(step: WalkTestStep, language: Language, closures: Sequence[AnyClosure] = ()) -> str:
    """Return the title of a trial, with the name of its closure if the entrance has several."""
    title = trial_text(TRIAL_TITLES, step, language, closures)
    return title if step.closure is None else f"{closure_name(closures, step.closure, language)} · {title}"


def remedy_text(step: WalkTestStep, language: Language, closures: Sequence[AnyClosure] = ()) -> str:
    """Return what to do about a trial that failed; empty if it did not."""
    failed = step.ending in (TrialResult.FAILED, TrialResult.BLOCKED)
    return trial_text(TRIAL_REMEDIES, step, language, closures).replace("`", "") if failed else ""


def _find_text(table: Mapping[str, Text], step: WalkTestStep, closures: Sequence[AnyClosure]) -> Text | None:
    """Return the text for the kind of the trial's closure, else for several closures, else for every kind."""
    ident = MAIN_CLOSURE if step.closure is None else step.closure
    of_one = next((str(one.kind) for one in closures if one.id == ident), "")
    kind = "way" if step.closure is None and len(closures) > 1 else of_one
    return table.get(f"{kind}.{step.trial}", table.get(step.trial))


def goal_text(step: WalkTestStep, language: Language) -> str:
    """Return the goal that an open trial waits for; empty if it waits for none."""
    goals = step.procedure.goals
    return goals[step.shown].value.to(language) if step.ending is None and step.shown < len(goals) else ""


def result_text(step: WalkTestStep, language: Language) -> str:
    """Return the text of a trial's result."""
    return RESULT_TEXTS[step.ending or "open"].to(language)
