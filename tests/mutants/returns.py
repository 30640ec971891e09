"""Faults of returns: what a courier takes with him."""

from tests.mutants.mutant import Mutant

_COLLECTING = "gateway/domain/visit/collecting.py"
_SCAN = "gateway/domain/visit/scan.py"
_VISIT = "tests/gateway/domain/visit/test_collecting.py"
_EPCIS = "tests/gateway/evidence/test_epcis.py"
_LATE = "tests/gateway/runtime/test_late_couriers.py"
_MORE_TIME = "tests/gateway/storage/test_more_time.py"
_OFFERS = "tests/gateway/storage/test_offers_of_version_2.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="a return's code opens the door",
        file=_SCAN,
        old="    if match.kind is CodeKind.COLLECT:\n",
        new="    if match.kind is CodeKind.KEEPER:\n",
        tests=(f"{_VISIT}::test_a_return_s_code_opens_nothing_and_is_no_wrong_attempt",),
    ),
    Mutant(
        name="a return counts after the door closed",
        file=_COLLECTING,
        old="    return is_inside and visit.outcome is None and innermost.opened(step.view(innermost))\n",
        new="    return innermost.id in visit.entry.opened and visit.outcome is None\n",
        tests=(f"{_VISIT}::test_a_return_that_is_scanned_after_the_door_closed_does_not_count",),
    ),
    Mutant(
        name="a return counts before the door opens",
        file=_COLLECTING,
        old="    return is_inside and visit.outcome is None and innermost.opened(step.view(innermost))\n",
        new="    return visit.outcome is None\n",
        tests=(f"{_VISIT}::test_a_return_that_is_scanned_before_the_door_opens_does_not_count",),
    ),
    Mutant(
        name="one of two returns is all of them",
        file=_COLLECTING,
        old="    if scanned == due:\n",
        new="    if scanned:\n",
        tests=(f"{_VISIT}::test_what_is_scanned_inside_is_collected_in_the_same_opening",),
    ),
    Mutant(
        name="a courier who brings nothing needs no code of his own",
        file="gateway/storage/offers.py",
        old="needs_courier = order.only_collects or (entrance.courier_proof and order.brand != OWN_BRAND)",
        new="needs_courier = entrance.courier_proof and order.brand != OWN_BRAND",
        tests=(f"{_OFFERS}::test_an_order_that_only_collects_waits_for_no_label_and_has_its_courier_s_code",),
    ),
    Mutant(
        name="a return that was refused is in the proof",
        file="gateway/evidence/collected.py",
        old='command.get("command") == "Answer" and command.get("word") == "go" for command in commands',
        new='command.get("command") == "Answer" for command in commands',
        tests=(f"{_EPCIS}::test_what_the_courier_takes_with_him_is_collected_and_departs_as_a_return",),
    ),
    Mutant(
        name="a courier who could not come in is told to wait",
        file=_SCAN,
        old="    is_free = delivery.refusal is None and delivery.openings_left > 0 and not step.state.stopped\n",
        new="    is_free = delivery.openings_left > 0 and not step.state.stopped\n",
        tests=("tests/gateway/domain/visit/test_waiting.py::test_whoever_could_not_come_in_does_not_wait",),
    ),
    Mutant(
        name="anything may be called taken in",
        file="gateway/storage/deliveries.py",
        old="    is_attended = bool(ended) and set(ended) == {Outcome.ATTENDED}\n",
        new="    is_attended = bool(ended)\n",
        tests=("tests/gateway/storage/test_taken_in.py::test_no_other_end_is_changed_by_somebody_s_word",),
    ),
    Mutant(
        name="time is given to a courier who never came",
        file="gateway/storage/more_time.py",
        old="if row is None or not is_late(row, now) or row.time_answer(now) is not TimeAnswer.ASKED:",
        new="if row is None or not is_late(row, now):",
        tests=(f"{_MORE_TIME}::test_without_a_question_or_after_it_is_old_nobody_gives_time",),
    ),
    Mutant(
        name="the household is asked again after its no",
        file="gateway/storage/more_time.py",
        old="    if not is_late(row, now) or row.announced_end is not None:\n",
        new="    if not is_late(row, now):\n",
        tests=(f"{_MORE_TIME}::test_a_brand_asks_and_a_no_is_the_answer_to_every_later_question",),
    ),
    Mutant(
        name="a refused question for time counts as a refused version of the order",
        file="gateway/storage/offers.py",
        old="    return None if isinstance(message, TimeRequest) else message.version\n",
        new="    return message.version\n",
        tests=(f"{_MORE_TIME}::test_a_brand_asks_and_a_no_is_the_answer_to_every_later_question",),
    ),
    Mutant(
        name="an unanswered question is shown as over on the courier's page",
        file="gateway/web/server/courier_view.py",
        old="        case TimeAnswer.ASKED:\n            return CourierStep.ASKED\n",
        new="        case TimeAnswer.ASKED:\n            return CourierStep.OVER\n",
        tests=(
            "tests/gateway/web/test_courier_page.py::test_a_late_courier_asks_on_his_page_and_reads_the_answer_there",
        ),
    ),
    Mutant(
        name="a late courier at a reception asks nobody",
        file="gateway/runtime/reception.py",
        old="            for call in self.on_commands:\n",
        new="            for call in ():\n",
        tests=(f"{_LATE}::test_at_a_reception_a_late_scan_asks_too_and_after_a_yes_the_receiver_takes_the_parcel",),
    ),
    Mutant(
        name="a brand cannot ask for more time at a reception",
        file="gateway/storage/offers.py",
        old="        if row.order.entrance not in self.entrances:\n            return AskTimeProblem",
        new="        if not self.entrances[row.order.entrance].collects:\n            return AskTimeProblem",
        tests=(f"{_LATE}::test_the_brand_of_a_parcel_for_a_reception_asks_and_is_answered",),
    ),
)
