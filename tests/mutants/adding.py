"""Faults in what may come into the house file from a page."""

from tests.mutants.mutant import Mutant

PURE = "tests/gateway/installation/test_proposal_checks.py"
KEPT = "tests/gateway/installation/test_proposal_workflow.py"
ATTACKED = "tests/gateway/web/test_adding_attacked.py"
PAGE = "tests/gateway/web/pages/test_add_device.py"

WEAKER = f"{PURE}::test_what_would_weaken_what_is_there_is_refused"
FAILED = f"{KEPT}::test_what_no_gateway_began_with_is_taken_out_of_the_house_file_and_waits_again"

TRIED = "tests/gateway/installation/test_tryout.py"
SETUP = "tests/gateway/web/pages/test_setup.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="an installer has the box speak with any address",
        file="gateway/installation/tryout.py",
        old='        if is_owner or request.kind != "camera":\n',
        new="        if is_owner or request.kind:\n",
        tests=(
            f"{TRIED}::test_an_installer_tries_only_what_has_announced_itself",
            f"{SETUP}::test_an_installer_tries_an_address_where_a_camera_announced_itself_or_with_its_account",
        ),
    ),
    Mutant(
        name="an installer looks through a camera that has no password",
        file="gateway/installation/tryout.py",
        old="            return None\n        if probe.unopened is None:\n",
        new="            return None\n        if probe.unopened is None and request.login is None:\n",
        tests=(f"{TRIED}::test_an_installer_looks_through_no_camera_of_the_family_that_has_no_password",),
    ),
    Mutant(
        name="the picture of a trial is for everybody",
        file="gateway/installation/tryout.py",
        old="        if kept is None or kept.person != person or kept.until < self._clock().mono:\n",
        new="        if kept is None or kept.until < self._clock().mono:\n",
        tests=(f"{TRIED}::test_the_picture_of_a_camera_is_for_who_tried_it_alone_and_for_a_while",),
    ),
    Mutant(
        name="a camera of the inside is watched by another path",
        file="gateway/installation/tryout.py",
        old="                if same and (place.port == its_place.port or not all(map(_is_own_machine, same))):\n",
        new="                if same and place.port != its_place.port:\n",
        tests=(f"{TRIED}::test_a_camera_of_the_inside_is_not_watched_by_another_path",),
    ),
    Mutant(
        name="an installer sees an account that nobody opened to him",
        file="gateway/web/pages/broker_accounts.py",
        old="            if name not in opened:\n",
        new="            if not name:\n",
        tests=(f"{SETUP}::test_an_installer_reads_whom_to_ask_and_sees_once_the_account_that_the_owner_opened",),
    ),
    Mutant(
        name="an account is shown as often as somebody presses",
        file="gateway/web/pages/broker_accounts.py",
        old="        if name in shown and not renews:\n",
        new="        if name not in shown and renews:\n",
        tests=(f"{SETUP}::test_an_account_is_shown_once_and_a_new_password_ends_the_former",),
    ),
    Mutant(
        name="an addition may change what is there",
        file="gateway/installation/proposal_checks.py",
        old=("    if _house_without(new, proposal) != old:\n"),
        new="    if False:\n",
        tests=(f"{PURE}::test_an_addition_that_changes_anything_else_is_refused",),
    ),
    Mutant(
        name="a new account may speak for another's device",
        file="gateway/installation/proposal_checks.py",
        old=("                if _filter_matches(gained, topic):\n"),
        new="                if gained == topic:\n",
        tests=(WEAKER,),
    ),
    Mutant(
        name="any file of the box may be named by a page",
        file="gateway/installation/proposal_checks.py",
        old=("    if any(str(path) != login_file for path in named_paths(device)):\n"),
        new=("    if login_file is not None and any(str(path) != login_file for path in named_paths(device)):\n"),
        tests=(WEAKER,),
    ),
    Mutant(
        name="an entrance by which a brand was let in comes back by a page",
        file="gateway/installation/proposal_checks.py",
        old="    if name in permitted_entrances:\n",
        new="    if name in old.entrances:\n",
        tests=(f"{PURE}::test_an_entrance_by_which_a_brand_was_let_in_before_is_not_put_up_again",),
    ),
    Mutant(
        name="an installer may accept what he proposed",
        file="gateway/web/pages/add_device.py",
        old=(
            '    @post(f"{ADD_DEVICE_PATH}/accept", UserRight.ENROL)\n'
            "    async def _accept(self, request: web.Request, user: CurrentUser) -> web.Response:\n"
            "        form = await request.post()\n"
        ),
        new=(
            '    @post(f"{ADD_DEVICE_PATH}/accept", UserRight.DEVICES)\n'
            "    async def _accept(self, request: web.Request, user: CurrentUser) -> web.Response:\n"
            "        form = await request.post()\n"
        ),
        tests=(f"{PAGE}::test_an_installer_can_accept_nothing_however_he_asks",),
    ),
    Mutant(
        name="a proposal is accepted without the password",
        file="gateway/web/pages/add_device.py",
        old="        error = await self._authorizer.password_error(request, user)\n        if error is not None:\n",
        new=(
            "        error = await self._authorizer.password_error(request, user)\n"
            '        if error is not None and not form.get("password"):\n'
        ),
        tests=(f"{PAGE}::test_an_installer_proposes_the_owner_is_told_at_home_and_accepts_with_his_password",),
    ),
    Mutant(
        name="what an owner adds is accepted without the password",
        file="gateway/web/pages/add_device.py",
        old="        wrong = await authorizer.password_error(request, user)\n        if wrong is not None:\n",
        new="        wrong = await authorizer.password_error(request, user)\n        if wrong is None:\n",
        tests=(f"{PAGE}::test_an_owner_s_own_addition_is_taken_at_once_with_his_password_and_waits_for_nobody",),
    ),
    Mutant(
        name="anybody's proposal may be withdrawn by any installer",
        file="gateway/web/pages/add_device.py",
        old="one.by != user.person and user.role is not Role.OWNER",
        new="one.by == user.person and user.role is Role.HOUSEHOLD",
        tests=(f"{PAGE}::test_who_proposed_may_withdraw_and_nobody_else_s",),
    ),
    Mutant(
        name="what was proposed waits for the next owner of the house",
        file="gateway/runtime/maintenance/handover.py",
        old="        if proposed.exists():\n",
        new="        if not proposed.exists():\n",
        tests=(
            "tests/gateway/test_moving_out.py::test_a_house_with_another_owner_has_new_links_no_phones_and_no_films",
        ),
    ),
    Mutant(
        name="a refused camera's password stays on the disk",
        file="gateway/installation/proposal_workflow.py",
        old=("            self._stored_login(proposal).unlink(missing_ok=True)\n"),
        new=("            self._stored_login(proposal)\n"),
        tests=(f"{PAGE}::test_a_camera_s_account_is_kept_apart_shown_nowhere_and_goes_with_a_refusal",),
    ),
    Mutant(
        name="what was accepted and never written is forgotten",
        file="gateway/installation/proposal_workflow.py",
        old='pending = proposal.model_copy(update={"accepted": None, "done": False})',
        new='pending = proposal.model_copy(update={"done": True})',
        tests=(f"{PAGE}::test_a_crash_in_the_middle_of_accepting_loses_nothing_and_leaves_no_password", FAILED),
    ),
    Mutant(
        name="a house in which no gateway begins stays in the file",
        file="gateway/installation/proposal_workflow.py",
        old='if last is None or last[0].said != "refused" or not',
        new="if True or not",
        tests=(FAILED,),
    ),
    Mutant(
        name="half of what the owner accepted comes into the house",
        file="gateway/installation/proposal_workflow.py",
        old="if not chosen or {proposal.id for proposal in chosen} != set(ids):",
        new="if not chosen:",
        tests=(f"{ATTACKED}::test_what_was_withdrawn_since_the_owner_looked_is_not_accepted_in_part",),
    ),
    Mutant(
        name="a radio's other name for a lock is another lock",
        file="gateway/installation/proposal_checks.py",
        old=("    yield from _address_remarks(new, name)\n"),
        new="",
        tests=("tests/gateway/installation/test_proposal_checks.py::test_what_would_weaken_what_is_there_is_refused",),
    ),
    Mutant(
        name="a password stays beside a house file that does not name it",
        file="gateway/installation/proposal_workflow.py",
        old=("            self._remove_unused_logins(self._pending)\n"),
        new="",
        tests=(f"{ATTACKED}::test_a_kill_between_two_writes_leaves_no_password_once_it_is_refused",),
    ),
)
