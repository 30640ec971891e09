"""What people, doors and faults of a scenario are called: a row for each.

What people do is printed at a terminal only, in English; lines of doors are on the page too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field

from gateway.config.closure_names import KIND_NAMES, has_named_closures
from gateway.config.closures import entrance_closures
from gateway.demo.names import name_of
from gateway.demo.plan import DemoPlan
from gateway.domain.delivery.result import DoorResult
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures import AnyClosure
from gateway.system.i18n import SOURCE, Fact, Text, _, in_language

ACT_TEXTS: Mapping[str, str] = {
    "bring_key": "hangs the key back in {thing}",
    "close": "closes {thing}",
    "come_with_key": "comes in by {thing} with a key",
    "go_through": "goes through {thing}",
    "open": "opens {thing}",
    "open_inside": "opens {thing} from inside",
    "open_with_code": "opens {thing} with its own code",
    "open_with_key": "opens {thing} with its own key",
    "pull_shut": "pulls {thing} shut",
    "push_shut": "pushes the lid of {thing} shut",
    "put_in": "puts the parcel into {thing}",
    "shut_flap": "shuts the flap of {thing}",
    "come_back": "drives the car back and parks it",
    "drive_away": "drives the car off",
    "lock_with_key": "locks {thing} with the key",
    "open_boot": "opens {thing}",
    "shut_boot": "pushes {thing} shut",
    "take_key": "takes the key out of {thing}",
    "unlock_with_key": "unlocks {thing} with the key",
    "take_out": "takes a parcel out of {thing}",
}
"""What people do to a thing that is a way in: its act (`Thing.ACTS`), in words."""

FAULT_TEXTS: Mapping[str, tuple[str, str]] = {
    "ajar": ("does not shut", "shuts again"),
    "asleep": ("sleeps: nothing reaches it", "wakes"),
    "bounces": ("springs open again when it is shut", "stays shut again"),
    "dead": ("does not move", "moves again"),
    "does_not_catch": ("its latch does not catch", "its latch catches again"),
    "duplicates": ("sends each scan twice", "sends each scan once again"),
    "frozen": ("sends the same picture again and again", "sends live pictures again"),
    "jam": ("jams", "no longer jams"),
    "keeps": ("accepts each order to delete a code, and keeps the code", "deletes codes again"),
    "late": ("answers late", "answers in time again"),
    "magnet": ("somebody hangs a magnet on the hook", "somebody takes the magnet off the hook"),
    "neighbour_follows": ("a neighbour goes in behind whoever goes in", "no neighbour goes in any more"),
    "no_sky": ("receives no satellites", "receives satellites again"),
    "silent": ("does not answer", "answers again"),
    "stale_fix": ("its last position is a quarter of an hour old", "it knows its position again"),
    "sticks": ("does not let go", "lets go again"),
    "stuck_shut": ("the first order does not open it", "each order opens it again"),
    "throw": ("throws its bolt by itself", "no longer throws its bolt by itself"),
    "unbounded": ("its server repeats an order for longer than it may", "its server repeats no order any more"),
    "will_not_lock": ("does not lock", "locks again"),
    "wedged": ("somebody wedges it open", "a neighbour takes the wedge out, and it falls shut"),
}
"""A fault of a thing or of a device: how it begins, and how it ends."""

REQUEST_TEXTS: Mapping[str, str] = {
    "acknowledge": "says that he has looked after it",
    "announce_parcel": "announces a parcel of his own",
    "approve": "says yes",
    "end_pause": "ends the pause",
    "give_time": "gives half an hour more",
    "home": "says that he is at home",
    "lock": "presses Lock now",
    "pause": "pauses deliveries",
    "permit": "lets the brand in",
    "refuse_time": "gives no more time",
    "revoke": "no longer lets the brand in",
    "stop": "presses Stop",
    "take_in": "says that the parcel was taken in",
}
"""What the owner requests (`gateway.protocol.owner_requests`), in words."""

DEVICE_TEXTS: Mapping[str, Text] = {
    "front-lock": _("the lock"),
    "front-door": _("the door's sensor"),
    "doorbell": _("the doorbell's camera"),
    "hall-camera": _("the hall's camera"),
    "front-scanner": _("the scanner"),
    "front-signal": _("the signal"),
    "kitchen-fridge": _("the fridge"),
    "street-scanner": _("the scanner at the street"),
    "desk-scanner": _("the scanner at the reception"),
    "box-scanner": _("the parcel box's scanner"),
    "matter": _("the Matter lock"),
    "car-modem": _("the car's modem"),
    "front-keypad": _("the keypad"),
}

HOUSE_TEXTS: Mapping[str, Text] = {
    DoorResult.NOT_OPENED: _("not opened"),
    DoorResult.LOCKED_AGAIN: _("locked again, proven"),
    DoorResult.HANDED_TO_OWNER: _("handed to the owner"),
}
"""How a visit left the house."""

MOVE_TEXTS: Mapping[tuple[object, object], Text] = {
    ("door", "open"): _("{closure} opens"),
    ("door", "closed"): _("{closure} closes"),
    ("bolt", "withdrawn"): _("{closure}: unlocked"),
    ("bolt", "thrown"): _("{closure}: locked"),
    ("way", "open"): _("{closure} opens"),
    ("way", "closed"): _("{closure} closes"),
    ("way", "ajar"): _("{closure} stays ajar"),
    ("strike", True): _("{closure}: its strike lets go"),
    ("strike", False): _("{closure}: its strike holds again"),
    ("latch", False): _("{closure}: its latch lets go"),
    ("latch", True): _("{closure}: its latch catches"),
}
"""What moved by the physical log, and its new position. The texts of pages that name a closure are worded alike."""


class DoorNames(Frozen):
    """The names of a scene's closures. Empty: the scene has one door, "the door"."""

    by_id: Mapping[str, Fact]  # closure -> its name
    by_thing: Mapping[str | None, Fact]  # thing of the simulated house -> the name of its closure; None: the main door
    entrances: Mapping[str, Fact] = field(default_factory=dict)  # entrance -> its name

    @property
    def only(self) -> Fact | None:
        """The name of the only closure; None: there are several, or it needs no name."""
        return next(iter(self.by_id.values())) if len(self.by_id) == 1 else None


THE_DOOR = DoorNames(by_id={}, by_thing={})


def door_names(plan: DemoPlan) -> DoorNames:
    """Return the names of the closures of all entrances of a plan."""
    by_id: dict[str, Fact] = {}
    by_thing: dict[str | None, Fact] = {}
    for entrance in plan.home.entrances:
        closures = entrance_closures(plan.home, entrance)
        if not has_named_closures(closures) and closures[0].kind == MAIN_KIND:
            continue
        for closure in closures:
            by_id[closure.id] = numbered_label(closures, closure.id)
            for device in closure.devices.values():
                by_thing[getattr(plan.house.devices[device], "of", None)] = by_id[closure.id]
    entrances = {name: name_of(section.name) for name, section in plan.home.entrances.items()}
    return DoorNames(by_id=by_id, by_thing=by_thing, entrances=entrances)


def numbered_label(closures: Sequence[AnyClosure], ident: str) -> Fact:
    """Return the name of a closure; of several of a kind, with its number from left to right: no id of the program."""
    kind = next(closure.kind for closure in closures if closure.id == ident)
    same = [closure.id for closure in closures if closure.kind == kind]
    label = KIND_NAMES[kind]
    return (
        label
        if len(same) == 1
        else Text("{name} {number}", None, (("name", label), ("number", str(same.index(ident) + 1))))
    )


MAIN_KIND = "bolted_door"  # an only closure of this kind is "the door"


def thing_text(thing: str | None, doors: DoorNames) -> str:
    """Return what a thing or a device is called within a sentence; None: the main door."""
    if thing in doors.by_thing:
        name = in_language(doors.by_thing[thing], SOURCE)
        return f"the {name[0].lower()}{name[1:]}"
    return "the door" if thing is None else in_language(DEVICE_TEXTS.get(thing, thing), SOURCE)


def act_text(act: str, thing: str, doors: DoorNames) -> str:
    """Return what somebody does to a thing."""
    return ACT_TEXTS.get(act, f"{act.replace('_', ' ')}: {{thing}}").format(thing=thing_text(thing, doors))


def fault_text(device: str, fault: str, doors: DoorNames, *, is_on: bool) -> str:
    """Return how a fault begins or ends."""
    word = fault.replace("_", " ")
    begins, ends = FAULT_TEXTS.get(fault, (word, f"{word} ends"))
    return f"{thing_text(device, doors)}: {begins if is_on else ends}"
