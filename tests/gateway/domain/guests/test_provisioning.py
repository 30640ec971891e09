"""A guest's code is given and withdrawn by read-back only."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from devices.reports import CodesReport, CodeStatus, KeypadCode
from devices.vendors.definition import KeypadFacts
from gateway.domain.frozen import replace
from gateway.domain.guests.provisioning import (
    ALARM_AFTER,
    RETRY_S,
    CodeState,
    Do,
    PassCode,
    Progress,
    advance,
    code_times,
    free_slot,
    next_progress,
    on_report,
    revoke,
)
from gateway.domain.now import Now

START = datetime(2026, 12, 1, 14, 0, tzinfo=UTC)
END = START + timedelta(days=3)
KEEPS_TIMES, PLAIN, TWICE = KeypadFacts(keeps_times=True), KeypadFacts(), KeypadFacts(answers_needed=2)
CHOOSES = KeypadFacts(chooses_slot=True, reports_names=True, keeps_times=True, times_off_s=14 * 3600.0)
NAMES = KeypadFacts(reports_names=True, keeps_times=True)
FREE = Progress(is_read=True)  # the slot was read, and it is free
CODE = PassCode(id="c1", held="p1", keypad="pad", name="p1", pin="481516", starts=START, ends=END, number=21)


def at(utc: datetime, mono: float = 0.0, *, trusted: bool = True) -> Now:
    return Now(utc=utc, trusted=trusted, mono=mono)


def answer(code: PassCode, facts: KeypadFacts, *, is_there: bool, slot: int = 21) -> CodesReport:
    starts, ends = code_times(code, facts)
    name = code.name if facts.reports_names else None
    there = KeypadCode(slot=slot, status=CodeStatus.ENABLED, name=name, starts=starts, ends=ends)
    gone = () if facts.chooses_slot else (KeypadCode(slot=slot, status=CodeStatus.AVAILABLE),)
    return CodesReport(codes=(there,) if is_there else gone, is_complete=facts.chooses_slot)


def test_a_code_is_set_at_its_start_asked_for_and_proven_by_the_answer() -> None:
    code, progress, do = advance(CODE, Progress(), PLAIN, at(START - timedelta(seconds=1)))
    assert (code.state, do) == (CodeState.WANTED, None)
    code, progress, do = advance(code, progress, PLAIN, at(START))
    assert (code.state, do) == (CodeState.WANTED, Do.QUERY), "what lies in the slot?"
    code, progress = on_report(code, progress, PLAIN, answer(code, PLAIN, is_there=False))
    code, progress, do = advance(code, progress, PLAIN, at(START))
    assert (code.state, do) == (CodeState.SET, Do.SET)
    code, progress, do = advance(code, progress, PLAIN, at(START, 1.0))
    assert (code.state, do) == (CodeState.SET, Do.QUERY)
    code, progress = on_report(code, progress, PLAIN, answer(code, PLAIN, is_there=True))
    assert code.state is CodeState.PROVEN
    assert advance(code, progress, PLAIN, at(END - timedelta(seconds=1)))[2] is None


def test_a_keypad_that_keeps_times_gets_the_code_a_day_before_and_must_report_the_times() -> None:
    code, progress, do = advance(CODE, FREE, KEEPS_TIMES, at(START - timedelta(hours=24)))
    assert do is Do.SET
    without = CodesReport(codes=(KeypadCode(slot=21, status=CodeStatus.ENABLED),))
    assert on_report(code, progress, KEEPS_TIMES, without)[0].state is CodeState.SET
    assert on_report(code, progress, KEEPS_TIMES, answer(code, KEEPS_TIMES, is_there=True))[0].state is CodeState.PROVEN


def test_a_keypad_whose_times_may_be_off_gets_no_code_before_its_start_for_it_would_open_too_early() -> None:
    code = replace(CODE, number=None)
    assert code_times(code, CHOOSES)[0] == START - timedelta(hours=14)
    assert advance(code, Progress(), CHOOSES, at(START - timedelta(seconds=1)))[2] is None
    assert advance(code, Progress(), CHOOSES, at(START))[2] is Do.SET


@pytest.mark.parametrize("status", [CodeStatus.AVAILABLE, CodeStatus.DISABLED, CodeStatus.UNKNOWN])
def test_a_code_that_is_not_there_or_not_enabled_is_not_proven_and_is_set_again(status: CodeStatus) -> None:
    code, progress, _ = advance(CODE, FREE, PLAIN, at(START))
    code, progress, _ = advance(code, progress, PLAIN, at(START, 1.0))
    code, progress = on_report(code, progress, PLAIN, CodesReport(codes=(KeypadCode(slot=21, status=status),)))
    assert code.state is CodeState.SET
    assert advance(code, progress, PLAIN, at(START, RETRY_S))[2] is Do.SET


def test_at_its_end_it_is_deleted_and_counts_as_withdrawn_only_by_the_answer_that_it_is_gone() -> None:
    code = replace(CODE, state=CodeState.PROVEN)
    code, progress, do = advance(code, Progress(), PLAIN, at(END))
    assert (code.state, do) == (CodeState.WITHDRAWING, None)
    code, progress, do = advance(code, progress, PLAIN, at(END, 1.0))
    assert do is Do.CLEAR
    code, progress, do = advance(code, progress, PLAIN, at(END, 2.0))
    assert do is Do.QUERY
    still, waiting = on_report(code, progress, PLAIN, answer(code, PLAIN, is_there=True))
    assert still.state is CodeState.WITHDRAWING
    assert advance(still, waiting, PLAIN, at(END, 1.0 + RETRY_S))[2] is Do.CLEAR, "and is deleted again"
    gone, _ = on_report(code, progress, PLAIN, answer(code, PLAIN, is_there=False))
    assert gone.state is CodeState.WITHDRAWN


def test_where_a_bridge_may_repeat_what_it_remembers_two_answers_are_needed() -> None:
    code = replace(CODE, state=CodeState.WITHDRAWING)
    progress = Progress(ordered_at=0.0, queried_at=0.0, is_seen=True)
    once, progress = on_report(code, progress, TWICE, answer(code, TWICE, is_there=False))
    assert once.state is CodeState.WITHDRAWING
    assert advance(once, progress, TWICE, at(END, 1.0))[2] is Do.QUERY, "asked once more at once"
    assert on_report(once, progress, TWICE, answer(code, TWICE, is_there=False))[0].state is CodeState.WITHDRAWN
    assert on_report(once, progress, TWICE, answer(code, TWICE, is_there=True))[1].answers == 0


def test_a_bridge_that_never_saw_the_code_is_not_believed_that_it_is_gone_until_a_change_proves_it() -> None:
    code, gone = replace(CODE, state=CodeState.WITHDRAWING), answer(CODE, TWICE, is_there=False)
    progress = Progress(ordered_at=0.0, queried_at=0.0)
    for _ in range(2):
        code, progress = on_report(code, progress, TWICE, gone)
    assert code.state is CodeState.WITHDRAWING
    code, progress, do = advance(code, progress, TWICE, at(END, RETRY_S))
    assert do is Do.REPLACE
    code, progress = on_report(code, progress, TWICE, answer(CODE, TWICE, is_there=True))
    code, progress, do = advance(code, progress, TWICE, at(END, 2 * RETRY_S))
    assert do is Do.CLEAR
    for _ in range(2):
        code, progress = on_report(code, progress, TWICE, gone)
    assert code.state is CodeState.WITHDRAWN


@pytest.mark.parametrize("status", [CodeStatus.ENABLED, CodeStatus.DISABLED, CodeStatus.UNKNOWN])
def test_a_slot_in_which_another_code_lies_is_left_alone(status: CodeStatus) -> None:
    code, progress, do = advance(CODE, Progress(), PLAIN, at(START))
    assert do is Do.QUERY
    code, progress = on_report(code, progress, PLAIN, CodesReport(codes=(KeypadCode(slot=21, status=status),)))
    code, progress, do = advance(code, progress, PLAIN, at(START, 1.0))
    assert (code.state, do) == (CodeState.WANTED, Do.MOVE)
    assert advance(code, progress, PLAIN, at(START, 2.0))[2] is None, "all slots are taken: asked again later"
    assert advance(code, progress, PLAIN, at(START, 1.0 + RETRY_S))[2] is Do.QUERY


@pytest.mark.parametrize("facts", [NAMES, CHOOSES])
def test_a_code_of_somebody_else_in_its_place_is_not_deleted_and_one_that_was_renamed_is(facts: KeypadFacts) -> None:
    code = replace(CODE, state=CodeState.WITHDRAWING)
    theirs = CodesReport(codes=(KeypadCode(slot=21, status=CodeStatus.ENABLED, name="Claire"),), is_complete=True)
    seen, progress = on_report(code, Progress(queried_at=0.0), facts, theirs)
    for mono in (1.0, RETRY_S, 2 * RETRY_S):
        seen, progress, do = advance(seen, progress, facts, at(END, mono))
        assert do in (None, Do.QUERY)
    assert seen.state is CodeState.WITHDRAWING, "and it does not count as gone"
    starts, ends = code_times(code, facts)
    renamed = KeypadCode(slot=21, status=CodeStatus.ENABLED, name="Anna", starts=starts, ends=ends)
    seen, progress = on_report(code, progress, facts, CodesReport(codes=(renamed,), is_complete=True))
    assert advance(seen, progress, facts, at(END, 2 * RETRY_S))[2] is Do.CLEAR


def test_a_keypad_that_knows_names_is_asked_whose_code_it_is_and_told_all_the_same_if_it_is_silent() -> None:
    code = replace(CODE, state=CodeState.WITHDRAWING)
    code, progress, do = advance(code, Progress(), NAMES, at(END))
    assert do is Do.QUERY
    assert advance(code, progress, NAMES, at(END, RETRY_S - 1))[2] is None
    assert advance(code, progress, NAMES, at(END, RETRY_S))[2] is Do.CLEAR
    code, progress = on_report(code, progress, NAMES, answer(code, NAMES, is_there=True))
    assert advance(code, progress, NAMES, at(END, 1.0))[2] is Do.CLEAR


def test_a_keypad_that_does_not_say_what_a_slot_has_is_not_asked_without_a_pause() -> None:
    code, progress = replace(CODE, state=CodeState.SET), Progress(ordered_at=0.0, queried_at=0.0)
    unknown = CodesReport(codes=(KeypadCode(slot=21, status=CodeStatus.UNKNOWN),))
    code, progress = on_report(code, progress, PLAIN, unknown)
    assert advance(code, progress, PLAIN, at(START, 1.0))[2] is None


def test_a_quarter_of_an_hour_after_its_end_a_code_that_is_not_gone_is_one_alarm() -> None:
    code = replace(CODE, state=CodeState.WITHDRAWING)
    late = END + ALARM_AFTER
    assert advance(code, Progress(ordered_at=0.0, queried_at=0.0), PLAIN, at(late - timedelta(seconds=1)))[2] is None
    code, progress, do = advance(code, Progress(ordered_at=0.0, queried_at=0.0), PLAIN, at(late))
    assert (do, code.is_alarmed, code.is_stray(at(late))) == (Do.ALARM, True, True)
    assert advance(code, progress, PLAIN, at(late, 1.0))[2] is None, "once"
    assert not code.is_stray(at(late - timedelta(seconds=1)))


def test_a_pass_that_is_withdrawn_before_its_code_was_sent_leaves_nothing_to_read_back() -> None:
    code = revoke(CODE, at(START - timedelta(days=2)))
    assert advance(code, Progress(), PLAIN, at(START - timedelta(days=2)))[0].state is CodeState.WITHDRAWN


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize(
    ("state", "becomes"),
    [
        (CodeState.WANTED, CodeState.WITHDRAWN),
        (CodeState.SET, CodeState.WITHDRAWING),
        (CodeState.PROVEN, CodeState.WITHDRAWING),
        (CodeState.WITHDRAWING, CodeState.WITHDRAWING),
        (CodeState.WITHDRAWN, CodeState.WITHDRAWN),
    ],
)
def test_a_code_that_is_revoked_is_deleted_at_once_also_without_trusted_time(
    state: CodeState, becomes: CodeState, *, trusted: bool
) -> None:
    now = at(datetime(1970, 1, 1, tzinfo=UTC), trusted=trusted)  # what a box's clock may say after a power cut
    code = revoke(replace(CODE, state=state), now)
    assert code.state is becomes
    do = advance(code, Progress(), PLAIN, now)[2]
    assert do is (Do.CLEAR if becomes is CodeState.WITHDRAWING else None)


def test_a_keypad_that_numbers_its_codes_itself_names_the_one_to_delete() -> None:
    code = replace(CODE, state=CodeState.WITHDRAWING, number=None)
    assert advance(code, Progress(), CHOOSES, at(END))[2] is Do.QUERY
    code, progress = on_report(code, Progress(queried_at=0.0), CHOOSES, answer(code, CHOOSES, is_there=True, slot=4711))
    assert code.number == 4711
    assert advance(code, progress, CHOOSES, at(END, 1.0))[2] is Do.CLEAR


def test_where_no_code_was_ever_seen_it_is_asked_for_twice_for_an_order_may_be_on_its_way() -> None:
    code = replace(CODE, state=CodeState.WITHDRAWING, number=None)
    once, progress = on_report(code, Progress(queried_at=0.0), CHOOSES, answer(code, CHOOSES, is_there=False))
    assert once.state is CodeState.WITHDRAWING
    assert advance(once, progress, CHOOSES, at(END, 1.0))[2] is None, "not at once"
    assert advance(once, progress, CHOOSES, at(END, RETRY_S))[2] is Do.QUERY
    assert on_report(once, progress, CHOOSES, answer(code, CHOOSES, is_there=False))[0].state is CodeState.WITHDRAWN


def test_a_full_list_without_the_code_proves_nothing() -> None:
    code = replace(CODE, state=CodeState.WITHDRAWING, number=4711)
    assert on_report(code, Progress(), CHOOSES, CodesReport(codes=(), is_complete=False)) == (code, Progress())


def test_without_trusted_time_nothing_begins_ends_or_alarms() -> None:
    long_after = END + timedelta(days=9)
    assert advance(CODE, Progress(), PLAIN, at(long_after, trusted=False))[::2] == (CODE, None)
    proven = replace(CODE, state=CodeState.PROVEN)
    assert advance(proven, Progress(), PLAIN, at(long_after, trusted=False))[::2] == (proven, None)


def test_a_slot_is_taken_until_its_code_is_proven_gone() -> None:
    assert free_slot((20, 22), frozenset({20, 22})) == 21
    assert free_slot((20, 20), frozenset({20})) is None


class Keypads(RuleBasedStateMachine):
    """A keypad that may lose orders, lose answers and keep codes, behind a bridge that may repeat what it remembers.

    What counts as proven must be so, and a code of the household that lies in a slot stays there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.facts, self.code, self.progress = PLAIN, CODE, Progress()
        self.utc, self.mono, self.asked = START - timedelta(hours=1), 0.0, False
        self.stored, self.remembered = set[int](), set[int]()  # slots with the guest's code
        self.taken: int | None = None  # the slot with a code of the household

    @initialize(facts=st.sampled_from((PLAIN, KEEPS_TIMES, NAMES, TWICE, CHOOSES)), is_taken=st.booleans())
    def a_keypad_of_this_kind(self, facts: KeypadFacts, *, is_taken: bool) -> None:
        self.facts, self.taken = facts, 21 if is_taken and not facts.chooses_slot else None
        self.code = replace(CODE, number=None if facts.chooses_slot else CODE.number)

    @rule(seconds=st.sampled_from((1.0, 30.0, 61.0, 3600.0, 90_000.0)))
    def time_passes(self, seconds: float) -> None:
        self.utc, self.mono = self.utc + timedelta(seconds=seconds), self.mono + seconds

    @rule(is_lost=st.booleans())
    def the_gateway_acts(self, is_lost: bool) -> None:
        self.code, self.progress, do = advance(self.code, self.progress, self.facts, at(self.utc, self.mono))
        slot = self.code.number or 21
        if do in (Do.SET, Do.REPLACE, Do.CLEAR):
            self.asked = False  # what is asked before the order does not count
            assert slot != self.taken, "a code of the household is overwritten or deleted"
            if not is_lost:
                (self.stored.discard if do is Do.CLEAR else self.stored.add)(slot)
        elif do is Do.MOVE:
            self.code = replace(self.code, number=slot + 1)
        elif do is Do.QUERY:
            self.asked = not is_lost

    @rule()
    def the_keypad_answers(self) -> None:
        if self.asked:
            self.remembered = set(self.stored)
            self.the_gateway_hears(self.stored)

    @rule()
    def the_bridge_repeats_what_it_remembers(self) -> None:
        if self.asked and self.facts.answers_needed > 1:
            self.the_gateway_hears(self.remembered)

    def the_gateway_hears(self, slots: set[int]) -> None:
        self.asked, before, slot = False, self.code.state, self.code.number or 21
        report = answer(self.code, self.facts, is_there=slot in slots, slot=slot)
        if slot == self.taken:
            name = "Claire" if self.facts.reports_names else None
            report = CodesReport(codes=(KeypadCode(slot=slot, status=CodeStatus.ENABLED, name=name),))
        self.code, self.progress = on_report(self.code, self.progress, self.facts, report)
        if self.code.state is CodeState.PROVEN and before is CodeState.SET:
            assert slot in self.stored, "given without being there"

    @rule()
    def the_gateway_restarts(self) -> None:
        self.progress, self.asked = Progress(), False

    @rule()
    def the_host_revokes(self) -> None:
        before, self.code = self.code.state, revoke(self.code, at(self.utc))
        if self.code.state is not before:
            self.progress = next_progress(before, self.progress)
            self.asked = False

    @rule()
    def the_household_makes_a_code_in_the_slot_that_the_guest_s_code_has_left(self) -> None:
        # Other keypads do not say whose code it is. Before, the keypad itself refuses to store one in a taken slot
        left = self.code.state in (CodeState.WITHDRAWING, CodeState.WITHDRAWN)
        if self.facts is NAMES and left and not self.stored:
            self.taken = self.code.number

    @invariant()
    def what_counts_as_withdrawn_is_gone(self) -> None:
        assert self.code.state is not CodeState.WITHDRAWN or not self.stored


Keypads.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
test_what_counts_as_given_or_withdrawn_is_so = Keypads.TestCase
