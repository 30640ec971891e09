"""The texts of the pages that a key chooses: a phase, an outcome, an error, or a script.

Every other text stands where it is shown: in the templates, and in the modules of the pages.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.system.i18n import Language, Text, _, languages_of, pgettext
from gateway.web.texts.adding import ADD_DEVICE_TEXTS
from gateway.web.texts.away import AWAY_TEXTS
from gateway.web.texts.courier import COURIER_TEXTS

_PAGE_TEXTS: Mapping[str, Text] = {
    "nav.live": _("Live"),
    "link.up": _("Connected to the box"),
    "link.down": _("No connection to the box: what is shown may be out of date"),
    "age.now": _("just now"),
    "age.ago": _("{age} ago"),
    "age.left": _("{age} left"),
    "error.404": _("There is nothing at this address."),
    "error.403": _("You have no access to this."),
    "error.429": _("Too many requests. Try again in a minute."),
    "error.other": _("Try again; if it lasts, `perron doctor` looks for the cause."),
    "door.locked": _("Locked"),
    "door.locked.why": _("door closed, bolt out, both proven"),
    "door.unlocked": _("Unlocked"),
    "door.unlocked.why": _("the door is closed, the bolt is in"),
    "door.open": _("Open"),
    "door.open.why": _("the door is open"),
    "door.unknown": _("Unknown"),
    "door.unknown.why": _("lock or door has not proven its state: nothing is assumed"),
    "door.handed": _("Please look after it"),
    "door.handed.why": _("Perron could not prove that the door is locked"),
    "safe_mode": _("Safe mode: Perron locks, films and warns, but opens nothing."),
    "incident": _("Something happened at the door without an order from Perron. Please look."),
    "stop": _("Stop everything"),
    "acknowledge": _("I have looked after the door"),
    "visit.title": _("Visit under way"),
    "next.title": _("Next delivery"),
    "next.none": _("Nothing is announced."),
    "lock.proven": _("It is locked: door and bolt have proven it."),
    "lock.door_open": _("Not locked: the door is open. Close it, then try again."),
    "lock.door_unknown": _(
        "Not locked: the door has not proven that it is closed, so Perron sends nothing. Please look."
    ),
    "lock.not_proven": _(
        "The order has left, but the lock has not proven that it is locked. Try again, or go and look."
    ),
    "lock.no_link": _("Not locked: the box has no link to the lock."),
    "lock.visit": _("A visit is under way: it locks by itself. “Stop everything” ends it."),
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
    "phase.ready": _("Ready"),
    "phase.ringing": _("Ringing"),
    "phase.approving": _("Waiting for your yes"),
    "phase.unlocking": _("The bolt withdraws"),
    "phase.unlocked": _("Unlocked: the courier may come in"),
    "phase.inside": _("Door open"),
    "phase.relocking": _("Locking again"),
    "phase.locked_again": _("Locked again, proven"),
    "phase.handed_to_owner": _("Handed to you"),
    "outcome.delivered": _("Delivered"),
    "outcome.partly_delivered": _("Partly delivered"),
    "outcome.not_delivered": _("Not delivered"),
    "outcome.attended": _("Received by somebody"),
    "outcome.refused": _("Refused"),
    "outcome.unknown": pgettext("an outcome", "Unknown"),
    "visit.film": _("Film, {camera}"),
    "live.stale": _("Stale picture: this is not live any more"),
    "live.none": _("No picture"),
    "live.over": _("You have no access to this camera any more"),
    "live.waiting": _("The camera is starting…"),
    "brand.pending": _("asks to be let in"),
    "brand.granted": _("let in"),
    "brand.refused": pgettext("a brand", "refused"),
    "brand.revoked": _("no longer let in"),
    "brand.where": _("Where"),
    "brand.places": _("Put down"),
    "brand.carriers": _("By"),
    "brand.when": _("When"),
    "brand.ask": _("asks you each time"),
    "brand.terms": _("Terms"),
    "brand.widen": _("Begin with the garage; let in further when all goes well."),
    "brand.from": _("from"),
    "brand.to": _("to"),
    "brand.carriers.how": _("Carriers, with commas between them"),
    "brand.permit.so": _("Let in like this"),
    "day.mon": _("Mon"),
    "day.tue": _("Tue"),
    "day.wed": _("Wed"),
    "day.thu": _("Thu"),
    "day.fri": _("Fri"),
    "day.sat": _("Sat"),
    "day.sun": _("Sun"),
    "role.owner": _("owner"),
    "role.household": _("household"),
    "role.installer": _("installer"),
    "brand.asked.any": _("for you to choose"),
    "brand.openings": _("Openings a delivery"),
    "brand.until.how": _("Until and with this day (empty: no end)"),
    "brand.key": _("Fingerprint of the key"),
    "brand.keyless": _("This brand signs nothing itself: all that stands here is the hub's word."),
    "brand.hub_signed": _("also without the brand's signature"),
    "brand.hub_signed.let": _("Also let in what the brand has not signed"),
    "brand.hub_signed.sure": _(
        "Careful: whoever runs the hub, or breaks into it, could then invent a delivery and have your door opened. "
        "Tick this only for a place into which you would let a stranger."
    ),
    "brand.new_key.why": _("A key that you accepted vouches for this one. It opens nothing until you say yes."),
    "live.private": _("The inside can only be watched during a visit (Settings, Privacy)"),
    "phone.heard.taken": _("Reached: look whether the phone shows it."),
    "phone.heard.refused": _(
        "Not reached: the service refused it, or nobody answers there. Look at the address, the account, and the box's "
        "way to the internet."
    ),
    "phone.heard.silent": _("Not reached: no answer within {seconds} s. Look at the box's way to the internet."),
    "link.brand.granted": _("{brand} is let in."),
    "link.brand.refused": _("{brand} is not let in."),
    "link.brand.revoked": _("{brand} is let in no longer."),
    "link.brand.pending": _("{brand} still waits for your answer, on other terms: see the page Brands."),
    "house.file.applied": _("Read anew and applied on {day} at {time}."),
    "house.file.waiting": _("Read anew on {day} at {time}. It is applied once nothing happens at the doors any more."),
    "house.file.refused": _(
        "Refused on {day} at {time}: there is a mistake in it, and the house goes on with the old one."
    ),
    "examine.bad": _("Red"),
    "examine.doubtful": _("Doubtful"),
    "examine.good": _("Good"),
    "install.what.broker": _("Broker"),
    "install.what.button": _("Button"),
    "install.what.device": _("Device"),
    "install.what.of_no_use_here": _("Of no use here:"),
}

TEXTS: Mapping[str, Text] = MappingProxyType({**_PAGE_TEXTS, **ADD_DEVICE_TEXTS, **AWAY_TEXTS, **COURIER_TEXTS})

_OF_THE_HOUSE = TEXTS["stop"]
_OF_THE_COURIER = TEXTS["turn.show"]


def offered(path: str) -> tuple[Language, ...]:
    """Return the languages of the page at this path: a catalogue may hold the courier's page alone."""
    return languages_of(_OF_THE_COURIER if path.startswith("/c/") else _OF_THE_HOUSE)
