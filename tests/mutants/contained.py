"""Faults in what keeps one piece of outside work from ending everything else."""

from tests.mutants.mutant import Mutant

HUB = "tests/gateway/hub/test_contained.py"
BOX = "tests/gateway/test_contained.py"
UNIT = "tests/gateway/system/test_containment.py"
ASKING = "tests/gateway/protocol/test_consent_request.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="only errors of value are contained",
        file="gateway/system/containment.py",
        old=("        if not isinstance(error, Exception) or isinstance(error, self._expected):\n"),
        new=("        if not isinstance(error, ValueError) or isinstance(error, self._expected):\n"),
        tests=(f"{UNIT}::test_whatever_a_piece_raises_the_next_piece_is_worked",),
    ),
    Mutant(
        name="a loop that raises is not begun again",
        file="gateway/system/containment.py",
        old="            if piece.fault is None:\n                return\n",
        new="            if piece.fault is None or delay:\n                return\n",
        tests=(f"{UNIT}::test_a_loop_that_raises_is_begun_again_ever_more_slowly_until_it_returns",),
    ),
    Mutant(
        name="a row that is set aside is tried again at once",
        file="gateway/system/containment.py",
        old="        return tuple(row for row, (until, _) in self._rows.items() if now < until)\n",
        new="        return tuple(row for row, (until, _) in self._rows.items() if now > until)\n",
        tests=(f"{UNIT}::test_however_many_rows_are_set_aside_a_bounded_number_is_remembered",),
    ),
    Mutant(
        name="a delivery of the sandbox that cannot be worked stays as it is",
        file="gateway/hub/sandbox/robot.py",
        old=(
            '                    if kind == "job":\n'
            '                        with self._containment.piece("sandbox", id_, foreseen=(StoreUnavailable,)):\n'
            "                            await refuse_job("
            'self._store, name, id_, "the simulated box could not work it", now)\n'
        ),
        new="",
        tests=(f"{HUB}::test_a_delivery_that_the_sandbox_cannot_work_is_refused_and_every_other_is_delivered",),
    ),
    Mutant(
        name="a held delivery is released though the home's terms do not allow it",
        file="gateway/hub/deliveries/orders.py",
        old='_signed_versions(hub.tx, row)) and not (row.given or {}).get("hub_signed", False):',
        new="_signed_versions(hub.tx, row)) and row.let_in is None:",
        tests=(
            f"{HUB}::test_what_its_brand_did_not_sign_is_refused_at_the_hub_where_the_home_s_terms_do_not_allow_it",
        ),
    ),
    Mutant(
        name="a job that cannot be rung stays due",
        file="gateway/hub/boxes/dispatcher.py",
        old="                await self._refuse(job)\n",
        new="",
        tests=(f"{HUB}::test_a_job_that_cannot_be_rung_ends_and_its_retailer_hears_of_it_and_every_other_job_is_rung",),
    ),
    Mutant(
        name="an event that cannot be worked is dropped, and those behind it wait for ever",
        file="gateway/hub/boxes/ingest.py",
        old='                if not is_stored and message[0] == "evt":\n',
        new='                if not is_stored and message[0] == "gone":\n',
        tests=(f"{HUB}::test_a_word_that_cannot_be_worked_costs_no_other_home_s_and_no_other_word_of_its_own",),
    ),
    Mutant(
        name="padded vouchers make a question that no job holds",
        file="gateway/protocol/consent_request.py",
        old=("    while len(token) > MAX_CONSENT_BYTES:\n"),
        new=("    while len(token) > 2 * MAX_CONSENT_BYTES:\n"),
        tests=(f"{ASKING}::test_of_a_padded_question_of_before_vouchers_are_left_out_until_it_fits",),
    ),
    Mutant(
        name="a job that the box cannot work is not answered, and the hub sends it for ever",
        file="gateway/integrations/hub_client/session.py",
        old='return box_hub.JobReceipt(job=job.job, state="refused", why="this box could not work it")',
        new="return None",
        tests=(f"{BOX}::test_a_job_that_cannot_be_worked_is_refused_and_the_next_one_is_received",),
    ),
    Mutant(
        name="what cannot be told to the hub is tried again at each look",
        file="gateway/storage/hub_journal.py",
        old='"delivery": "UPDATE uplink_delivery SET look_at = :later WHERE key = :key",',
        new='"delivery": "UPDATE uplink_delivery SET look_at = look_at WHERE key = :key",',
        tests=(f"{BOX}::test_what_cannot_be_told_to_the_hub_keeps_nothing_else_from_being_told",),
    ),
    Mutant(
        name="an order that cannot be done is noted as done",
        file="gateway/web/remote/orders.py",
        old="            reason: str | None = FAILED\n",
        new="            reason: str | None = None\n",
        tests=(f"{BOX}::test_an_order_that_cannot_be_done_is_noted_as_failed_and_the_next_is_done",),
    ),
    Mutant(
        name="a message that no decoder survives is forgotten: bad news is lost",
        file="gateway/app.py",
        old="                self._on_missed(incoming.topic)\n",
        new="                pass\n",
        tests=(f"{BOX}::test_a_message_that_no_decoder_survives_counts_as_missed_and_the_next_one_is_heard",),
    ),
    Mutant(
        name="an entrance that cannot decide is begun again as if nothing had happened",
        file="gateway/app.py",
        old='                    group.create_task(running.run(), name=f"entrance {name}")\n',
        new='                    group.create_task(self._contained.keep(name, running.run), name=f"entrance {name}")\n',
        tests=(f"{BOX}::test_only_what_an_entrance_decides_itself_ends_the_process",),
    ),
    Mutant(
        name="one camera's stream ends the films of all cameras",
        file="gateway/video/camera.py",
        old=(
            '            with self._containment.piece("camera", self.source.name):\n'
            "                fault = self._stream()\n"
        ),
        new="            fault = self._stream()\n",
        tests=("tests/gateway/video/test_contained.py",),
    ),
    Mutant(
        name="a message that the guard cannot read ends the guard",
        file="gateway/integrations/lock_guard/process.py",
        old=(
            '        with self._containment.piece("house\'s messages", incoming.topic):\n'
            "            claims = verify_guard_message(incoming.payload, ToGuard, self._gateway)\n"
        ),
        new=("        claims = verify_guard_message(incoming.payload, ToGuard, self._gateway)\n"),
        tests=("tests/gateway/integrations/lock_guard/test_contained.py",),
    ),
)
