"""The texts of the consent page."""

from collections.abc import Mapping
from datetime import datetime

from gateway.protocol.consent_request import AskedTerms
from gateway.system.i18n import Language, Text, _, pgettext
from gateway.system.text import isolate_direction

JOIN = _("This is a code for your box")
JOIN_WHY = _(
    "Copy the whole address, with what stands behind the #, and paste it on the page Settings, Hub of your Perron box; "
    "or take the photo of the code from that page. Send it to nobody: who has it can let a box join in its place."
)

PROBLEMS: Mapping[str, tuple[Text, Text]] = {
    "lost": (
        _("This address leads nowhere"),
        _("It is not whole, or too old. Take the link that you were given once more."),
    ),
    "slow": (_("Too many tries"), _("Wait a minute, then load the page again.")),
}  # fmt: skip
"""A problem's title, and what can be done about it."""

ENDINGS: Mapping[str, Text] = {
    "granted": _("Your home has said yes"),
    "refused": _("Your home has said no"),
    "revoked": _("Your home has taken its consent back"),
    "expired": _("Nobody answered: it is no"),
    "ended": _("{brand} has withdrawn its question"),
}  # fmt: skip

DAY_NAMES: Mapping[str, Text] = {
    "mon": _("Monday"),
    "tue": _("Tuesday"),
    "wed": _("Wednesday"),
    "thu": _("Thursday"),
    "fri": _("Friday"),
    "sat": _("Saturday"),
    "sun": _("Sunday"),
}  # fmt: skip

_MONTHS = (
    _("January"), _("February"), _("March"), _("April"), _("May"), _("June"),
    _("July"), _("August"), _("September"), _("October"), _("November"), _("December"),
)  # fmt: skip


def format_instant(at: datetime, language: Language) -> str:
    """Return an instant in words, with its time zone, because the hub does not know the reader's."""
    day = pgettext("the first day of a month", "1").to(language) if at.day == 1 else str(at.day)
    return f"{day} {_MONTHS[at.month - 1].to(language)} {at.year}, {at:%H:%M} UTC"


def requested_terms(asked: AskedTerms, language: Language) -> list[tuple[str, str]]:
    """Return the requested terms as pairs of a name and its value; names from outside are inert."""

    def named(names: tuple[str, ...] | None, otherwise: Text) -> Text | str:
        return otherwise if names is None else ", ".join(isolate_direction(name) for name in names)

    any_of_them = pgettext("entrances or carriers", "those that you choose")
    every_day = len(asked.days) == 7
    signed = (
        _("also deliveries that the brand has not signed itself: this service alone speaks for them")
        if asked.hub_signed
        else _("each delivery is signed by the brand itself")
    )
    rows: tuple[tuple[Text, Text | str], ...] = (
        (_("Entrances"), named(asked.entrances, any_of_them)),
        (_("Places"), named(asked.places, pgettext("places", "those that you choose"))),
        (_("Carriers"), named(asked.carriers, any_of_them)),
        (_("Days"), _("every day") if every_day else ", ".join(DAY_NAMES[day].to(language) for day in asked.days)),
        (_("Hours"), _("the whole day") if asked.hours == "00:00-24:00" else asked.hours.replace("-", " - ")),
        (_("Openings for each delivery"), str(asked.openings)),
        (_("Until"), _("you take it back") if asked.expires is None else format_instant(asked.expires, language)),
        (_("Signature"), signed),
    )
    return [
        (name.on_page(language), value.on_page(language) if isinstance(value, Text) else value) for name, value in rows
    ]
