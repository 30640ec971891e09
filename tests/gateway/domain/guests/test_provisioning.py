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
    on_report,
    revoke,
)
from gateway.domain.now import Now

START = datetime(2026, 12, 1, 14, 0, tzinfo=UTC)
END = START + timedelta(days=3)
KEEPS_TIMES, PLAIN, TWICE = KeypadFacts(keeps_times=True), KeypadFacts(), KeypadFacts(answers_needed=2)
CHOOSES = KeypadFacts(chooses_slot=True, keeps_times=True, times_off_s=14 * 3600.0)
CODE = PassCode(id="c1", held="p1", keypad="pad", name="p1", pin="481516", starts=START, ends=END, number=21)


def at(utc: datetime, mono: float = 0.0, *, trusted: bool = True) -> Now:
    return Now(utc=utc, trusted=trusted, mono=mono)


def answer(code: PassCode, facts: KeypadFacts, *, is_there: bool, slot: int = 21) -> CodesReport:
    starts, ends = code_times(code, facts)
    name = code.name if facts.chooses_slot else None
    there = KeypadCode(slot=slot, status=CodeStatus.ENABLED, name=name, starts=starts, ends=ends)
    gone = () if facts.chooses_slot else (KeypadCode(slot=slot, status=CodeStatus.AVAILABLE),)
    return CodesReport(codes=(there,) if is_there else gone, is_complete=facts.chooses_slot)


def test_a_code_is_set_at_its_start_asked_for_and_proven_by_the_answer() -> None:
    code, progress, do = advance(CODE, Progress(), PLAIN, at(START - timedelta(seconds=1)))
    assert (code.state, do) == (CodeState.WANTED, None)
    code, progress, do = advance(code, progress, PLAIN, at(START))
    assert (code.state, do) == (CodeState.SET, Do.SET)
    code, progress, do = advance(code, progress, PLAIN, at(START, 1.0))
    assert (code.state, do) == (CodeState.SET, Do.QUERY)
    code, progress = on_report(code, progress, PLAIN, answer(code, PLAIN, is_there=True))
    assert code.state is CodeState.PROVEN
    assert advance(code, progress, PLAIN, at(END - timedelta(seconds=1)))[2] is None


def test_a_keypad_that_keeps_times_gets_the_code_a_day_before_and_must_report_the_times() -> None:
    code, progress, do = advance(CODE, Progress(), KEEPS_TIMES, at(START - timedelta(hours=24)))
    assert do is Do.SET
    without = CodesReport(codes=(KeypadCode(slot=21, status=CodeStatus.ENABLED),))
    assert on_report(code, progress, KEEPS_TIMES, without)[0].state is CodeState.SET
    assert on_report(code, progress, KEEPS_TIMES, answer(code, KEEPS_TIMES, is_there=True))[0].state is CodeState.PROVEN


@pytest.mark.parametrize("status", [CodeStatus.AVAILABLE, CodeStatus.DISABLED, CodeStatus.UNKNOWN])
def test_a_code_that_is_not_there_or_not_enabled_is_not_proven_and_is_set_again(status: CodeStatus) -> None:
    code, progress, _ = advance(CODE, Progress(), PLAIN, at(START))
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
    code, progress = replace(CODE, state=CodeState.WITHDRAWING), Progress(ordered_at=0.0, queried_at=0.0)
    once, progress = on_report(code, progress, TWICE, answer(code, TWICE, is_there=False))
    assert once.state is CodeState.WITHDRAWING
    assert advance(once, progress, TWICE, at(END, 1.0))[2] is Do.QUERY, "asked once more at once"
    assert on_report(once, progress, TWICE, answer(code, TWICE, is_there=False))[0].state is CodeState.WITHDRAWN
    assert on_report(once, progress, TWICE, answer(code, TWICE, is_there=True))[1].answers == 0


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
    """A keypad that may lose orders, lose answers and keep codes; what counts as proven must be so."""

    def __init__(self) -> None:
        super().__init__()
        self.facts, self.code, self.progress = PLAIN, CODE, Progress()
        self.utc, self.mono, self.stored, self.asked = START - timedelta(hours=1), 0.0, False, False

    @initialize(facts=st.sampled_from((PLAIN, KEEPS_TIMES, TWICE, CHOOSES)))
    def a_keypad_of_this_kind(self, facts: KeypadFacts) -> None:
        self.facts = facts
        self.code = replace(CODE, number=None if facts.chooses_slot else CODE.number)

    @rule(seconds=st.sampled_from((1.0, 30.0, 61.0, 3600.0, 90_000.0)))
    def time_passes(self, seconds: float) -> None:
        self.utc, self.mono = self.utc + timedelta(seconds=seconds), self.mono + seconds

    @rule(is_lost=st.booleans())
    def the_gateway_acts(self, is_lost: bool) -> None:
        self.code, self.progress, do = advance(self.code, self.progress, self.facts, at(self.utc, self.mono))
        if do in (Do.SET, Do.CLEAR):
            self.asked = False  # what is asked before the order does not count
        if do is Do.SET and not is_lost:
            self.stored = True
        elif do is Do.CLEAR and not is_lost:
            self.stored = False
        elif do is Do.QUERY:
            self.asked = not is_lost

    @rule()
    def the_keypad_answers(self) -> None:
        if self.asked:
            self.asked, before = False, self.code.state
            report = answer(self.code, self.facts, is_there=self.stored)
            self.code, self.progress = on_report(self.code, self.progress, self.facts, report)
            if self.code.state is CodeState.PROVEN and before is CodeState.SET:
                assert self.stored, "given without being there"

    @rule()
    def the_gateway_restarts(self) -> None:
        self.progress, self.asked = Progress(), False

    @rule()
    def the_host_revokes(self) -> None:
        self.code = revoke(self.code, at(self.utc))

    @invariant()
    def what_counts_as_withdrawn_is_gone(self) -> None:
        assert self.code.state is not CodeState.WITHDRAWN or not self.stored


Keypads.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
test_what_counts_as_given_or_withdrawn_is_so = Keypads.TestCase
