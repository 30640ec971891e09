"""The texts of the pages that add devices and entrances."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _

ADD_DEVICE_TEXTS: Mapping[str, Text] = {
    "add.stands.proposed": _("Proposed."),
    "add.stands.taken": _("Written; the box reads the file anew."),
    "add.stands.waiting": _("Written; applied once nothing happens at the doors any more."),
    "add.stands.refused": _(
        "Written, but the box could not apply it; the house goes on as it was. Correct the file at the terminal."
    ),
    "add.stands.applied": _("Applied: it is part of the house."),
    "add.kind.lock": _("Lock"),
    "add.kind.cover": _("Garage door"),
    "add.kind.door": _("Door sensor"),
    "add.kind.camera": _("Camera"),
    "add.kind.scanner": _("Scanner"),
    "add.kind.signal": _("Signal"),
    "add.kind.fridge": _("Fridge"),
    "add.kind.presence": _("Presence"),
    "add.kind.alarm": _("Alarm"),
    "add.kind.entrance": _("Entrance"),
    "add.no.id": _("1 to 64 of a-z, 0-9 and -."),
    "add.no.must": _("Fill this in."),
    "add.no.must.way_out_by_hand": _("Nobody may be locked in: without it there is no entrance."),
    "add.no.must.reverses": _(
        "A garage door that does not go up again by itself must not be moved while nobody looks."
    ),
    "add.no.choice": _("Choose one of what is offered."),
    "add.no.number": _("A number of seconds, from 0 to 3600."),
    "add.no.url": _(
        "Write it like rtsp://192.168.1.20:554/stream1, without an account: user and password have their own fields."
    ),
    "add.no.login": _("User and password belong together, on one line, 200 characters, no colon in the user."),
    "add.no.lines": _("{most} lines at most."),
    "add.no.line": _("“{line}” is not key=value."),
    "add.no.twice": _("{name} is said already."),
    "add.no.file": _("No file of the box is named from a page; at the terminal, with `perron add`."),
    "add.no.timing": _("Waiting times (timing) are the terminal's: some of them hold for every camera."),
    "add.no.taken": _("{name} is there already. A page only adds what is new; replacing is the terminal's."),
    "add.no.else": _("It would change something else in the house: refused."),
    "add.no.topic": _("The topic {topic} is that of {device}: one topic, one device."),
    "add.no.there": _("That is {device}, which is in the house already: one device, once."),
    "add.no.speaks": _("The account {account} could speak for {device} at the broker: refused. See its address."),
    "add.no.shown": _("The account {account} could write what Home Assistant shows: refused. See its address."),
    "add.no.permitted": _("A brand is let in by {name} already (an earlier entrance): take another id."),
    "add.no.same_name": _("Another entrance has this name: give it another, so that nobody takes one for the other."),
    "add.no.inside": _("{camera} sees the inside at another entrance: it cannot be the one outside."),
    "add.no.outside": _("{camera} sees the outside at another entrance: it cannot be one inside."),
    "add.no.many": _("{most} additions wait already: the owner decides first."),
    "add.no.often": _("You have proposed a lot within an hour: later."),
    "add.no.large": _("It is too long."),
    "add.no.none": _("Nothing of the kind waits (any more)."),
    "add.no.no_file": _("The house file cannot be read."),
    "add.no.disk": _("The box's disk does not take it: {why}"),
    "add.no.unwritable": _("{file} could not be written ({why}); nothing has changed."),
    "add.no.house": _("It would be no house: {why}"),
    "add.note.account": _(
        "It will need an account at the broker: {names}. The command is told here once it is accepted."
    ),
    "add.note.which_door": _("Have somebody show you that {lock} and {door} are at this door, and at no other."),
    "add.note.no_living_space": _(
        "Declared: it does not lead to the living space, so less is asked of it. Is that so?"
    ),
    "add.note.no_courier_proof": _("The courier shows no code of his own there: the parcel's label is enough."),
}
