"""Faults around the mark outside the store, the look at the store at a start, and what a proof's check finds."""

from tests.mutants.mutant import Mutant

BACK = "tests/gateway/evidence/test_rollback.py"
DAMAGED = "tests/gateway/runtime/maintenance/test_damaged_store.py"
ENTRANCE = "tests/gateway/runtime/test_entrance.py"
KILLED = f"{BACK}::test_killed_at_any_point_around_the_mark_a_used_delivery_never_opens_again"

SCANS = "tests/gateway/domain/visit/test_scan.py"
VERIFY = "tests/gateway/evidence/test_verify.py"
FORGED = "tests/gateway/evidence/test_verify_forged.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="an intent leaves no mark outside the store",
        file="gateway/storage/store.py",
        old="mark = Mark(step.now, visit=command.visit)",
        new="mark = None",
        tests=(f"{BACK}::test_a_store_put_back_between_two_seals_is_in_doubt",),
    ),
    Mutant(
        name="an intent waits for no mark although its visit has none on the disk",
        file="gateway/storage/box.py",
        old="return first is not None and first <= synced_seq",
        new="return first is not None",
        tests=(f"{BACK}::test_the_mark_of_an_intent_waits_for_the_disk_unless_the_visit_has_one_already",),
    ),
    Mutant(
        name="a mark that nobody waited for is never synced",
        file="gateway/storage/box.py",
        old="self.writer.finish_mark = lambda db, now: marks.finish(db.log_head(), now)",
        new="pass",
        tests=(f"{BACK}::test_the_mark_of_an_intent_waits_for_the_disk_unless_the_visit_has_one_already",),
    ),
    Mutant(
        name="a mark that nobody waits for stands before the next commit",
        file="gateway/storage/writer.py",
        old="elif self._later_mark is not None and self._jobs.empty():",
        new="elif self._later_mark is not None:",
        tests=(f"{BACK}::test_the_mark_of_a_ring_waits_until_nobody_waits_for_the_store",),
    ),
    Mutant(
        name="a mark whose sync failed is written over in its place",
        file="gateway/evidence/rollback.py",
        old=(
            "                self._is_intact = False  # if the sync fails, the next mark is a new file\n"
            "                try:\n"
            "                    sync_data(self._file)\n"
        ),
        new="                try:\n                    sync_data(self._file)\n",
        tests=(f"{BACK}::test_after_the_unlock_its_mark_is_synced_and_not_written_again",),
    ),
    Mutant(
        name="the mark is written before the commit: a kill between the two is taken for an older store",
        file="gateway/storage/writer.py",
        old=('            connection.execute("COMMIT")\n            self._write_mark(connection, group)\n'),
        new=('            self._write_mark(connection, group)\n            connection.execute("COMMIT")\n'),
        tests=(KILLED,),
    ),
    Mutant(
        name="a mark that could not be written counts as written",
        file="gateway/evidence/rollback.py",
        old="why=str(failure))\n            return False",
        new="why=str(failure))\n            return True",
        tests=(f"{BACK}::test_a_mark_that_cannot_be_written_lets_nothing_open",),
    ),
    Mutant(
        name="an unlock leaves without its intent's mark",
        file="gateway/runtime/effects.py",
        old="if command.visit == self.unmarked_visit:",
        new="if False:",
        tests=(f"{ENTRANCE}::test_an_intent_whose_mark_cannot_be_written_opens_nothing_and_comes_back",),
    ),
    Mutant(
        name="a mark that is gone says nothing",
        file="gateway/evidence/rollback.py",
        old="return StoreDoubt.MARK_MISSING if condition.mark_due else None",
        new="return None",
        tests=(f"{BACK}::test_a_box_whose_mark_or_key_is_gone_damaged_or_anothers_is_in_doubt",),
    ),
    Mutant(
        name="every store without a mark is in doubt, an upgraded one too",
        file="gateway/evidence/rollback.py",
        old="return StoreDoubt.MARK_MISSING if condition.mark_due else None",
        new="return StoreDoubt.MARK_MISSING",
        tests=(f"{BACK}::test_a_new_box_and_one_that_is_upgraded_have_no_mark_yet_and_are_in_no_doubt",),
    ),
    Mutant(
        name="a flipped bit of the mark says nothing",
        file="gateway/evidence/rollback.py",
        old=("    except (OSError, ValueError):\n        return StoreDoubt.MARK_DAMAGED\n"),
        new="    except (OSError, ValueError):\n        return None\n",
        tests=(f"{BACK}::test_one_bit_of_the_mark_flipped_is_a_doubt_whichever_it_is",),
    ),
    Mutant(
        name="a lost key becomes a new one in silence",
        file="gateway/evidence/rollback.py",
        old=("        key, doubt = None, StoreDoubt.KEY_LOST\n    except KeyDamaged:\n"),
        new=("        key = None\n    except KeyDamaged:\n"),
        tests=(f"{BACK}::test_a_lost_key_is_never_replaced_without_a_doubt_and_nothing_of_the_old_one_is_deleted",),
    ),
    Mutant(
        name="another box's key is taken for the box's own",
        file="gateway/evidence/rollback.py",
        old="if condition.signer is not None and condition.signer not in {one.text for one in kin}:",
        new="if False:",
        tests=(f"{BACK}::test_a_box_whose_mark_or_key_is_gone_damaged_or_anothers_is_in_doubt",),
    ),
    Mutant(
        name="after the owner's yes to a doubt what was used before opens again",
        file="gateway/storage/doubts.py",
        old='    connection.execute("UPDATE delivery SET doubtful = 1")\n',
        new="",
        tests=(
            f"{BACK}::test_in_doubt_what_was_promised_waits_to_be_announced_anew_and_the_owner_ends_it_at_each_entrance",
        ),
    ),
    Mutant(
        name="a doubt ends with a restart",
        file="gateway/storage/doubts.py",
        old='    connection.execute("UPDATE entrance SET in_doubt = 1")\n',
        new="",
        tests=(
            f"{BACK}::test_in_doubt_what_was_promised_waits_to_be_announced_anew_and_the_owner_ends_it_at_each_entrance",
        ),
    ),
    Mutant(
        name="a stop that is rolled back does not show",
        file="gateway/storage/entrances.py",
        old="set_stop = writes(set_stop, mark=True)",
        new="set_stop = writes(set_stop)",
        tests=(f"{BACK}::test_what_takes_access_away_is_marked_too",),
    ),
    Mutant(
        name="nobody looks at the store before it is opened",
        file="gateway/app.py",
        old=("            await asyncio.to_thread(startup_checks.check_folder, folder)\n"),
        new="",
        tests=(f"{DAMAGED}::test_a_damaged_store_is_said_in_words_and_the_start_ends_with_a_status_of_its_own",),
    ),
    Mutant(
        name="a service manager starts a damaged box again each second",
        file="config/systemd/perron.service",
        old="RestartPreventExitStatus=4\n",
        new="",
        tests=(f"{DAMAGED}::test_the_service_does_not_start_a_box_again_whose_store_is_damaged",),
    ),
    Mutant(
        name="the look at a large store has no end",
        file="gateway/storage/schema.py",
        old=("            late.start()\n            try:\n"),
        new=(
            "            late.start()\n"
            "            late.cancel()\n"
            "            __import__('time').sleep(8)\n"
            "            try:\n"
        ),
        tests=(f"{DAMAGED}::test_the_look_at_a_large_store_ends_in_its_time_and_is_then_no_finding",),
    ),
    Mutant(
        name="the doctor finds a damaged store good",
        file="gateway/installation/diagnostics/house.py",
        old="= find_damage(folder / STORE_FILE, within=STORE_CHECK_TIMEOUT_S)\n    if damage is not None:\n",
        new="= find_damage(folder / STORE_FILE, within=STORE_CHECK_TIMEOUT_S)\n    if False:\n",
        tests=(f"{DAMAGED}::test_a_damaged_store_is_said_in_words_and_the_start_ends_with_a_status_of_its_own",),
    ),
    Mutant(
        name="another visit's note of erasure hides a destroyed visit",
        file="gateway/evidence/verify.py",
        old='if stone.why == "request" and name != stone.visit:',
        new="if False:",
        tests=(f"{FORGED}::test_the_note_of_another_visits_erasure_hides_no_destroyed_visit",),
    ),
    Mutant(
        name="a film is read to the end of what was added to it",
        file="gateway/evidence/verify.py",
        old="if 0 <= beyond <= MAX_UNLINKED_BYTES and film_sha256(film)",
        new="if film_sha256(film)",
        tests=(f"{FORGED}::test_a_film_with_two_gigabytes_behind_its_end_is_not_read_to_that_end",),
    ),
    Mutant(
        name="a deleted receipt is not missed",
        file="gateway/evidence/verify.py",
        old="if named is None and not os.path.lexists(self.folder / RECEIPT_FILE):",
        new="if not os.path.lexists(self.folder / RECEIPT_FILE):",
        tests=(f"{FORGED}::test_a_receipt_that_was_deleted_is_missed_and_one_that_was_added_belongs_to_nothing",),
    ),
    Mutant(
        name="the manifest names no receipt",
        file="gateway/evidence/seal.py",
        old="receipt_sha256=_receipt_sha256(folder, receipt) if draft.part == 1 else None,",
        new="receipt_sha256=None,",
        tests=(f"{FORGED}::test_the_couriers_receipt_is_verified_with_the_proof",),
    ),
    Mutant(
        name="a brand's codes block and tell another brand",
        file="gateway/storage/offers.py",
        old="d.key != ? AND d.brand = ? AND",
        new="d.key != ? AND d.brand IS NOT ? AND",
        tests=(
            "tests/gateway/storage/test_offers.py::test_what_a_brand_announces_blocks_no_other_brand_and_tells_it_nothing",
        ),
    ),
    Mutant(
        name="a code of two brands opens for the likelier one",
        file="gateway/domain/visit/scan.py",
        old="if others and not delivery.needs_courier:",
        new="if False:",
        tests=(
            f"{SCANS}::test_a_code_that_two_permitted_brands_announced_opens_for_neither_and_the_owner_is_told_which",
        ),
    ),
    Mutant(
        name="a brand that may not come in blocks one that may at the door",
        file="gateway/domain/visit/scan.py",
        old="if _may_begin(step, rival, scan.scanner)]",
        new="if rival.id]",
        tests=(f"{SCANS}::test_a_code_that_a_brand_announced_too_that_may_not_come_in_opens_for_the_one_that_may",),
    ),
    Mutant(
        name="the courier's code does not say which brand's parcel it is",
        file="gateway/domain/visit/scan.py",
        old="return is_of_any or _is_same_order(pending, delivery) or _also_of_other_brand(pending, delivery)",
        new="return is_of_any or _is_same_order(pending, delivery)",
        tests=(f"{SCANS}::test_where_a_courier_proves_himself_his_code_says_which_brand_s_parcel_it_is",),
    ),
    Mutant(
        name="another visit's proof passes under the name of one that the phone knows",
        file="gateway/evidence/verify.py",
        old="        self._check_folder_name()\n        self._check_later_part()\n        self._check_receipt()\n",
        new="        self._check_later_part()\n        self._check_receipt()\n",
        tests=(
            f"{VERIFY}::test_another_visit_s_whole_proof_under_the_name_of_one_that_the_phone_remembers_is_not_its_proof",
        ),
    ),
    Mutant(
        name="an older store with its older mark is taken for the newest",
        file="gateway/evidence/rollback.py",
        old="if there == last.head.hash and not foreign_visits(proofs, hash_at, condition.foreign_visits):",
        new="if there == last.head.hash:",
        tests=(
            f"{BACK}::test_an_older_store_that_is_put_back_with_its_older_mark_is_in_doubt_by_the_proofs_sealed_since",
        ),
    ),
    Mutant(
        name="the pages displace whoever follows an entrance",
        file="gateway/runtime/entrance.py",
        old="for notify in tuple(self.on_change):",
        new="for notify in self.on_change[-1:]:",
        tests=("tests/gateway/runtime/test_entrance.py::test_whoever_follows_an_entrance_later_displaces_nobody",),
    ),
    Mutant(
        name="the log's chain is another one than the format's page says",
        file="gateway/protocol/hash_chain.py",
        old='_LINK_TAG = b"perron log 1\\0"',
        new='_LINK_TAG = b"perron log 2\\0"',
        tests=("tests/gateway/evidence/test_format.py::test_a_genuine_proof_is_good_for_both",),
    ),
)
