"""Draws the report of a visit for an insurer: delivery, times, verification, pictures, and a page for several closures.

The report lists what is missing in the proof. If the proof does not verify, both pages show this in red, call their
content a claim, and show no picture.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.config.brand_names import OWN_BRAND_NAME
from gateway.config.closure_names import KIND_NAMES
from gateway.config.home import Home
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures.contract import MAIN_CLOSURE, Quantity
from gateway.domain.visit.film import NO_FILM, STAY_BEGAN
from gateway.evidence.documents.cold_chain_page import ColdChainPage, cold_chain_of
from gateway.evidence.documents.pdf import PAGE_HEIGHT_MM, PAGE_WIDTH_MM, Ink, Pictogram, Sheet
from gateway.evidence.documents.photos import PhotoMoment
from gateway.evidence.documents.route_page import RoutePage, custody_steps, has_route_page
from gateway.evidence.documents.sources import VisitEvidence
from gateway.evidence.documents.timeline import (
    MARK_RADIUS_MM,
    NAMES_WIDTH_MM,
    TimelineAxis,
    TimelineBar,
    draw_numbered_mark,
    draw_temperatures,
    draw_timeline,
)
from gateway.evidence.documents.visit_timeline import OF_CLOSURES, VisitEvent, VisitMoment
from gateway.evidence.logged_result import DELIVERY_UNKNOWN
from gateway.evidence.manifest import FilmSpan, Manifest
from gateway.evidence.receipt import OUTCOME_TEXTS
from gateway.evidence.route import KNOWN_KINDS, RouteGap
from gateway.evidence.verify import NOTE_NO_CHECKPOINT, NOTE_NO_KEY
from gateway.system.dates import day_text, window_text
from gateway.system.i18n import Language, Text, _, pgettext
from gateway.system.text import sanitized
from gateway.video.ipc import StreamFault

MARGIN_MM = 18.0
CONTENT_WIDTH_MM = PAGE_WIDTH_MM - 2 * MARGIN_MM
FIXED_PAGES = 2
MAX_ROWS = 5  # of any list; the report counts the rest

TABLE_MOMENTS = tuple(moment for moment in VisitMoment if moment is not VisitMoment.HANDED_TO_OWNER)

MOMENT_TEXTS: Mapping[VisitMoment, Text] = {
    VisitMoment.SCANNED: _("Scan accepted"),
    VisitMoment.UNLOCKED: pgettext("what happened", "Unlocked"),
    VisitMoment.OPENED: _("Door opened"),
    VisitMoment.CLOSED: _("Door closed"),
    VisitMoment.LOCKED_AGAIN: pgettext("what happened", "Locked again, proven"),
    VisitMoment.HANDED_TO_OWNER: _("Handed to the owner"),
}

# What each picture shows, and the moment of the table that it belongs to.
PICTURE_TEXTS: Mapping[PhotoMoment, tuple[Text, VisitMoment]] = {
    PhotoMoment.ARRIVAL: (_("At the scan"), VisitMoment.SCANNED),
    PhotoMoment.CARRYING: (_("In with the parcel"), VisitMoment.OPENED),
    PhotoMoment.CLOSED: (_("Door closed"), VisitMoment.CLOSED),
    PhotoMoment.LOCKED: (pgettext("what happened", "Locked again, proven"), VisitMoment.LOCKED_AGAIN),
}

DOOR_RESULT_TEXTS: Mapping[DoorResult, Text] = {
    DoorResult.NOT_OPENED: _("the door was not opened"),
    DoorResult.LOCKED_AGAIN: _("locked again"),
    DoorResult.HANDED_TO_OWNER: _("handed to the owner"),
}

# Why something is missing: the words of the video process, of sealing, and of the log.
GAP_TEXTS: Mapping[str, Text] = {
    "not_filmed": _("not filmed"),
    "film_lost": _("film lost"),
    StreamFault.UNREACHABLE: _("camera not reachable"),
    StreamFault.STALL: _("no more pictures came"),
    StreamFault.RESET: _("connection cut"),
    StreamFault.STUCK_TIMESTAMPS: _("timestamps stood still"),
    StreamFault.UNDECODABLE: _("pictures could not be decoded"),
    StreamFault.BLACK: _("black picture"),
    StreamFault.FROZEN: _("frozen picture"),
    StreamFault.DISK: _("disk full or failing"),
    StreamFault.CHANGED: _("the picture's format changed"),
    StreamFault.INTERRUPTED: _("recording interrupted"),
    RouteGap.CLOCK_STEPPED: _("the box's clock was set during the visit, so its times cannot be compared"),
    RouteGap.LOG_INCOMPLETE: _("the disk failed during the visit, so decisions may be missing in the log"),
    NO_FILM: _("nothing was filmed"),
    STAY_BEGAN: _("the film ends early, because guests came to stay"),
    DELIVERY_UNKNOWN: _("the delivery was changed or deleted after the visit"),
}


_NO_DOOR = _("No door was opened: a receiver took the parcels. Page 3 lists who had what, and when.")


class HouseNames(Frozen):
    """What the house of `box` calls the things that a manifest knows by id; an id without a name stays one."""

    box: str = ""
    house: str = ""
    entrances: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    brands: Mapping[str, str] = field(default_factory=dict)


def house_names(home: Home) -> HouseNames:
    """Take the names out of a house's file."""
    return HouseNames(
        box=home.box,
        house=home.name,
        entrances={id_: known.name for id_, known in home.destinations.items()},
        places={id_: name for known in home.destinations.values() for id_, name in known.places.items()},
        brands={id_: brand.name for id_, brand in home.brands.items()},
    )


def sealed_names(manifests: Sequence[Manifest]) -> HouseNames | None:
    """Take the names out of a visit's manifests, the newest of each thing; None: they were sealed without names."""
    named = [(manifest, manifest.names) for manifest in manifests if manifest.names is not None]
    if not named:
        return None
    brands = {one.delivery.brand: names.brand for one, names in named if one.delivery is not None and names.brand}
    return HouseNames(
        box=named[-1][0].box,
        house=named[-1][1].house,
        entrances={id_: name for _, names in named for id_, name in names.entrances.items()},
        places={id_: name for _, names in named for id_, name in names.places.items()},
        brands=brands,
    )


def draw_report(
    evidence: VisitEvidence, *, language: Language, zone: ZoneInfo, made: datetime, names: HouseNames
) -> bytes:
    """Draw the report of a visit as a PDF of two A4 pages.

    It has one more page for several closures or a custody, and one more for a cold chain.

    The report of another box's visit has no names of this house.
    """
    sheet = Sheet(title=_("Report of a visit").to(language), language=language, made=made)
    own = names if evidence.manifests and evidence.manifests[0].box == names.box else HouseNames()
    pages = _ReportPages(sheet=sheet, evidence=evidence, language=language, zone=zone, names=own)
    pages.draw_first(made)
    pages.draw_second()
    if has_route_page(evidence.manifests):
        pages.draw_third()
    pages.draw_cold_chain()
    return sheet.pdf()


def page_count(evidence: VisitEvidence) -> int:
    """Return how many pages the report of this visit has."""
    has_cold_chain = cold_chain_of(evidence.manifests) is not None
    return FIXED_PAGES + has_route_page(evidence.manifests) + has_cold_chain


class _ReportPages(Frozen):
    sheet: Sheet
    evidence: VisitEvidence
    language: Language
    zone: ZoneInfo
    names: HouseNames

    def _brand_name(self, brand: str) -> str:
        return self._phrase(OWN_BRAND_NAME) if brand == OWN_BRAND else self.names.brands.get(brand, brand)

    @property
    def has_door(self) -> bool:
        """Whether the visit has a door; at a reception no door moves."""
        steps = custody_steps(self.evidence.manifests)
        return not steps or bool(self.evidence.manifests[-1].route)

    @property
    def _has_bolt(self) -> bool:
        """Whether a closure of the way in has a bolt; a manifest without closures is about a door with a lock."""
        kinds = {closure.kind for closure in self.evidence.manifests[-1].route}
        return not kinds or any(
            Quantity.BOLT in kind.roles.values() for name, kind in KNOWN_KINDS.items() if name in kinds
        )

    def draw_first(self, made: datetime) -> None:
        self.sheet.add_page()
        self._draw_head(1)
        local = made.astimezone(self.zone)
        words = self._phrase(_("Made on {date} at {time}"), date=self._day(made), time=f"{local:%H:%M}")
        self.sheet.text((PAGE_WIDTH_MM - MARGIN_MM, 25), words, size=9, ink=Ink.GREY, align="right")
        y = self._draw_verdict(34)
        if self.evidence.manifests:
            y = self._draw_delivery(y)
            y = self._draw_times(y) if self.has_door else self._draw_paragraph(y, self._phrase(_NO_DOOR), size=11) + 4
            y = self._draw_cameras(y)
        else:
            words = self._phrase(_("No manifest that can be read: nothing can be told of this visit."))
            y = self._draw_paragraph(y + 6, words, size=12) + 6
        self._draw_seal(min(y + 5, 222.0))

    def draw_second(self) -> None:
        self.sheet.add_page()
        self._draw_head(2)
        y = 35.0
        if not self.evidence.verdict.ok:
            title = self._phrase(_("THE PROOF DOES NOT HOLD"))
            y = self._draw_banner(y - 2, height=9, ink=Ink.RED, sign=Pictogram.NO, title=title)
        y = self._draw_pictures(y)
        if self.has_door:
            self._draw_timeline(y + 3)

    def draw_third(self) -> None:
        self.sheet.add_page()
        self._draw_head(3)
        page = RoutePage(
            sheet=self.sheet,
            manifests=self.evidence.manifests,
            language=self.language,
            clock=self._clock,
            heading=self._draw_heading,
        )
        page.draw(38.0)

    def draw_cold_chain(self) -> None:
        """Draw the last page if the visit had items with limits."""
        account = cold_chain_of(self.evidence.manifests)
        if account is None:
            return
        self.sheet.add_page()
        self._draw_head(page_count(self.evidence))
        page = ColdChainPage(
            sheet=self.sheet, account=account, language=self.language, places=self.names.places, clock=self._clock,
            heading=self._draw_heading,
        )  # fmt: skip
        page.draw(38.0)

    def _phrase(self, text: Text, **facts: object) -> str:
        return text.to(self.language, **{name: str(fact) for name, fact in facts.items()})

    def _more(self, count: int) -> str:
        return self._phrase(_("and {count} more"), count=count)

    def _draw_paragraph(self, y: float, words: str, *, size: float, most: int | None = None) -> float:
        """Set a paragraph over the whole width; return the baseline that follows it."""
        return self.sheet.block((MARGIN_MM, y), words, width=CONTENT_WIDTH_MM, size=size, most=most)

    def _draw_head(self, number: int) -> None:
        sheet = self.sheet
        sheet.text((MARGIN_MM, 20), self._phrase(_("Report of a visit")), size=22, bold=True, ink=Ink.NIGHT)
        sheet.text((MARGIN_MM, 26), sanitized(self.names.house), size=11, ink=Ink.GREY, within=110)
        visit = self.evidence.manifests[0].visit if self.evidence.manifests else ""
        sheet.text((PAGE_WIDTH_MM - MARGIN_MM, 20), visit, size=9, ink=Ink.GREY, align="right", within=70)
        sheet.stroke([(MARGIN_MM, 29), (PAGE_WIDTH_MM - MARGIN_MM, 29)], ink=Ink.NIGHT, thick=0.6)
        page = self._phrase(_("page {number} of {count}"), number=number, count=page_count(self.evidence))
        sheet.text((PAGE_WIDTH_MM - MARGIN_MM, PAGE_HEIGHT_MM - 8), page, size=8.5, ink=Ink.GREY, align="right")
        foot = _(
            "To check again, offline: perron verify FOLDER --key box.pub.pem. This paper is not the proof: the folder "
            "is."
        )
        at, width = (MARGIN_MM, PAGE_HEIGHT_MM - 11.5), CONTENT_WIDTH_MM - 26
        sheet.block(at, self._phrase(foot), width=width, size=8.5, ink=Ink.GREY)

    def _draw_heading(self, y: float, phrase: Text) -> float:
        """Set a section's heading; where the proof does not hold it says what follows is worth."""
        self.sheet.text((MARGIN_MM, y), self._phrase(phrase), size=12, bold=True, ink=Ink.NIGHT)
        if not self.evidence.verdict.ok:
            words = self._phrase(_("Not proven: what this folder claims"))
            self.sheet.text((PAGE_WIDTH_MM - MARGIN_MM, y), words, size=9.5, bold=True, ink=Ink.RED, align="right")
        self.sheet.stroke([(MARGIN_MM, y + 1.8), (PAGE_WIDTH_MM - MARGIN_MM, y + 1.8)], ink=Ink.PALE, thick=0.4)
        return y + 7.2

    def _draw_banner(  # noqa: PLR0913 - what a banner shows
        self, y: float, *, height: float, ink: Ink, sign: Pictogram, title: str, lines: Sequence[str] = ()
    ) -> float:
        """Set a coloured box: sign, title, and lines below it; return where the next thing may begin."""
        sheet = self.sheet
        filled = ink is Ink.RED
        words, paper = (Ink.WHITE, ink) if filled else (ink, Ink.WHITE)
        size = 14 if height > 12 else 6.5
        sheet.box((MARGIN_MM, y), (CONTENT_WIDTH_MM, height), fill=paper, line=ink, thick=0.9, corner=2)
        sheet.pictogram(sign, (MARGIN_MM + 3, y + (height - size) / 2), size, ink=ink)
        x, width = MARGIN_MM + size + 7, CONTENT_WIDTH_MM - size - 12
        if not lines:
            sheet.text((x, y + height / 2 + 1.8), title, size=13, bold=True, ink=words, within=width)
            return y + height + 8
        sheet.text((x, y + 8), title, size=16, bold=True, ink=words, within=width)
        at = y + 13.6
        for line in lines:
            at = sheet.block((x, at), line, width=width, size=10, most=2, ink=Ink.WHITE if filled else Ink.BLACK)
        return y + height + 9

    def _draw_verdict(self, y: float) -> float:
        verdict = self.evidence.verdict
        sign = Pictogram.YES
        if verdict.code is not None:
            height, ink, sign, title = 35, Ink.RED, Pictogram.NO, _("THE PROOF DOES NOT HOLD")
            defect = verdict.code.text.to(self.language)
            place = self._phrase(_("Exactly where: {where}"), where=_one_line(verdict.where or "", 240))
            lines = [f"{defect[:1].upper()}{defect[1:]}.", place, verdict.code.remedy.to(self.language)]
        elif verdict.erased is not None:
            height, ink, title = 20, Ink.GREY, _("Erased visit")
            text = _("Erased on request. Only the signed note of erasure is left.")
            if verdict.parts:
                text = _("The films were erased when their time was over; what was decided is still proven.")
            lines = [self._phrase(text)]
        else:
            films = sum(len(part.manifest.clips) for part in verdict.parts)
            # The log of a later part begins with the visit; at a reception it has only new entries.
            counts = [len(part.manifest.decisions) for part in verdict.parts]
            decisions = max(counts) if self.has_door else sum(counts)
            if NOTE_NO_KEY not in verdict.notes:
                height, ink, title = 22, Ink.GREEN, _("The proof holds")
                text = _("Films and log are as the box sealed them (films: {films}, decisions: {decisions}).")
            else:  # anybody can make a key and seal anything with it
                height, ink, title = 22, Ink.NIGHT, _("The folder agrees, key not compared")
                text = _(
                    "Films and decisions belong together (films: {films}, decisions: {decisions}). That this very box "
                    "sealed them is proven only once its key is compared."
                )
            lines = [self._phrase(text, films=films, decisions=decisions)]
        return self._draw_banner(y, height=height, ink=ink, sign=sign, title=self._phrase(title), lines=lines)

    def _draw_delivery(self, y: float) -> float:
        manifest = self.evidence.manifests[0]
        top = self._draw_heading(y, _("Delivery"))
        delivery, missing = manifest.delivery, self._phrase(_("not in the proof"))
        left: list[tuple[Text, str]] = [(_("Delivery"), self._phrase(_("none: an incident was filmed")))]
        if delivery is not None:
            parcels = ", ".join(f"…{sanitized(last)}" for last in delivery.parcels[:MAX_ROWS])
            rest = len(delivery.parcels) - MAX_ROWS
            left = [
                (_("Brand"), self._brand_name(delivery.brand)),
                (_("Carrier"), delivery.carrier),
                (_("Parcels (end of code)"), f"{parcels} {self._more(rest)}" if rest > 0 else parcels),
                (_("Place"), self.names.places.get(delivery.place, delivery.place)),
                (_("Agreed window"), self._window_text(delivery.window)),
                (_("Number"), delivery.id),
            ]
        outcome, house = manifest.outcome, manifest.house
        right = [
            (_("Parcels"), missing if outcome is None else OUTCOME_TEXTS[outcome].to(self.language)),
            (_("House"), missing if house is None else DOOR_RESULT_TEXTS[house].to(self.language)),
            (_("Entrance"), self.names.entrances.get(manifest.entrance, manifest.entrance)),
            (_("Visit"), manifest.visit),
        ]
        if manifest.moved_from is not None:
            right.append((_("Moved from"), self.names.entrances.get(manifest.moved_from, manifest.moved_from)))
        end = self._draw_pairs(MARGIN_MM, top, 94, left)
        return max(end, self._draw_pairs(MARGIN_MM + 98, top, CONTENT_WIDTH_MM - 98, right)) + 4

    def _draw_pairs(self, x: float, y: float, width: float, pairs: Sequence[tuple[Text, str]]) -> float:
        for phrase, value in pairs:
            self.sheet.text((x, y), self._phrase(phrase), size=9.5, ink=Ink.GREY, within=34)
            at = x + 36
            y = self.sheet.block((at, y), sanitized(value) or "-", width=width - 36, size=10, bold=True, most=2) + 1
        return y

    def _draw_times(self, y: float) -> float:
        sheet, main = self.sheet, self.evidence.timeline.first_of_each()
        y = self._draw_heading(y, _("Times"))
        house = self._phrase(_("House time ({zone})"), zone=self.zone.key)
        columns = (MARGIN_MM + 8, MARGIN_MM + 66, MARGIN_MM + 130)
        sheet.text((columns[1], y), house, size=9, ink=Ink.GREY)
        sheet.text((columns[2], y), self._phrase(_("UTC")), size=9, ink=Ink.GREY)
        for number, moment in enumerate(TABLE_MOMENTS, start=1):
            event = main.get(moment)
            if event is None and moment is VisitMoment.UNLOCKED and not self._has_bolt:
                continue
            y += 6.2
            draw_numbered_mark(sheet, (MARGIN_MM + MARK_RADIUS_MM, y - 1.3), number)
            sheet.text((columns[0], y), MOMENT_TEXTS[moment].to(self.language), size=10.5, bold=True)
            if event is None:
                sheet.text((columns[1], y), self._phrase(_("not in the proof")), size=10.5, ink=Ink.RED)
                continue
            sheet.text((columns[1], y), f"{self._day(event.at)}  {self._clock(event.at)}", size=10.5)
            sheet.text((columns[2], y), self._utc_text(event.at), size=10.5)
        y += 5.8
        for line in self._other_events():
            y = sheet.block((MARGIN_MM + 8, y), line, width=CONTENT_WIDTH_MM - 8, size=9.5, most=2)
        return y + 5

    def _other_events(self) -> Iterator[str]:
        """Yield the other events of the log, and whether the box trusted its clock."""
        course, main = self.evidence.timeline, self.evidence.timeline.first_of_each()
        others = [*(main[moment] for moment in main if moment not in TABLE_MOMENTS), *course.remaining_events()]
        listed = [self._event_text(event) for event in others[:MAX_ROWS]]
        if len(others) > MAX_ROWS:
            listed.append(self._more(len(others) - MAX_ROWS))
        if listed:
            yield self._phrase(_("Also: {list}"), list=", ".join(listed))
        collected = self.evidence.manifests[0].collected
        if collected is not None:
            ends = ", ".join(f"…{sanitized(end)}" for end in collected.scanned[:MAX_ROWS])
            result = OUTCOME_TEXTS[Outcome(collected.result.value)].to(self.language)
            yield self._phrase(_("Return: {result}. Scanned inside: {ends}."), result=result, ends=ends or "-")
            yield self._phrase(_("The log cannot show that the courier took nothing else."))
        sealed = all(manifest.clock_trusted for manifest in self.evidence.manifests)
        if not (sealed and all(event.trusted for event in course.events)):
            yield self._phrase(_("The box was not certain of its time."))

    def _event_text(self, event: VisitEvent) -> str:
        """Return an event with its time, and with its closure if that is not the closure of the table."""
        words = f"{MOMENT_TEXTS[event.moment].to(self.language)} {self._clock(event.at)}"
        if self.evidence.timeline.innermost is None or event.moment not in OF_CLOSURES:
            return words
        closure = event.closure or MAIN_CLOSURE
        kind = next((one.kind for one in self.evidence.manifests[-1].route if one.closure == closure), "")
        return f"{words} ({KIND_NAMES[kind].to(self.language) if kind in KIND_NAMES else sanitized(closure)})"

    def _draw_cameras(self, y: float) -> float:
        y = self._draw_heading(y, _("Cameras and gaps"))
        lines = [*self._filmed_lines(), *self._gap_lines()]
        for number, line in enumerate(lines):
            if y > 209 and number < len(lines) - 1:
                return self._draw_paragraph(y, self._more(len(lines) - number), size=10)
            y = self._draw_paragraph(y, line, size=10, most=1)
        return y

    def _filmed_lines(self) -> Iterator[str]:
        manifests = self.evidence.manifests
        for camera in dict.fromkeys(camera for manifest in manifests for camera in manifest.cameras):
            clips = [clip for manifest in manifests for clip in manifest.clips if clip.camera == camera]
            spans = ", ".join(f"{self._clock(clip.start)}-{self._clock(clip.end)}" for clip in clips[:MAX_ROWS])
            phrase = _("{camera}: {spans}") if clips else _("{camera}: no film")
            yield self._phrase(phrase, camera=sanitized(camera), spans=spans)

    def _gap_lines(self) -> Iterator[str]:
        manifests = self.evidence.manifests
        gaps = [gap for manifest in manifests for gap in manifest.gaps]
        notes = [note for manifest in manifests for note in (*manifest.notes, *manifest.evidence.gaps)]
        for gap in gaps:
            yield self._phrase(
                _("Declared gap, {camera}: {start} to {end} ({why})"),
                camera=self._phrase(_("all cameras")) if gap.camera is None else sanitized(gap.camera),
                start=self._clock(gap.start),
                end=self._clock(gap.end),
                why=gap_text(gap.why, self.language),
            )
        gap_words = {word for gap in gaps for word in (str(gap.camera), f"{gap.camera}:{gap.why}")}
        for note in dict.fromkeys(note for note in notes if note not in gap_words):
            camera, _colon, why = note.rpartition(":")
            words = gap_text(why, self.language)
            declared = self._phrase(_("{camera}: {spans}"), camera=sanitized(camera), spans=words) if camera else words
            yield self._phrase(_("Also declared: {note}"), note=declared)
        if not gaps and not notes:
            yield self._phrase(_("No declared gap."))

    def _draw_seal(self, y: float) -> None:
        sheet, evidence = self.sheet, self.evidence
        y = self._draw_heading(y, _("Seal"))
        rows = [
            (self._phrase(_("SHA-256 of manifest {part}"), part=n), hashed)
            for n, hashed in enumerate(evidence.hashes[:2], start=1)
        ]
        if len(evidence.hashes) > len(rows):
            rows.append(("", self._more(len(evidence.hashes) - len(rows))))
        fingerprint = evidence.verdict.fingerprint or self._phrase(_("not in the proof"))
        rows.append((self._phrase(_("Its key's fingerprint")), fingerprint))
        if evidence.manifests:
            last = evidence.manifests[-1]
            sealed = f"{self._phrase(_('Sealed at')).lower()} {self._utc_text(last.sealed_at)} UTC"
            rows.append((self._phrase(_("Box")), f"{sanitized(last.box)}, {sealed}"))
        for name, value in rows:
            sheet.text((MARGIN_MM, y), name, size=9.5, ink=Ink.GREY, within=46)
            sheet.text((MARGIN_MM + 48, y), value, size=9.5, within=CONTENT_WIDTH_MM - 48)
            y += 5
        y += 1
        for line in self._comparison_lines():
            y = sheet.block((MARGIN_MM, y), line, width=CONTENT_WIDTH_MM, size=9, ink=Ink.BLACK, leading=1.2, most=2)

    def _comparison_lines(self) -> Iterator[str]:
        evidence = self.evidence
        if not evidence.verdict.ok:
            yield self._phrase(_("Verification ends at the first wrong thing; what comes after it was not checked."))
            return
        yield self._phrase(
            _("No key was given: compare the fingerprint above with the box's.")
            if NOTE_NO_KEY in evidence.verdict.notes
            else _("The key was compared with the one known from elsewhere.")
        )
        yield self._phrase(
            _("No checkpoint was given: a log that was rolled back would not show.")
            if NOTE_NO_CHECKPOINT in evidence.verdict.notes
            else _("The log was compared with the checkpoints kept outside the box.")
        )
        notes = [note for note in evidence.verdict.notes if note not in {NOTE_NO_KEY, NOTE_NO_CHECKPOINT}]
        if notes:
            more = f" {self._more(len(notes) - 1)}" if len(notes) > 1 else ""
            yield self._phrase(_("Note by `perron verify`: {note}"), note=_one_line(notes[0], 160)) + more

    def _draw_pictures(self, y: float) -> float:
        sheet = self.sheet
        y = self._draw_heading(y + 3, _("Pictures from the films"))
        reason: Text | None = None
        if not self.evidence.verdict.ok:
            reason = _("No pictures: the proof does not hold, what these films show is not proven.")
        elif self.evidence.verdict.erased is not None:
            reason = _("No pictures: the films were erased.")
        elif not any(manifest.cameras for manifest in self.evidence.manifests):
            reason = _("No pictures: no camera films this entrance.")
        if reason is not None:
            return self._draw_paragraph(y, self._phrase(reason), size=11) + 4
        wide, high, gap_ = 84.0, 52.0, CONTENT_WIDTH_MM - 168
        known = self.evidence.timeline.first_of_each()
        for place, (picture, (text, moment)) in enumerate(PICTURE_TEXTS.items()):
            x, top = MARGIN_MM + place % 2 * (wide + gap_), y - 3 + place // 2 * (high + 13)
            photo = self.evidence.photos.get(picture)
            has_no_scan = picture is PhotoMoment.ARRIVAL and moment not in known  # an incident
            title = self._phrase(_("First picture") if has_no_scan else text)
            sheet.box((x, top), (wide, high), fill=Ink.PALE)
            label = x
            if not has_no_scan:
                draw_numbered_mark(sheet, (x + MARK_RADIUS_MM, top + high + 4.2), TABLE_MOMENTS.index(moment) + 1)
                label = x + 2 * MARK_RADIUS_MM + 1.5
            sheet.text((label, top + high + 5.4), title, size=10.5, bold=True, within=46)
            if photo is None:
                words = self._phrase(
                    _("No film at that instant")
                    if has_no_scan or moment in known
                    else _("That instant is not in the proof")
                )
                sheet.text((x + wide / 2, top + high / 2), words, size=11, ink=Ink.RED, align="centre", within=wide - 4)
                continue
            sheet.picture((x, top), (wide, high), photo.jpeg, alt_text=f"{title}, {photo.camera}")
            caption = f"{self._clock(photo.at)} · {photo.camera}"
            sheet.text((x + wide, top + high + 5.4), caption, size=9, ink=Ink.GREY, align="right", within=32)
        return y - 3 + 2 * (high + 13)

    def _draw_timeline(self, y: float) -> None:
        sheet, timeline, manifests = self.sheet, self.evidence.timeline, self.evidence.manifests
        y = self._draw_heading(y + 3, _("Timeline"))
        if not manifests:
            self._draw_paragraph(y, self._phrase(_("No timeline: neither manifest nor log can be read.")), size=11)
            return
        axis = self._axis()
        main = timeline.first_of_each()
        marks = {number: main[moment] for number, moment in enumerate(TABLE_MOMENTS, start=1) if moment in main}
        bars = [
            TimelineBar(name=self._phrase(_("Bolt withdrawn")), ink=Ink.AMBER, stretches=timeline.withdrawn),
            TimelineBar(name=self._phrase(_("Door open")), ink=Ink.GREEN, stretches=timeline.open),
            *self._film_bars(),
        ]
        y = draw_timeline(sheet, axis, y - 3, bars=bars, marks=marks, zone=self.zone)
        if any(bar.holes for bar in bars):
            sheet.box((MARGIN_MM, y - 4.4), (6, 3), line=Ink.RED, thick=0.5)
            words, width = self._phrase(_("declared gap")), NAMES_WIDTH_MM - 10
            sheet.text((MARGIN_MM + 8, y - 1.9), words, size=8, ink=Ink.GREY, within=width)
        if timeline.temperatures:
            y = self._draw_heading(y + 5, _("Temperatures (°C)"))
            temperatures = {
                sanitized(self.names.places.get(id_, id_)): readings for id_, readings in timeline.temperatures.items()
            }
            draw_temperatures(sheet, axis, y - 2, height=20, readings=temperatures)

    def _film_bars(self) -> Iterator[TimelineBar]:
        manifests = self.evidence.manifests
        for camera in list(dict.fromkeys(camera for manifest in manifests for camera in manifest.cameras))[:4]:
            clips = [clip for manifest in manifests for clip in manifest.clips if clip.camera == camera]
            holes = [hole for manifest in manifests for hole in manifest.gaps if hole.camera in {camera, None}]
            yield TimelineBar(name=sanitized(camera), ink=Ink.NIGHT, stretches=clips, holes=holes)

    def _axis(self) -> TimelineAxis:
        spans = [span for manifest in self.evidence.manifests for span in (manifest.film, *manifest.clips)]
        instants = [instant for span in spans for instant in (span.start, span.end)]
        instants += [event.at for event in self.evidence.timeline.events]
        start, end = min(instants), max(instants)
        return TimelineAxis(
            start=start,
            end=max(end, start + timedelta(seconds=1)),
            left=MARGIN_MM + NAMES_WIDTH_MM,
            width=CONTENT_WIDTH_MM - NAMES_WIDTH_MM,
        )

    def _day(self, at: datetime) -> str:
        return day_text(at.astimezone(self.zone).date()).to(self.language)

    def _utc_text(self, at: datetime) -> str:
        utc = at.astimezone(UTC)
        return f"{day_text(utc.date()).to(self.language)}  {utc:%H:%M:%S}"

    def _clock(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%H:%M:%S}"

    def _window_text(self, window: FilmSpan) -> str:
        return window_text(window.start, window.end, self.zone).to(self.language)


def _one_line(words: str, most: int) -> str:
    line = " ".join(words.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def gap_text(why: str, language: Language) -> str:
    """Return the reason of a gap in this language; an unknown reason is shown as the manifest has it."""
    return GAP_TEXTS[why].to(language) if why in GAP_TEXTS else sanitized(why)
