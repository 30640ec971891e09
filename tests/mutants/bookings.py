"""Faults in what a calendar of bookings proposes and never does."""

from tests.mutants.mutant import Mutant

TESTS = "tests/gateway/"
DOMAIN = f"{TESTS}domain/guests/test_bookings.py"
ICS = f"{TESTS}integrations/bookings/test_ics.py"
FETCH = f"{TESTS}integrations/bookings/test_fetch.py"
SEAM = f"{TESTS}integrations/bookings/test_seam.py"
CALENDARS = f"{TESTS}runtime/test_calendars.py"
RUNTIME = f"{TESTS}runtime/test_bookings.py"
READER = "gateway/integrations/bookings/"

MUTANTS = (
    Mutant(
        name="one reading without a booking is a question",
        file="gateway/domain/guests/bookings.py",
        old="MISSING_READINGS = 2",
        new="MISSING_READINGS = 1",
        tests=(DOMAIN, RUNTIME),
    ),
    Mutant(
        name="a reading that could not read all lets bookings be missing",
        file="gateway/domain/guests/bookings.py",
        old="if key not in found) if reading.is_whole else ()",
        new="if key not in found)",
        tests=(DOMAIN, RUNTIME),
    ),
    Mutant(
        name="a calendar moves what the host accepted",
        file="gateway/storage/bookings.py",
        old="UPDATE stay SET starts = ?, ends = ? WHERE proposed_by = ? AND is_proposed = 1",
        new="UPDATE stay SET starts = ?, ends = ? WHERE proposed_by = ?",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="a calendar moves a pass that the host accepted",
        file="gateway/storage/bookings.py",
        old="UPDATE guest_pass SET starts = ?, ends = ? WHERE proposed_by = ? AND state = 'proposed'",
        new="UPDATE guest_pass SET starts = ?, ends = ? WHERE proposed_by = ?",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="a proposal is a stay that holds",
        file="gateway/storage/bookings.py",
        old="proposed_by=booking.key, is_proposed=True,",
        new="proposed_by=booking.key,",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="the host hears of dates that he accepted already",
        file="gateway/storage/bookings.py",
        old="has_moved and (state.is_proposed or state.question is not None)",
        new="has_moved",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="an answer about dates is one about a booking that is gone",
        file="gateway/domain/guests/bookings.py",
        old="is_answered=booking.is_answered and missing < MISSING_READINGS",
        new="is_answered=booking.is_answered",
        tests=(DOMAIN,),
    ),
    Mutant(
        name="a calendar that the host removed proposes once more",
        file="gateway/storage/bookings.py",
        old="if how.is_calendar and not db.exists(",
        new="if False and not db.exists(",
        tests=(CALENDARS,),
    ),
    Mutant(
        name="a calendar that cannot be read is told as one without bookings",
        file="gateway/runtime/calendars.py",
        old="if isinstance(answer, SourceFailed):\n            return answer.why",
        new="if isinstance(answer, SourceFailed):\n            return Reading(bookings=())",
        tests=(CALENDARS,),
    ),
    Mutant(
        name="a source fills the log",
        file="gateway/storage/bookings.py",
        old="room = min(MAX_NEW, MAX_KNOWN",
        new="room = min(MAX_KNOWN, MAX_KNOWN",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="a recurring entry is a booking",
        file=f"{READER}ics.py",
        old='any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID"))',
        new="False",
        tests=(ICS,),
    ),
    Mutant(
        name="a cancelled entry is a booking",
        file=f"{READER}ics.py",
        old='or str(_one(event, "STATUS") or "").upper() == _CANCELLED',
        new="or False",
        tests=(ICS,),
    ),
    Mutant(
        name="a time in an unknown zone is guessed",
        file=f"{READER}ics.py",
        old='if moment.tzinfo is None and "TZID" in parameters:',
        new="if False:",
        tests=(ICS,),
    ),
    Mutant(
        name="a redirect is followed unchecked",
        file=f"{READER}fetch.py",
        old="target = self._target(address)",
        new="target = URL(address)",
        tests=(FETCH,),
    ),
    Mutant(
        name="a calendar may have any size",
        file=f"{READER}fetch.py",
        old="data += piece\n                    if len(data) > MAX_BYTES:",
        new="data += piece\n                    if False:",
        tests=(FETCH,),
    ),
    Mutant(
        name="Seam's pages have no end",
        file=f"{READER}seam.py",
        old="    else:\n        is_whole = False\n",
        new="",
        tests=(SEAM,),
    ),
    Mutant(
        name="a grant that Seam is deleting is proposed",
        file=f"{READER}seam.py",
        old="return None if deleted else _booking",
        new="return _booking",
        tests=(SEAM,),
    ),
    Mutant(
        name="the gateway reads calendars without trusted time",
        file="gateway/runtime/bookings.py",
        old="if source is None or not now.trusted:",
        new="if source is None:",
        tests=(RUNTIME,),
    ),
    Mutant(
        name="the answer of the reader has no limit",
        file="gateway/runtime/bookings.py",
        old="if len(data) > MAX_ANSWER_BYTES:",
        new="if False:",
        tests=(RUNTIME,),
    ),
)
