"""The texts of the page of a shared visit, by the keys under which its scripts ask for them."""

from collections.abc import Mapping

from gateway.system.i18n import Text, _

TITLE = _("A visit")

TEXTS: Mapping[str, Text] = {
    "age.ago": _("{age} ago"),
    "age.days": _("{n} d"),
    "age.now": _("just now"),
    "away.film.broken": _("This browser cannot play this film."),
    "away.film.large": _("This film is too long for this page: watch it at home."),
    "away.film.part": _("Piece {n} of {of}"),
    "away.film.whole": _("All of the film is here."),
    "away.heard.clock": _("This device's clock is wrong."),
    "away.heard.ended": _("This visit is no longer shared."),
    "away.heard.hub": _("The hub is not well."),
    "away.heard.no_hub": _("No answer: are you online?"),
    "away.heard.offline": _("The house is not connected to the hub. Try again later."),
    "away.heard.silent": _("The house did not answer. Try again later."),
    "away.heard.slow_down": _("Too many questions: one moment."),
    "away.heard.unbelieved": _("What the hub answered does not come from the house: none of it is shown."),
    "away.heard.unknown": _(
        "The hub does not know this link (yet, or any more), or this device's clock is wrong. Try again in a minute."
    ),
    "away.no.clock_untrusted": _("The house does not know the time, and shows nothing until it does."),
    "away.no.no_picture": _("no picture"),
    "away.no.not_allowed": _("This link shows one visit only."),
    "away.no.not_here": _("The film is not there any more."),
    "away.no.not_shared": _("This visit is no longer shared."),
    "away.no.seen": _("Try again."),
    "away.no.stale": _("This device's clock is wrong."),
    "away.no.too_many": _("Too many questions: one moment."),
    "away.no.too_much": _("the answer is too long to be sent"),
    "away.picture": _("Picture, {camera}"),
    "away.unknown": _("unknown"),
    "shared.asking": _("Asking the house…"),
    "shared.broken": _("This link is not whole. Open it as it was sent to you; after a reload, open it again."),
    "shared.hole": _("hole in the film: {start} - {end}"),
    "shared.incident": _("Incident"),
    "shared.no_film": _("No film was made."),
    "shared.old": _("This browser is too old for this page, or the page did not come over https."),
    "shared.until": _("Shown until {until}"),
    "visit.film": _("Film, {camera}"),
}
