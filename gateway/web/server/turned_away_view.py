"""Describes the refused scans of an entrance in words, for History and for Home."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.domain.frozen import Frozen
from gateway.domain.guests.passes import GUEST_BRAND
from gateway.runtime.notifications.texts import PASS_REFUSAL_TEXTS, REFUSAL_TEXTS
from gateway.storage.turned_away import TurnedAway
from gateway.storage.visit_list import VisitFilter
from gateway.system.dates import time_text
from gateway.system.i18n import Language, Text, _
from gateway.system.text import sanitized
from gateway.web.server.context import GatewayServices
from gateway.web.server.visit_story import StoryLine

SHOWN_ON_HOME = 3  # the newest ones of deliveries, and as many of none, after the last visit
SHOWN_ON_HOME_FOR = timedelta(hours=24)


class TurnedAwayLine(Frozen):
    """Scans that were turned away, in words; `who`: brand and carrier, as far as they are known."""

    at: datetime  # of the last scan
    text: Text
    who: str

    def has(self, words: Sequence[str], language: Language) -> bool:
        """Return whether each word (in lower case) is somewhere in the line."""
        text = f"{self.text.to(language)} {self.who}".casefold()
        return all(word in text for word in words)


def turned_away_line(services: GatewayServices, row: TurnedAway, language: Language) -> TurnedAwayLine:
    """Return the line of History: "Turned away at Front door, 14:05: somebody is home"."""
    first, last = (time_text(at, services.zone) for at in (row.first, row.last))
    text = (
        _("Turned away at {entrance}, {time}: {why}")
        if row.scans == 1
        else _("{n} scans turned away at {entrance}, {time}: {why}", n=str(row.scans))
    )
    return TurnedAwayLine(
        at=row.last,
        text=text.with_facts(
            entrance=sanitized(services.entrance_name(row.entrance)),
            time=first if first == last else _("between {start} and {end}", start=first, end=last),
            why=_why(row),
        ),
        who=_who(services, row, language),
    )


def newest_turned_away(
    services: GatewayServices, entrance: str, language: Language, *, after: datetime | None
) -> list[StoryLine]:
    """Return the lines of an entrance's newest turned away scans of the last day and after an instant, oldest first."""
    since = services.clock.now().utc - SHOWN_ON_HOME_FOR
    wanted = VisitFilter(entrance=entrance, first=after)
    rows = services.store.turned_away.page(wanted, since=since, before=None, at_most=SHOWN_ON_HOME)
    lines = []
    for row in reversed(rows):
        text = _("Turned away: {why}") if row.scans == 1 else _("{n} scans turned away: {why}", n=str(row.scans))
        who = _who(services, row, language)
        words = text.to(language, why=_why(row))
        lines.append(StoryLine(at=row.last, text=f"{words} ({who})" if who else words, tone="calm"))
    return lines


def _why(row: TurnedAway) -> Text:
    of_pass = PASS_REFUSAL_TEXTS.get(row.refusal) if row.brand == GUEST_BRAND else None
    return of_pass or REFUSAL_TEXTS[row.refusal]


def _who(services: GatewayServices, row: TurnedAway, language: Language) -> str:
    brand = None if row.brand is None else services.brand_name(row.brand, language)
    return ", ".join(sanitized(name) for name in (brand, row.carrier) if name)
