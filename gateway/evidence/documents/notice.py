"""Draws the notice for the door: what to do there, and who films, why, for how long, and whom to ask."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from devices.commands import Light, Sound
from gateway.config.home import Home
from gateway.domain.frozen import Frozen
from gateway.domain.visit import transitions
from gateway.domain.visit.commands import ShowSignal
from gateway.evidence.documents.pdf import MM_PER_POINT, PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Ink, Pictogram, Sheet
from gateway.system.i18n import SOURCE, Language, Text, _, pgettext
from gateway.system.text import MAX_NAME_CHARS, sanitized

MARGIN_MM = 12.0
CONTENT_WIDTH_MM = PAGE_WIDTH_MM - 2 * MARGIN_MM

CLOSE_SIGNAL = ShowSignal(light=Light.AMBER, sound=Sound.CLOSE_THE_DOOR)
LIFT_SIGNAL = ShowSignal(light=Light.AMBER, sound=Sound.LIFT_THE_HANDLE)
RING_SIGNAL = ShowSignal(light=Light.AMBER, sound=Sound.RING)  # `gateway/runtime/effects.py` rings so

LAW_LANGUAGE: Language = "fr"  # in which a notice about cameras must be readable (France)
SCAN_CODE = _("Scan the code")
NO = _("Red: no")

# What the courier does, in its order; the last is the door's no.
COURIER_STEPS: tuple[tuple[Pictogram, Text], ...] = (
    (Pictogram.SCAN_PARCEL, _("Scan the parcel")),
    (Pictogram.SCAN_CODE, SCAN_CODE),
    (Pictogram.WAIT, _("Amber: wait")),
    (Pictogram.ENTER, _("Green: come in")),
    (Pictogram.PUT_DOWN, _("Put it down")),
    (Pictogram.LEAVE, pgettext("a house", "Leave")),
    (Pictogram.CLOSE_THE_DOOR, _("Close the door")),
    (Pictogram.NO, NO),
)

# What the signal at the door shows and sounds, and what it means.
SIGNAL_MEANINGS: tuple[tuple[ShowSignal, Text], ...] = (
    (RING_SIGNAL, _("ringing")),
    (transitions.WAIT, _("wait")),
    (transitions.INSIDE, _("put it down, leave")),
    (CLOSE_SIGNAL, _("close the door")),
    (LIFT_SIGNAL, _("lift the handle")),
    (transitions.GO, _("come in")),
    (transitions.NO, _("this door does not open")),
    (transitions.LEAVE, _("leave now")),
    (transitions.TROUBLE, _("alarm: the household is told")),
    (transitions.DARK, _("ready: scan")),
)

LAMP_LABELS: Mapping[Light, tuple[Ink, Text]] = {
    Light.AMBER: (Ink.AMBER, _("Amber")),
    Light.GREEN: (Ink.GREEN, _("Green")),
    Light.RED: (Ink.RED, _("Red")),
    Light.OFF: (Ink.WHITE, _("Off")),
}

_SOUND_PICTOGRAMS: Mapping[Sound, Pictogram] = {Sound.NONE: Pictogram.SILENT, Sound.RING: Pictogram.BELL}

# The information that the law requires before somebody enters.
LEGAL_TEXTS: tuple[tuple[Text, Text], ...] = (
    (_("Who films"), _("{home} (the controller), entrance: {entrance}.")),
    (
        _("Why"),
        _(
            "To prove the delivery and protect the house (legitimate interest, GDPR art. 6(1)(f)). Only during a "
            "visit, from just before the scan until the door is locked again, or if the door is forced."
        ),
    ),
    (_("How long"), _("{days} days at most, then erased; longer only for a dispute under way.")),
    (
        _("Coming out again"),
        _("An opening by hand within {minutes} min after a visit is filmed: it may be the courier's way out."),
    ),
    (
        _("Your rights"),
        _(
            "To see your pictures, have them erased, object: ask the contact. Complaints: the data protection "
            "authority (in France the CNIL)."
        ),
    ),
)
# What else stands there where the entrance admits guests.
GUESTS_TEXT: tuple[Text, Text] = (
    pgettext("a notice", "Guests"),
    _("A guest with a pass is not filmed. While guests stay, nothing at all is filmed here."),
)
LEGAL_HEADING_WIDTH_MM = 38.0
LINE_SPACING = 1.22
LEGAL_TEXT_SIZES_PT = (10.5, 10.0, 9.5, 9.0, 8.5, 8.0, 7.5, 7.0)  # points: as large as it fits


class Notice(Frozen):
    """The facts of a notice. Without a `contact` it has an empty line; `page`: URL of the courier's page, or None.

    `guests`: the entrance admits guests.
    """

    home: str
    entrance: str
    contact: str | None
    days: int
    minutes: int
    courier_code: bool
    page: str | None
    guests: bool = False

    @property
    def legal_texts(self) -> tuple[tuple[Text, Text], ...]:
        """Return what has to be known before somebody enters, each with its heading."""
        return (*LEGAL_TEXTS, GUESTS_TEXT) if self.guests else LEGAL_TEXTS


def notice_for(home: Home, entrance: str, *, contact: str | None, pages: str | None) -> Notice:
    """Gather what the notice of this entrance says.

    Raises:
        KeyError: no such entrance.
        ValueError: the contact is too long for its line, or `pages` is not the address of a page.
    """
    section = home.entrances[entrance]
    if contact is not None and len(contact) > MAX_NAME_CHARS:
        raise ValueError(f"the contact has {len(contact)} characters, {MAX_NAME_CHARS} at most fit its line")
    return Notice(
        home=sanitized(home.name),
        entrance=sanitized(section.name),
        contact=None if contact is None else sanitized(contact) or None,
        days=home.storage.retention_days,
        minutes=max(1, round(section.timing.watch / 60)),
        courier_code=section.needs_courier_token,
        page=None if pages is None else _courier_page_url(pages),
        guests=section.guests is not None,
    )


def notice_languages(house: Language) -> tuple[Language, ...]:
    """Return the two languages of a notice, in the order of its pages: the house's first, and always French."""
    return tuple(dict.fromkeys((house, LAW_LANGUAGE, SOURCE)))[:2]


def door_notice(notice: Notice, *, languages: Sequence[Language], made: datetime) -> bytes:
    """Draw the notice as a PDF, one A4 page a language."""
    title = " · ".join(_("Deliveries are filmed here").to(language) for language in languages)
    sheet = Sheet(title=title, language=languages[0], made=made)
    for language in languages:
        _NoticePage(sheet, notice, language).draw()
    return sheet.pdf()


def _courier_page_url(pages: str) -> str:
    parts = urlsplit(pages)
    plain = pages.isascii() and pages.isprintable() and " " not in pages
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or not plain:
        raise ValueError(f"{sanitized(pages)!r} is not the address of a page")
    if len(pages) > 100:  # more makes the code's dots too small for a phone at arm's length
        raise ValueError(f"the address has {len(pages)} characters, 100 at most make a code that phones read")
    return f"{pages.rstrip('/')}/c"


class _NoticePage(Frozen, kw_only=False):
    sheet: Sheet
    notice: Notice
    language: Language

    def draw(self) -> None:
        self.sheet.add_page()
        self._draw_head()
        self._draw_steps(top=49)
        self._draw_signals(top=148.5)
        self._draw_box_failure(top=187.5)
        self._draw_legal_texts(top=225)

    def _phrase(self, line: Text) -> str:
        notice = self.notice
        facts = {"home": notice.home, "entrance": notice.entrance}
        return line.to(self.language, **facts, days=str(notice.days), minutes=str(notice.minutes))

    def _draw_head(self) -> None:
        sheet = self.sheet
        sheet.box((0, 0), (PAGE_WIDTH_MM, 43), fill=Ink.NIGHT)
        sheet.pictogram(Pictogram.CAMERA, (MARGIN_MM, 6), 31, ink=Ink.WHITE, paper=Ink.NIGHT)
        x, width = MARGIN_MM + 37, CONTENT_WIDTH_MM - 37 - 32
        title = self._phrase(_("Deliveries are filmed here"))
        sheet.text((x, 22), title, size=34, bold=True, ink=Ink.WHITE, within=width)
        subtitle = self._phrase(_("Pictures without sound, erased after {days} days at most"))
        sheet.text((x, 33), subtitle, size=16, ink=Ink.WHITE, within=width)
        right = PAGE_WIDTH_MM - MARGIN_MM - 28
        sheet.box((right, 5), (28, 33), fill=Ink.WHITE, corner=3)
        sheet.pictogram(Pictogram.NO_SOUND, (right + 3, 6), 22)
        sheet.text((right + 14, 34.5), self._phrase(_("No sound")), size=13, bold=True, align="centre", within=26)

    def _draw_steps(self, top: float) -> None:
        """Four and four squares, numbered but for the last, which is no step."""
        sheet = self.sheet
        steps = [step for step in COURIER_STEPS if self.notice.courier_code or step[1] != SCAN_CODE]
        across, gap, high = 4, 3.5, 46.5
        wide = (CONTENT_WIDTH_MM - (across - 1) * gap) / across
        longest = max(sheet.width(self._phrase(line), size=1, bold=True) for _, line in steps)
        size = min(17, (wide - 4) / longest)  # one size for all
        for number, (pictogram, line) in enumerate(steps, start=1):
            row, column = divmod(number - 1, across)
            x, y = MARGIN_MM + column * (wide + gap), top + row * (high + gap)
            refusal = line == NO
            sheet.box((x, y), (wide, high), line=Ink.RED if refusal else Ink.BLACK, thick=0.8, corner=2.5)
            sheet.pictogram(pictogram, (x + (wide - 32) / 2, y + 3.5), 32)
            if not refusal:
                sheet.disc((x + 2, y + 2), 4.6, fill=Ink.BLACK, line=Ink.WHITE, thick=0.8)
                sheet.text((x + 2, y + 4), str(number), size=16, bold=True, ink=Ink.WHITE, align="centre")
            sheet.text((x + wide / 2, y + high - 4), self._phrase(line), size=size, bold=True, align="centre")

    def _draw_signals(self, top: float) -> None:
        """One card a light: the lamp, then what each sound with it means, as far apart as the card has room for."""
        high, head, foot = 37.0, 12.5, 1.5
        most = max(sum(show.light is light for show, _ in SIGNAL_MEANINGS) for light in LAMP_LABELS)
        apart = min(5.1, (high - head - foot) / most)
        wides = {Light.AMBER: 50.0, Light.GREEN: 30.0, Light.RED: 62.0, Light.OFF: 35.0}
        x = MARGIN_MM
        for light, (ink, name) in LAMP_LABELS.items():
            sheet, wide = self.sheet, wides[light]
            sheet.box((x, top), (wide, high), line=Ink.GREY, thick=0.4, corner=2)
            sheet.disc((x + 6.5, top + 6.5), 4.2, fill=ink, line=Ink.BLACK, thick=0.6)
            sheet.text((x + 13, top + 8.4), self._phrase(name), size=14, bold=True, within=wide - 15)
            y = top + head
            for show, meaning in SIGNAL_MEANINGS:
                if show.light is light:
                    sound = _SOUND_PICTOGRAMS.get(show.sound, Pictogram.BUZZER)
                    sheet.pictogram(sound, (x + 2.5, y), min(4.6, apart - 0.3))
                    sheet.text((x + 8.5, y + 3.6), self._phrase(meaning), size=11, within=wide - 10)
                    y += apart
            x += wide + 3

    def _draw_box_failure(self, top: float) -> None:
        sheet = self.sheet
        sheet.box((MARGIN_MM, top), (CONTENT_WIDTH_MM, 34), line=Ink.BLACK, thick=1.2, corner=2.5)
        question = self._phrase(_("Scanned, and no light?"))
        sheet.text((MARGIN_MM + 4, top + 8.2), question, size=18, bold=True, within=CONTENT_WIDTH_MM - 8)
        advice: Iterable[tuple[Pictogram, Text, float]] = (
            (Pictogram.BELL, _("Ring the bell."), 43),
            (Pictogram.TAKE_ALONG, _("Nobody? Take the parcel with you."), 57),
            (Pictogram.OPENS_BY_HAND, _("Inside? The door always opens by hand, without key or power."), 80),
        )
        x = MARGIN_MM + 3
        for pictogram, line, wide in advice:
            sheet.pictogram(pictogram, (x, top + 12), 19)
            sheet.block((x + 21, top + 18.5), self._phrase(line), width=wide - 23, size=12.5, bold=True, leading=1.2)
            x += wide

    def _draw_legal_texts(self, top: float) -> None:
        sheet, page = self.sheet, self.notice.page
        wide = CONTENT_WIDTH_MM - (0 if page is None else 46)
        room = PAGE_HEIGHT_MM - 15 - top
        size = next(
            (size for size in LEGAL_TEXT_SIZES_PT if self._legal_texts_height(wide, size) <= room),
            LEGAL_TEXT_SIZES_PT[-1],
        )
        y = top + 4.5
        for head, text in self.notice.legal_texts:
            sheet.text((MARGIN_MM, y), self._phrase(head), size=size, bold=True, within=LEGAL_HEADING_WIDTH_MM - 2)
            at, width = (MARGIN_MM + LEGAL_HEADING_WIDTH_MM, y), wide - LEGAL_HEADING_WIDTH_MM
            y = sheet.block(at, self._phrase(text), width=width, size=size, leading=LINE_SPACING) + 1.1
        y = PAGE_HEIGHT_MM - 9
        sheet.text((MARGIN_MM, y), self._phrase(_("Contact")), size=13, bold=True)
        x, contact = MARGIN_MM + LEGAL_HEADING_WIDTH_MM, self.notice.contact
        if contact is None:
            sheet.stroke([(x, y + 0.5), (MARGIN_MM + wide, y + 0.5)], thick=0.3)
        else:
            sheet.text((x, y), contact, size=13, bold=True, within=wide - LEGAL_HEADING_WIDTH_MM)
        if page is not None:
            x = PAGE_WIDTH_MM - MARGIN_MM - 42
            sheet.box((x, top), (42, 53), line=Ink.BLACK, thick=0.6, corner=2)
            sheet.qr((x + 1, top + 1), 40, page)
            title = self._phrase(_("Courier's page"))
            sheet.text((x + 21, top + 45), title, size=12, bold=True, align="centre", within=40)
            sheet.text((x + 21, top + 50), page, size=9, ink=Ink.GREY, align="centre", within=39)

    def _legal_texts_height(self, wide: float, size: float) -> float:
        width = wide - LEGAL_HEADING_WIDTH_MM
        lines = [
            len(self.sheet.lines(self._phrase(text), width=width, size=size)) for _, text in self.notice.legal_texts
        ]
        return sum(lines) * size * MM_PER_POINT * LINE_SPACING + len(lines) * 1.1
