"""Draws the third page of a visit's report: each closure of the way in, the key, and who received what.

A report has this page if the route has more than one door, if a supervisor permitted an opening, or if the proof has a
custody. All data is from the
manifest, which the verifier has compared with the log.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from gateway.config.closure_names import KIND_NAMES
from gateway.domain.custody import CustodyStage, DeclineReason
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.domain.visit.state import Evidence
from gateway.evidence.documents.pdf import PAGE_WIDTH_MM, Ink, Sheet
from gateway.evidence.manifest import Manifest
from gateway.evidence.permits import OpeningPermit
from gateway.evidence.route import RECEIVER, CustodyStep, RouteClosure, SensorAnswer
from gateway.protocol.ed25519 import grouped_fingerprint
from gateway.protocol.key_custody import COURIER, HOUSEHOLD, KEEPER, KeyWord
from gateway.system.i18n import Language, Text, _, pgettext
from gateway.system.text import sanitized

MARGIN_MM = 18.0
INDENT_MM = 6.0
LAST_LINE_MM = 268.0  # where the page's foot begins
MAX_TIMES = 4  # openings of one closure that are printed; the others are counted
MAX_STEPS = 24
SHOWN_DIGITS = 16  # of a picture's SHA-256
PLACE_ROLE = "place"  # the sensor of a vehicle's position, whose age is printed

SENSOR_TEXTS: Mapping[tuple[str, str], Text] = {
    ("lock", "locked"): _("bolt: locked"),
    ("door", "closed"): _("contact: closed"),
    ("way", "clear"): _("light barrier: free"),
    ("latch", "locked"): _("latch: locked"),
    ("lid", "closed"): _("lid: closed"),
    ("content", "occupied"): _("content: something lies in it"),
    ("content", "empty"): _("content: empty"),
    ("flap", "closed"): _("flap: closed"),
    ("key", "present"): _("key: on its hook"),
    ("boot", "closed"): _("boot: closed"),
    ("locked", "locked"): _("car: locked"),
    ("parked", "parked"): _("car: parked"),
    ("place", "there"): _("car: where it must stand"),
}
"""The text of each answer of a sensor; an answer without a text is printed as in the manifest."""

STEP_TEXTS: Mapping[str, Text] = {
    KeyWord.OFFERED: _("The safe with the key was ordered open"),
    KeyWord.TAKEN: _("Key taken from its hook"),
    KeyWord.REMINDED: _("Reminder about the key"),
    KeyWord.LATE: _("The key was not back in time"),
    KeyWord.RETURNED: _("Key back on its hook, proven"),
    KeyWord.LOST: _("Handed over to the owner while the key was out"),
    CustodyStage.ANNOUNCED: _("Announced"),
    CustodyStage.OFFERED: _("The courier offered it"),
    CustodyStage.RECEIVED: _("Received"),
    CustodyStage.DECLINED: _("Declined"),
    CustodyStage.HANDED_OVER: _("Handed over to the household"),
    CustodyStage.CONFIRMED: _("The household confirmed it"),
}
"""The text of each step of a custody; a test compares the keys with both sets of steps."""

REASON_TEXTS: Mapping[str, Text] = {
    DeclineReason.DAMAGED: _("damaged"),
    DeclineReason.UNKNOWN: _("the name is not known there"),
    DeclineReason.NO_ROOM: _("no room"),
    DeclineReason.DECLINED: _("no reason given"),
}

EVIDENCE_TEXTS: Mapping[Evidence, Text] = {
    Evidence.FILM: _("a film of the whole way"),
    Evidence.DOOR_FILM: _("a film of the door"),
    Evidence.SENSOR: _("a sensor that detects that something was left"),
    Evidence.SCAN: _("a closing scan of the courier"),
    Evidence.NONE: pgettext("evidence", "nothing"),
}

HOLDER_TEXTS: Mapping[str, Text] = {
    COURIER: _("the courier"),
    HOUSEHOLD: _("the household"),
    RECEIVER: _("the receiver"),
}


def has_route_page(manifests: Sequence[Manifest]) -> bool:
    """Return whether the report has this page; for one door the first page has everything."""
    if not manifests:
        return False
    if manifests[-1].permits:
        return True
    return [one.closure for one in manifests[-1].route] not in ([], [MAIN_CLOSURE]) or bool(custody_steps(manifests))


def custody_steps(manifests: Sequence[Manifest]) -> tuple[CustodyStep, ...]:
    """Return the steps of the custody of all parts: a reception has new steps in each part, a visit all in the last."""
    if not manifests or manifests[-1].route:
        return manifests[-1].custody if manifests else ()
    return tuple(step for manifest in manifests for step in manifest.custody)


class _LineStyle(Frozen):
    size: float  # points
    indent: float = 0.0  # millimetres
    bold: bool = False


_CLOSURE = _LineStyle(size=11, bold=True)
_CLOSURE_FACT = _LineStyle(size=9.5, indent=INDENT_MM)
_EVIDENCE = _LineStyle(size=9.5)
_CUSTODY = _LineStyle(size=10)
_MORE = _LineStyle(size=10, indent=INDENT_MM)


class RoutePage(Frozen):
    """The page below its head. `heading` draws a section's heading at a height and returns the next baseline."""

    sheet: Sheet
    manifests: Sequence[Manifest]
    language: Language
    clock: Callable[[datetime], str]
    heading: Callable[[float, Text], float]

    def draw(self, y: float) -> None:
        """Draw the closures, then the custody."""
        route = self.manifests[-1].route
        if route:
            y = self._draw_closures(self.heading(y, _("Way in")), route)
        steps = custody_steps(self.manifests)
        if steps and y < LAST_LINE_MM - 20:
            y = self._draw_custody(self.heading(y + 3, _("Who had it")), steps)

    def _phrase(self, text: Text, **facts: object) -> str:
        return text.to(self.language, **{name: str(fact) for name, fact in facts.items()})

    def _draw_closures(self, y: float, route: tuple[RouteClosure, ...]) -> float:
        for number, closure in enumerate(route, start=1):
            if y > LAST_LINE_MM - 30:
                left = self._phrase(_("and {count} more"), count=len(route) - number + 1)
                return self._line(y, left, _MORE)
            name = KIND_NAMES[closure.kind].to(self.language) if closure.kind in KIND_NAMES else closure.kind
            shown = f"{name} ({closure.closure})" if len(route) > 1 or closure.closure != MAIN_CLOSURE else name
            y = self._line(y, f"{number}. {sanitized(shown)}", _CLOSURE)
            for words, ink in self._closure_lines(closure):
                y = self._line(y, words, _CLOSURE_FACT, ink=ink)
            y += 2
        evidence = self.manifests[-1].evidence
        if evidence.required is not None:
            text = _("The house requires {evidence} as evidence.")
            required = EVIDENCE_TEXTS[evidence.required].to(self.language)
            y = self._line(y, self._phrase(text, evidence=required), _EVIDENCE)
        return y

    def _signature_line(self, permit: OpeningPermit) -> str:
        if permit.key_sha256 is None:
            return self._phrase(_("The proof has no signature of this yes"))
        text = _("Signed with the key {key}, which the page Robots and the supervisor's own page show")
        return self._phrase(text, key=grouped_fingerprint(permit.key_sha256))

    def _closure_lines(self, closure: RouteClosure) -> Iterator[tuple[str, Ink]]:
        yield self._order_line(closure), Ink.BLACK
        for permit in self.manifests[-1].permits:
            if permit.closure == closure.closure and permit.by is not None and permit.signed is not None:
                text = _("Permitted by {supervisor} at {time}, on a picture with SHA-256 {digest}")
                facts = {"supervisor": sanitized(permit.by), "time": self.clock(permit.signed)}
                yield self._phrase(text, **facts, digest=f"{(permit.picture_sha256 or '')[:SHOWN_DIGITS]}…"), Ink.BLACK
                yield self._signature_line(permit), Ink.BLACK
        for age in self.manifests[-1].ages:
            if age.closure == closure.closure and age.sensor == PLACE_ROLE:
                text = _("Its position was {age} s old at that moment; at most {limit} s are permitted")
                yield self._phrase(text, age=f"{age.age_s:.0f}", limit=f"{age.max_age_s:.0f}"), Ink.BLACK
        if closure.opened:
            times = ", ".join(self.clock(at) for at in closure.opened[:MAX_TIMES])
            left = len(closure.opened) - MAX_TIMES
            more = f" {self._phrase(_('and {count} more'), count=left)}" if left > 0 else ""
            yield self._phrase(_("Opened: {times}"), times=times) + more, Ink.BLACK
        elif closure.ordered is not None:
            yield self._phrase(_("Never seen to open")), Ink.BLACK
        if closure.passed is not None:
            text = _("Proven shut when the next one was ordered open, at {time}: {answers}")
            answers = self._answers_text(closure.passed.answers)
            yield self._phrase(text, time=self.clock(closure.passed.at), answers=answers), Ink.BLACK
        if closure.secured is not None:
            text = _("Secured, proven at {time}: {answers}")
            answers = self._answers_text(closure.answers)
            yield self._phrase(text, time=self.clock(closure.secured), answers=answers), Ink.GREEN
        elif closure.ordered is not None or closure.opened:
            yield self._phrase(_("Not proven secured")), Ink.RED

    def _order_line(self, closure: RouteClosure) -> str:
        if closure.ordered is None:
            is_by_key = closure.secured is not None or bool(closure.opened)
            return self._phrase(_("Only a key opens it, no order of the box") if is_by_key else _("Never ordered open"))
        parts = [self._phrase(_("Ordered open at {time}"), time=self.clock(closure.ordered))]
        if closure.published is not None:
            parts.append(self._phrase(_("the order left at {time}"), time=self.clock(closure.published)))
        if closure.passable is not None:
            parts.append(self._phrase(_("the courier could pass at {time}"), time=self.clock(closure.passable)))
        return ", ".join(parts)

    def _answers_text(self, answers: Mapping[str, SensorAnswer]) -> str:
        return "; ".join(self._answer_text(role, answer) for role, answer in sorted(answers.items())) or "-"

    def _answer_text(self, role: str, answer: SensorAnswer) -> str:
        text = SENSOR_TEXTS.get((role, answer.value))
        words = f"{role}: {answer.value}" if text is None else text.to(self.language)
        at = self.clock(answer.answered)
        if answer.query is None:
            return self._phrase(_("{answer} (reported {time})"), answer=words, time=at)
        return self._phrase(_("{answer} (answered {time})"), answer=words, time=at)

    def _draw_custody(self, y: float, steps: tuple[CustodyStep, ...]) -> float:
        holder = self.manifests[-1].holder
        if holder is not None and holder != RECEIVER:
            name = holder.removeprefix(KEEPER)
            shown = HOLDER_TEXTS[holder].to(self.language) if holder in HOLDER_TEXTS else sanitized(name)
            y = self._line(y, self._phrase(_("The key was used by: {holder}"), holder=shown), _CUSTODY)
        for number, step in enumerate(steps):
            if number == MAX_STEPS or y > LAST_LINE_MM - 8:
                return self._line(y, self._phrase(_("and {count} more"), count=len(steps) - number), _MORE)
            y = self._line(y, f"{self.clock(step.at)}  {self._step_text(step)}", _CUSTODY)
        return y

    def _step_text(self, step: CustodyStep) -> str:
        text = STEP_TEXTS.get(step.step)
        words = step.step if text is None else text.to(self.language)
        notes = [sanitized(step.by)] if step.by else []
        if step.parcel:
            notes.append(f"…{sanitized(step.parcel)}")
        if step.reason:
            reason = REASON_TEXTS.get(step.reason)
            notes.append(step.reason if reason is None else reason.to(self.language))
        return f"{words} ({', '.join(notes)})" if notes else words

    def _line(self, y: float, words: str, style: _LineStyle, *, ink: Ink = Ink.BLACK) -> float:
        at, width = (MARGIN_MM + style.indent, y), PAGE_WIDTH_MM - 2 * MARGIN_MM - style.indent
        return self.sheet.block(at, words, width=width, size=style.size, bold=style.bold, ink=ink, most=3) + 0.6
