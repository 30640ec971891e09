"""Faults in privacy, in moving out, and in the way back in."""

from tests.mutants.mutant import Mutant

PRIVACY = "tests/gateway/web/pages/test_privacy.py"
MOVING = "tests/gateway/web/pages/test_decommission.py"
WAY_IN = "tests/gateway/web/test_way_in.py"
WIPE = "tests/gateway/runtime/maintenance/test_factory_reset.py"
STORE = "tests/gateway/storage/test_handover.py"
OUT = "tests/gateway/test_moving_out.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="the mark of a wipe goes before what it is for",
        file="gateway/runtime/maintenance/factory_reset.py",
        old=("    emptied = truncate(phones)\n"),
        new=("    (folder / WIPE_MARK).unlink(missing_ok=True)\n    emptied = truncate(phones)\n"),
        tests=(f"{WIPE}::test_killed_at_any_point_the_next_start_finishes_it",),
    ),
    Mutant(
        name="a wipe follows links out of the box",
        file="gateway/runtime/maintenance/factory_reset.py",
        old=("            _remove(inner)\n        sync_folder(path)\n"),
        new=("            _delete(inner)\n        sync_folder(path)\n"),
        tests=(f"{WIPE}::test_films_on_another_disk_go_too_and_the_disk_stays",),
    ),
    Mutant(
        name="a start opens a box that is to be wiped",
        file="gateway/app.py",
        old=(
            "left = factory_reset.is_marked_for_wipe(folder) and not await asyncio.to_thread(\n"
            "                unenrolment.finish_wipe_at_hub, self.home, self.file\n"
            "            )"
        ),
        new="left = False",
        tests=(f"{OUT}::test_a_box_that_died_with_the_mark_is_wiped_at_its_next_start",),
    ),
    Mutant(
        name="a box is wiped with a door that nobody proved locked",
        file="gateway/runtime/maintenance/decommission.py",
        old="if state.broker_session is None or not are_all_secured(state):",
        new="if state.broker_session is None:",
        tests=(f"{MOVING}::test_it_is_refused_in_plain_words_while_something_is_under_way",),
    ),
    Mutant(
        name="what began while a wipe was decided is not looked for",
        file="gateway/runtime/maintenance/decommission.py",
        old="(*self.obstacles(held_too=held_too), *(() if codes_too else codes))",
        new="() if codes_too else codes",
        tests=(f"{MOVING}::test_a_visit_that_begins_while_it_is_decided_stands_in_the_way",),
    ),
    Mutant(
        name="a house is taken by a link that was withdrawn meanwhile",
        file="gateway/storage/handover.py",
        old=(
            '    if not connection.execute("DELETE FROM house_offer WHERE id = ?", (offer.id,)).rowcount:\n'
            "        return AccountResult.INVITATION_GONE\n"
        ),
        new="",
        tests=(f"{STORE}::test_what_was_withdrawn_between_a_look_and_a_press_is_not_taken",),
    ),
    Mutant(
        name="the former household stays signed in",
        file="gateway/storage/handover.py",
        old='for table in ("device", "invitation", "share", "person",',
        new='for table in ("invitation", "share",',
        tests=(f"{MOVING}::test_the_next_owner_takes_the_house_and_nobody_from_before_has_access",),
    ),
    Mutant(
        name="the former household's links hold in the new one",
        file="gateway/runtime/maintenance/handover.py",
        old="for renew in (renew_link_key, renew_push_key):",
        new="for renew in (renew_push_key,):",
        tests=(f"{OUT}::test_a_house_with_another_owner_has_new_links_no_phones_and_no_films",),
    ),
    Mutant(
        name="a code lets in twice",
        file="gateway/storage/people.py",
        old=(
            "    if not use_link(connection, code.code, code.keep, now):\n        return AccountResult.CODE_USED, 0\n"
        ),
        new="",
        tests=(f"{WAY_IN}::test_of_two_at_the_same_moment_one_comes_in",),
    ),
    Mutant(
        name="a code outlives its quarter of an hour where the clock is set back",
        file="gateway/runtime/maintenance/recovery_codes.py",
        old=" and 0 <= mono - code.mono < CODE_LIFETIME_S",
        new="",
        tests=(f"{WAY_IN}::test_a_code_that_is_old_says_so",),
    ),
    Mutant(
        name="a family is watched at home",
        file="gateway/web/server/context.py",
        old="        if not self.is_inside(camera) or self.store.privacy.inside_always():\n",
        new="        if self.is_inside(camera) or self.store.privacy.inside_always():\n",
        tests=(f"{PRIVACY}::test_a_camera_inside_is_not_shown_while_nothing_is_filmed",),
    ),
    Mutant(
        name="a view of the inside outlives the visit",
        file="gateway/web/pages/live.py",
        old=("        return may and self._services.may_be_watched(camera)\n"),
        new="        return may\n",
        tests=(f"{PRIVACY}::test_while_a_visit_runs_it_is_and_not_a_moment_longer",),
    ),
    Mutant(
        name="a shorter retention waits for the next hour",
        file="gateway/web/pages/privacy.py",
        old=("            self._services.erase_expired_films()\n"),
        new="",
        tests=(f"{PRIVACY}::test_a_shorter_retention_erases_at_once_with_a_tombstone_and_what_is_held_stays",),
    ),
    Mutant(
        name="a thief's invitations and offers outlive the password he stole",
        file="gateway/storage/people.py",
        old=(
            "    _void_invitations_and_offers(db, ident, now)\n"
            '    db.log("password_changed", now.utc, {"person": ident})\n'
            "    return AccountResult.DONE\n"
        ),
        new=('    db.log("password_changed", now.utc, {"person": ident})\n    return AccountResult.DONE\n'),
        tests=("tests/gateway/storage/test_handover.py::test_a_new_password_voids_what_was_offered_under_the_old_one",),
    ),
    Mutant(
        name="the former household's phones stand beside the next owner's first",
        file="gateway/runtime/notifications/contacts.py",
        old="stays = self.file.exists() and not anew",
        new="stays = self.file.exists()",
        tests=("tests/gateway/runtime/notifications/test_contacts.py",),
    ),
)
