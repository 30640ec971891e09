"""Makes the list of past visits: a card for each, the search in them, and the calendar of days that have visits."""

import asyncio
import re
from calendar import Calendar
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal

from gateway.domain.delivery.result import CollectResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.evidence.documents.photos import PhotoMoment
from gateway.evidence.thumbnails import kept_thumbnails
from gateway.protocol.keys import shown_ending
from gateway.storage.database import from_micros, to_micros
from gateway.storage.entrance_state import visits_in_progress
from gateway.storage.models import FilmRecord
from gateway.storage.visit_list import VisitCursor, VisitFilter, VisitSummary
from gateway.system.dates import MONTHS
from gateway.system.i18n import Language, Text, _
from gateway.web.server.context import GatewayServices
from gateway.web.server.custody_story import custody_lines
from gateway.web.server.story_names import story_names
from gateway.web.server.turned_away_view import TurnedAwayLine, turned_away_line
from gateway.web.server.visit_story import AlarmCause, StoryLine, alarm_cause, story_lines
from gateway.web.texts.catalogue import TEXTS

CARDS_A_PAGE: Final = 24
READ_AT_ONCE: Final = 50  # visits; then other work has its turn
MAX_SEARCHED: Final = 1000  # visits that one request looks through; the next page goes on behind them
SHOWN_LINES: Final = 2  # of what was turned away between two visits; the others are behind "Show more"
MAX_TURNED_AWAY: Final = 100  # lines of one page, the newest: of deliveries, and as many of no known one
MAX_QUERY_CHARS: Final = 80
CARD_PHOTOS: Final = (PhotoMoment.ARRIVAL, PhotoMoment.CARRYING)

_CURSOR = re.compile(r"(\d{1,17})\.([A-Za-z0-9._-]{1,128})")
_MONTH = re.compile(r"(\d{4})-(\d{2})")

CardTone = Literal["good", "warm", "bad", "rest"]
"""Good: the parcel came in. Warm: it runs. Bad: nobody knows, or it was an incident. Rest: nothing came in.

An alarm is told beside it."""

_TONES: Mapping[str, CardTone] = {
    Outcome.DELIVERED: "good",
    Outcome.ATTENDED: "good",
    Outcome.PARTLY_DELIVERED: "rest",
    Outcome.NOT_DELIVERED: "rest",
    Outcome.REFUSED: "rest",
    Outcome.UNKNOWN: "bad",
    Outcome.COLLECTED: "good",
    Outcome.PARTLY_COLLECTED: "rest",
    Outcome.NOT_COLLECTED: "rest",
}


_ALSO_TEXTS: Mapping[CollectResult, Text] = {
    CollectResult.COLLECTED: _("Return taken along"),
    CollectResult.PARTLY_COLLECTED: _("Return taken along in part"),
    CollectResult.NOT_COLLECTED: _("Return not taken along"),
}


class HistoryCard(Frozen):
    """One visit in the list. `note` says why no film is shown; `photos` are the moments of which there is a picture."""

    visit: str
    began: datetime
    entrance: str
    brand: str | None
    carrier: str | None
    place: str | None
    parcels: tuple[str, ...]
    word: Text
    also: Text | None  # what the courier took with him, if he also brought a parcel
    tone: CardTone
    duration: str | None
    alarm: str | None
    held: str | None
    note: Text | None
    photos: tuple[PhotoMoment, ...]
    is_custody: bool
    codes: tuple[str, ...]  # whole, to be searched

    def has(self, words: Sequence[str], language: Language) -> bool:
        """Return whether each word (in lower case) is somewhere on the card, or ends a parcel's code."""
        shown = (
            self.entrance, self.brand, self.carrier, self.place, self.word.to(language), self.alarm, self.held,
            None if self.note is None else self.note.to(language),
        )  # fmt: skip
        text = " ".join(part for part in shown if part).casefold()
        codes = [code.casefold() for code in self.codes]
        return all(word in text or any(code.endswith(word) for code in codes) for word in words)


class TurnedAwayGroup(Frozen):
    """The scans that were turned away between two visits, the newest first, so that they push no visit out of sight."""

    lines: tuple[TurnedAwayLine, ...]


class CardPage(Frozen):
    """Some cards with what was turned away between them; `after` is where the next page begins, None at the end."""

    cards: tuple[HistoryCard | TurnedAwayGroup, ...]
    after: str | None


async def read_cards(
    services: GatewayServices, wanted: VisitFilter, query: str, *, after: VisitCursor | None, language: Language
) -> CardPage:
    """Return a page of the cards that have all words of the query, and what was turned away in its time."""
    words = query[:MAX_QUERY_CHARS].casefold().replace("…", "").split()
    cards, end = await _read_visits(services, wanted, words, after=after, language=language)
    since, before = None if end is None else end.began, None if after is None else after.began
    rows = services.store.turned_away.page(wanted, since=since, before=before, at_most=MAX_TURNED_AWAY)
    lines = (turned_away_line(services, row, language) for row in rows)
    found = [line for line in lines if line.has(words, language)]
    return CardPage(cards=_with_groups(cards, found), after=None if end is None else _cursor_text(end))


def _with_groups(
    cards: Sequence[HistoryCard], lines: Sequence[TurnedAwayLine]
) -> tuple[HistoryCard | TurnedAwayGroup, ...]:
    """Put the lines between the cards by their time; both are the newest first."""
    mixed: list[HistoryCard | TurnedAwayGroup] = []
    left = list(lines)
    for card in cards:
        newer = [line for line in left if line.at > card.began]
        left = left[len(newer) :]
        mixed += [*_group(newer), card]
    return (*mixed, *_group(left))


def _group(lines: Sequence[TurnedAwayLine]) -> tuple[TurnedAwayGroup, ...]:
    return (TurnedAwayGroup(lines=tuple(lines)),) if lines else ()


async def _read_visits(
    services: GatewayServices,
    wanted: VisitFilter,
    words: Sequence[str],
    *,
    after: VisitCursor | None,
    language: Language,
) -> tuple[list[HistoryCard], VisitCursor | None]:
    """Return the cards of a page, and the place where the next page begins; None: it is the last one."""
    running = frozenset().union(*(visits_in_progress(state) for state, _ in services.states()))
    cards: list[HistoryCard] = []
    for _turn in range(MAX_SEARCHED // READ_AT_ONCE):
        visits = services.store.visits.page(wanted, after=after, at_most=READ_AT_ONCE)
        for visit in visits:
            if len(cards) == CARDS_A_PAGE and after is not None:
                return cards, after
            card = _card(services, visit, language, is_running=visit.visit in running)
            after = visit.cursor
            if card.has(words, language):
                cards.append(card)
        if len(visits) < READ_AT_ONCE:
            return cards, None
        await asyncio.sleep(0)
    return cards, after


def card_of(services: GatewayServices, visit: str, began: datetime, language: Language) -> HistoryCard:
    """Return the card in the list of a visit that began then. LookupError: there is no such visit."""
    wanted = VisitFilter(first=began, end=began + timedelta(microseconds=1))
    visits = {one.visit: one for one in services.store.visits.page(wanted, after=None, at_most=READ_AT_ONCE)}
    is_running = any(visit in visits_in_progress(state) for state, _ in services.states())
    return _card(services, visits[visit], language, is_running=is_running)


def read_cursor(text: str) -> VisitCursor | None:
    """Return the place that a link names; None for anything else: the list begins at its beginning."""
    match = _CURSOR.fullmatch(text)
    return None if match is None else VisitCursor(began=from_micros(int(match[1])), visit=match[2])


def _cursor_text(cursor: VisitCursor) -> str:
    return f"{to_micros(cursor.began)}.{cursor.visit}"


def alarm_of(services: GatewayServices, visit: str, entrance: str, language: Language) -> str | None:
    """Return the alarm of a visit as its card tells it; None: nothing alarmed."""
    alarms, names = services.store.visits.first_alarms(visit), story_names(services, entrance, language)
    return _alarm_line(alarm_cause(alarms, language=language, zone=services.zone, names=names), language)


def _alarm_line(cause: AlarmCause | None, language: Language) -> str | None:
    return None if cause is None else _("Alarm: {what}").to(language, what=cause.text)


def _card(services: GatewayServices, visit: VisitSummary, language: Language, *, is_running: bool) -> HistoryCard:
    home = services.home.destinations.get(visit.entrance)
    names = story_names(services, visit.entrance, language)
    cause = alarm_cause(visit.alarms, language=language, zone=services.zone, names=names)
    is_open = is_running and not visit.is_sealed
    word, tone = _outcome(visit, cause, is_open=is_open)
    has_film = visit.ended is not None and visit.erased is None
    return HistoryCard(
        visit=visit.visit,
        began=visit.began,
        entrance=services.entrance_name(visit.entrance),
        brand=None if visit.brand is None else services.brand_name(visit.brand, language),
        carrier=visit.carrier,
        place=visit.place if home is None or visit.place is None else home.places.get(visit.place, visit.place),
        parcels=tuple(shown_ending(code) for code in visit.parcels),
        word=word,
        also=_collected(visit),
        tone=tone,
        duration=None if visit.ended is None else format_duration(visit.ended - visit.began),
        alarm=_alarm_line(cause, language),
        held=visit.held,
        note=_note(visit, is_open=is_open),
        photos=kept_thumbnails(services.films_folder, visit.visit) if has_film else (),
        is_custody=visit.is_custody,
        codes=visit.parcels,
    )


def _outcome(visit: VisitSummary, cause: AlarmCause | None, *, is_open: bool) -> tuple[Text, CardTone]:
    if visit.outcome == Outcome.UNKNOWN and cause is not None and cause.is_of_lock:
        return _("The lock did not obey"), "bad"
    if visit.outcome is not None and visit.outcome in _TONES:
        return TEXTS[f"outcome.{visit.outcome}"], _TONES[visit.outcome]
    if is_open:
        return _("Under way"), "warm"
    if visit.delivery is None:
        return _("Incident"), "bad"
    return (_("At the reception"), "warm") if visit.is_custody else (_("Nothing came in"), "rest")


def _collected(visit: VisitSummary) -> Text | None:
    """Return what became of the parcels to collect; None: none, or the outcome says it."""
    if visit.collected is None or visit.outcome in set(CollectResult):
        return None
    return _ALSO_TEXTS[CollectResult(visit.collected)]


def _note(visit: VisitSummary, *, is_open: bool) -> Text | None:
    if visit.erased is not None:
        return _("The films were erased")
    if visit.is_custody:
        return None
    if is_open:
        return _("The visit still runs")
    if not visit.is_sealed:
        return _("Not sealed yet")
    return _("No film") if visit.ended is None else None


def format_duration(length: timedelta) -> str:
    """Format a duration: "48 s", "1 min 12 s"; the same in each language."""
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


# ---- the calendar ----------------------------------------------------------------------------------------------------


class CalendarDay(Frozen):
    """A day of the shown month, how many visits it has, and whether scans were turned away."""

    day: date
    visits: int
    turned_away: bool


class CalendarMonth(Frozen):
    """A month by weeks from Monday to Sunday (None: a day of another month), and the months beside it."""

    first: date
    weeks: tuple[tuple[CalendarDay | None, ...], ...]
    previous: str
    following: str | None

    @property
    def name(self) -> Text:
        """The short name of the month."""
        return MONTHS[self.first.month - 1]


def read_month(text: str, *, today: date) -> date:
    """Return the first day of the month that a link or a day names; that of today for anything else.

    A month of the first or the last year that `date` knows is none: the calendar links to the months beside it.
    """
    match, this_month = _MONTH.match(text), today.replace(day=1)
    try:
        named = date(int(match[1]), int(match[2]), 1) if match else this_month
    except ValueError:
        return this_month
    return named if date.min.year < named.year < date.max.year else this_month


def read_calendar(services: GatewayServices, first: date, *, today: date) -> CalendarMonth:
    """Count the visits of each day of a month, in the time of the house, and find the days with scans turned away."""
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    begin, end = (datetime.combine(day, time(), services.zone) for day in (first, following))
    counts = Counter(at.astimezone(services.zone).date() for at in services.store.visits.times(begin, end))
    away = {at.astimezone(services.zone).date() for at in services.store.turned_away.times(begin, end)}
    weeks = tuple(
        tuple(
            CalendarDay(day=day, visits=counts[day], turned_away=day in away) if day.month == first.month else None
            for day in week
        )
        for week in Calendar().monthdatescalendar(first.year, first.month)
    )
    previous = (first - timedelta(days=1)).replace(day=1)
    return CalendarMonth(
        first=first, weeks=weeks, previous=f"{previous:%Y-%m}",
        following=f"{following:%Y-%m}" if following <= today else None,
    )  # fmt: skip


def day_span(text: str, services: GatewayServices) -> tuple[datetime, datetime] | tuple[None, None]:
    """Return the beginning and the end of a day in the time of the house; None twice for what is no day."""
    try:
        day = date.fromisoformat(text)
        return tuple(datetime.combine(one, time(), services.zone) for one in (day, day + timedelta(days=1)))  # type: ignore[return-value]  # two
    except (ValueError, OverflowError):
        return None, None


def read_story(
    services: GatewayServices, film: FilmRecord, rows: Iterable[Mapping[str, Any]], language: Language
) -> Sequence[StoryLine]:
    """Return what the log's rows of a visit tell; at a reception, who had the parcels."""
    reception = services.home.receptions.get(film.entrance)
    if reception is not None:
        names = {id_: receiver.name for id_, receiver in reception.receivers.items()}
        return custody_lines(rows, language=language, receivers=names)
    today = story_names(services, film.entrance, language)
    return story_lines(rows, language=language, zone=services.zone, names=today)
