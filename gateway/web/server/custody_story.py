"""Words the log's rows of a reception as lines for the household: who had each parcel, and when. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from gateway.domain.custody import CustodyAnswer, CustodyStage, DeclineReason
from gateway.domain.delivery.result import Refusal
from gateway.runtime.notifications.texts import DECLINE_TEXTS, REFUSAL_TEXTS
from gateway.system.i18n import Fact, Language, Text, _
from gateway.system.text import sanitized
from gateway.web.server.visit_story import StoryLine, StoryTone

STAGE_LINES: Mapping[CustodyStage, tuple[Text, StoryTone]] = {
    CustodyStage.ANNOUNCED: (_("{parcel}: nobody took it, the courier has it again"), "bad"),
    CustodyStage.OFFERED: (_("{parcel}: the courier offers it"), "calm"),
    CustodyStage.RECEIVED: (_("{parcel}: {who} has it"), "good"),
    CustodyStage.DECLINED: (_("{parcel}: {who} did not take it: {why}"), "bad"),
    CustodyStage.HANDED_OVER: (_("{parcel}: {who} has handed it over to the household"), "good"),
    CustodyStage.CONFIRMED: (_("{parcel}: the household has confirmed it"), "good"),
}
"""The line of a parcel that enters a stage; a test compares the keys with the stages."""


def custody_lines(
    rows: Iterable[Mapping[str, Any]], *, language: Language, receivers: Mapping[str, str]
) -> tuple[StoryLine, ...]:
    """Word the rows of one custody in their order; a row without news has no line.

    `receivers`: the names of the receivers of today's house, by id; one whom it no longer has keeps his id.
    """
    return tuple(_lines(rows, language, receivers))


def _lines(rows: Iterable[Mapping[str, Any]], language: Language, receivers: Mapping[str, str]) -> Iterator[StoryLine]:
    holders: dict[str, str] = {}  # parcel -> who had it last
    for row in rows:
        if row["kind"] != "custody":
            continue
        at, parcel = datetime.fromisoformat(row["at"]), f"…{sanitized(row['code']['last'])}"
        if row["stage"] != row["stage_before"]:
            holder = holders[parcel] = row["receiver"] or holders.get(parcel, "")
            who: Fact = sanitized(receivers.get(holder, holder)) if holder else _("the receiver")
            why: Fact = DECLINE_TEXTS[DeclineReason(row["reason"])] if row["reason"] else ""
            text, tone = STAGE_LINES[CustodyStage(row["stage"])]
            yield StoryLine(at=at, text=text.to(language, parcel=parcel, who=who, why=why), tone=tone)
        elif row["answer"] == CustodyAnswer.NO:
            refused = _("{what} refused: {why}").to(language, what=parcel, why=REFUSAL_TEXTS[Refusal(row["refusal"])])
            yield StoryLine(at=at, text=refused, tone="bad")
