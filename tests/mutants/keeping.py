"""Faults in what keeps a box in being: the house file read anew, copies, keys that follow each other, two boxes."""

from tests.mutants.mutant import Mutant

COPYING = "tests/gateway/storage/test_snapshot.py"
BACKUP = "tests/gateway/runtime/maintenance/test_backup.py"
LIFETIME = "tests/gateway/test_supervisor.py"
SUCCESSION = "tests/gateway/evidence/test_succession.py"
RIVAL = "tests/gateway/mqtt/test_session_takeover.py"

USED = f"{COPYING}::test_what_the_original_used_after_the_copy_opens_nothing_in_it"
SAFE = f"{COPYING}::test_in_a_copy_nobody_is_let_in_or_signed_in_and_every_entrance_is_in_safe_mode"
FOLLOWED = f"{SUCCESSION}::test_proofs_of_before_and_after_verify_whichever_key_is_known"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="what was promised before the copy opens after it",
        file="gateway/storage/snapshot.py",
        old='    connection.execute("UPDATE delivery SET doubtful = 1")\n',
        new="",
        tests=(USED,),
    ),
    Mutant(
        name="an announcement that the copy never saw is played again and believed",
        file="gateway/storage/offers.py",
        old="iat * 1_000_000 <= since + MAX_CLOCK_SKEW_S * 1_000_000",
        new="False",
        tests=(USED,),
    ),
    Mutant(
        name="a copy that does not know the time believes what is signed",
        file="gateway/storage/offers.py",
        old="(since == 0 or iat",
        new="(iat",
        tests=(f"{COPYING}::test_before_the_time_is_known_nothing_counts_as_signed_since",),
    ),
    Mutant(
        name="in a copy a brand that was revoked since is let in",
        file="gateway/storage/snapshot.py",
        old=("        decide_brand(connection, brand, PermissionStatus.PENDING, None, now, by=None)\n"),
        new="        pass\n",
        tests=(SAFE,),
    ),
    Mutant(
        name="in a copy everybody is signed in still",
        file="gateway/storage/snapshot.py",
        old='for table in ("answer", "device",',
        new='for table in ("answer",',
        tests=(SAFE,),
    ),
    Mutant(
        name="a copy begins as if nothing were",
        file="gateway/storage/snapshot.py",
        old=("            timers={},\n            safe=SafeMode(),\n        )\n"),
        new=("            timers={},\n        )\n"),
        tests=(SAFE,),
    ),
    Mutant(
        name="a delivery stays in doubt after it was announced anew",
        file="gateway/storage/offers.py",
        old="excluded.by_hub, doubtful = 0",
        new="excluded.by_hub",
        tests=(f"{COPYING}::test_a_delivery_that_is_announced_anew_may_come_in_again",),
    ),
    Mutant(
        name="a backup that was changed is put back",
        file="gateway/system/listed_archive.py",
        old="        if listed.get(name) != files.get(name):\n",
        new="        if name not in listed:\n",
        tests=(f"{BACKUP}::test_a_backup_that_was_hurt_is_known_before_anything_is_touched",),
    ),
    Mutant(
        name="a box is written over",
        file="gateway/cli/maintenance.py",
        old="    in_the_way = restoration.foreign_files(home.storage.folder)\n    if in_the_way:\n",
        new="    in_the_way = restoration.foreign_files(home.storage.folder)\n    if False:\n",
        tests=(f"{BACKUP}::test_a_box_is_never_written_over",),
    ),
    Mutant(
        name="a gateway begins in a folder that is half restored",
        file="gateway/app.py",
        old=("            if restore.is_unfinished(folder):\n"),
        new="            if False:\n",
        tests=(f"{BACKUP}::test_killed_anywhere_in_a_restore_no_gateway_begins_and_a_restore_finishes_it",),
    ),
    Mutant(
        name="a new house file ends a visit",
        file="gateway/runtime/maintenance/reload.py",
        old=('        running: dict[BusyReason, bool] = {\n            "visit": state.visit is not None,\n'),
        new=('        running: dict[BusyReason, bool] = {\n            "visit": False,\n'),
        tests=(f"{LIFETIME}::test_while_a_visit_runs_the_newest_word_waits_and_a_wrong_one_takes_it_back",),
    ),
    Mutant(
        name="a reload gives the box another name",
        file="gateway/runtime/maintenance/reload.py",
        old="    if new.box != old.box:\n",
        new="    if False:\n",
        tests=(f"{LIFETIME}::test_a_house_file_that_cannot_be_used_is_refused_in_words_and_nothing_ends",),
    ),
    Mutant(
        name="the number of a process that ended is believed, and a stranger gets the signal",
        file="gateway/runtime/maintenance/reload.py",
        old="            if os.path.samestat(ours, one.stat()):\n",
        new="            if True:\n",
        tests=(f"{LIFETIME}::test_where_no_gateway_runs_the_command_says_so",),
    ),
    Mutant(
        name="a key that never was the box's follows",
        file="gateway/protocol/key_succession.py",
        old="return self.is_signed_by(old) and new",
        new="return new",
        tests=(f"{SUCCESSION}::test_a_line_that_was_not_signed_by_both_keys_is_known",),
    ),
    Mutant(
        name="a new key that agreed to nothing follows",
        file="gateway/protocol/key_succession.py",
        old="return self.is_signed_by(old) and new.verifies(b64decode(self.agreed), self.agreed_bytes())",
        new="return self.is_signed_by(old)",
        tests=(f"{SUCCESSION}::test_a_line_that_was_not_signed_by_both_keys_is_known",),
    ),
    Mutant(
        name="what a replaced key signs is a proof still",
        file="gateway/evidence/verify.py",
        old="manifest.clock_trusted and at > replaced + MAX_CLOCK_CORRECTION",
        new="False",
        tests=(f"{SUCCESSION}::test_what_the_old_key_signs_after_it_was_replaced_is_no_proof",),
    ),
    Mutant(
        name="whoever knows the old key does not follow to the new one",
        file="gateway/protocol/key_succession.py",
        old="return keys if key in keys else (key,)",
        new="return (key,)",
        tests=(FOLLOWED,),
    ),
    Mutant(
        name="the key changes before it is written how",
        file="gateway/evidence/succession.py",
        old=("            write_whole(folder / SUCCESSION_FILE, line.encoded)\n        (folder"),
        new="            pass\n        (folder",
        tests=(FOLLOWED,),
    ),
    Mutant(
        name="another box in this one's chair is not noticed",
        file="gateway/mqtt/session_takeover.py",
        old="        if TAKEN_OVER not in reason:\n",
        new="        if TAKEN_OVER in reason:\n",
        tests=(f"{RIVAL}::test_once_or_seldom_may_be_a_restart_that_overlaps",),
    ),
)
