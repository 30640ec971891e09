"""Faults in the examination of a house and in its page."""

from tests.mutants.mutant import Mutant

BROKER = "tests/gateway/installation/diagnostics/test_broker.py"
ROUNDS = "tests/gateway/installation/diagnostics/test_examination_runner.py"
HOUSE = "tests/gateway/installation/diagnostics/test_house.py"
PAGE = "tests/gateway/web/pages/test_diagnostics.py"

PHONES = f"{PAGE}::test_no_phone_is_rung_by_an_installer_and_the_owner_s_are_named_to_him_alone"
PEOPLE = f"{ROUNDS}::test_whether_somebody_is_home_is_not_told_to_whoever_may_see_diagnostics"
HANGS = (
    f"{HOUSE}::test_a_file_that_hangs_is_a_finding_and_holds_up_neither_the_house_nor_the_next_examination"
)  # fmt: skip

_CLOSURES = "tests/gateway/installation/diagnostics/test_closures.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="an examination tries the gateway's account while the gateway has it",
        file="gateway/installation/diagnostics/broker.py",
        old="if is_gateway_online(retained):",
        new="if retained == b'':",
        tests=(f"{BROKER}::test_a_gateway_that_runs_is_never_pushed_out_by_its_own_examination",),
    ),
    Mutant(
        name="an examination does not wait for whoever speaks as the installer",
        file="gateway/installation/diagnostics/broker.py",
        old="    lock = installer_lock or asyncio.Lock()\n",
        new="    lock = asyncio.Lock()\n",
        tests=(f"{BROKER}::test_whoever_speaks_as_the_installer_already_is_let_finish",),
    ),
    Mutant(
        name="the gateway's own account is not tried",
        file="gateway/installation/diagnostics/broker.py",
        old=("        return await _connection_finding(GATEWAY, account, error)\n"),
        new="        pass\n",
        tests=(f"{BROKER}::test_a_broker_that_refuses_the_gateway_s_account_alone_is_red_and_says_so",),
    ),
    Mutant(
        name="an examination waits for what it has given up",
        file="gateway/installation/diagnostics/house.py",
        old="        await asyncio.wait([check.task for check in checks], timeout=timeout_s)\n",
        new="        await asyncio.wait([check.task for check in checks], timeout=timeout_s + 30)\n",
        tests=(HANGS,),
    ),
    Mutant(
        name="files that hang are read in one more thread with each examination",
        file="gateway/installation/diagnostics/house.py",
        old="if check_id not in _running_checks:",
        new="if True:",
        tests=(HANGS,),
    ),
    Mutant(
        name="an entrance whose camera gives no picture is not red",
        file="gateway/installation/diagnostics/house.py",
        old="if stream_subject(camera) in red]",
        new="if False]",
        tests=(f"{PAGE}::test_a_camera_that_does_not_answer_far_from_a_window_is_said_of_its_entrance",),
    ),
    Mutant(
        name="two who press at once examine twice",
        file="gateway/installation/diagnostics/house.py",
        old="if self._running is None or self._running.done():",
        new="if True:",
        tests=(f"{ROUNDS}::test_two_who_press_at_once_see_the_same_examination",),
    ),
    Mutant(
        name="whoever presses again and again examines again and again",
        file="gateway/installation/diagnostics/house.py",
        old="self._clock.now().mono - self._ended_mono < MIN_PAUSE_S:",
        new="self._clock.now().mono - self._ended_mono < 0:",
        tests=(f"{ROUNDS}::test_whoever_presses_again_and_again_waits_some_seconds_between_two",),
    ),
    Mutant(
        name="the first who goes away ends the examination for all",
        file="gateway/installation/diagnostics/house.py",
        old="await asyncio.shield(self._running)",
        new="await self._running",
        tests=(f"{ROUNDS}::test_whoever_goes_away_takes_the_examination_from_nobody_else",),
    ),
    Mutant(
        name="diagnostics tell whether somebody is home",
        file="gateway/installation/diagnostics/devices.py",
        old="isinstance(report, r.PresenceReport | r.AlarmPanelReport | r.ParkedReport)",
        new="isinstance(report, r.AlarmPanelReport)",
        tests=(PEOPLE,),
    ),
    Mutant(
        name="diagnostics tell an installer where the household's car is",
        file="gateway/installation/diagnostics/closures.py",
        old="if shows_people or word not in closure.household_words]",
        new="]",
        tests=(f"{_CLOSURES}::test_where_the_household_drives_is_not_shown_on_the_page_of_installers",),
    ),
    Mutant(
        name="an installer rings the household's phones",
        file="gateway/web/pages/diagnostics.py",
        old="if rings and not has_right(user.role, UserRight.SETTINGS):",
        new="if rings and not has_right(user.role, UserRight.DIAGNOSTICS):",
        tests=(PHONES,),
    ),
    Mutant(
        name="an installer reads what the owner's phones answered",
        file="gateway/web/pages/diagnostics.py",
        old="rung = self._phones.last if has_right(user.role, UserRight.SETTINGS) else None",
        new="rung = self._phones.last",
        tests=(PHONES,),
    ),
    Mutant(
        name="an examination asks lock and cameras in the middle of a visit",
        file="gateway/web/pages/diagnostics.py",
        old="state.visit is not None and state.visit.phase is not Phase.HANDED_TO_OWNER",
        new="state.visit is not None and state.visit.phase is Phase.HANDED_TO_OWNER",
        tests=(f"{PAGE}::test_a_visit_under_way_is_left_alone",),
    ),
    Mutant(
        name="the household reads the box's diagnostics",
        file="gateway/web/pages/diagnostics.py",
        old=(
            "    @get(DIAGNOSTICS_PATH, UserRight.DIAGNOSTICS)\n"
            "    async def _page(\n"
            "        self, request: web.Request, user: CurrentUser, *, notice: Text | None = None"
        ),
        new=(
            "    @get(DIAGNOSTICS_PATH, UserRight.SEE_STATE)\n"
            "    async def _page(\n"
            "        self, request: web.Request, user: CurrentUser, *, notice: Text | None = None"
        ),
        tests=(f"{PAGE}::test_the_household_neither_examines_nor_reads_what_was_found",),
    ),
    Mutant(
        name="a camera's account is told with where its pictures are",
        file="gateway/installation/diagnostics/devices.py",
        old="uri=mask_account(uri)",
        new="uri=uri",
        tests=(
            "tests/gateway/installation/diagnostics/test_texts.py::test_where_a_camera_says_its_pictures_are_never_tells_its_account",
        ),
    ),
)
