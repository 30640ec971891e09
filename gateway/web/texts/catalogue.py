"""The texts of the pages that a key chooses: a phase, an outcome, an error, or a script.

Those that a template or a script draws are in the modules beside this one; this module has those that only Python
chooses. Every other text stands where it is shown: in the templates, and in the modules of the pages.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.config.devices import DEVICE_SECTIONS
from gateway.protocol.brand_facts import Complaint
from gateway.system.i18n import Language, Text, _, languages_of
from gateway.web.texts.away import AWAY_TEXTS
from gateway.web.texts.courier import COURIER_TEXTS
from gateway.web.texts.pages import PAGES_TEXTS
from gateway.web.texts.replay import REPLAY_TEXTS

_PAGE_TEXTS: Mapping[str, Text] = {
    "error.404": _("There is nothing at this address."),
    "error.403": _("You have no access to this."),
    "error.429": _("Too many requests. Try again in a minute."),
    "error.other": _("That did not work. Try again in a minute."),
    "pause.no.unreadable": _("This is no date with a time."),
    "pause.no.no_such_time": _(
        "There is no such time on that day: the clocks are put forward. Take one before or after."
    ),
    "pause.no.clock_untrusted": _(
        "The box's time is not certain: until it is, nothing opens. To make it last: “Stop everything”."
    ),
    "pause.no.backwards": _("The pause would end before it begins."),
    "pause.no.past": _("That is over already."),
    "pause.no.too_long": _("A pause lasts a year at most."),
    "pause.no.too_far": _("A pause begins within a year from now."),
    "pause.no.overlaps": _("Another pause falls into that time: end or withdraw it first."),
    "pause.no.too_many": _("There are fifty pauses already."),
    "pause.no.unknown": _("This pause is over already."),
    "outcome.delivered": _("Delivered"),
    "outcome.partly_delivered": _("Partly delivered"),
    "outcome.not_delivered": _("Not delivered"),
    "outcome.attended": _("Received by somebody"),
    "outcome.refused": _("Refused"),
    "outcome.unknown": _("Not known whether a parcel came in"),
    "outcome.collected": _("Collected"),
    "outcome.partly_collected": _("Partly collected"),
    "outcome.not_collected": _("Not collected"),
    "link.brand.granted": _("{brand} is let in."),
    "link.brand.refused": _("{brand} is not let in."),
    "link.brand.revoked": _("{brand} is let in no longer."),
    "link.brand.pending": _("{brand} still waits for your answer, on other terms: see the page Brands."),
    "install.what.broker": _("Broker"),
    "install.what.button": _("Button"),
    "install.what.device": _("Device"),
    "install.what.of_no_use_here": _("Of no use here:"),
    "add.no.id": _("1 to 64 of a-z, 0-9 and -."),
    "add.no.must": _("Fill this in."),
    "add.no.must.way_out_by_hand": _("Nobody may be locked in: without it there is no entrance."),
    "add.no.must.reverses": _("A leaf that does not open again by itself at an obstacle must not move unattended."),
    "add.no.choice": _("Choose one of what is offered."),
    "add.no.number": _("A number of seconds, from 0 to 3600."),
    "add.no.url": _(
        "Write it like rtsp://192.168.1.20:554/stream1, without an account: user and password have their own fields."
    ),
    "add.no.login": _("User and password belong together, on one line, 200 characters, no colon in the user."),
    "add.no.lines": _("{most} lines at most."),
    "add.no.line": _("“{line}” is not key=value."),
    "add.no.key": _("“{key}” cannot be a key: write it in small letters, as in latency=8 or cameras.outside=doorbell."),
    "add.no.value": _("The value of {key} cannot be read: write it as in the house file, for example latency=8."),
    "add.no.twice": _("{name} is said already."),
    "add.no.file": _("No file of the box can be named from a page: that takes the box's terminal."),
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
    "add.no.house": _("The house file would not be valid with it: {why}"),
    "add.no.needed": _("The rest of the house file needs it."),
    "add.no.used.entrances": _("The entrance {name} uses it."),
    "add.no.used.receptions": _("The reception {name} uses it."),
    "add.no.used.device": _("The device {name} is connected through it: remove that one first."),
    "add.note.account": _(
        "It will need an account at the broker: {names}. Once it is accepted, the owner finds it under Accounts at the "
        "broker."
    ),
    "add.note.which_door": _("Have somebody show you that {lock} and {door} are at this door, and at no other."),
    "add.note.no_living_space": _(
        "Declared: it does not lead to the living space, so less is asked of it. Is that so?"
    ),
    "add.note.no_courier_proof": _("The courier shows no code there: the parcel's label is enough."),
}


_KIND_TEXTS: Mapping[str, Text] = {
    f"add.kind.{kind}": section.offered_as or section.label for kind, section in DEVICE_SECTIONS.items()
}

COMPLAINT_TEXTS: Mapping[str, Text] = MappingProxyType(
    {
        Complaint.DAMAGED: _("damaged"),
        Complaint.MISSING: _("something is missing"),
        Complaint.WRONG_PLACE: _("put in the wrong place"),
        Complaint.LATE: _("too late"),
        Complaint.LEFT_OPEN: _("the door was left open"),
        Complaint.OTHER: _("something else"),
    }
)
"""What the owner may say of a visit."""


TEXTS: Mapping[str, Text] = MappingProxyType(
    {**_PAGE_TEXTS, **_KIND_TEXTS, **PAGES_TEXTS, **AWAY_TEXTS, **COURIER_TEXTS, **REPLAY_TEXTS}
)

_OF_THE_HOUSE = TEXTS["stop"]
_OF_THE_COURIER = TEXTS["turn.show"]


def offered(path: str) -> tuple[Language, ...]:
    """Return the languages of the page at this path: a catalogue may hold the courier's page alone."""
    return languages_of(_OF_THE_COURIER if path.startswith("/c/") else _OF_THE_HOUSE)
